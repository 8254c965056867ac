/* SPDX-License-Identifier: MIT */
/*
 * Text out: a small printf on the hypervisor's console (dom0), the PV console ring (domU) or into
 * memory (a child), and the handful of string functions that freestanding C needs. printf knows %s
 * %c %d %i %u %x %p %%, the lengths l ll z, a width, '0' and '-'.
 */
#ifndef RT_PRINT_H
#define RT_PRINT_H

#include <rt/base.h>
#include <stdarg.h>

/** Finds the console; before it output is lost. Call once, after the frames can be mapped. */
void console_init(void);
void console_write(const char *text, size_t len);
/** What a domain with neither console has said: a child's parent reads it there. */
struct console_memory {
    volatile uint32_t used;
    char text[4000];
};
extern struct console_memory console_memory;

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/** The value of `key=` on the guest's command line (up to a blank), or NULL. */
const char *cmdline_value(const char *key, char *buf, size_t size);
/** The same as an unsigned number (decimal or 0x…), or `otherwise` when it is absent. */
uint64_t cmdline_number(const char *key, uint64_t otherwise);
#endif
