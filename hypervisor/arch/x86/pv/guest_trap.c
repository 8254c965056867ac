/* SPDX-License-Identifier: MIT */
/*
 * What a guest's instruction raised: emulate it, or give it to the guest's own handler.
 *
 * Interface: pv_guest_trap, for the exceptions of which this may be so, and pv_forced_emulation
 * (asm/pv.h); traps.c gives all others to the guest itself.
 */
#include "pv_core.h"

#define ERROR_EXT 1 /* selector error code: an external event */
#define ERROR_IDT 2 /*   the index is of an IDT gate */

#define EMULATE_PREFIX 0x6e65780b0fUL /* ud2, "xen": priv_op.c emulates the CPUID after it */

#define DR6_DEFAULT 0xffff0ff0UL

/* May the guest's code raise this vector with `int n`? The gate's ring: 0 nobody, 1 and 2 its
 * kernel, 3 everybody. */
static bool may_int(const struct vcpu *v, unsigned vector)
{
    unsigned dpl = TI_GET_DPL(&v->arch.traps[vector]);

    return dpl >= (guest_kernel_mode(v) ? 1U : 3U);
}

/* #GP. Our own gates have ring 0, so a guest's `int n` comes as #GP with the gate's index; rip is
 * before it (2 bytes). */
static void general_protection(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint32_t ec = regs->error_code;

    if ((ec & (ERROR_EXT | ERROR_IDT)) == ERROR_IDT) {
        unsigned vector = (ec >> 3) & 0xff;

        if (may_int(v, vector)) {
            regs->rip += 2;
            pv_raise(v, regs, vector, false, 0);
            return;
        }
    } else if (ec == 0 && pv_emulate_privileged(regs)) {
        return;
    }
    pv_inject(v, TRAP_GP, ec);
}

/* A vector whose gate is open to everybody (0x80): rip is after the instruction already. */
static void open_gate(struct vcpu *v, struct cpu_user_regs *regs, unsigned vector)
{
    if (may_int(v, vector)) {
        pv_raise(v, regs, vector, false, 0);
        return;
    }
    regs->rip -= 2;
    pv_inject(v, TRAP_GP, vector << 3 | ERROR_IDT);
}

/* DR6 as the guest reads it: status bits stay until it clears them; the reserved ones are as the
 * CPU says. */
static void debug_exception(struct vcpu *v, uint64_t dr6)
{
    v->arch.dr[6] |= dr6 & ~DR6_DEFAULT;
    v->arch.dr[6] &= dr6 | ~DR6_DEFAULT;
    pv_inject(v, TRAP_DB, 0);
}

bool pv_forced_emulation(const struct cpu_user_regs *regs)
{
    uint64_t at = regs->rip, code;

    if (!guest_range_ok(at, sizeof(code)))
        return true; /* at an end of the address space, or of a page: the emulator looks byte by byte */
    guest_open();
    guest_get(code, at, fault);
    guest_close();
    return (code & 0xffffffffff) == EMULATE_PREFIX;
fault:
    guest_close();
    return true;
}

void pv_guest_trap(struct cpu_user_regs *regs, unsigned vector, uint64_t cr2_or_dr6)
{
    struct vcpu *v = current;

    switch (vector) {
    case TRAP_GP:
        general_protection(v, regs);
        return;
    case TRAP_PF:
        if (!pv_emulate_far_return(regs))
            pv_inject_page_fault(v, cr2_or_dr6, regs->error_code);
        return;
    case TRAP_DB:
        debug_exception(v, cr2_or_dr6);
        return;
    default:
        open_gate(v, regs, vector);
        return;
    }
}
