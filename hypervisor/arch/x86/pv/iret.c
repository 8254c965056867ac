/* SPDX-License-Identifier: MIT */
/*
 * The iret hypercall: a guest kernel returns from an exception or event, to itself or to its user
 * mode.
 *
 * Interface: do_iret. The frame (struct iret_context) is copied in once from the guest's kernel
 * stack. What it asks for that a guest may not have (interrupts off, I/O privilege, virtual-8086)
 * is dropped; a rip, cs or ss that the CPU refuses comes back to the guest as an exception on our
 * own IRET.
 */
#include "pv_core.h"

long do_iret(struct hypercall *hc)
{
    struct cpu_user_regs *regs = guest_regs();
    struct vcpu *v = current;
    struct iret_context ic;

    if (copy_in(&ic, regs->rsp)) {
        domain_crash(v->domain, "vCPU %u: cannot read its iret frame at %lx", v->id,
                     (unsigned long)regs->rsp);
        return 0;
    }
    if ((ic.cs & 3) == 3) {
        if (!mfn_is_set(v->arch.guest_table_user)) {
            domain_crash(v->domain, "vCPU %u: iret to user mode without user page tables", v->id);
            return 0;
        }
        pv_toggle_mode(v);
    }
    if (vm_assisted(v->domain, VMASST_TYPE_architectural_iopl))
        v->arch.iopl = (unsigned)(ic.rflags >> 12) & 3;

    regs->rip = ic.rip;
    regs->cs = (uint16_t)ic.cs | 3;
    regs->rflags = (ic.rflags & ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM)) | X86_EFLAGS_IF;
    regs->rsp = ic.rsp;
    regs->ss = (uint16_t)ic.ss | 3;
    if (ic.flags & VGCF_in_syscall) { /* as SYSRET leaves them */
        regs->rcx = regs->rip;
        regs->r11 = regs->rflags;
    } else {
        regs->rcx = ic.rcx;
        regs->r11 = ic.r11;
    }
    v->info_here->evtchn_upcall_mask = !(ic.rflags & X86_EFLAGS_IF);
    v->arch.nmi_blocked = false;
    return (long)ic.rax;
}
