/* SPDX-License-Identifier: MIT */
/*
 * Inside the scheduler: runqueues and what they queue.
 *
 * core.c     which vCPU runs: wake, sleep, schedule, stealing
 * place.c    on which CPU: affinity, placement
 * eevdf.c    the order in a runqueue: virtual time, eligibility, deadlines
 * reserve.c  reservations: admission, and the budget that comes before weights
 * cap.c      a domain's budget when it has a cap
 * runstate.c time spent running, runnable, blocked, offline
 *
 * Lock: rq->lock (irqsave) of the unit's CPU (v->cpu) guards the unit and v->runstate. v->cpu
 * changes only with that lock held while the vCPU neither runs nor is queued. is_running stays true
 * until the registers are saved; whoever finds a vCPU to wake in that gap leaves wake_pending,
 * which the CPU looks at after it cleared is_running. That last look is at a vCPU that may be
 * paused and about to be freed: who frees waits for all CPUs (domain_kill).
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <hv/sched.h>
#include <hv/softirq.h>
#include <hv/time.h>

#define SCHED_SLICE_NS       4000000UL /* service asked for at a time */
/* Nobody is given less at a time, unless it is preempted by a wake. */
#define SCHED_GRANULARITY_NS 500000UL
/* Who was just chosen, perhaps again, is not preempted by a wake so soon: wakes in a storm cost
 * their own domain, not this one. A reservation waits less, so that it is kept in any period. */
#define SCHED_CALM_NS        200000UL
#define RESERVE_CALM_NS      50000UL
#define SCHED_BALANCE_NS     20000000UL
#define SCHED_WEIGHT_DEFAULT 256

struct sched_unit { /* one for each vCPU */
    struct vcpu *vcpu;
    struct sched_unit *next, **at; /* in rq->queue, while queued; at: what points here */
    bool queued;
    bool parked; /* its domain used up its cap for this period */
    _Atomic bool yielding, migrate, wake_pending;
    unsigned weight;
    int64_t vruntime; /* virtual time received, in the runqueue's clock; while queued or running */
    int64_t deadline; /* virtual */
    int64_t lag;      /* virtual time it was owed when it left its runqueue */
    const struct runqueue *left; /* where it is still owed that, at left_vtime; NULL: anywhere */
    int64_t left_vtime;
    uint64_t started; /* ns: since when it runs, last accounted */
    uint64_t chosen;  /* ns: when it was last chosen to run, or to go on */
    struct reserve {  /* budget ns in each period, on CPU home; budget 0: no reservation */
        uint64_t budget, period, until;
        int64_t left; /* of this period, which ends at `until`; below 0: a debt */
        unsigned home;
    } reserve;
    cpumask_t affinity, soft;
    cpumask_t before_override; /* SCHEDOP_pin_override: what to go back to */
    bool overridden;
};

struct runqueue { /* one for each CPU */
    spinlock_t lock;
    unsigned cpu;
    struct sched_unit *queue; /* runnable ones but the running one, earliest deadline first */
    unsigned nr_queued;
    struct sched_unit *curr; /* chosen; the idle vCPU's when there is none */
    struct sched_unit *idle;
    int64_t vtime;         /* the weighted average of vruntime, as last computed */
    _Atomic uint64_t load; /* sum of the weights of queued and current units */
    uint64_t next_balance;
    struct timer slice;
    uint64_t slice_at; /* when it fires, UINT64_MAX: it is stopped */
    uint64_t idle_ns;
};

extern cpumask_t idle_cpus; /* a_cpumask_*: CPUs whose current unit is the idle one; a hint */

static inline bool unit_is_idle(const struct sched_unit *u)
{
    return u->vcpu->domain->is_idle;
}

/* ns until a wake may take the CPU from `curr`. */
static inline uint64_t calm_left(const struct sched_unit *curr, uint64_t calm, uint64_t t)
{
    uint64_t ran = t - curr->chosen;

    return unit_is_idle(curr) || ran >= calm ? 0 : calm - ran;
}

/* eevdf.c; rq locked */
void eevdf_account(struct runqueue *rq, uint64_t ran_ns); /* rq->curr ran for so long */
enum join { JOIN_WAKE, JOIN_MOVE }; /* one that wakes and is owed time is served at once */
void eevdf_join(struct runqueue *rq, struct sched_unit *u, enum join how);
void eevdf_settle(struct runqueue *rq,
                  struct sched_unit *u); /* before it moves from where it left */
void eevdf_leave(struct runqueue *rq, struct sched_unit *u); /* also dequeues; remembers its lag */
void eevdf_enqueue(struct runqueue *rq, struct sched_unit *u);
void eevdf_dequeue(struct runqueue *rq, struct sched_unit *u);
void eevdf_request(struct sched_unit *u); /* a new deadline, from where it is */
struct sched_unit *eevdf_pick(struct runqueue *rq, const struct sched_unit *not_if_other);
/* ns until the CPU must look again because of `woken`; 0: now. rq->curr is accounted up to t. */
uint64_t eevdf_wake_delay(const struct runqueue *rq, const struct sched_unit *woken, uint64_t t);
/* ns that `next`, chosen, may run, considering who is queued; UINT64_MAX: no limit */
uint64_t eevdf_run_time(const struct runqueue *rq, const struct sched_unit *next);

/* reserve.c; rq locked */
static inline bool unit_reserved(const struct sched_unit *u)
{
    return u->reserve.budget != 0;
}
static inline bool reserve_due(const struct sched_unit *u) /* it comes before all weights */
{
    return u->reserve.budget && u->reserve.left > 0;
}
void reserve_charge(struct sched_unit *u, uint64_t ran_ns, uint64_t t);
void reserve_wake(struct sched_unit *u, uint64_t t);
struct sched_unit *reserve_pick(struct runqueue *rq, uint64_t t);
/* As eevdf_run_time, for the reservations of `next` and of those who wait. */
uint64_t reserve_run_time(const struct runqueue *rq, const struct sched_unit *next, uint64_t t);
/* v's affinity becomes `hard`: -ENOSPC when its reservation then fits nowhere. */
int reserve_move(struct vcpu *v, const cpumask_t *hard);
extern unsigned reserve_users; /* units with a reservation, in all: mostly 0 */

/* cap.c */
void cap_charge(struct sched_unit *u, uint64_t ran_ns, uint64_t t); /* may park it */
uint64_t cap_left(const struct sched_unit *u); /* ns, UINT64_MAX without a cap */

/* core.c */
struct runqueue *sched_lock(const struct vcpu *v,
                            unsigned long *flags);  /* the runqueue of v->cpu, locked */
void sched_charge(struct runqueue *rq, uint64_t t); /* rq locked: rq->curr, for what it ran */
void sched_tickle(unsigned cpu);

/* place.c; rq locked */
unsigned sched_choose_cpu(const struct sched_unit *u); /* neither running nor queued */

/* runstate.c; rq locked */
void runstate_change(struct vcpu *v, int state, uint64_t at);

/* watchdog.c: id 0 makes one (its id is returned), seconds 0 ends it. -EINVAL, -ENOSPC. */
long domain_watchdog(struct domain *d, unsigned id, unsigned seconds);

#endif
