/* SPDX-License-Identifier: MIT */
/* Inside of arch/x86: what CPU bring-up tells time.c (the rest is in hv/time.h). */
#ifndef ASM_TIME_H
#define ASM_TIME_H

/* This CPU's TSC is not the boot CPU's: say so, and stop telling guests that one clock serves all
 * their vCPUs. */
void time_tsc_differs(unsigned cpu);

#endif
