/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and events to the guest: a frame on its kernel stack and a jump to its handler, as
 * hardware would do with its IDT.
 *
 * The frame, lowest address first: rcx, r11, [ds, es, fs, gs: failsafe], [error code], rip, cs |
 * saved mask << 32, rflags, rsp, ss. Interface: pv_inject*, pv_deliver, pv_syscall_bounce
 * (asm/pv.h). Invariant: what is written into the guest goes through
 * copy_to_guest into its own address space; a guest whose stack cannot take it is crashed, alone.
 */
#include "pv_core.h"

_Static_assert(TBF_ERROR_CODE == 1 && TBF_FAILSAFE == 4, "a word of the frame each");

/* --- the frame ------------------------------------------------------------------------------- */

/* Written upwards from `at`, a range that was checked. False: the guest cannot take it. */
static inline bool write_frame(const struct vcpu *v, const struct cpu_user_regs *regs,
                               unsigned what, uint32_t error_code, uint16_t cs, uint8_t mask,
                               uint64_t at)
{
    uint64_t flags = regs->rflags & ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);

    if (!mask)
        flags |= X86_EFLAGS_IF;
    if (unlikely(vm_assisted(v->domain, VMASST_TYPE_architectural_iopl)))
        flags |= iopl_flags(v);
    guest_open();
    guest_put(at, regs->rcx, fault);
    guest_put(at + 8, regs->r11, fault);
    at += 16;
    if (unlikely(what & TBF_FAILSAFE)) {
        guest_put(at, regs->ds, fault);
        guest_put(at + 8, regs->es, fault);
        guest_put(at + 16, regs->fs, fault);
        guest_put(at + 24, regs->gs, fault);
        at += 32;
    }
    if (what & TBF_ERROR_CODE) {
        guest_put(at, error_code, fault);
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

static bool no_handler(struct vcpu *v, const struct cpu_user_regs *regs)
{
    domain_crash(v->domain, "vCPU %u: no handler for an event or exception at %lx", v->id,
                 (unsigned long)regs->rip);
    return false;
}

static bool no_room(struct vcpu *v, const struct cpu_user_regs *regs, uint64_t sp)
{
    domain_crash(v->domain, "vCPU %u: no room for an exception frame at %lx (from %04x:%lx)", v->id,
                 (unsigned long)sp, regs->cs, (unsigned long)regs->rip);
    return false;
}

static inline __attribute__((always_inline)) bool bounce(struct vcpu *v, struct cpu_user_regs *regs,
                                                         uint64_t handler, unsigned what,
                                                         uint32_t error_code)
{
    uint64_t sp = regs->rsp;
    uint16_t cs = regs->cs & ~3U; /* the kernel's own frames show ring 0 */
    struct vcpu_info *info = v->info_here;
    uint8_t mask;
    unsigned size = 7 * 8 + (what & TBF_ERROR_CODE) * 8 + (what & TBF_FAILSAFE) * 8;

    if (unlikely(!handler))
        return no_handler(v, regs);
    if (!guest_kernel_mode(v)) {
        pv_toggle_mode(v);
        sp = v->arch.kernel_sp;
        cs = regs->cs;
    }
    mask = info->evtchn_upcall_mask;
    if (what & TBF_INTERRUPT)
        info->evtchn_upcall_mask = mask | 1;

    sp = (sp & ~15UL) - size;
    if (unlikely(!guest_start_ok(sp) ||
                 !write_frame(v, regs, what, error_code, cs, mask, sp)))
        return no_room(v, regs, sp);
    regs->rflags &=
        ~(X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT | X86_EFLAGS_TF);
    regs->ss = FLAT_KERNEL_SS;
    regs->cs = FLAT_KERNEL_CS;
    regs->rsp = sp;
    regs->rip = handler;
    return true;
}

static bool bounce_now(struct vcpu *v, struct cpu_user_regs *regs, uint64_t handler, unsigned what,
                uint32_t error_code)
{
    return bounce(v, regs, handler, what, error_code);
}

/* --- asking for one -------------------------------------------------------------------------- */

static void no_trap_handler(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    domain_crash(v->domain, "vCPU %u: no handler for exception %u (error code %x) at %lx", v->id,
                 vector, error_code, (unsigned long)guest_regs()->rip);
}

void pv_raise(struct vcpu *v, struct cpu_user_regs *regs, unsigned vector, bool with_error_code,
              uint32_t error_code)
{
    const struct trap_info *t = &v->arch.traps[vector];
    unsigned what = (TI_GET_IF(t) ? TBF_INTERRUPT : 0) | with_error_code;

    if (likely(t->address))
        bounce(v, regs, t->address, what, error_code);
    else
        no_trap_handler(v, vector, error_code);
}

void pv_inject(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    pv_raise(v, guest_regs(), vector, trap_has_error_code(vector), error_code);
}

void pv_inject_page_fault(struct vcpu *v, uint64_t addr, uint32_t error_code)
{
    v->info_here->arch.cr2 = addr;
    v->arch.cr2 = addr;
    /* Its user and its kernel run in ring 3 both. */
    error_code = guest_kernel_mode(v) ? error_code & ~4U : error_code | 4;
    pv_raise(v, guest_regs(), TRAP_PF, true, error_code);
}

void pv_syscall_bounce(struct cpu_user_regs *regs, unsigned type)
{
    struct vcpu *v = current;
    const struct pv_callback *c = &v->arch.callback[type];

    if (!c->address && type == CALLBACKTYPE_sysenter) {
        pv_inject(v, TRAP_GP, 0);
    } else if (!c->address) {
        regs->rip -= 2; /* as if the CPU had no such instruction */
        pv_inject(v, TRAP_UD, 0);
    } else if (bounce_now(v, regs, c->address, c->masks_events ? TBF_INTERRUPT : 0, 0) &&
               type != CALLBACKTYPE_sysenter) {
        regs->rflags &= ~X86_EFLAGS_DF; /* the ABI's fixed SYSCALL mask */
    }
}

/*
 * May a system call take the straight way of syscall.S? It writes seven words there without asking again. Called when the stack or the
 * handler changes; own vCPU, or one that does not run.
 */
void pv_bounce_refresh(struct vcpu *v)
{
    uint64_t sp = (v->arch.kernel_sp & ~15UL) - 7 * 8;

    v->arch.bounce_sp = v->arch.callback[CALLBACKTYPE_syscall].address && guest_range_ok(sp, 7 * 8) ? sp : 0;
}

/* --- the exit path --------------------------------------------------------------------------- */

/* An NMI goes through the trap table, events masked, and not again until the next iret. */
static bool deliver_nmi(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint64_t handler = v->arch.traps[TRAP_NMI].address;

    if (v->arch.nmi_blocked || !handler)
        return true;
    if (!__atomic_exchange_n(&v->nmi_pending, false, __ATOMIC_SEQ_CST))
        return true;
    v->arch.nmi_blocked = true;
    return bounce_now(v, regs, handler, TBF_INTERRUPT, 0);
}

bool pv_deliver(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct vcpu_info *info = v->info_here;

    if (unlikely(v->failsafe_waits)) {
        const struct pv_callback *c = &v->arch.callback[CALLBACKTYPE_failsafe];

        v->failsafe_waits = false;
        if (!bounce_now(v, regs, c->address,
                        TBF_FAILSAFE | (c->masks_events ? TBF_INTERRUPT : 0), 0))
            return false;
    }
    if (unlikely(v->nmi_pending) && !deliver_nmi(v, regs))
        return false;
    vcpu_fold_events(v, info);
    if (!info->evtchn_upcall_pending || info->evtchn_upcall_mask)
        return true;
    return bounce(v, regs, v->arch.callback[CALLBACKTYPE_event].address, TBF_INTERRUPT, 0);
}
