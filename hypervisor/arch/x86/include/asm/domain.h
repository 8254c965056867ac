/* SPDX-License-Identifier: MIT */
/* The machine's part of a domain and of a vCPU: PV page tables, descriptor tables, callbacks, FPU. */
#ifndef ASM_DOMAIN_H
#define ASM_DOMAIN_H

#include <hv/lock.h>
#include <hv/cpumask.h>
#include <xen/callback.h>

struct e820_entry; /* hv/boot_info.h */

struct arch_domain {
    spinlock_t mmu_lock;         /* page-table edits of this domain */
    uint64_t upper_edits;        /* mmu_lock: how often an entry of an L2…L4 table changed, or one was made such a table */
    cpumask_t dirty_cpus;        /* CPUs whose TLB may hold its translations (a_cpumask_*) */
    bool iomem_all;              /* may map MMIO (dom0), except the hypervisor's own devices */
    struct e820_entry *e820;     /* XENMEM_set_memory_map; d->lock */
    unsigned nr_e820;
};

/* An exception or callback on its way to the guest: */
#define TBF_ERROR_CODE 1         /* push error_code */
#define TBF_INTERRUPT  2         /* mask events (evtchn_upcall_mask) on delivery */
#define TBF_FAILSAFE   4         /* the failsafe callback: segment selectors are pushed */

/* Where a guest wants something that is no exception; address 0: nowhere. */
struct pv_callback {
    uint64_t address;
    bool masks_events;
    uint16_t cs;                 /* tools give it, and get it back */
};

struct arch_vcpu {
    /* syscall.S reads these (entry_offsets.c) */
    bool user_mode;              /* runs on guest_table_user (guest user), else guest kernel */
    bool nmi_blocked;            /* an NMI frame was delivered; until the next iret hypercall */
    mfn_t guest_table;           /* kernel L4, type reference held; INVALID_MFN: none. CR3 is made of it */
    mfn_t guest_table_user;      /* user L4 */
    uint64_t bounce_sp;          /* where a system call's frame begins; 0: not the straight way (pv_bounce_refresh) */
    struct pv_callback callback[CALLBACKTYPE_syscall32 + 1]; /* by CALLBACKTYPE_*; the NMI has a trap */

    struct cpu_user_regs regs;   /* while it does not run */
    struct {                     /* mmu_lock: the last walk, true while these are what they were (pt_update.c) */
        uint64_t region;         /* address >> 21 */
        uint64_t edits;          /* d->arch.upper_edits */
        mfn_t l4, l1;            /* 0: no walk yet */
    } walk;
    uint32_t table_debt[4];      /* frames of tables left half taken apart by this vCPU, 0: none (page_type.c) */

    /* callbacks and traps (callback.c) */
    struct trap_info *traps;     /* [256], heap page */
    uint64_t kernel_ss, kernel_sp;   /* stack_switch */

    /* virtual control state (priv_op_*.c) */
    uint64_t cr2;                /* in vcpu_info->arch.cr2 for the guest */
    uint64_t ctrlreg_cr0_ts;     /* guest set TS (fpu_taskswitch) */
    uint64_t cr4_guest;
    uint64_t dr[8];
    unsigned iopl;
    uint64_t iobmp;              /* guest address of an I/O bitmap */
    unsigned iobmp_limit;

    uint64_t fs_base, gs_base_kernel, gs_base_user;  /* while not running */

    /* descriptor tables (descriptor.c) */
    mfn_t gdt_frame[16];         /* FIRST_RESERVED_GDT_PAGE of them are the guest's; FT_SEGDESC references held */
    unsigned gdt_entries;
    uint64_t ldt_base;
    unsigned ldt_entries;
    mfn_t ldt_frame[16];         /* mapped lazily on fault */

    /* FPU (fpu.c) */
    void *xsave;                 /* area of xsave_size bytes, 64-byte aligned */
    uint64_t xcr0, xcr0_accum;
    bool fpu_initialised;
};

#endif
