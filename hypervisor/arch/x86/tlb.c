/* SPDX-License-Identifier: MIT */
/*
 * TLB flushes on this CPU and on others, and the clock that lets a flush be skipped.
 *
 * Remote flush: each CPU has a counter of requests and one of how far it has served them. A
 * requester takes a number, sends an IPI and waits until the CPU served it; while it waits it
 * serves its own requests, so two CPUs that flush each other with interrupts off do not deadlock,
 * and no lock is needed.
 *
 * Clock: tlb_time goes up with every full flush; a CPU notes the time at which its last one began.
 * A frame stamped with tlb_clock() when its last mapping went needs a flush on those CPUs whose
 * note is not later. When the clock runs over it stops at 0
 * (= flush always) until every CPU has flushed once, and starts again at 1.
 */
#include <hv/cpumask.h>
#include <asm/apic.h>
#include <asm/cpu.h>
#include <asm/msr.h>
#include <asm/pv.h>

struct tlb_state {
    _Atomic uint64_t requested, served;
    _Atomic uint32_t flushed_at;
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
    uint32_t t = flush_begins();

    write_cr3(cr3);
    state[cpu].flushed_at = t;
    if (!t)
        clock_restart(cpu);
}

void tlb_flush_local(void)
{
    unsigned long flags = irq_save();

    tlb_load_cr3(read_cr3());
    irq_restore(flags);
}

void tlb_flush_local_va(uint64_t va)
{
    invlpg((const void *)va);
}

void tlb_serve(void)
{
    struct tlb_state *s = &state[this_cpu_id()];
    uint64_t upto = s->requested;

    if (s->served == upto)
        return;
    tlb_flush_local();
    /* An interrupt may have served a later number meanwhile. */
    for (uint64_t was = s->served; was < upto;)
        if (__atomic_compare_exchange_n(&s->served, &was, upto, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            break;
}

/* The set is private to the caller: it must be the same in both loops. */
static void flush_others(cpumask_t *cpus)
{
    unsigned c;
    uint64_t wait_for[MAX_CPUS];

    cpumask_clear(cpus, this_cpu_id());
    for (unsigned i = 0; i < ARRAY_SIZE(cpus->w); i++)
        cpus->w[i] &= READ_ONCE(cpus_online.w[i]);
    if (cpumask_empty(cpus))
        return;
    for_each_cpu_in(c, cpus)
    {
        wait_for[c] = __atomic_add_fetch(&state[c].requested, 1, __ATOMIC_SEQ_CST);
        apic_send(cpu_data[c]->apic_id, VECTOR_TLB);
    }
    for_each_cpu_in(c, cpus)
    {
        while (state[c].served < wait_for[c]) {
            tlb_serve();
            cpu_relax();
        }
    }
}

void tlb_flush_mask(const cpumask_t *cpus)
{
    cpumask_t set = *cpus; /* the caller's may change under us */

    if (cpumask_test(&set, this_cpu_id()))
        tlb_flush_local();
    flush_others(&set);
}

/* Others flush everything: one page at a time pays only where remote flushes are many, which is not
 * measured yet. */
void tlb_flush_mask_va(const cpumask_t *cpus, uint64_t va)
{
    cpumask_t set = *cpus;

    if (cpumask_test(&set, this_cpu_id()))
        tlb_flush_local_va(va);
    flush_others(&set);
}

void tlb_filter(cpumask_t *cpus, uint32_t stamp)
{
    unsigned c;

    for_each_cpu_in(c, cpus) if (stamp && state[c].flushed_at > stamp) cpumask_clear(cpus, c);
}
