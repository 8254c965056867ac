/* SPDX-License-Identifier: MIT */
/*
 * The physical CPU we run on: its private data, the registers of the guest it interrupted, interrupt flag, barriers.
 *
 * Each CPU has one stack of STACK_SIZE bytes, aligned to its size; struct cpu_top is at its top, so that any stack pointer
 * (IST stacks are inside the same area) finds it without a segment register: GS belongs to the guest.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <hv/types.h>
#include <hv/errno.h>

#define STACK_SIZE (8 * PAGE_SIZE)

struct vcpu;
struct runqueue;     /* common/sched */
struct timer_queue;  /* common/timer.c */
struct map_slots;    /* arch/x86/map_frame.c */

struct cpu { /* one for each CPU, in the heap; cpu_data[id] */
    unsigned id;
    uint32_t apic_id, acpi_id;
    struct vcpu *idle;
    _Atomic uint32_t softirq_pending;
    uint32_t in_events;          /* sections entered (common/evtchn/port.h) */
    struct runqueue *rq;
    struct timer_queue *timers;
    struct map_slots *maps;
};

struct cpu_top {
    struct cpu_user_regs regs;   /* of the guest, as entry.S pushed them; must be first */
    struct cpu *cpu;
    struct vcpu *current;
    uint64_t scratch[2];
};

extern struct cpu *cpu_data[];

static inline struct cpu_top *cpu_top(void)
{
    unsigned long sp;
    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_top *)((sp & ~(STACK_SIZE - 1)) + STACK_SIZE) - 1;
}
static inline struct cpu *this_cpu(void)
{
    return cpu_top()->cpu;
}
static inline unsigned this_cpu_id(void)
{
    return this_cpu()->id;
}
static inline struct cpu_user_regs *guest_regs(void)
{
    return &cpu_top()->regs;
}
#define current (cpu_top()->current)

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
static inline unsigned long irq_save(void)
{
    unsigned long f;
    __asm__ volatile("pushf; pop %0; cli" : "=r"(f)::"memory");
    return f;
}
static inline void irq_restore(unsigned long f)
{
    if (f & 0x200)
        __asm__ volatile("sti" ::: "memory");
}
static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}
static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}
/* Sleep until an interrupt: called with interrupts off, after the last look for work; returns with them on. */
static inline void cpu_wait(void)
{
    __asm__ volatile("sti; hlt" ::: "memory");
}

/* IPIs (arch/x86/smp.c). EVENT: look at softirqs and pending events on the way out. */
void smp_send_event_check(unsigned cpu);
/* Run fn on each online CPU but this one; returns when all have (tlb.c). A CPU that waits for others does it meanwhile. */
void smp_call(void (*fn)(void));
extern _Atomic bool smp_stopping;       /* an NMI means: halt */

#endif
