/* SPDX-License-Identifier: MIT */
/*
 * Softirqs: work left for a CPU's exit path, one bit each in cpu->softirq_pending.
 *
 * Interface: softirq_raise, softirq_raise_on, softirq_run (hv/softirq.h); preempt_needed
 * (hv/hypercall.h). Invariant: a bit set on another CPU is followed by an IPI unless the bit was
 * set before, so that CPU looks at it before it returns to a guest or sleeps. No lock: the bits are
 * atomic.
 */
#include <hv/softirq.h>
#include <hv/sched.h>

typedef void softirq_fn(void);

static softirq_fn *const handlers[SOFTIRQ_COUNT] = {
    [SOFTIRQ_TIMER] = timer_softirq,
    [SOFTIRQ_SCHEDULE] = schedule,
};

void softirq_raise(enum softirq s)
{
    __atomic_fetch_or(&this_cpu()->softirq_pending, 1u << s, __ATOMIC_SEQ_CST);
}

void softirq_raise_on(unsigned cpu, enum softirq s)
{
    struct cpu *c = cpu_data[cpu];
    uint32_t old = __atomic_fetch_or(&c->softirq_pending, 1u << s, __ATOMIC_SEQ_CST);

    if (!(old & (1u << s)) && c != this_cpu())
        smp_send_event_check(cpu);
}

void softirq_run(void)
{
    /* schedule() may move us: but not to another CPU, since each CPU has one stack. */
    struct cpu *c = this_cpu();
    uint32_t pending;

    while ((pending = c->softirq_pending) != 0) {
        unsigned s = (unsigned)__builtin_ctz(pending);

        __atomic_fetch_and(&c->softirq_pending, ~(1u << s), __ATOMIC_SEQ_CST);
        handlers[s]();
    }
}

bool preempt_needed(void)
{
    return this_cpu()->softirq_pending != 0;
}
