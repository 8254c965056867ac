/* SPDX-License-Identifier: MIT */
/* Inside pv/, between its files that are not about memory; and what all of them include. */
#ifndef PV_CORE_H
#define PV_CORE_H

#include <asm/cpu.h>
#include <asm/msr.h>
#include <asm/pv.h>
#include <asm/uaccess.h>

#define X86_EFLAGS_TF   (1UL << 8)
#define X86_EFLAGS_IF   (1UL << 9)
#define X86_EFLAGS_DF   (1UL << 10)
#define X86_EFLAGS_IOPL (3UL << 12)
#define X86_EFLAGS_NT   (1UL << 14)
#define X86_EFLAGS_RF   (1UL << 16)
#define X86_EFLAGS_VM   (1UL << 17)
#define X86_EFLAGS_AC   (1UL << 18)

/* Bits of DR6 and DR7 that are always one: all that are set in registers nobody wrote. */
#define DR6_ONES 0xffff0ff0UL
#define DR7_ONES 0x400UL

static inline bool is_canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}
static inline bool vm_assisted(const struct domain *d, unsigned type)
{
    return (d->vm_assist >> type) & 1;
}
/* v->arch.iopl is 0…3; where EFLAGS has it: */
static inline uint64_t iopl_flags(const struct vcpu *v)
{
    return (uint64_t)v->arch.iopl << 12;
}

/* callback.c: kernel_sp or the syscall callback of v changed. */
void pv_bounce_refresh(struct vcpu *v);
/* regs_op.c: checks as for the guest's own write; loads the hardware if v is current. -EPERM,
 * -EINVAL, -ENODEV */
int debugreg_set(struct vcpu *v, unsigned reg, uint64_t value);
/* False: there is no such register. */
bool debugreg_get(const struct vcpu *v, unsigned reg, uint64_t *value);

struct insn; /* asm/insn.h */
/*
 * priv_op_{io,msr}.c: perform a decoded instruction. False: the guest gets #GP. *again: its rip
 * stays, since it is not done yet, or since another exception is on its way.
 */
bool priv_io(struct cpu_user_regs *regs, const struct insn *i, bool *again);
bool priv_rdmsr(struct cpu_user_regs *regs);
bool priv_wrmsr(struct cpu_user_regs *regs);

/* context.c: the CR4 that a guest sees when it asks for `wanted`. */
uint64_t pv_guest_cr4(uint64_t wanted);
uint64_t pv_guest_cr0(const struct vcpu *v);

#endif
