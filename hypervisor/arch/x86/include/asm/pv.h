/* SPDX-License-Identifier: MIT */
/*
 * The seams inside arch/x86 and between it and common/: who calls whom.
 *
 * machine (arch/x86) → pv:      traps.c hands over what a guest's instruction raised
 * pv, common → machine:         address spaces, TLB, GDT slots
 * common → pv:                  exit path delivers exceptions and events; grants edit PTEs; dom0 is built
 */
#ifndef ASM_PV_H
#define ASM_PV_H

#include <hv/vcpu.h>
#include <hv/cpumask.h>
#include <hv/frame.h>

/* --- entry.S and traps.c (machine) call these ------------------------------------------------------------------------- */
/* SYSCALL from guest kernel mode: regs->rax is the number, rdi rsi rdx r10 r8 r9 the arguments; result to rax. pv/hypercall.c */
void pv_hypercall(struct cpu_user_regs *regs);
/* SYSCALL or SYSENTER that is no hypercall: on in the guest's callback of this CALLBACKTYPE_*, in kernel mode. pv/callback.c */
void pv_syscall_bounce(struct cpu_user_regs *regs, unsigned type);
/* `int n`, #GP or #DB raised by guest code: emulated, or on to the guest's handler. pv/guest_trap.c */
void pv_guest_trap(struct cpu_user_regs *regs, unsigned vector, uint64_t dr6);
/* #PF by a supervisor read from ring 3: true if it was an IRETQ or LRETQ, and was performed. pv/far_return.c */
bool pv_emulate_far_return(struct cpu_user_regs *regs);
/* #PF in guest context, interrupts on: true if it was handled (emulated page-table write, spurious, LDT mapping). pv/ro_fault.c (mm) */
bool pv_handle_page_fault(struct cpu_user_regs *regs, uint64_t cr2);
/* #PF in hypervisor context below HV_VIRT_START … or in the LDT window: true if it was fixed and the access can be retried. */
bool pv_handle_hv_page_fault(uint64_t cr2, uint32_t error_code);

/* --- callback.c (core) -------------------------------------------------------------------------------------------------------- */
/* An exception of the guest's to its handler, at once. Own vCPU. */
void pv_raise(struct vcpu *v, struct cpu_user_regs *regs, unsigned vector, bool with_error_code, uint32_t error_code);
void pv_inject(struct vcpu *v, unsigned vector, uint32_t error_code);
void pv_inject_page_fault(struct vcpu *v, uint64_t addr, uint32_t error_code);
static inline bool trap_has_error_code(unsigned vector)
{
    return vector < 32 && ((1U << vector) & 0x227d00); /* 8, 10-14, 17, 21 */
}
/* #UD: is the instruction the prefix by which a guest asks for CPUID to be emulated? guest_trap.c */
bool pv_forced_emulation(const struct cpu_user_regs *regs);
/*
 * Exit path, interrupts off: turn a callback that is due into a frame on the guest's kernel stack. False: the
 * guest cannot take it and its domain was crashed.
 */
bool pv_deliver(struct vcpu *v, struct cpu_user_regs *regs);
static inline bool guest_kernel_mode(const struct vcpu *v)
{
    return !v->arch.user_mode;
}

/* --- switch.c (machine) --------------------------------------------------------------------------------------------------------- */
/* Called by schedule(), interrupts off: saves prev (guest_regs(), FPU, segments), loads next, sets current; returns on the same stack. */
void context_switch(struct vcpu *prev, struct vcpu *next);
/* Switch between guest kernel and guest user page tables, swapping GS bases. Own vCPU. */
void pv_toggle_mode(struct vcpu *v);
/* Reload CR3 (and GDT/LDT slots) of current after its tables changed. */
void pv_load_cr3(struct vcpu *v);
/* The state of a vCPU that may be running here, written back to v->arch (getvcpucontext; v paused or current). */
void vcpu_sync_state(struct vcpu *v);
void debug_load(const struct vcpu *v);                  /* v's debug registers but DR6 → hardware */
void fpu_save(struct vcpu *v);                          /* registers → v; v is what this CPU ran. Interrupts off, as in: */
void fpu_restore(struct vcpu *v);                       /* v → registers */
void fpu_guest_ts(struct vcpu *v, bool set);            /* fpu_taskswitch */
bool fpu_handle_nm(struct vcpu *v);                     /* #NM: true if handled (not the guest's TS) */
int fpu_vcpu_init(struct vcpu *v);
void fpu_vcpu_destroy(struct vcpu *v);
int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0);        /* XSETBV by a guest; -EINVAL: #GP */
/* Segment bases of current, in the hardware registers. */
enum seg_base { SEGB_FS = SEGBASE_FS, SEGB_GS_USER = SEGBASE_GS_USER, SEGB_GS_KERNEL = SEGBASE_GS_KERNEL };
void seg_base_write(enum seg_base which, uint64_t base);
uint64_t seg_base_read(enum seg_base which);
int seg_gs_user_selector(uint16_t sel);                 /* SEGBASE_GS_USER_SEL; -EFAULT */

/* --- tlb.c (machine) --------------------------------------------------------------------------------------------------------------- */
void tlb_load_cr3(uint64_t cr3); /* a new address space: counts as a full flush */
void tlb_serve(void);            /* do what other CPUs asked of this one */
void tlb_flush_local(void);
void tlb_flush_local_va(uint64_t va);
void tlb_flush_mask(const cpumask_t *cpus);             /* returns when all have flushed; includes this CPU if in the set */
void tlb_flush_mask_va(const cpumask_t *cpus, uint64_t va);
/*
 * Page-reuse clock: a frame's type word keeps tlb_clock() of the moment it lost its last mapping; needs a flush before the
 * frame gets another type or owner only on CPUs that have not flushed since. (page_type.c)
 */
extern _Atomic uint32_t tlb_time;
static inline uint32_t tlb_clock(void)
{
    return tlb_time;
}
void tlb_filter(cpumask_t *cpus, uint32_t stamp);       /* drop CPUs that flushed after stamp */

/* --- hv_paging.c (machine): the hypervisor's own tables -------------------------------------------------------------------------------- */
/* Copy the hypervisor's slots 256…271 into a guest L4 being validated (l4: mapped table). */
void hv_fill_guest_l4(uint64_t *l4);
mfn_t idle_l4(void);
/* Map/unmap one heap or table page at a fixed hypervisor address (frame table, heap chunks, M2P): flags are PTE flags. */
int hv_map_range(uint64_t va, mfn_t first, uint64_t nr_frames, uint64_t pte_flags);
/* The guest-visible GDT of this CPU: page i (0…13) shows `f` (INVALID_MFN: the zero page); the LDT window likewise (0…15). */
void gdt_slot_set(unsigned i, mfn_t f);
void ldt_slot_set(unsigned i, mfn_t f);
void ldt_load(unsigned entries);                        /* LLDT with a limit; 0: null */
/* Is this frame one that not even dom0 may map (LAPIC, IO-APICs, …)? */
bool mmio_is_hypervisors(mfn_t f);
bool msix_table_page(mfn_t f);                          /* read-only for dom0 */

/* --- address-space layout ------------------------------------------------------------------------------------------------------------------ */
#define VA_RO_M2P      0xffff800000000000UL /* slot 256: read-only to guests: machine_to_phys */
#define VA_RW_M2P      0xffff808000000000UL /* slot 257: ours */
#define VA_FRAMETABLE  0xffff810000000000UL /* slot 258 */
#define VA_IMAGE       0xffff818000000000UL /* slot 259: image, fixmap, device windows, per-CPU slots, stacks (hv_paging.c) */
#define VA_HEAP        0xffff830000000000UL /* slot 262…: heap page of machine address m is at VA_HEAP + m */

/* --- pv memory (mm) ------------------------------------------------------------------------------------------------------------------------- */
void m2p_set(mfn_t f, uint64_t pfn);                    /* ~0UL: none */
/* Grants edit single PTEs for their mappings (pv/grant_pte.c). References are the caller's. Return GNTST_*. */
int pv_grant_map_pte(struct vcpu *v, uint64_t host_addr, mfn_t f, bool readonly, bool contains_pte, uint64_t pte_bits);
int pv_grant_unmap_pte(struct vcpu *v, uint64_t host_addr, mfn_t f, bool readonly, bool contains_pte, uint64_t new_addr);
/* (new_addr: for unmap_and_replace, else 0.) The caller flushes after a batch: */
void pv_grant_flush(struct domain *d);
/* vCPU state that holds page-table references; where it names no frame: */
static inline bool mfn_is_set(mfn_t f)
{
    return f.m && !mfn_eq(f, INVALID_MFN);
}
int pv_set_guest_table(struct vcpu *v, mfn_t l4);       /* takes the type reference; drops the old one */
int pv_set_guest_table_user(struct vcpu *v, mfn_t l4);  /* INVALID_MFN: none */
void pv_drop_tables(struct vcpu *v);
/* Validate a table and keep it so until it is unpinned: 0, -EINVAL, -EBUSY, -HC_RESTART (call again). A builder pins the first L4. */
int pv_pin_table(struct domain *d, mfn_t m, enum frame_type t);
int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries);
void pv_destroy_gdt(struct vcpu *v);
bool ldt_ok(uint64_t base, uint64_t entries);           /* may a guest have this LDT? */
/*
 * Build dom0 from the boot modules (there is one at least): memory, tables, start_info, vCPU 0's registers. Prints what it does.
 * What is wrong, and *how to mend it, for people; NULL: done. pv/dom0_*.c
 */
const char *dom0_build(struct domain *d, const char **how);
/* Make a writable frame of d's a hypercall page (DOMCTL_hypercall_init, dom0's note, the MSR): 0, -EACCES. */
int pv_make_hypercall_page(struct domain *d, mfn_t f);

/* --- privileged instruction emulation (core: pv/priv_op_*.c) -------------------------------------------------------------------------------- */
bool pv_emulate_privileged(struct cpu_user_regs *regs); /* #GP with error 0 in guest kernel or #UD forced-emulation */
struct cpuid_regs; /* asm/msr.h */
struct cpuid_regs cpuid_policy(const struct vcpu *v, uint32_t leaf, uint32_t sub);
/* Take away what a tool does not let d see. cpuid_leaves.c */
void cpuid_limit(const struct domain *d, uint32_t leaf, uint32_t sub, struct cpuid_regs *r);
bool dom0_io_permitted(struct domain *d, uint16_t port, unsigned bytes);

#endif
