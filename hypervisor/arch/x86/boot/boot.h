/* SPDX-License-Identifier: MIT */
/* The way from the loader to all CPUs at work: between the files of boot/, smp.c and time.c. */
#ifndef X86_BOOT_H
#define X86_BOOT_H

#include <asm/cpu.h>

void boot_info_init(uint32_t magic, uint64_t info, uint64_t image_start, uint64_t image_end);
extern uint64_t boot_tsc;              /* TSC when the first C code ran */
extern const char *boot_problem;       /* NULL: none. Said when there is a console */
bool boot_is_ram(uint64_t start, uint64_t end); /* the memory map says so of all of it */

extern uint64_t ap_stack;              /* head.S: where the next CPU starts */
extern const char trampoline_start[], trampoline_end[];
extern struct cpu boot_cpu;
void smp_start(void); /* boot CPU: start the others; they wait. Sets nr_cpus */
/* Boot CPU: let them run guests; idle vCPUs exist. Returns when all are online. */
void smp_release(void);
void time_tsc_differs(unsigned cpu); /* time.c: say so, and tell guests no more that one clock serves all their vCPUs */
void enter_guest_loop(void) __noreturn; /* entry.S */

#endif
