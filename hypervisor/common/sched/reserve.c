/* SPDX-License-Identifier: MIT */
/*
 * Reservations: each vCPU of a domain gets `budget` ns of CPU in each `period`, before any weight
 * is looked at, whatever else the machine runs. What it uses beyond that it gets by its weight, and
 * what a reservation gives counts for the weight: the domain has the greater of the two.
 *
 * Each reservation is kept on one CPU, its home: there the vCPU waits, and there at most
 * RESERVE_MAX of the time is promised away, so earliest-deadline-first keeps all of them. A set
 * that does not fit is refused (-ENOSPC) and changes nothing.
 *
 * Interface: sched_set_reservation, sched_get_reservation (hv/sched.h); sched.h. Lock: reserve_lock
 * for who has what where; the budget in use belongs to the runqueue's lock.
 */
#include <hv/string.h>
#include "sched.h"

#define PPM           1000000UL
#define RESERVE_MAX   900000U /* ppm of one CPU: the rest is for those without a reservation */
#define PERIOD_MIN_NS 1000000UL
#define PERIOD_MAX_NS 1000000000UL

static spinlock_t reserve_lock = SPINLOCK_INIT;
static unsigned promised[MAX_CPUS]; /* ppm */
unsigned reserve_users;

static unsigned share(const struct sched_unit *u)
{
    return u->reserve.budget ? (unsigned)(u->reserve.budget * PPM / u->reserve.period) : 0;
}

/* --- the budget in use; rq locked ------------------------------------------------------------ */

static void refill(struct sched_unit *u, uint64_t t)
{
    struct reserve *r = &u->reserve;

    if (t < r->until)
        return;
    r->left = (r->left < 0 ? r->left : 0) + (int64_t)r->budget;
    r->until += r->period;
    if (r->until <= t)
        r->until = t + r->period;
}

void reserve_charge(struct sched_unit *u, uint64_t ran_ns, uint64_t t)
{
    u->reserve.left -= (int64_t)ran_ns;
    refill(u, t);
}

/* One that slept may use what is left of its budget until the period's end only at the rate that
 * was promised; if that is more, a new period begins. */
void reserve_wake(struct sched_unit *u, uint64_t t)
{
    struct reserve *r = &u->reserve;

    if (!r->budget)
        return;
    refill(u, t);
    if (r->left > 0 && (uint64_t)r->left * r->period > (r->until - t) * r->budget) {
        r->left = (int64_t)r->budget;
        r->until = t + r->period;
    }
}

struct sched_unit *reserve_pick(struct runqueue *rq, uint64_t t)
{
    struct sched_unit *first = NULL;

    for (struct sched_unit *u = rq->queue; u; u = u->next) {
        if (!unit_reserved(u))
            continue;
        refill(u, t);
        if (reserve_due(u) && (!first || u->reserve.until < first->reserve.until))
            first = u;
    }
    return first;
}

uint64_t reserve_run_time(const struct runqueue *rq, const struct sched_unit *next, uint64_t t)
{
    uint64_t run = UINT64_MAX;

    if (!rq->nr_queued)
        return run;
    if (reserve_due(next))
        run = (uint64_t)next->reserve.left;
    for (const struct sched_unit *u = rq->queue; u; u = u->next)
        if (unit_reserved(u) && u->reserve.until > t)
            run = MIN(run, u->reserve.until - t); /* it has a budget again */
    return run;
}

/* --- admission ------------------------------------------------------------------------------- */

/* The CPU of `allowed` with most room, if there is enough. */
static unsigned find_room(const unsigned *used, const cpumask_t *allowed, unsigned ppm)
{
    unsigned best = MAX_CPUS, cpu;

    for_each_cpu_in(cpu, &cpus_online)
        if (cpumask_test(allowed, cpu) && used[cpu] + ppm <= RESERVE_MAX &&
            (best == MAX_CPUS || used[cpu] < used[best]))
            best = cpu;
    return best;
}

static void give(struct vcpu *v, const struct reserve *r)
{
    struct sched_unit *u = v->sched;
    unsigned long flags;
    struct runqueue *rq = sched_lock(v, &flags);

    promised[u->reserve.home] -= share(u);
    reserve_users -= unit_reserved(u);
    u->reserve = *r;
    promised[r->home] += share(u);
    reserve_users += unit_reserved(u);
    if (u->queued || rq->curr == u)
        softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
    spin_unlock_irqrestore(&rq->lock, flags);
}

int sched_set_reservation(struct domain *d, uint64_t period_ns, uint64_t budget_ns)
{
    unsigned used[MAX_CPUS], ppm;
    uint8_t home[DOMAIN_MAX_VCPUS];
    struct reserve r = {.budget = budget_ns, .period = period_ns, .left = (int64_t)budget_ns};

    if (budget_ns && (period_ns < PERIOD_MIN_NS || period_ns > PERIOD_MAX_NS ||
                      budget_ns > period_ns || budget_ns * PPM / period_ns == 0))
        return -EINVAL;
    if (!domain_vcpu(d, 0))
        return budget_ns ? -EINVAL : 0;
    ppm = budget_ns ? (unsigned)(budget_ns * PPM / period_ns) : 0;
    spin_lock(&reserve_lock);
    memcpy(used, promised, sizeof(used));
    for_each_vcpu(d, v)
        used[v->sched->reserve.home] -= share(v->sched);
    for_each_vcpu(d, v) {
        unsigned cpu = ppm ? find_room(used, &v->sched->affinity, ppm) : 0;

        if (cpu == MAX_CPUS) {
            spin_unlock(&reserve_lock);
            return -ENOSPC;
        }
        used[cpu] += ppm;
        home[v->id] = (uint8_t)cpu;
    }
    r.until = now() + period_ns;
    for_each_vcpu(d, v) {
        r.home = home[v->id];
        give(v, &r);
    }
    spin_unlock(&reserve_lock);
    return 0;
}

void sched_get_reservation(const struct domain *d, uint64_t *period_ns, uint64_t *budget_ns)
{
    const struct vcpu *v = domain_vcpu(d, 0);

    *period_ns = v ? v->sched->reserve.period : 0;
    *budget_ns = v ? v->sched->reserve.budget : 0;
}

int reserve_move(struct vcpu *v, const cpumask_t *hard)
{
    struct reserve r;
    unsigned cpu;

    if (!unit_reserved(v->sched) || cpumask_test(hard, v->sched->reserve.home))
        return 0;
    spin_lock(&reserve_lock);
    cpu = find_room(promised, hard, share(v->sched));
    if (cpu != MAX_CPUS) {
        r = v->sched->reserve;
        r.home = cpu;
        give(v, &r);
    }
    spin_unlock(&reserve_lock);
    return cpu == MAX_CPUS ? -ENOSPC : 0;
}
