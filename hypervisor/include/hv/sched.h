/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: who runs next on this CPU. EEVDF with weight, cap and reservation, a runqueue for each CPU.
 *
 * Everything that makes a vCPU runnable or not goes through these calls; they may be called from any context (runqueue
 * lock is irqsave). The switch itself happens only in schedule(), from the exit path (softirq), on the CPU's own stack.
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <hv/types.h>
#include <hv/vcpu.h>
#include <hv/cpumask.h>

void sched_cpu_init(unsigned cpu);      /* runqueue of one CPU; on that CPU */
int sched_vcpu_init(struct vcpu *v, unsigned cpu);
void sched_vcpu_destroy(struct vcpu *v);

void vcpu_wake(struct vcpu *v);         /* recheck: run it if it is runnable */
void vcpu_sleep_nosync(struct vcpu *v); /* it stopped being runnable (pause_count, down, …): get it off its CPU soon */
void vcpu_sleep_sync(struct vcpu *v);   /* and wait until it is off */
void vcpu_pause(struct vcpu *v);        /* pause_count++, sleep_sync; not current */
void vcpu_unpause(struct vcpu *v);
void vcpu_kick(struct vcpu *v);         /* make it look at its pending events: wake, or IPI if it runs elsewhere */

void schedule(void);                    /* softirq SCHEDULE */

int sched_set_affinity(struct vcpu *v, const cpumask_t *hard); /* -EINVAL: no such CPU; -ENOSPC: its reservation */
void sched_set_soft_affinity(struct vcpu *v, const cpumask_t *soft); /* preferred, not obeyed */
void sched_get_affinity(const struct vcpu *v, cpumask_t *hard, cpumask_t *soft); /* soft may be NULL */
int sched_set_params(struct domain *d, const struct sched_params *p);
/* Each vCPU gets budget in each period (ns) whatever else runs; 0: none. -EINVAL; -ENOSPC: it does not fit. Controller's. */
int sched_set_reservation(struct domain *d, uint64_t period_ns, uint64_t budget_ns);
void sched_get_reservation(const struct domain *d, uint64_t *period_ns, uint64_t *budget_ns);
void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out); /* up to date */
uint64_t cpu_idle_time(unsigned cpu);
void sched_domain_init(struct domain *d); /* its end: timer_kill(&d->sched.refill) */
void vcpu_unblock(struct vcpu *v);      /* an event it waits for came */

#endif
