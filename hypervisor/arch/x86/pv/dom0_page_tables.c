/* SPDX-License-Identifier: MIT */
/*
 * dom0's first page tables: the linear range at v_start, and the p2m list where the kernel wants
 * it. Frames that are tables are mapped read-only, as every PV guest must: the tables are then
 * validated like any guest's, with no shortcut. Boot CPU only; no lock.
 */
#include "dom0.h"
#include <asm/page.h>
#include <hv/frame.h>
#include <hv/string.h>

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_USER | PTE_A)
#define PAGE_FLAGS  (PTE_P | PTE_RW | PTE_USER | PTE_A | PTE_D)

struct builder {
    const struct dom0_memory *m;
    const struct dom0_layout *l;
    uint64_t l4_pfn;
    uint64_t next_pfn; /* the next frame that becomes a table */
};

static bool is_table(const struct dom0_layout *l, uint64_t pfn)
{
    return (pfn >= l->pt_pfn && pfn < l->pt_pfn + l->nr_pt_frames) ||
           (pfn >= l->p2m_pfn + l->nr_p2m_list_frames && pfn < l->p2m_pfn + l->nr_p2m_frames);
}

/* The frame of the next lower table for va in the table at pfn, made if it is missing. */
static uint64_t descend(struct builder *b, uint64_t table_mfn, unsigned level, uint64_t va)
{
    pte_t *t = map_frame(mfn(table_mfn));
    pte_t *e = &t[pte_index(va, level)];
    uint64_t next;

    if (!(*e & PTE_P))
        *e = pte_make(dom0_pfn_to_mfn(b->m, b->next_pfn++), TABLE_FLAGS);
    next = pte_mfn(*e).m;
    unmap_frame(t);
    return next;
}

static void map_range(struct builder *b, uint64_t va, uint64_t pfn, uint64_t count)
{
    while (count) {
        uint64_t l1 = dom0_pfn_to_mfn(b->m, b->l4_pfn).m;
        unsigned i = pte_index(va, 1);
        pte_t *t;

        for (unsigned level = 4; level > 1; level--)
            l1 = descend(b, l1, level, va);
        t = map_frame(mfn(l1));
        for (; i < PTES_PER_TABLE && count; i++, count--, pfn++, va += PAGE_SIZE)
            t[i] = pte_make(dom0_pfn_to_mfn(b->m, pfn),
                            is_table(b->l, pfn) ? PAGE_FLAGS & ~PTE_RW : PAGE_FLAGS);
        unmap_frame(t);
    }
}

void dom0_page_tables(const struct dom0_memory *m, const struct dom0_layout *l)
{
    struct builder b = {.m = m, .l = l, .l4_pfn = l->pt_pfn, .next_pfn = l->pt_pfn + 1};

    dom0_clear(m, l->pt_pfn << PAGE_SHIFT, l->nr_pt_frames << PAGE_SHIFT);
    map_range(&b, l->v_start, 0, (l->v_end - l->v_start) >> PAGE_SHIFT);
    if (!l->p2m_separate)
        return;
    b.next_pfn = l->p2m_pfn + l->nr_p2m_list_frames;
    dom0_clear(m, b.next_pfn << PAGE_SHIFT,
               (l->nr_p2m_frames - l->nr_p2m_list_frames) << PAGE_SHIFT);
    map_range(&b, l->p2m_va, l->p2m_pfn, l->nr_p2m_list_frames);
}
