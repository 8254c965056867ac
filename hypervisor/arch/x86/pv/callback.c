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

static bool has_error_code(unsigned vector)
{
    return vector < 32 && ((1U << vector) & 0x227d00); /* 8, 10-14, 17, 21 */
}

/* --- the frame ------------------------------------------------------------------------------- */

static uint64_t frame_flags(const struct vcpu *v, const struct cpu_user_regs *regs, uint8_t mask)
{
    uint64_t flags = regs->rflags & ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);

    if (!mask)
        flags |= X86_EFLAGS_IF;
    if (unlikely(vm_assisted(v->domain, VMASST_TYPE_architectural_iopl)))
        flags |= iopl_flags(v);
    return flags;
}

/* Written upwards from `at`, a range that was checked. False: the guest cannot take it. */
static bool write_frame(const struct vcpu *v, const struct cpu_user_regs *regs,
                        const struct trap_bounce *b, uint16_t cs, uint8_t mask, uint64_t at)
{
    uint64_t flags = frame_flags(v, regs, mask);

    guest_open();
    guest_put(at, regs->rcx, fault);
    guest_put(at + 8, regs->r11, fault);
    at += 16;
    if (unlikely(b->flags & TBF_FAILSAFE)) {
        guest_put(at, regs->ds, fault);
        guest_put(at + 8, regs->es, fault);
        guest_put(at + 16, regs->fs, fault);
        guest_put(at + 24, regs->gs, fault);
        at += 32;
    }
    if (b->flags & TBF_ERROR_CODE) {
        guest_put(at, b->error_code, fault);
        at += 8;
    }
    guest_put(at, regs->rip, fault);
    guest_put(at + 8, cs | (uint64_t)mask << 32, fault);
    guest_put(at + 16, flags, fault);
    guest_put(at + 24, regs->rsp, fault);
    guest_put(at + 32, regs->ss, fault);
    guest_close();
    return true;
fault:
    guest_close();
    return false;
}

bool bounce_now(struct vcpu *v, struct cpu_user_regs *regs, const struct trap_bounce *b)
{
    uint64_t sp = regs->rsp;
    uint16_t cs = regs->cs & ~3U; /* the kernel's own frames show ring 0 */
    struct vcpu_info *info = v->info_here;
    uint8_t mask;
    unsigned size;

    if (unlikely(!b->eip)) {
        domain_crash(v->domain, "vCPU %u: no handler for an event or exception at %lx", v->id,
                     (unsigned long)regs->rip);
        return false;
    }
    if (!guest_kernel_mode(v)) {
        pv_toggle_mode(v);
        sp = v->arch.kernel_sp;
        cs = regs->cs;
    }
    mask = info->evtchn_upcall_mask;
    if (b->flags & TBF_INTERRUPT)
        info->evtchn_upcall_mask = mask | 1;

    size = 7 * 8 + (b->flags & TBF_ERROR_CODE ? 8 : 0) + (b->flags & TBF_FAILSAFE ? 32 : 0);
    sp = (sp & ~15UL) - size;
    if (unlikely(!guest_range_ok(sp, size) || !write_frame(v, regs, b, cs, mask, sp))) {
        domain_crash(v->domain, "vCPU %u: no room for an exception frame at %lx (from %04x:%lx)",
                     v->id, (unsigned long)sp, regs->cs, (unsigned long)regs->rip);
        return false;
    }
    regs->rflags &=
        ~(X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT | X86_EFLAGS_TF);
    regs->ss = FLAT_KERNEL_SS;
    regs->cs = FLAT_KERNEL_CS;
    regs->rsp = sp;
    regs->rip = b->eip;
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
    v->arch.bounce.flags = flags | (TI_GET_IF(t) ? TBF_INTERRUPT : 0);
    v->arch.bounce.error_code = error_code;
    v->arch.bounce.eip = t->address;
    v->bounce_waits = true;
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
    struct trap_bounce b = {.eip = handler, .flags = masks ? TBF_INTERRUPT : 0};

    if (bounce_now(v, regs, &b))
        regs->rflags &= ~X86_EFLAGS_DF; /* the ABI's fixed SYSCALL mask */
}

/*
 * May a system call take the straight way of syscall.S? It writes seven words there without asking again. Called when the stack or the
 * handler changes; own vCPU, or one that does not run.
 */
void pv_bounce_refresh(struct vcpu *v)
{
    uint64_t sp = (v->arch.kernel_sp & ~15UL) - 7 * 8;

    v->arch.bounce_sp = v->arch.syscall_callback && guest_range_ok(sp, 7 * 8) ? sp : 0;
}

/* --- the exit path --------------------------------------------------------------------------- */

/* An NMI goes through the trap table, events masked, and not again until the next iret. */
static bool deliver_nmi(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct trap_bounce b = {.eip = v->arch.traps[VECTOR_NMI].address, .flags = TBF_INTERRUPT};

    if (v->arch.nmi_blocked || !b.eip)
        return true;
    if (!__atomic_exchange_n(&v->nmi_pending, false, __ATOMIC_SEQ_CST))
        return true;
    v->arch.nmi_blocked = true;
    return bounce_now(v, regs, &b);
}

bool pv_deliver(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct vcpu_info *info = v->info_here;
    struct trap_bounce b = {.eip = v->arch.event_callback, .flags = TBF_INTERRUPT};

    if (v->bounce_waits) {
        v->bounce_waits = false;
        if (!bounce_now(v, regs, &v->arch.bounce))
            return false;
    }
    if (unlikely(v->nmi_pending) && !deliver_nmi(v, regs))
        return false;
    vcpu_fold_events(v, info);
    if (!info->evtchn_upcall_pending || info->evtchn_upcall_mask)
        return true;
    return bounce_now(v, regs, &b);
}
