/* SPDX-License-Identifier: MIT */
/*
 * READ_ONCE and WRITE_ONCE are volatile accesses: GCC tells us of them apart from others
 * (--param tsan-distinguish-volatile), and we tell ThreadSanitizer that they are whole and order
 * nothing.
 */
#include <stdint.h>

void __tsan_volatile_read1(void *p), __tsan_volatile_read2(void *p), __tsan_volatile_read4(void *p),
    __tsan_volatile_read8(void *p), __tsan_volatile_write1(void *p),
    __tsan_volatile_write2(void *p), __tsan_volatile_write4(void *p),
    __tsan_volatile_write8(void *p);

void __tsan_volatile_read1(void *p)
{
    (void)__atomic_load_n((uint8_t *)p, __ATOMIC_RELAXED);
}
void __tsan_volatile_read2(void *p)
{
    (void)__atomic_load_n((uint16_t *)p, __ATOMIC_RELAXED);
}
void __tsan_volatile_read4(void *p)
{
    (void)__atomic_load_n((uint32_t *)p, __ATOMIC_RELAXED);
}
void __tsan_volatile_read8(void *p)
{
    (void)__atomic_load_n((uint64_t *)p, __ATOMIC_RELAXED);
}
void __tsan_volatile_write1(void *p)
{
    __atomic_fetch_or((uint8_t *)p, 0, __ATOMIC_RELAXED);
}
void __tsan_volatile_write2(void *p)
{
    __atomic_fetch_or((uint16_t *)p, 0, __ATOMIC_RELAXED);
}
void __tsan_volatile_write4(void *p)
{
    __atomic_fetch_or((uint32_t *)p, 0, __ATOMIC_RELAXED);
}
void __tsan_volatile_write8(void *p)
{
    __atomic_fetch_or((uint64_t *)p, 0, __ATOMIC_RELAXED);
}
