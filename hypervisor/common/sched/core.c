/* SPDX-License-Identifier: MIT */
/*
 * Who runs: waking, sleeping, and the switch itself.
 *
 * Interface: hv/sched.h. Invariants and locks: sched.h. A waker sets its reason (an event bit,
 * pause_count) before it looks at is_running and blocked; a vCPU that goes to sleep sets blocked
 * before it looks for reasons; both with full barriers: so one of the two always sees the other.
 */
#include <hv/evtchn.h>
#include <hv/frame.h>
#include <hv/printk.h>
#include <asm/pv.h>
#include "sched.h"

struct runqueue *sched_lock(const struct vcpu *v, unsigned long *flags)
{
    for (;;) {
        unsigned cpu = v->cpu;
        struct runqueue *rq = cpu_data[cpu]->rq;

        *flags = spin_lock_irqsave(&rq->lock);
        if (v->cpu == cpu)
            return rq;
        spin_unlock_irqrestore(&rq->lock, *flags);
    }
}

static bool vcpu_runnable(const struct vcpu *v)
{
    return !v->blocked && !v->down && v->pause_count == 0 && v->domain->pause_count == 0;
}

static bool unit_ready(const struct sched_unit *u)
{
    /* Parked only matters while there is a cap: one that was just lifted must not leave anybody
     * behind. */
    return vcpu_runnable(u->vcpu) && !(u->parked && u->vcpu->domain->sched.set.cap);
}

static int resting_state(const struct vcpu *v)
{
    return v->blocked ? RUNSTATE_blocked : vcpu_runnable(v) ? RUNSTATE_runnable : RUNSTATE_offline;
}

void sched_tickle(unsigned cpu)
{
    a_cpumask_clear(&idle_cpus, cpu); /* so that the next wake looks for another idle CPU */
    softirq_raise_on(cpu, SOFTIRQ_SCHEDULE);
}

void sched_charge(struct runqueue *rq, uint64_t t)
{
    struct sched_unit *u = rq->curr;
    uint64_t ran = t > u->started ? t - u->started : 0;

    if (!ran)
        return;
    u->started = t;
    if (unit_is_idle(u)) {
        rq->idle_ns += ran;
        return;
    }
    eevdf_account(rq, ran);
    if (unit_reserved(u))
        reserve_charge(u, ran, t);
    cap_charge(u, ran, t);
    if (u->parked)
        softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
}

/* The CPU of rq looks again at `at`, unless it does earlier. */
static void look_again(struct runqueue *rq, uint64_t at)
{
    if (at >= rq->slice_at)
        return;
    rq->slice_at = at;
    timer_set(&rq->slice, at);
}

/* u has just joined rq: may it have the CPU, and when? */
static void preempt(struct runqueue *rq, const struct sched_unit *u, uint64_t t)
{
    uint64_t wait = eevdf_wake_delay(rq, u, t);
    const struct sched_unit *curr = rq->curr;

    if (reserve_users) {
        uint64_t until = reserve_run_time(rq, curr, t);

        if (reserve_due(u) && (!reserve_due(curr) || u->reserve.until < curr->reserve.until))
            wait = calm_left(curr, RESERVE_CALM_NS, t);
        else if (reserve_due(curr) || wait)
            wait = MIN(wait ? wait : UINT64_MAX, until);
    }
    if (wait)
        look_again(rq, t + wait);
    else
        sched_tickle(rq->cpu);
}

void vcpu_wake(struct vcpu *v)
{
    struct sched_unit *u = v->sched;
    unsigned long flags;
    struct runqueue *rq;
    unsigned target = MAX_CPUS;
    uint64_t t;

again:
    rq = sched_lock(v, &flags);
    if (u->queued || rq->curr == u)
        goto out;
    if (!unit_ready(u)) {
        runstate_change(v, resting_state(v), now());
        goto out;
    }
    if (v->is_running) {
        /* Its registers are still being saved: that CPU wakes it when it is done, or we do if it
         * just was. */
        u->wake_pending = true;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (v->is_running || !__atomic_exchange_n(&u->wake_pending, false, __ATOMIC_SEQ_CST))
            goto out;
    }
    if (target != v->cpu) {
        if (target == MAX_CPUS || !cpumask_test(&u->affinity, target))
            target = sched_choose_cpu(u);
        if (target != v->cpu) {
            eevdf_settle(rq, u);
            v->cpu = target;
            spin_unlock_irqrestore(&rq->lock, flags);
            goto again;
        }
    }
    t = now();
    sched_charge(rq, t);
    reserve_wake(u, t);
    runstate_change(v, RUNSTATE_runnable, t);
    eevdf_join(rq, u, JOIN_WAKE);
    preempt(rq, u, t);
out:
    spin_unlock_irqrestore(&rq->lock, flags);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
    unsigned long flags;
    struct sched_unit *u = v->sched;
    struct runqueue *rq = sched_lock(v, &flags);

    if (!unit_ready(u)) {
        if (rq->curr == u) {
            softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
        } else {
            uint64_t t = now();

            if (u->queued) {
                sched_charge(rq, t);
                eevdf_leave(rq, u);
            }
            runstate_change(v, resting_state(v), t);
        }
    }
    spin_unlock_irqrestore(&rq->lock, flags);
}

void vcpu_sleep_sync(struct vcpu *v)
{
    vcpu_sleep_nosync(v);
    while (!vcpu_runnable(v) && v->is_running)
        cpu_relax();
}

void vcpu_pause(struct vcpu *v)
{
    v->pause_count++;
    vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    if (--v->pause_count == 0)
        vcpu_wake(v);
}

/* --- blocking and events --------------------------------------------------------------------- */

void vcpu_unblock(struct vcpu *v)
{
    /* Read first, for most are awake: the caller's reason is visible before (a full barrier). */
    if (!v->blocked)
        return;
    /* In this order: it may run, and poll again, as soon as it is not blocked any more. */
    evtchn_polling(v, false);
    if (__atomic_exchange_n(&v->blocked, false, __ATOMIC_SEQ_CST))
        vcpu_wake(v);
}

void vcpu_kick(struct vcpu *v)
{
    bool running;

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the reason is visible before we look where it is */
    running = v->is_running;
    vcpu_unblock(v);
    if (running && v->cpu != this_cpu_id())
        smp_send_event_check(v->cpu);
}

/* --- the switch ------------------------------------------------------------------------------ */

/* May rq have u, which waits elsewhere? To balance, only what prefers to run here, and does not
 * rely on where it is. */
static bool may_take(const struct runqueue *rq, const struct sched_unit *u, bool balance)
{
    if (u->vcpu->is_running || !cpumask_test(&u->affinity, rq->cpu))
        return false;
    return !balance || (cpumask_test(&u->soft, rq->cpu) && !unit_reserved(u));
}

/*
 * Take one queued unit from another CPU that may run here. Its runqueue's lock is only tried for,
 * since we hold ours. Balancing (this CPU has work) takes one only if the other CPU is then at most
 * as loaded as this one was: where the loads cannot be made equal, the surplus goes around, and
 * everybody gets the same over time.
 */
static bool steal_from(struct runqueue *rq, struct runqueue *from, bool balance, uint64_t t)
{
    struct sched_unit *found = NULL;

    for (struct sched_unit *u = from->queue; u; u = u->next) {
        if (!may_take(rq, u, balance) || (balance && from->load < rq->load + u->weight))
            continue;
        if (!found || (cpumask_test(&u->soft, rq->cpu) && !cpumask_test(&found->soft, rq->cpu)))
            found = u;
    }
    if (!found)
        return false;
    sched_charge(from, t);
    eevdf_leave(from, found);
    found->vcpu->cpu = rq->cpu;
    eevdf_join(rq, found, JOIN_MOVE);
    return true;
}

static void steal(struct runqueue *rq, bool balance, uint64_t t)
{
    for (unsigned i = 1; i < nr_cpus; i++) {
        struct runqueue *from = cpu_data[(rq->cpu + i) % nr_cpus]->rq;
        bool found;

        if (!READ_ONCE(from->nr_queued))
            continue;
        if (!spin_trylock(&from->lock)) {
            if (!balance)
                softirq_raise(SOFTIRQ_SCHEDULE); /* rather than idle beside work: try again */
            continue;
        }
        found = steal_from(rq, from, balance, t);
        spin_unlock(&from->lock);
        if (found)
            return;
    }
}

/* Charge the current unit for what it ran, and take it off or queue it again. */
static void put_current(struct runqueue *rq, uint64_t t)
{
    struct sched_unit *u = rq->curr;

    u->parked = false;
    sched_charge(rq, t);
    if (unit_is_idle(u)) {
        runstate_change(u->vcpu, RUNSTATE_runnable, t);
        return;
    }
    if (!u->parked)
        cap_charge(u, 0, t); /* others may have used up what it has, too */
    if (!unit_ready(u)) {
        eevdf_leave(rq, u);
    } else if (!cpumask_test(&u->affinity, rq->cpu) ||
               (unit_reserved(u) && u->reserve.home != rq->cpu && rq->nr_queued)) {
        eevdf_leave(rq, u);
        u->migrate = true; /* woken elsewhere once its registers are saved */
    } else {
        eevdf_enqueue(rq, u);
    }
    runstate_change(u->vcpu, resting_state(u->vcpu), t);
    rq->curr = rq->idle; /* until the next one is chosen, under the same lock */
}

/* How long the chosen one may run before this CPU looks again. */
static void arm_slice(struct runqueue *rq, const struct sched_unit *next, uint64_t t)
{
    uint64_t run = eevdf_run_time(rq, next), left = cap_left(next);

    run = MIN(run, MAX(left, SCHED_GRANULARITY_NS));
    if (reserve_users)
        run = MIN(run, reserve_run_time(rq, next, t));
    if (nr_cpus > 1)
        run = MIN(run, SCHED_BALANCE_NS); /* there may be work to take from others */
    if (unit_is_idle(next) || run == UINT64_MAX) {
        if (rq->slice_at != UINT64_MAX)
            timer_stop(&rq->slice);
        rq->slice_at = UINT64_MAX; /* idle, or alone without a cap: no tick */
    } else {
        rq->slice_at = t + run;
        timer_set(&rq->slice, t + run);
    }
}

static struct sched_unit *choose_next(struct runqueue *rq, struct sched_unit *prev, uint64_t t)
{
    struct sched_unit *next = NULL;
    bool yields = prev->yielding;

    prev->yielding = false;
    if (!rq->nr_queued) {
        steal(rq, false, t);
    } else if (t >= rq->next_balance) {
        steal(rq, true, t);
        rq->next_balance = t + SCHED_BALANCE_NS;
    }
    if (reserve_users && !yields)
        next = reserve_pick(rq, t);
    if (!next)
        next = eevdf_pick(rq, yields ? prev : NULL);
    if (!next)
        return rq->idle;
    eevdf_dequeue(rq, next);
    return next;
}

/* A CPU that idles and may run what waits here: it may have found it still being saved when it
 * looked for work. MAX_CPUS: none. */
static unsigned idle_helper(const struct runqueue *rq)
{
    unsigned cpu;

    for_each_cpu_in(cpu, &idle_cpus)
        for (const struct sched_unit *u = rq->queue; u; u = u->next)
            if (cpumask_test(&u->affinity, cpu))
                return cpu;
    return MAX_CPUS;
}

/* prev's registers are saved: others may run it now. */
static void finish_switch(struct sched_unit *prev)
{
    bool wake;

    __atomic_store_n(&prev->vcpu->is_running, false, __ATOMIC_SEQ_CST);
    wake = prev->wake_pending && __atomic_exchange_n(&prev->wake_pending, false, __ATOMIC_SEQ_CST);
    if (prev->migrate) {
        prev->migrate = false;
        wake = true;
    }
    if (wake)
        vcpu_wake(prev->vcpu);
}

void schedule(void)
{
    unsigned long flags = irq_save();
    struct runqueue *rq = this_cpu()->rq;
    struct sched_unit *prev, *next;
    unsigned helper;
    uint64_t t;

    spin_lock(&rq->lock);
    t = now(); /* not before: what others did under the lock is earlier */
    prev = rq->curr;
    put_current(rq, t);
    next = choose_next(rq, prev, t);
    rq->curr = next;
    next->started = t;
    next->chosen = t;
    runstate_change(next->vcpu, RUNSTATE_running, t);
    if (next == rq->idle)
        a_cpumask_set(&idle_cpus, rq->cpu);
    else if (prev == rq->idle)
        a_cpumask_clear(&idle_cpus, rq->cpu);
    __atomic_store_n(&next->vcpu->is_running, true, __ATOMIC_SEQ_CST);
    arm_slice(rq, next, t);
    helper = idle_helper(rq);
    spin_unlock(&rq->lock);

    if (next != prev) {
        if (unlikely(prev->vcpu->periodic_period))
            timer_stop(&prev->vcpu->periodic); /* ticks are for who runs */
        /* The guest sees that it does not run any more, if its kernel's page tables are still
         * loaded. */
        if (prev->vcpu->runstate_stale && guest_kernel_mode(prev->vcpu))
            vcpu_runstate_publish(prev->vcpu);
        context_switch(prev->vcpu, next->vcpu);
        finish_switch(prev);
    }
    if (unlikely(next->vcpu->periodic_period))
        vcpu_periodic_work(next->vcpu);
    if (helper < MAX_CPUS)
        sched_tickle(helper);
    irq_restore(flags);
}

/* --- life ------------------------------------------------------------------------------------ */

static void slice_ends(void *data)
{
    softirq_raise(SOFTIRQ_SCHEDULE);
}

int sched_vcpu_init(struct vcpu *v, unsigned cpu)
{
    struct sched_unit *u = hv_alloc(sizeof(*u));

    if (!u)
        return -ENOMEM;
    u->vcpu = v;
    u->weight = v->domain->sched.set.weight;
    for (unsigned i = 0; i < ARRAY_SIZE(u->affinity.w); i++)
        u->affinity.w[i] = u->soft.w[i] = ~0UL;
    v->sched = u;
    v->cpu = cpu;
    v->runstate.state = v->domain->is_idle ? RUNSTATE_running : RUNSTATE_offline;
    v->runstate.state_entry_time = now();
    if (v->domain->is_idle) { /* it is what the CPU runs already */
        struct runqueue *rq = cpu_data[cpu]->rq;

        u->affinity = (cpumask_t){{0}};
        cpumask_set(&u->affinity, cpu);
        u->started = now();
        v->is_running = true;
        rq->idle = rq->curr = u;
        cpu_data[cpu]->idle = v;
        a_cpumask_set(&idle_cpus, cpu);
    }
    return 0;
}

void sched_vcpu_destroy(struct vcpu *v)
{
    hv_free(v->sched);
    v->sched = NULL;
}

void sched_cpu_init(unsigned cpu)
{
    struct runqueue *rq = hv_alloc(sizeof(*rq));

    /* At boot or CPU bring-up: without this little memory there is no machine to run. */
    if (!rq)
        panic("no memory for the runqueue of CPU %u\n", cpu);
    spin_lock_init(&rq->lock);
    rq->cpu = cpu;
    rq->slice_at = UINT64_MAX;
    timer_init(&rq->slice, slice_ends, NULL, cpu);
    cpu_data[cpu]->rq = rq;
}

uint64_t cpu_idle_time(unsigned cpu)
{
    struct runqueue *rq = cpu_data[cpu]->rq;
    unsigned long flags = spin_lock_irqsave(&rq->lock);
    uint64_t ns = rq->idle_ns, t = now();

    if (rq->curr == rq->idle && t > rq->idle->started)
        ns += t - rq->idle->started;
    spin_unlock_irqrestore(&rq->lock, flags);
    return ns;
}
