/* SPDX-License-Identifier: MIT */
/*
 * Caps, and the parameters a domain is scheduled by. A capped domain gets cap % of one CPU's time
 * each period, for all its vCPUs together; when it is used up they are parked until the timer fills
 * it again. Overuse is a debt for the next period.
 *
 * Interface: sched_domain_init/destroy, sched_set_params, sched_get_params (hv/sched.h). Lock: the
 * budget is atomic; parked belongs to the runqueue's lock.
 */
#include <hv/errno.h>
#include <hv/frame.h>
#include <hv/time.h>
#include <hv/domain.h>
#include "sched.h"

#define CAP_PERIOD_NS 10000000UL

static int64_t cap_period_budget(const struct sched_domain *sd)
{
    return (int64_t)(CAP_PERIOD_NS / 100 * sd->cap);
}

void cap_charge(struct sched_unit *u, uint64_t ran_ns)
{
    struct sched_domain *sd = u->vcpu->domain->sched;

    if (!sd || !sd->cap)
        return;
    if (__atomic_sub_fetch(&sd->budget, (int64_t)ran_ns, __ATOMIC_RELAXED) <= 0)
        u->parked = true;
}

uint64_t cap_left(const struct sched_unit *u)
{
    const struct sched_domain *sd = u->vcpu->domain->sched;
    int64_t left;

    if (!sd || !sd->cap)
        return UINT64_MAX;
    left = sd->budget;
    return left > 0 ? (uint64_t)left : 0;
}

static void unpark_all(struct domain *d)
{
    for (unsigned i = 0; d->vcpu && i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v && READ_ONCE(v->sched->parked)) {
            WRITE_ONCE(v->sched->parked, false);
            vcpu_wake(v);
        }
    }
}

void cap_refill(void *data)
{
    struct sched_domain *sd = data;
    int64_t full, left;

    if (!sd->cap) {
        unpark_all(sd->domain);
        return;
    }
    full = cap_period_budget(sd);
    left = sd->budget;
    left = left + full > full ? full : left + full;
    sd->budget = left;
    if (left > 0)
        unpark_all(sd->domain);
    timer_set(&sd->refill, now() + CAP_PERIOD_NS);
}

int sched_domain_init(struct domain *d)
{
    struct sched_domain *sd = hv_alloc(sizeof(*sd));

    if (!sd)
        return -ENOMEM;
    sd->weight = SCHED_WEIGHT_DEFAULT;
    sd->domain = d;
    timer_init(&sd->refill, cap_refill, sd, this_cpu_id());
    d->sched = sd;
    return 0;
}

void sched_domain_destroy(struct domain *d)
{
    if (d->sched) {
        timer_kill(&d->sched->refill);
        hv_free(d->sched);
        d->sched = NULL;
    }
}

int sched_set_params(struct domain *d, const struct sched_params *p)
{
    struct sched_domain *sd = d->sched;

    if (!sd || p->weight < 1 || p->weight > 65535 || p->cap > 100 * MAX_CPUS)
        return -EINVAL;
    sd->weight = p->weight;
    sd->cap = p->cap;
    sd->budget = cap_period_budget(sd);
    for (unsigned i = 0; d->vcpu && i < d->max_vcpus; i++)
        if (d->vcpu[i])
            sched_reweigh(d->vcpu[i], p->weight);
    if (p->cap)
        timer_set(&sd->refill, now() + CAP_PERIOD_NS);
    else
        timer_stop(&sd->refill);
    unpark_all(d);
    return 0;
}

void sched_get_params(const struct domain *d, struct sched_params *p)
{
    *p = (struct sched_params){.weight = d->sched ? d->sched->weight : SCHED_WEIGHT_DEFAULT,
                               .cap = d->sched ? d->sched->cap : 0};
}
