/* SPDX-License-Identifier: MIT */
/*
 * TLB flushes on this CPU and on others, and the clock that lets a flush be skipped. What else one
 * CPU asks of others goes the same way (smp_call).
 *
 * Remote flush: a requester says what (one page, or everything) in its CPU's request, marks itself
 * in `from` of each CPU that shall do it, sends IPIs, and waits until all have taken themselves out
 * of `waiting`. While it waits it serves what others ask of it, so two CPUs that flush each other
 * with interrupts off do not deadlock, and no lock is needed. Only CPUs that may hold translations
 * of the domain (d->arch.dirty_cpus) are asked.
 *
 * Clock: tlb_time goes up with every full flush; a CPU notes the time at which its last one began.
 * A frame stamped with tlb_clock() when its last mapping went needs a flush on those CPUs whose
 * note is not later. When the clock runs over it stops at 0
 * (= flush always) until every CPU has flushed once, and starts again at 1.
 */
#include <asm/apic.h>
#include <asm/msr.h>
#include <asm/pv.h>

#define EVERYTHING (~0UL)

struct tlb_state {
    _Atomic uint32_t flushed_at;
    cpumask_t from; /* CPUs that wait for this one (atomic) */
    /* this CPU's own request; it has one at a time */
    void (*fn)(void);  /* NULL: flush */
    uint64_t va;       /* a page, or EVERYTHING */
    cpumask_t waiting; /* who has not done it (atomic) */
} __attribute__((aligned(64)));

static struct tlb_state state[MAX_CPUS];
_Atomic uint32_t tlb_time = 1;
static cpumask_t wrap_pending; /* CPUs that have not flushed since the clock stopped at 0 */

static void clock_restart(unsigned cpu)
{
    a_cpumask_clear(&wrap_pending, cpu);
    if (cpumask_empty(&wrap_pending)) {
        uint32_t stopped = 0;
        __atomic_compare_exchange_n(&tlb_time, &stopped, 1, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
    }
}

/* Take the time for a flush that begins now. */
static uint32_t flush_begins(void)
{
    uint32_t t = tlb_time;

    while (t && !__atomic_compare_exchange_n(&tlb_time, &t, t + 1, false, __ATOMIC_SEQ_CST,
                                             __ATOMIC_SEQ_CST))
        ;
    if (!t)
        return 0;
    if (t + 1 == 0)
        for (unsigned c = 0; c < nr_cpus; c++)
            a_cpumask_set(&wrap_pending, c);
    return t + 1;
}

void tlb_load_cr3(uint64_t cr3)
{
    unsigned cpu = this_cpu_id();
    unsigned long flags = irq_save();
    uint32_t t = flush_begins();

    write_cr(3, cr3);
    state[cpu].flushed_at = t;
    if (!t)
        clock_restart(cpu);
    irq_restore(flags);
}

void tlb_flush_local(void)
{
    tlb_load_cr3(read_cr(3));
}

void tlb_flush_local_va(uint64_t va)
{
    if (va == EVERYTHING)
        tlb_flush_local();
    else
        invlpg(va);
}

void tlb_serve(void)
{
    unsigned self = this_cpu_id(), c;
    struct tlb_state *s = &state[self];
    cpumask_t from;

    if (cpumask_empty(&s->from))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(from.w); i++)
        from.w[i] = __atomic_exchange_n(&s->from.w[i], 0, __ATOMIC_SEQ_CST);
    for_each_cpu_in(c, &from)
    {
        if (state[c].fn)
            state[c].fn();
        else
            tlb_flush_local_va(state[c].va);
        a_cpumask_clear(&state[c].waiting, self);
    }
}

/* The set is private to the caller. */
static void ask_others(cpumask_t *cpus, void (*fn)(void), uint64_t va)
{
    unsigned self = this_cpu_id(), c;
    struct tlb_state *s = &state[self];
    uint64_t others = 0;

    cpumask_clear(cpus, self);
    for (unsigned i = 0; i < ARRAY_SIZE(cpus->w); i++)
        others |= cpus->w[i] &= cpus_online.w[i];
    if (!others) /* mostly nobody but this CPU runs the domain */
        return;
    s->fn = fn;
    s->va = va;
    s->waiting = *cpus;
    for_each_cpu_in(c, cpus)
    {
        a_cpumask_set(&state[c].from, self);
        apic_send(cpu_data[c]->apic_id, VECTOR_CALL);
    }
    while (!cpumask_empty(&s->waiting)) {
        tlb_serve();
        cpu_relax();
    }
}

void tlb_flush_mask_va(const cpumask_t *cpus, uint64_t va)
{
    cpumask_t set = *cpus; /* the caller's may change under us */

    if (cpumask_test(&set, this_cpu_id()))
        tlb_flush_local_va(va);
    ask_others(&set, NULL, va);
}

void smp_call(void (*fn)(void))
{
    cpumask_t set = cpus_online;

    ask_others(&set, fn, 0);
}

void tlb_flush_mask(const cpumask_t *cpus)
{
    tlb_flush_mask_va(cpus, EVERYTHING);
}

void tlb_filter(cpumask_t *cpus, uint32_t stamp)
{
    unsigned c;

    for_each_cpu_in(c, cpus) if (stamp && state[c].flushed_at > stamp) cpumask_clear(cpus, c);
}
