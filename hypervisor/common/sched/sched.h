/* SPDX-License-Identifier: MIT */
/*
 * Inside the scheduler: runqueues and what they queue.
 *
 * core.c     which vCPU runs: wake, sleep, schedule, affinity, placement and stealing
 * eevdf.c    the order in a runqueue: virtual time, eligibility, deadlines
 * cap.c      a domain's budget when it has a cap
 * runstate.c time spent running, runnable, blocked, offline
 *
 * Lock: rq->lock (irqsave) of the unit's CPU (v->cpu) guards the unit and v->runstate. v->cpu
 * changes only with that lock held while the vCPU neither runs nor is queued. is_running stays true
 * until the registers are saved; whoever finds a vCPU to wake in that gap leaves wake_pending,
 * which the CPU looks at after it cleared is_running.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <hv/sched.h>
#include <hv/list.h>
#include <hv/lock.h>

#define SCHED_SLICE_NS 4000000UL /* service asked for at a time */
#define SCHED_GRANULARITY_NS \
    500000UL /* nobody is given less at a time, unless it is preempted by a wake */
#define SCHED_BALANCE_NS     20000000UL
#define SCHED_WEIGHT_DEFAULT 256

struct sched_unit { /* one for each vCPU */
    struct vcpu *vcpu;
    struct list link; /* rq->queue, by deadline; points at itself when not queued */
    bool queued;
    bool parked; /* its domain used up its cap for this period */
    _Atomic bool yielding, migrate, wake_pending;
    unsigned weight;
    int64_t vruntime; /* virtual time received, in the runqueue's clock; while queued or running */
    int64_t deadline; /* virtual */
    int64_t lag;      /* virtual time it was owed when it left its runqueue */
    uint64_t started; /* ns: since when it runs, last accounted */
    cpumask_t affinity;
    cpumask_t before_override; /* SCHEDOP_pin_override: what to go back to */
    bool overridden;
};

struct runqueue { /* one for each CPU */
    spinlock_t lock;
    unsigned cpu;
    struct list queue; /* runnable units but the running one, earliest deadline first */
    unsigned nr_queued;
    struct sched_unit *curr; /* chosen; the idle vCPU's when there is none */
    struct sched_unit *idle;
    int64_t vtime;         /* the weighted average of vruntime, as last computed */
    _Atomic uint64_t load; /* sum of the weights of queued and current units */
    uint64_t next_balance;
    struct timer slice;
    uint64_t idle_since, idle_ns;
};

struct sched_domain {       /* d->sched */
    unsigned weight, cap;   /* cap: percent of a CPU; 0: none */
    _Atomic int64_t budget; /* ns left in this period; may be negative: a debt */
    struct timer refill;
    struct domain *domain;
};

static inline bool unit_is_idle(const struct sched_unit *u)
{
    return u->vcpu->domain->is_idle;
}

/* eevdf.c; rq locked */
void eevdf_account(struct runqueue *rq, uint64_t ran_ns); /* rq->curr ran for so long */
void eevdf_enqueue(struct runqueue *rq, struct sched_unit *u,
                   bool joins); /* joins: it was in no runqueue before */
void eevdf_dequeue(struct runqueue *rq, struct sched_unit *u);
void eevdf_leave(struct runqueue *rq,
                 struct sched_unit *u); /* leaves this runqueue: remember its lag */
struct sched_unit *eevdf_pick(struct runqueue *rq, const struct sched_unit *not_if_other);
bool eevdf_preempts(const struct runqueue *rq, const struct sched_unit *woken);
uint64_t eevdf_slice_left(const struct sched_unit *u); /* ns until its request is served */

/* cap.c */
void cap_charge(struct sched_unit *u, uint64_t ran_ns); /* may park it */
uint64_t cap_left(const struct sched_unit *u);          /* ns, UINT64_MAX without a cap */
void cap_refill(void *sched_domain);

/* core.c */
struct runqueue *sched_lock(const struct vcpu *v,
                            unsigned long *flags); /* the runqueue of v->cpu, locked */
void sched_reweigh(struct vcpu *v, unsigned weight);

/* runstate.c; rq locked */
void runstate_change(struct vcpu *v, int state, uint64_t at);

#endif
