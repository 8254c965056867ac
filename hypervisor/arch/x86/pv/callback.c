/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and events to the guest: a frame on its kernel stack and a jump to its handler, as
 * hardware would do with its IDT.
 *
 * The frame, lowest address first: rcx, r11, [ds, es, fs, gs: failsafe], [error code], rip, cs |
 * saved mask << 32, rflags, rsp, ss. Interface: pv_inject*, pv_deliver, pv_syscall_bounce
 * (asm/pv.h), bounce_now (pv_core.h). Invariant: what is written into the guest goes through
 * copy_to_guest into its own address space; a guest whose stack cannot take it is crashed, alone.
 */
#include <hv/domain.h>
#include <hv/printk.h>
#include <hv/vcpu.h>
#include <asm/cpu.h>
#include <asm/pv.h>
#include <asm/uaccess.h>
#include "pv_core.h"

#define FRAME_MAX 12

static bool has_error_code(unsigned vector)
{
    return vector < 32 && ((1U << vector) & 0x227d00); /* 8, 10-14, 17, 21 */
}

/* --- the frame ------------------------------------------------------------------------------- */

static unsigned build_frame(const struct vcpu *v, const struct cpu_user_regs *regs,
                            const struct trap_bounce *b, uint16_t cs, uint8_t mask, uint64_t *w)
{
    uint64_t flags = regs->rflags & ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);
    unsigned n = 0;

    if (!mask)
        flags |= X86_EFLAGS_IF;
    if (vm_assisted(v->domain, VMASST_TYPE_architectural_iopl))
        flags |= iopl_flags(v);
    w[n++] = regs->rcx;
    w[n++] = regs->r11;
    if (b->flags & TBF_FAILSAFE) {
        w[n++] = regs->ds;
        w[n++] = regs->es;
        w[n++] = regs->fs;
        w[n++] = regs->gs;
    }
    if (b->flags & TBF_ERROR_CODE)
        w[n++] = b->error_code;
    w[n++] = regs->rip;
    w[n++] = cs | (uint64_t)mask << 32;
    w[n++] = flags;
    w[n++] = regs->rsp;
    w[n++] = regs->ss;
    return n;
}

bool bounce_now(struct vcpu *v, struct cpu_user_regs *regs, struct trap_bounce b)
{
    uint64_t words[FRAME_MAX], sp = regs->rsp;
    uint16_t cs = regs->cs & ~3U; /* the kernel's own frames show ring 0 */
    struct vcpu_info *info;
    uint8_t mask;
    unsigned n;

    if (!b.eip) {
        domain_crash(v->domain, "vCPU %u: no handler for an event or exception at %lx", v->id,
                     (unsigned long)regs->rip);
        return false;
    }
    if (!guest_kernel_mode(v)) {
        pv_toggle_mode(v);
        sp = v->arch.kernel_sp;
        cs = regs->cs;
    }
    info = vcpu_info_map(v);
    mask = info->evtchn_upcall_mask;
    if (b.flags & TBF_INTERRUPT)
        info->evtchn_upcall_mask = mask | 1;
    vcpu_info_unmap(v, info);

    n = build_frame(v, regs, &b, cs, mask, words);
    sp = (sp & ~15UL) - n * sizeof(words[0]);
    if (copy_to_guest(sp, words, n * sizeof(words[0]))) {
        domain_crash(v->domain, "vCPU %u: no room for an exception frame at %lx (from %04x:%lx)",
                     v->id, (unsigned long)sp, regs->cs, (unsigned long)regs->rip);
        return false;
    }
    regs->rflags &=
        ~(X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT | X86_EFLAGS_TF);
    regs->ss = FLAT_KERNEL_SS;
    regs->cs = FLAT_KERNEL_CS;
    regs->rsp = sp;
    regs->rip = b.eip;
    return true;
}

/* --- asking for one -------------------------------------------------------------------------- */

static void inject(struct vcpu *v, unsigned vector, uint8_t flags, uint32_t error_code)
{
    const struct trap_info *t = &v->arch.traps[vector];

    if (!t->address) {
        domain_crash(v->domain, "vCPU %u: no handler for exception %u (error code %x) at %lx",
                     v->id, vector, error_code, (unsigned long)guest_regs()->rip);
        return;
    }
    v->arch.bounce = (struct trap_bounce){
        .pending = true,
        .flags = flags | (TI_GET_IF(t) ? TBF_INTERRUPT : 0),
        .error_code = error_code,
        .cs = FLAT_KERNEL_CS,
        .eip = t->address,
    };
}

void pv_inject(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    inject(v, vector, has_error_code(vector) ? TBF_ERROR_CODE : 0, error_code);
}

void pv_inject_soft(struct vcpu *v, unsigned vector)
{
    inject(v, vector, 0, 0);
}

void pv_inject_gp(struct vcpu *v, uint32_t error_code)
{
    pv_inject(v, VECTOR_GP, error_code);
}

void pv_inject_page_fault(struct vcpu *v, uint64_t addr, uint32_t error_code)
{
    struct vcpu_info *info = vcpu_info_map(v);

    info->arch.cr2 = addr;
    vcpu_info_unmap(v, info);
    v->arch.cr2 = addr;
    /* Guest kernel and user both run in ring 3: what the guest calls user is what it does not call
     * its kernel. */
    error_code &= ~4U;
    if (!guest_kernel_mode(v))
        error_code |= 4;
    pv_inject(v, VECTOR_PF, error_code);
}

void pv_syscall_bounce(struct cpu_user_regs *regs, bool compat32)
{
    struct vcpu *v = current;
    uint64_t handler = compat32 ? v->arch.syscall32_callback : v->arch.syscall_callback;
    bool masks = compat32 ? v->arch.syscall32_masks_events : v->arch.syscall_masks_events;

    if (!handler) {
        regs->rip -= 2; /* as if the CPU had no such instruction */
        pv_inject(v, VECTOR_UD, 0);
        return;
    }
    if (bounce_now(v, regs,
                   (struct trap_bounce){.eip = handler, .flags = masks ? TBF_INTERRUPT : 0}))
        regs->rflags &= ~X86_EFLAGS_DF; /* the ABI's fixed SYSCALL mask */
}

/* --- the exit path --------------------------------------------------------------------------- */

/* An NMI goes through the trap table, events masked, and not again until the next iret. */
static bool deliver_nmi(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint64_t handler = v->arch.traps[VECTOR_NMI].address;

    if (v->nmi_blocked || !handler)
        return true;
    if (!__atomic_exchange_n(&v->nmi_pending, false, __ATOMIC_SEQ_CST))
        return true;
    v->nmi_blocked = true;
    return bounce_now(v, regs, (struct trap_bounce){.eip = handler, .flags = TBF_INTERRUPT});
}

bool pv_deliver(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct trap_bounce *b = &v->arch.bounce;
    struct vcpu_info *info;
    bool upcall;

    if (b->pending) {
        b->pending = false;
        if (!bounce_now(v, regs, *b))
            return false;
    }
    if (unlikely(v->nmi_pending) && !deliver_nmi(v, regs))
        return false;
    info = vcpu_info_map(v);
    vcpu_fold_events(v, info);
    upcall = info->evtchn_upcall_pending && !info->evtchn_upcall_mask;
    vcpu_info_unmap(v, info);
    if (!upcall)
        return true;
    return bounce_now(v, regs,
                      (struct trap_bounce){.eip = v->arch.event_callback, .flags = TBF_INTERRUPT});
}
