/* SPDX-License-Identifier: MIT */
/* I/O ports. */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <hv/types.h>

/* bytes: 1, 2 or 4 */
static inline uint32_t port_read(uint16_t port, unsigned bytes)
{
    uint32_t v = 0;

    if (bytes == 1)
        __asm__ volatile("inb %1, %b0" : "+a"(v) : "Nd"(port) : "memory");
    else if (bytes == 2)
        __asm__ volatile("inw %1, %w0" : "+a"(v) : "Nd"(port) : "memory");
    else
        __asm__ volatile("inl %1, %0" : "+a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline void port_write(uint16_t port, unsigned bytes, uint32_t v)
{
    if (bytes == 1)
        __asm__ volatile("outb %b0, %1" ::"a"(v), "Nd"(port) : "memory");
    else if (bytes == 2)
        __asm__ volatile("outw %w0, %1" ::"a"(v), "Nd"(port) : "memory");
    else
        __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline uint8_t inb(uint16_t port)
{
    return (uint8_t)port_read(port, 1);
}
static inline void outb(uint16_t port, uint8_t v)
{
    port_write(port, 1, v);
}

#endif
