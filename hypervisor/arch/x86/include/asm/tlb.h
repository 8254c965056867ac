/* SPDX-License-Identifier: MIT */
/* Inside of arch/x86: what switch.c and smp.c need of tlb.c (the rest is in asm/pv.h). */
#ifndef ASM_TLB_H
#define ASM_TLB_H

#include <hv/types.h>

void tlb_load_cr3(uint64_t cr3); /* a new address space: counts as a full flush. Interrupts off */
void tlb_serve(void);            /* do what other CPUs asked of this one */

#endif
