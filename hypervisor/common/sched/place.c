/* SPDX-License-Identifier: MIT */
/*
 * On which CPU: affinity, and where one that wakes is queued.
 *
 * Interface: sched_set_affinity, sched_set_soft_affinity, sched_get_affinity (hv/sched.h);
 * sched_choose_cpu (sched.h). Hard affinity is obeyed, soft affinity is preferred: an idle CPU
 * outside it is better than a busy one inside.
 */
#include "sched.h"

cpumask_t idle_cpus;

static bool usable(const cpumask_t *m)
{
    unsigned cpu;

    for_each_cpu_in(cpu, &cpus_online)
        if (cpumask_test(m, cpu))
            return true;
    return false;
}

/*
 * An idle CPU before a busy one; one that it prefers before others; the least loaded; where it was.
 * One with a reservation waits only where that is kept.
 */
unsigned sched_choose_cpu(const struct sched_unit *u)
{
    unsigned home = u->vcpu->cpu, best = home, cpu;
    uint64_t least = UINT64_MAX;
    bool idle = false;

    if (cpumask_test(&idle_cpus, home) && cpumask_test(&u->affinity, home) &&
        cpumask_test(&u->soft, home))
        return home;
    for_each_cpu_in(cpu, &cpus_online) {
        bool busy = !cpumask_test(&idle_cpus, cpu);
        uint64_t cost = (uint64_t)busy << 63 | (uint64_t)!cpumask_test(&u->soft, cpu) << 62 |
                        cpu_data[cpu]->rq->load << 1 | (cpu != home);

        if (!cpumask_test(&u->affinity, cpu) || cost >= least)
            continue;
        least = cost;
        best = cpu;
        idle = !busy;
    }
    return unit_reserved(u) && !idle ? u->reserve.home : best;
}

int sched_set_affinity(struct vcpu *v, const cpumask_t *hard)
{
    unsigned long flags;
    struct sched_unit *u = v->sched;
    struct runqueue *rq;
    bool leave = false;
    int rc;

    if (!usable(hard))
        return -EINVAL;
    rc = reserve_move(v, hard);
    if (rc)
        return rc;
    rq = sched_lock(v, &flags);
    u->affinity = *hard;
    if (!cpumask_test(hard, rq->cpu)) {
        if (u->queued) {
            sched_charge(rq, now());
            eevdf_leave(rq, u);
            leave = true;
        } else if (rq->curr == u) {
            softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
        }
    }
    spin_unlock_irqrestore(&rq->lock, flags);
    if (leave)
        vcpu_wake(v);
    return 0;
}

void sched_set_soft_affinity(struct vcpu *v, const cpumask_t *soft)
{
    unsigned long flags;
    struct runqueue *rq = sched_lock(v, &flags);

    v->sched->soft = *soft; /* felt when it wakes next, or a CPU looks for work */
    spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_get_affinity(const struct vcpu *v, cpumask_t *hard, cpumask_t *soft)
{
    unsigned long flags;
    struct runqueue *rq = sched_lock(v, &flags);

    *hard = v->sched->affinity;
    if (soft)
        *soft = v->sched->soft;
    spin_unlock_irqrestore(&rq->lock, flags);
}
