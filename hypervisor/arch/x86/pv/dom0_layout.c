/* SPDX-License-Identifier: MIT */
/*
 * Where everything of dom0 goes in its own memory, in the order that <xen/xen.h> ("start-of-day
 * memory layout") promises: image, initrd, p2m list, start_info, page tables, boot stack, at least
 * 512 KiB spare, the end rounded to 4 MiB. A kernel whose notes allow it gets initrd and p2m list
 * behind all that, outside of the linear mapping.
 *
 * Pure arithmetic on sizes: no allocation, no lock.
 */
#include "dom0.h"
#include <hv/errno.h>

#define SPARE     (512UL << 10)
#define END_ALIGN (4UL << 20)
#define L4_SPAN   (1UL << 39)

static uint64_t pages(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* Tables of one level needed to map [start, end), each covering 2^shift bytes. */
static uint64_t tables(uint64_t start, uint64_t end, unsigned shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

/* L1, L2 and L3 tables for [start, end). */
static uint64_t tables_below_l4(uint64_t start, uint64_t end)
{
    return tables(start, end, 21) + tables(start, end, 30) + tables(start, end, 39);
}

/* The page tables map themselves: more tables may need a larger range, which may need more tables.
 */
static void place_tables(struct dom0_layout *l, uint64_t pfn)
{
    l->pt_pfn = pfn;
    for (l->nr_pt_frames = 1;;) {
        l->stack_pfn = l->pt_pfn + l->nr_pt_frames;
        uint64_t bytes = ((l->stack_pfn + 1) << PAGE_SHIFT) + SPARE;
        l->v_end = l->v_start + ROUND_UP(bytes, END_ALIGN);
        uint64_t need = 1 + tables_below_l4(l->v_start, l->v_end);
        if (need <= l->nr_pt_frames)
            return;
        l->nr_pt_frames = need;
    }
}

int dom0_layout(struct dom0_layout *l, const struct elf_kernel *k, uint64_t nr_pages,
                uint64_t initrd_bytes, const char **why)
{
    uint64_t pfn = pages(k->pend);
    uint64_t list = pages(nr_pages * sizeof(uint64_t));

    *l = (struct dom0_layout){.v_start = k->virt_base,
                              .initrd_bytes = initrd_bytes,
                              .nr_p2m_list_frames = list,
                              .nr_p2m_frames = list};
    *why = "its image and initrd do not fit into dom0_mem";
    if (k->pend >> PAGE_SHIFT >= nr_pages || initrd_bytes >> PAGE_SHIFT >= nr_pages)
        return -ENOMEM;
    l->initrd_mapped = initrd_bytes && !k->unmapped_initrd;
    l->p2m_separate = k->init_p2m != ELF_UNSET;
    if (l->initrd_mapped) {
        l->initrd_pfn = pfn;
        pfn += pages(initrd_bytes);
    }
    if (!l->p2m_separate) {
        l->p2m_pfn = pfn;
        l->p2m_va = l->v_start + (pfn << PAGE_SHIFT);
        pfn += list;
    }
    l->start_info_pfn = pfn;
    place_tables(l, pfn + 1);

    pfn = (l->v_end - l->v_start) >> PAGE_SHIFT;
    if (initrd_bytes && !l->initrd_mapped) {
        l->initrd_pfn = pfn;
        pfn += pages(initrd_bytes);
    }
    if (l->p2m_separate) {
        uint64_t end = k->init_p2m + (list << PAGE_SHIFT);

        *why = "its INIT_P2M note names an address that it cannot have";
        if (end < k->init_p2m || k->init_p2m / L4_SPAN == l->v_start / L4_SPAN ||
            (k->init_p2m >= 1UL << 47 && k->init_p2m < 0xffff880000000000UL))
            return -EINVAL;
        l->p2m_va = k->init_p2m;
        l->p2m_pfn = pfn;
        l->nr_p2m_frames = list + tables_below_l4(k->init_p2m, end);
        pfn += l->nr_p2m_frames;
    }
    l->first_free_pfn = pfn;
    *why = "its image, initrd and first page tables do not fit into dom0_mem";
    return pfn <= nr_pages ? 0 : -ENOMEM;
}
