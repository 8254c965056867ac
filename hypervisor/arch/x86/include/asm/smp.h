/* SPDX-License-Identifier: MIT */
/* The other CPUs: finding, starting, talking to them, stopping them. */
#ifndef ASM_SMP_H
#define ASM_SMP_H

#include <hv/types.h>

struct cpu;
extern struct cpu boot_cpu;

void smp_start(void); /* boot CPU: start the others; they wait. Sets nr_cpus */
/* Boot CPU: let them run guests; idle vCPUs exist. Returns when all are online. */
void smp_release(void);
bool smp_stopping(void);
void time_tsc_differs(unsigned cpu); /* time.c: say so, and tell guests no more that one clock serves all their vCPUs */
void smp_ipi(unsigned vector);          /* C side of the IPI vectors: call function, TLB */
void enter_guest_loop(void) __noreturn; /* entry.S */

#endif
