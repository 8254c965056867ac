/* SPDX-License-Identifier: MIT */
/*
 * Caps, and the parameters a domain is scheduled by. A capped domain gets cap % of one CPU's time
 * each period, for all its vCPUs together; when it is used up they are parked until the timer fills
 * it again. Overuse is a debt for the next period. The timer runs only while something was used.
 *
 * Interface: sched_domain_init, sched_set_params (hv/sched.h). Lock: the budget is atomic; parked
 * belongs to the runqueue's lock.
 */
#include "sched.h"

#define CAP_PERIOD_NS 10000000UL

static int64_t period_budget(const struct sched_domain *sd)
{
    return (int64_t)(CAP_PERIOD_NS / 100 * sd->set.cap);
}

void cap_charge(struct sched_unit *u, uint64_t ran_ns, uint64_t t)
{
    struct sched_domain *sd = &u->vcpu->domain->sched;

    if (!sd->set.cap)
        return;
    if (__atomic_sub_fetch(&sd->budget, (int64_t)ran_ns, __ATOMIC_RELAXED) <= 0)
        u->parked = true;
    if (!sd->refilling && !__atomic_exchange_n(&sd->refilling, true, __ATOMIC_SEQ_CST))
        timer_set(&sd->refill, t + CAP_PERIOD_NS);
}

uint64_t cap_left(const struct sched_unit *u)
{
    const struct sched_domain *sd = &u->vcpu->domain->sched;
    int64_t left;

    if (!sd->set.cap)
        return UINT64_MAX;
    left = sd->budget;
    return left > 0 ? (uint64_t)left : 0;
}

/* For each vCPU under its runqueue's lock: who was charged before it is seen parked, who is charged
 * after it sees the new budget. */
static void unpark_all(struct domain *d)
{
    for_each_vcpu(d, v) {
        unsigned long flags;
        struct runqueue *rq = sched_lock(v, &flags);
        bool parked = v->sched->parked;

        v->sched->parked = false;
        spin_unlock_irqrestore(&rq->lock, flags);
        if (parked)
            vcpu_wake(v);
    }
}

/* What its running vCPUs used up to now: else the refill would be cut at a full budget first. */
static void charge_running(struct domain *d)
{
    for_each_vcpu(d, v) {
        unsigned long flags;
        struct runqueue *rq = sched_lock(v, &flags);

        if (rq->curr == v->sched)
            sched_charge(rq, now());
        spin_unlock_irqrestore(&rq->lock, flags);
    }
}

static void refill(void *data)
{
    struct domain *d = data;
    struct sched_domain *sd = &d->sched;
    int64_t full = period_budget(sd), left = sd->budget, next;

    charge_running(d);
    do
        next = MIN(left + full, full);
    while (!__atomic_compare_exchange_n(&sd->budget, &left, next, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST));
    if (next > 0)
        unpark_all(d);
    if (left >= full) { /* unused for a period: no more ticks, until somebody is charged */
        sd->refilling = false;
        if (sd->budget >= full || __atomic_exchange_n(&sd->refilling, true, __ATOMIC_SEQ_CST))
            return;
    }
    timer_set(&sd->refill, sd->refill.deadline + CAP_PERIOD_NS);
}

void sched_domain_init(struct domain *d)
{
    d->sched.set.weight = SCHED_WEIGHT_DEFAULT;
    timer_init(&d->sched.refill, refill, d, this_cpu_id());
}

static void reweigh(struct vcpu *v, unsigned weight)
{
    unsigned long flags;
    struct sched_unit *u = v->sched;
    struct runqueue *rq = sched_lock(v, &flags);
    bool queued = u->queued;

    sched_charge(rq, now()); /* so far by the old weight */
    if (queued)
        eevdf_leave(rq, u);
    if (rq->curr == u) {
        rq->load += (uint64_t)weight - u->weight;
        sched_tickle(rq->cpu); /* its slice may end elsewhere now */
    }
    u->weight = weight;
    eevdf_request(u);
    if (queued)
        eevdf_join(rq, u, JOIN_MOVE);
    spin_unlock_irqrestore(&rq->lock, flags);
}

int sched_set_params(struct domain *d, const struct sched_params *p)
{
    struct sched_domain *sd = &d->sched;

    if (p->weight < 1 || p->weight > 65535 || p->cap > 100 * MAX_CPUS)
        return -EINVAL;
    charge_running(d); /* what ran before is no use of the new budget */
    sd->set = *p;
    sd->budget = period_budget(sd);
    for_each_vcpu(d, v)
        reweigh(v, p->weight);
    unpark_all(d);
    return 0;
}
