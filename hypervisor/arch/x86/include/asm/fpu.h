/* SPDX-License-Identifier: MIT */
/* FPU state at a context switch; interrupts off. (What pv/ calls is in asm/pv.h.) */
#ifndef ASM_FPU_H
#define ASM_FPU_H

struct vcpu;
void fpu_save(struct vcpu *v);    /* registers → v; v is what this CPU ran */
void fpu_restore(struct vcpu *v); /* v → registers */

#endif
