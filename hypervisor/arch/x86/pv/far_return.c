/* SPDX-License-Identifier: MIT */
/*
 * IRETQ and LRETQ executed by a guest in ring 3 to itself, on processors that read the stack as
 * supervisor.
 *
 * A real CPU reads the frame with the rights of ring 3. QEMU's TCG (7.2) reads it with supervisor
 * rights, so SMAP refuses the guest's own stack: a page fault from ring 3 whose error code says
 * "supervisor", which hardware cannot raise for an explicit access. Linux executes such an IRETQ as
 * a serialising instruction, so without this no Linux could run on a machine with SMAP under TCG.
 *
 * Interface: pv_emulate_far_return(). Grants nothing: what is loaded passes through the checks of
 * our own exit.
 */
#include "pv_core.h"

#define REX_W 0x48
#define IRET  0xcf
#define LRET  0xcb

/* What POPF and IRET in ring 3 without I/O privilege may change: all status flags, TF, DF, NT, RF,
 * AC, ID. */
#define RING3_FLAGS 0x00254dd5UL

bool pv_emulate_far_return(struct cpu_user_regs *regs)
{
    uint64_t frame[5] = {0}; /* rip cs [rflags] rsp ss */
    uint8_t code[2];
    bool iret;

    if (copy_from_guest(code, regs->rip, sizeof(code)) || code[0] != REX_W ||
        (code[1] != IRET && code[1] != LRET))
        return false;
    iret = code[1] == IRET;
    if (copy_from_guest(frame, regs->rsp, iret ? sizeof(frame) : 2 * sizeof(frame[0])))
        return false;
    if ((frame[1] & 3) != 3)
        return false; /* to another ring: #GP as the CPU says, which the guest gets as a page fault
                         here */
    regs->rip = frame[0];
    regs->cs = (uint16_t)frame[1];
    if (iret) {
        regs->rflags = (regs->rflags & ~RING3_FLAGS) | (frame[2] & RING3_FLAGS);
        regs->rsp = frame[3];
        regs->ss = (uint16_t)frame[4] | 3;
    } else {
        regs->rsp += 2 * sizeof(frame[0]);
    }
    return true;
}
