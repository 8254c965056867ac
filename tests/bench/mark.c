/* SPDX-License-Identifier: MIT */
/*
 * mark: does nothing, at an address where no other program has code. Run in a machine that is
 * counted by count.c with `mark=` this address, it makes the totals of that moment be written.
 */
#include <sys/syscall.h>

void _start(void);

void _start(void)
{
    __asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
    __builtin_unreachable();
}
