/* SPDX-License-Identifier: MIT */
/*
 * Building dom0: what the parts tell each other. Boot CPU only, before any guest runs; no lock.
 *
 *   dom0_memory.c       dom0's frames and the pfn → mfn map while it is being built
 *   dom0_layout.c       where everything goes (pure arithmetic)
 *   dom0_page_tables.c  its first page tables
 *   dom0_build.c        the order of steps; kernel, initrd, p2m, start_info, vCPU 0
 */
#ifndef PV_DOM0_H
#define PV_DOM0_H

#include <hv/domain.h>
#include <hv/elf.h>

/* --- memory -------------------------------------------------------------------------------------------------------- */
struct dom0_run { /* frames that are contiguous both ways */
    uint64_t pfn, mfn, count;
};
struct dom0_memory {
    struct domain *d;
    uint64_t nr_pages;
    struct dom0_run *run; /* sorted by pfn */
    unsigned nr_runs, max_runs;
};
/* Allocate opt.dom0_mem (or what is free, less a reserve). 0 or -ENOMEM. */
int dom0_memory_alloc(struct dom0_memory *m, struct domain *d);
void dom0_memory_done(struct dom0_memory *m);
mfn_t dom0_pfn_to_mfn(const struct dom0_memory *m, uint64_t pfn);
/* Copy into, or clear, dom0's memory at a physical address of its own (pfn space). */
void dom0_write(const struct dom0_memory *m, uint64_t paddr, const void *src, size_t n);
void dom0_clear(const struct dom0_memory *m, uint64_t paddr, uint64_t n);
/* Copy from the boot modules' machine memory. */
void dom0_copy_module(const struct dom0_memory *m, uint64_t paddr, uint64_t maddr, uint64_t n);

/* --- layout ----------------------------------------------------------------------------------------------------------- */
struct dom0_layout { /* pfn ranges are [start, start + count) */
    uint64_t v_start, v_end; /* virtual range mapped linearly: pfn = (va - v_start) >> 12 */
    uint64_t initrd_pfn, initrd_bytes;
    bool initrd_mapped;
    uint64_t p2m_va, p2m_pfn, nr_p2m_frames; /* list frames, then tables of a separate mapping */
    uint64_t nr_p2m_list_frames;
    bool p2m_separate;       /* at INIT_P2M, outside of the linear range */
    uint64_t start_info_pfn, pt_pfn, nr_pt_frames, stack_pfn;
    uint64_t first_free_pfn;
};
/* 0, or -ENOMEM/-EINVAL with *why. */
int dom0_layout(struct dom0_layout *l, const struct elf_kernel *k, uint64_t nr_pages,
                uint64_t initrd_bytes, const char **why);

/* --- page tables -------------------------------------------------------------------------------------------------------- */
void dom0_page_tables(const struct dom0_memory *m, const struct dom0_layout *l);

#endif
