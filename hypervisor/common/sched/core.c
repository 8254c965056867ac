/* SPDX-License-Identifier: MIT */
/*
 * Who runs: waking, sleeping, the switch itself, and on which CPU.
 *
 * Interface: hv/sched.h. Invariants and locks: sched.h. A waker sets its reason (an event bit,
 * pause_count) before it looks at is_running and blocked; a vCPU that goes to sleep sets blocked
 * before it looks for reasons; both with full barriers: so one of the two always sees the other.
 */
#include <hv/softirq.h>
#include <hv/errno.h>
#include <hv/evtchn.h>
#include <hv/frame.h>
#include <hv/printk.h>
#include <hv/time.h>
#include <hv/domain.h>
#include <asm/cpu.h>
#include <asm/pv.h>
#include "sched.h"

static cpumask_t idle_cpus; /* a_cpumask_*: CPUs whose current unit is the idle one; a hint */

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

bool vcpu_runnable(const struct vcpu *v)
{
    return !v->blocked && !v->down && v->pause_count == 0 && v->domain->pause_count == 0;
}

static bool unit_ready(const struct sched_unit *u)
{
    /* Parked only matters while there is a cap: one that was just lifted must not leave anybody
     * behind. */
    return vcpu_runnable(u->vcpu) && !(u->parked && u->vcpu->domain->sched->cap);
}

static int resting_state(const struct vcpu *v)
{
    return v->blocked ? RUNSTATE_blocked : vcpu_runnable(v) ? RUNSTATE_runnable : RUNSTATE_offline;
}

static void tickle(unsigned cpu)
{
    a_cpumask_clear(&idle_cpus, cpu); /* so that the next wake looks for another idle CPU */
    softirq_raise_on(cpu, SOFTIRQ_SCHEDULE);
}

/* Where to run a unit that neither runs nor is queued: where it was, if that is idle; an idle CPU;
 * the least loaded. */
static unsigned choose_cpu(const struct sched_unit *u)
{
    unsigned home = u->vcpu->cpu, best = MAX_CPUS, cpu;
    uint64_t least = UINT64_MAX;

    if (cpumask_test(&u->affinity, home) && cpumask_test(&cpus_online, home) &&
        cpumask_test(&idle_cpus, home))
        return home;
    for_each_cpu_in(cpu, &cpus_online)
    {
        uint64_t load = cpu_data[cpu]->rq->load;

        if (!cpumask_test(&u->affinity, cpu))
            continue;
        if (cpumask_test(&idle_cpus, cpu))
            return cpu;
        if (load < least || (load == least && cpu == home)) {
            least = load;
            best = cpu;
        }
    }
    return best == MAX_CPUS ? home
                            : best; /* sched_set_affinity refuses sets without an online CPU */
}

void vcpu_wake(struct vcpu *v)
{
    struct sched_unit *u = v->sched;
    unsigned long flags;
    struct runqueue *rq;
    unsigned target = MAX_CPUS;

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
            target = choose_cpu(u);
        if (target != v->cpu) {
            v->cpu = target;
            spin_unlock_irqrestore(&rq->lock, flags);
            goto again;
        }
    }
    runstate_change(v, RUNSTATE_runnable, now());
    if (v->domain->sched)
        u->weight = v->domain->sched->weight;
    eevdf_enqueue(rq, u, true);
    if (eevdf_preempts(rq, u)) {
        tickle(rq->cpu);
    } else if (rq->nr_queued == 1) { /* the running one was alone, perhaps without a tick */
        uint64_t end = rq->curr->started + eevdf_slice_left(rq->curr);

        timer_set(&rq->slice, end);
    }
out:
    spin_unlock_irqrestore(&rq->lock, flags);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
    unsigned long flags;
    struct sched_unit *u = v->sched;
    struct runqueue *rq = sched_lock(v, &flags);

    if (!unit_ready(u)) {
        if (u->queued) {
            eevdf_dequeue(rq, u);
            eevdf_leave(rq, u);
            runstate_change(v, resting_state(v), now());
        } else if (rq->curr == u) {
            softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
        } else {
            runstate_change(v, resting_state(v), now());
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
    if (v == current)
        vcpu_sleep_nosync(v);
    else
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
    if (!__atomic_exchange_n(&v->blocked, false, __ATOMIC_SEQ_CST))
        return;
    evtchn_polling(v, false);
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

void vcpu_block(void)
{
    struct vcpu *v = current;

    v->blocked = true;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (vcpu_event_pending(v) || v->nmi_pending)
        v->blocked = false;
    else
        softirq_raise(SOFTIRQ_SCHEDULE);
}

void vcpu_poll_timeout(void *data)
{
    struct vcpu *v = data;

    if (v->polling)
        vcpu_unblock(v);
}

void vcpu_yield(void)
{
    current->sched->yielding = true;
    softirq_raise(SOFTIRQ_SCHEDULE);
}

/* --- the switch ------------------------------------------------------------------------------ */

/*
 * Take one queued unit from another CPU that may run here. Its runqueue's lock is only tried for,
 * since we hold ours. Balancing (this CPU has work) takes one only if the other CPU is then at most
 * as loaded as this one was: where the loads cannot be made equal, the surplus goes around, and
 * everybody gets the same over time.
 */
static struct sched_unit *steal_from(struct runqueue *rq, struct runqueue *from, bool balance)
{
    struct sched_unit *found = NULL;
    struct list *pos;

    if (!READ_ONCE(from->nr_queued) || !spin_trylock(&from->lock))
        return NULL;
    list_for_each(pos, &from->queue)
    {
        struct sched_unit *u = list_entry(pos, struct sched_unit, link);

        if (u->vcpu->is_running || !cpumask_test(&u->affinity, rq->cpu))
            continue;
        if (balance && from->load < rq->load + u->weight)
            continue;
        found = u;
        break;
    }
    if (found) {
        eevdf_dequeue(from, found);
        eevdf_leave(from, found);
        found->vcpu->cpu = rq->cpu;
    }
    spin_unlock(&from->lock);
    return found;
}

static void steal(struct runqueue *rq, bool balance)
{
    for (unsigned i = 1; i < nr_cpus; i++) {
        unsigned cpu = (rq->cpu + i) % nr_cpus;
        struct sched_unit *u;

        if (!cpumask_test(&cpus_online, cpu))
            continue;
        u = steal_from(rq, cpu_data[cpu]->rq, balance);
        if (u) {
            eevdf_enqueue(rq, u, true);
            return;
        }
    }
}

/* Charge the current unit for what it ran, and take it off or queue it again. */
static void put_current(struct runqueue *rq, uint64_t t)
{
    struct sched_unit *u = rq->curr;
    uint64_t ran = t > u->started ? t - u->started : 0;

    u->started = t;
    if (unit_is_idle(u)) {
        rq->idle_ns += ran;
        runstate_change(u->vcpu, RUNSTATE_runnable, t);
        return;
    }
    u->parked = false;
    eevdf_account(rq, ran);
    cap_charge(u, ran);
    if (!unit_ready(u)) {
        eevdf_leave(rq, u);
    } else if (!cpumask_test(&u->affinity, rq->cpu)) {
        eevdf_leave(rq, u);
        u->migrate = true; /* woken elsewhere once its registers are saved */
    } else {
        eevdf_enqueue(rq, u, false);
    }
    runstate_change(u->vcpu, resting_state(u->vcpu), t);
    rq->curr = rq->idle; /* until the next one is chosen, under the same lock */
}

/* How long the chosen one may run before this CPU looks again. */
static void arm_slice(struct runqueue *rq, struct sched_unit *next, uint64_t t)
{
    uint64_t run = SCHED_BALANCE_NS, left;

    if (unit_is_idle(next)) {
        timer_stop(&rq->slice);
        return;
    }
    if (rq->nr_queued) {
        left = eevdf_slice_left(next);
        run = left < SCHED_GRANULARITY_NS ? SCHED_GRANULARITY_NS : left;
    }
    left = cap_left(next);
    if (left < run)
        run = left < SCHED_GRANULARITY_NS ? SCHED_GRANULARITY_NS : left;
    if (run == SCHED_BALANCE_NS && nr_cpus == 1)
        timer_stop(&rq->slice); /* alone, without a cap, and nobody to take work from: no tick */
    else
        timer_set(&rq->slice, t + run);
}

static struct sched_unit *choose_next(struct runqueue *rq, struct sched_unit *prev, uint64_t t)
{
    bool yields = __atomic_exchange_n(&prev->yielding, false, __ATOMIC_RELAXED);
    struct sched_unit *next;

    if (!rq->nr_queued) {
        steal(rq, false);
    } else if (t >= rq->next_balance) {
        steal(rq, true);
        rq->next_balance = t + SCHED_BALANCE_NS;
    }
    next = eevdf_pick(rq, yields ? prev : NULL);
    if (!next)
        return rq->idle;
    eevdf_dequeue(rq, next);
    return next;
}

/* prev's registers are saved: others may run it now. */
static void finish_switch(struct sched_unit *prev)
{
    struct runqueue *rq = this_cpu()->rq;
    bool wake;
    unsigned cpu;

    __atomic_store_n(&prev->vcpu->is_running, false, __ATOMIC_SEQ_CST);
    wake = __atomic_exchange_n(&prev->wake_pending, false, __ATOMIC_SEQ_CST);
    wake |= __atomic_exchange_n(&prev->migrate, false, __ATOMIC_SEQ_CST);
    if (wake)
        vcpu_wake(prev->vcpu);
    /* What waits here may run on a CPU that found it still being saved when it looked for work. */
    if (READ_ONCE(rq->nr_queued) && (cpu = cpumask_next(&idle_cpus, 0)) < MAX_CPUS &&
        cpumask_test(&prev->affinity, cpu))
        tickle(cpu);
}

void schedule(void)
{
    unsigned long flags = irq_save();
    struct runqueue *rq = this_cpu()->rq;
    struct sched_unit *prev = rq->curr, *next;
    uint64_t t = now();

    spin_lock(&rq->lock);
    put_current(rq, t);
    next = choose_next(rq, prev, t);
    rq->curr = next;
    next->started = t;
    runstate_change(next->vcpu, RUNSTATE_running, t);
    if (next == rq->idle)
        a_cpumask_set(&idle_cpus, rq->cpu);
    else
        a_cpumask_clear(&idle_cpus, rq->cpu);
    __atomic_store_n(&next->vcpu->is_running, true, __ATOMIC_SEQ_CST);
    arm_slice(rq, next, t);
    spin_unlock(&rq->lock);

    if (next != prev) {
        /* The guest sees that it does not run any more, if its kernel's page tables are still
         * loaded. */
        if (prev->vcpu->runstate_stale && guest_kernel_mode(prev->vcpu))
            vcpu_runstate_publish(prev->vcpu);
        context_switch(prev->vcpu, next->vcpu);
        finish_switch(prev);
    }
    irq_restore(flags);
}

void sched_tick_from_timer(void *data)
{
    softirq_raise(SOFTIRQ_SCHEDULE);
}

/* --- parameters ------------------------------------------------------------------------------ */

void sched_reweigh(struct vcpu *v, unsigned weight)
{
    unsigned long flags;
    struct sched_unit *u = v->sched;
    struct runqueue *rq = sched_lock(v, &flags);

    if (u->queued || rq->curr == u)
        rq->load += (uint64_t)weight - u->weight;
    u->weight = weight;
    if (u->queued) { /* its deadline moves */
        eevdf_dequeue(rq, u);
        u->deadline = u->vruntime + (int64_t)(SCHED_SLICE_NS * SCHED_WEIGHT_DEFAULT / weight);
        eevdf_enqueue(rq, u, false);
    }
    spin_unlock_irqrestore(&rq->lock, flags);
}

int sched_set_affinity(struct vcpu *v, const cpumask_t *hard)
{
    unsigned long flags;
    struct sched_unit *u = v->sched;
    struct runqueue *rq;
    bool usable = false, leave = false;
    unsigned cpu;

    for_each_cpu_in(cpu, &cpus_online) usable |= cpumask_test(hard, cpu);
    if (!usable)
        return -EINVAL;
    rq = sched_lock(v, &flags);
    u->affinity = *hard;
    if (!cpumask_test(hard, rq->cpu)) {
        if (u->queued) {
            eevdf_dequeue(rq, u);
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

void sched_get_affinity(const struct vcpu *v, cpumask_t *hard)
{
    unsigned long flags;
    struct runqueue *rq = sched_lock(v, &flags);

    *hard = v->sched->affinity;
    spin_unlock_irqrestore(&rq->lock, flags);
}

/* --- life ------------------------------------------------------------------------------------ */

int sched_vcpu_init(struct vcpu *v, unsigned cpu)
{
    struct sched_unit *u = hv_alloc(sizeof(*u));

    if (!u)
        return -ENOMEM;
    u->vcpu = v;
    list_init(&u->link);
    u->weight = v->domain->sched ? v->domain->sched->weight : SCHED_WEIGHT_DEFAULT;
    for (unsigned i = 0; i < MAX_CPUS; i++)
        cpumask_set(&u->affinity, i);
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

void sched_init(void)
{
    idle_cpus = (cpumask_t){{0}};
}

void sched_cpu_init(unsigned cpu)
{
    struct runqueue *rq = hv_alloc(sizeof(*rq));

    /* At boot or CPU bring-up: without this little memory there is no machine to run. */
    if (!rq)
        panic("no memory for the runqueue of CPU %u\n", cpu);
    spin_lock_init(&rq->lock);
    list_init(&rq->queue);
    rq->cpu = cpu;
    timer_init(&rq->slice, sched_tick_from_timer, NULL, cpu);
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
