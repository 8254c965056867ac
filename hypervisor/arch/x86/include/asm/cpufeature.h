/* SPDX-License-Identifier: MIT */
/* What this machine's CPUs can do, as far as the hypervisor itself cares; filled once by cpu.c on
 * the boot CPU. */
#ifndef ASM_CPUFEATURE_H
#define ASM_CPUFEATURE_H

#include <hv/types.h>

struct cpu_features {
    bool smep, smap, umip, fsgsbase, xsave, x2apic, tsc_deadline, sysenter, invariant_tsc;
    bool amd; /* AMD or Hygon: segment bases survive loading a null selector */
    uint8_t phys_bits;
    uint64_t l1tf_bits; /* asm/l1_entry.h: of an absent PTE, those that lead to RAM; 0: not affected
                         */
    uint32_t xsave_size; /* bytes for every state component in xcr0_mask */
    uint64_t xcr0_mask;  /* components a guest may enable */
    /* 1d 1c e1d e1c Da1 7b0 7c0 e7d, the words of sysctl physinfo's hw_cap */
    uint32_t featureset[8];
};
extern struct cpu_features cpu_has;

struct cpu;
/* Boot CPU, while text is still writable: also patches STAC/CLAC in. */
void cpu_features_init(void);
/* Each CPU: control registers, EFER, SYSCALL entry points. After gdt_cpu_load(). */
void cpu_setup(void);
uint64_t cpu_cr4(void);      /* what CR4 holds while no guest asks for more */
bool cpu_matches_boot(void); /* a further CPU: it has all that the boot CPU has */
void cpu_print(void);

/* gdt.c. Our page of the GDT is page 14; <xen/arch-x86/xen-x86_64.h> fixes the guests' flat selectors in it. */
#define HV_CS 0xe008
/* allocate and fill; before gdt_cpu_load on that CPU */
int gdt_cpu_init(unsigned cpu);
void gdt_cpu_load(struct cpu *c);

#endif
