/* SPDX-License-Identifier: MIT */
/*
 * The host double of a CPU: plain memory. A test decides which CPU "we" are (fake_run_on); each has
 * its own current vCPU, softirqs and timer deadline. Interrupts are a flag that nobody looks at but
 * the tests.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <hv/types.h>
#include <hv/errno.h>

#define STACK_ORDER 3
#define STACK_SIZE  (PAGE_SIZE << STACK_ORDER)

struct vcpu;
struct runqueue;
struct timer_queue;

struct cpu {
    unsigned id;
    uint32_t apic_id, acpi_id;
    struct vcpu *idle;
    _Atomic uint32_t softirq_pending;
    uint32_t in_events;
    struct runqueue *rq;
    struct timer_queue *timers;
};

struct cpu_top {
    struct cpu_user_regs regs;
    struct cpu *cpu;
    struct vcpu *current;
};

extern struct cpu *cpu_data[];
extern _Thread_local struct cpu_top *fake_top; /* of the CPU that this thread plays */

static inline struct cpu_top *cpu_top(void)
{
    return fake_top;
}
static inline struct cpu *this_cpu(void)
{
    return fake_top->cpu;
}
static inline unsigned this_cpu_id(void)
{
    return fake_top->cpu->id;
}
static inline struct cpu_user_regs *guest_regs(void)
{
    return &fake_top->regs;
}
#define current (fake_top->current)

int sched_yield(void); /* <sched.h>: who is waited for may want this very processor */
static inline void cpu_relax(void)
{
    sched_yield();
}
static inline unsigned long irq_save(void)
{
    return 0;
}
static inline void irq_restore(unsigned long f)
{
}
static inline void irq_enable(void)
{
}
static inline void irq_disable(void)
{
}
static inline bool irq_is_enabled(void)
{
    return true;
}
void cpu_wait(void);
void smp_send_event_check(unsigned cpu);

void smp_call(void (*fn)(void));

#endif
