/* SPDX-License-Identifier: MIT */
/* Time: ns since boot from the TSC, the deadline interrupt, the wall clock, and the PV clock that guests read. arch/x86/time.c. */
#ifndef HV_TIME_H
#define HV_TIME_H

#include <hv/types.h>

struct vcpu;
struct domain;

uint64_t now(void);                          /* ns since boot; monotonic, same on all CPUs */
void time_init(void);                        /* calibrate without spinning where CPUID tells the frequency */
/* Arrange for SOFTIRQ_TIMER on this CPU at the deadline (ns; UINT64_MAX: none). Interrupts off. */
void timer_hw_set(uint64_t deadline_ns);
uint32_t tsc_khz(void);
/* Fill v's vcpu_time_info in its vcpu_info, which is at hand. On switching v in. */
void vcpu_time_update(struct vcpu *v);
/* The same in the area that v registered at v->time_info_guest; own vCPU. -EFAULT. */
int vcpu_time_publish(struct vcpu *v);
void wallclock_init(void);                   /* CMOS */
void wallclock_write(struct domain *d);      /* shared_info wc_* */
/* XENPF_settime: seconds and ns of wall clock at system time `at`. */
void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t at);

#endif
