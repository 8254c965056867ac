/* SPDX-License-Identifier: MIT */
/*
 * EEVDF: earliest eligible virtual deadline first. Virtual time runs for each unit at the rate
 * 256/weight of the time it runs. The average of all virtual times, weighted, is what each would
 * have received from an ideal machine: a unit that is not past it is eligible, and among the
 * eligible the one whose request (a slice) is due first runs.
 *
 * Interface: sched.h. Invariant: a unit's lag (average - vruntime) is kept while it is away, within
 * one slice either way, so sleeping neither saves up service nor forgets it. Lock: rq->lock.
 */
#include "sched.h"

static int64_t virtual_ns(const struct sched_unit *u, uint64_t ns)
{
    return (int64_t)(ns * SCHED_WEIGHT_DEFAULT / u->weight);
}

/* Brings rq->vtime up to date; it stays where it was while the runqueue is empty. */
static int64_t average(struct runqueue *rq)
{
    int64_t sum = 0, weights = 0, base = rq->vtime;
    struct list *pos;

    list_for_each(pos, &rq->queue)
    {
        struct sched_unit *u = list_entry(pos, struct sched_unit, link);

        sum += (u->vruntime - base) * (int64_t)u->weight;
        weights += u->weight;
    }
    if (!unit_is_idle(rq->curr) && !rq->curr->queued) {
        sum += (rq->curr->vruntime - base) * (int64_t)rq->curr->weight;
        weights += rq->curr->weight;
    }
    if (weights) {
        int64_t q = sum / weights;

        if (sum % weights < 0)
            q--; /* round down, so that the least vruntime is never above the average */
        rq->vtime = base + q;
    }
    return rq->vtime;
}

void eevdf_account(struct runqueue *rq, uint64_t ran_ns)
{
    struct sched_unit *u = rq->curr;

    u->vruntime += virtual_ns(u, ran_ns);
    if (u->vruntime >= u->deadline)
        u->deadline = u->vruntime + virtual_ns(u, SCHED_SLICE_NS);
}

void eevdf_enqueue(struct runqueue *rq, struct sched_unit *u, bool joins)
{
    struct list *pos;

    if (joins) {
        u->vruntime = average(rq) - u->lag;
        u->deadline = u->vruntime + virtual_ns(u, SCHED_SLICE_NS);
    }
    list_for_each(pos, &rq->queue) if (list_entry(pos, struct sched_unit, link)->deadline >
                                       u->deadline) break;
    list_add_tail(pos, &u->link); /* before pos */
    u->queued = true;
    rq->nr_queued++;
    if (joins)
        rq->load += u->weight;
}

void eevdf_dequeue(struct runqueue *rq, struct sched_unit *u)
{
    list_del(&u->link);
    u->queued = false;
    rq->nr_queued--;
}

void eevdf_leave(struct runqueue *rq, struct sched_unit *u)
{
    int64_t limit = virtual_ns(u, SCHED_SLICE_NS), lag = average(rq) - u->vruntime;

    u->lag = lag > limit ? limit : lag < -limit ? -limit : lag;
    rq->load -= u->weight;
}

struct sched_unit *eevdf_pick(struct runqueue *rq, const struct sched_unit *not_if_other)
{
    int64_t v = average(rq);
    struct sched_unit *fallback = NULL;
    struct list *pos;

    list_for_each(pos, &rq->queue)
    {
        struct sched_unit *u = list_entry(pos, struct sched_unit, link);

        if (u == not_if_other)
            continue;
        if (u->vruntime <= v)
            return u;
        if (!fallback)
            fallback = u;
    }
    /* Only the one that yields was eligible: the next best, or it again if it is alone. */
    if (!fallback && rq->nr_queued)
        fallback = list_entry(rq->queue.next, struct sched_unit, link);
    return fallback;
}

bool eevdf_preempts(const struct runqueue *rq, const struct sched_unit *woken)
{
    return unit_is_idle(rq->curr) ||
           (woken->vruntime <= rq->vtime && woken->deadline < rq->curr->deadline);
}

uint64_t eevdf_slice_left(const struct sched_unit *u)
{
    int64_t left = u->deadline - u->vruntime;

    return left <= 0 ? 0 : (uint64_t)left * u->weight / SCHED_WEIGHT_DEFAULT;
}
