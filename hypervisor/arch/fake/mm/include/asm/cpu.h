/* SPDX-License-Identifier: MIT */
/* The host double of a CPU for the memory rooms: a current vCPU for each thread, and no interrupts.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <hv/types.h>
#include <hv/errno.h>

struct vcpu;
struct cpu {
    unsigned id;
};
struct cpu_top {
    struct cpu_user_regs regs;
    struct cpu *cpu;
    struct vcpu *current;
};
extern _Thread_local struct cpu_top fake_top;

static inline struct cpu *this_cpu(void)
{
    return fake_top.cpu;
}
static inline unsigned this_cpu_id(void)
{
    return fake_top.cpu->id;
}
static inline struct cpu_user_regs *guest_regs(void)
{
    return &fake_top.regs;
}
#define current (fake_top.current)

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
static inline unsigned long irq_save(void)
{
    return 0x200;
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
void smp_call(void (*fn)(void));

#endif
