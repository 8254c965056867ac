/* SPDX-License-Identifier: MIT */
/*
 * EEVDF: earliest eligible virtual deadline first. Virtual time runs for each unit at the rate
 * 256/weight of the time it runs. The average of all virtual times, weighted, is what each would
 * have received from an ideal machine: a unit that is not past it is eligible, and among the
 * eligible the one whose request (a slice) is due first runs.
 *
 * Interface: sched.h. Invariant: a unit's lag (average - vruntime) is kept while it is away, within
 * one slice either way, so sleeping neither saves up service nor forgets it. A debt is worked off
 * by waiting: it shrinks while the average of the runqueue that it left goes on, as if the unit
 * were still queued. One that wakes without a debt asks for the least at first, due at once: so it
 * runs before those who only compute, for no longer than it is owed. Lock: rq->lock.
 */
#include "sched.h"

static int64_t virtual_ns(const struct sched_unit *u, uint64_t ns)
{
    return (int64_t)(ns * SCHED_WEIGHT_DEFAULT / u->weight);
}

static bool eligible(const struct runqueue *rq, const struct sched_unit *u)
{
    return u->vruntime <= rq->vtime;
}

/* Bring rq->vtime up to date; it stays where it was while the runqueue is empty. */
static void average(struct runqueue *rq)
{
    int64_t sum = 0, weights = 0, base = rq->vtime;

    for (const struct sched_unit *u = rq->queue; u; u = u->next) {
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
}

static int64_t limited(const struct sched_unit *u, int64_t lag)
{
    int64_t limit = virtual_ns(u, SCHED_SLICE_NS);

    return lag > limit ? limit : lag < -limit ? -limit : lag;
}

void eevdf_request(struct sched_unit *u)
{
    u->deadline = u->vruntime + virtual_ns(u, SCHED_SLICE_NS);
}

void eevdf_account(struct runqueue *rq, uint64_t ran_ns)
{
    struct sched_unit *u = rq->curr;

    u->vruntime += virtual_ns(u, ran_ns);
    if (unit_reserved(u)) {
        /* What a reservation gave beyond the fair share is no debt for later. */
        average(rq);
        u->vruntime = rq->vtime - limited(u, rq->vtime - u->vruntime);
    }
    if (u->vruntime >= u->deadline)
        eevdf_request(u);
}

void eevdf_settle(struct runqueue *rq, struct sched_unit *u)
{
    if (u->left != rq)
        return;
    average(rq);
    if (u->lag < 0 && rq->vtime > u->left_vtime) {
        u->lag += rq->vtime - u->left_vtime;
        if (u->lag > 0)
            u->lag = 0;
    }
    u->left = NULL;
}

void eevdf_join(struct runqueue *rq, struct sched_unit *u, enum join how)
{
    int64_t others = (int64_t)rq->load, lag;

    eevdf_settle(rq, u);
    average(rq);
    /* Its coming moves the average towards it: further away by as much, it has its lag again. */
    lag = others ? u->lag * (others + u->weight) / others : 0;
    u->vruntime = rq->vtime - lag;
    eevdf_request(u);
    if (how == JOIN_WAKE && u->lag >= 0)
        u->deadline = u->vruntime;
    rq->load += u->weight;
    eevdf_enqueue(rq, u);
    average(rq);
}

void eevdf_leave(struct runqueue *rq, struct sched_unit *u)
{
    average(rq);
    u->lag = limited(u, rq->vtime - u->vruntime);
    rq->load -= u->weight;
    if (u->queued)
        eevdf_dequeue(rq, u);
    u->left = rq;
    u->left_vtime = rq->vtime;
}

void eevdf_enqueue(struct runqueue *rq, struct sched_unit *u)
{
    struct sched_unit **at = &rq->queue;

    while (*at && (*at)->deadline <= u->deadline)
        at = &(*at)->next;
    u->next = *at;
    u->at = at;
    if (u->next)
        u->next->at = &u->next;
    *at = u;
    u->queued = true;
    rq->nr_queued++;
}

void eevdf_dequeue(struct runqueue *rq, struct sched_unit *u)
{
    *u->at = u->next;
    if (u->next)
        u->next->at = u->at;
    u->queued = false;
    rq->nr_queued--;
}

struct sched_unit *eevdf_pick(struct runqueue *rq, const struct sched_unit *not_if_other)
{
    struct sched_unit *fallback = NULL;

    average(rq);
    for (struct sched_unit *u = rq->queue; u; u = u->next) {
        if (u == not_if_other)
            continue;
        if (eligible(rq, u))
            return u;
        if (!fallback)
            fallback = u;
    }
    /* Only the one that yields was eligible: the next best, or it again if it is alone. */
    return fallback ? fallback : rq->queue;
}

static uint64_t slice_left(const struct sched_unit *u)
{
    int64_t left = u->deadline - u->vruntime;

    return left <= 0 ? 0 : (uint64_t)left * u->weight / SCHED_WEIGHT_DEFAULT;
}

/* ns until the average has come to where u is. */
static uint64_t eligible_in(const struct runqueue *rq, const struct sched_unit *u)
{
    return eligible(rq, u) ? 0
                           : (uint64_t)(u->vruntime - rq->vtime) * rq->load / SCHED_WEIGHT_DEFAULT;
}

uint64_t eevdf_wake_delay(const struct runqueue *rq, const struct sched_unit *woken, uint64_t t)
{
    const struct sched_unit *curr = rq->curr;
    uint64_t left;

    if (unit_is_idle(curr))
        return 0;
    left = slice_left(curr);
    if (woken->deadline >= curr->deadline)
        return left;
    return MIN(left, MAX(eligible_in(rq, woken), calm_left(curr, SCHED_CALM_NS, t)));
}

uint64_t eevdf_run_time(const struct runqueue *rq, const struct sched_unit *next)
{
    uint64_t run = slice_left(next);

    if (!rq->nr_queued)
        return UINT64_MAX;
    for (const struct sched_unit *u = rq->queue; u && u->deadline < next->deadline; u = u->next)
        run = MIN(run, eligible_in(rq, u)); /* it will preempt then */
    return MAX(run, SCHED_GRANULARITY_NS);
}
