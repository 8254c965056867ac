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

/* `int n` at rip. May the guest's code raise this vector? The gate's ring: 0 nobody, 1 and 2 its
 * kernel, 3 everybody. Otherwise #GP with ec, which has the gate's index. */
static void soft_interrupt(struct vcpu *v, struct cpu_user_regs *regs, uint64_t rip, uint32_t ec)
{
    unsigned vector = (ec >> 3) & 0xff;

    if (TI_GET_DPL(&v->arch.traps[vector]) >= (guest_kernel_mode(v) ? 1 : 3)) {
        regs->rip = rip + 2;
        pv_raise(v, regs, vector, false, 0);
    } else {
        regs->rip = rip;
        pv_inject(v, TRAP_GP, ec);
    }
}

/* #GP. Our own gates have ring 0, so a guest's `int n` comes as #GP with the gate's index. */
static void general_protection(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint32_t ec = regs->error_code;

    if ((ec & (ERROR_EXT | ERROR_IDT)) == ERROR_IDT)
        soft_interrupt(v, regs, regs->rip, ec);
    else if (ec || !pv_emulate_privileged(regs))
        pv_inject(v, TRAP_GP, ec);
}

/* DR6 as the guest reads it: status bits stay until it clears them; the reserved ones are as the
 * CPU says. */
static void debug_exception(struct vcpu *v, uint64_t dr6)
{
    v->arch.dr[6] |= dr6 & ~DR6_ONES;
    v->arch.dr[6] &= dr6 | ~DR6_ONES;
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

void pv_guest_trap(struct cpu_user_regs *regs, unsigned vector, uint64_t dr6)
{
    struct vcpu *v = current;

    if (vector == TRAP_GP)
        general_protection(v, regs);
    else if (vector == TRAP_DB)
        debug_exception(v, dr6);
    else /* its gate is open to everybody: rip is after the instruction already */
        soft_interrupt(v, regs, regs->rip - 2, vector << 3 | ERROR_IDT);
}
