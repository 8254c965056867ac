/* SPDX-License-Identifier: MIT */
/*
 * dom0's first page tables: written into its frames as a toolstack would, then validated and pinned
 * by the same code as any guest's. Table pages are mapped read-only, everything else writable.
 */
#include "dom0.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_USER | PTE_A | PTE_D)
#define DATA_FLAGS  (PTE_P | PTE_RW | PTE_A | PTE_D)

struct pool { /* pfns to make tables of */
    uint64_t next, end;
};

/* The table below the entry for va, made if it is not there. INVALID_MFN: the pool is empty. */
static mfn_t table_below(const struct dom0_image *im, mfn_t table, unsigned level, uint64_t va,
                         struct pool *pool)
{
    pte_t *p = map_frame(table), *e = &p[pte_index(va, level)];
    mfn_t below = pte_mfn(*e);

    if (!(*e & PTE_P)) {
        below = pool->next < pool->end ? dom0_mfn(im, pool->next++) : INVALID_MFN;
        if (!mfn_eq(below, INVALID_MFN))
            *e = pte_make(below, TABLE_FLAGS);
    }
    unmap_frame(p);
    return below;
}

static bool map_page(const struct dom0_image *im, uint64_t va, mfn_t m, uint64_t flags,
                     struct pool *pool)
{
    mfn_t table = im->l4;
    pte_t *p;

    for (unsigned level = 4; level > 1; level--) {
        table = table_below(im, table, level, va, pool);
        if (mfn_eq(table, INVALID_MFN))
            return false;
    }
    p = map_frame(table);
    p[pte_index(va, 1)] = pte_make(m, flags);
    unmap_frame(p);
    return true;
}

static bool is_table(const struct dom0_image *im, uint64_t va)
{
    return va >= im->page_tables && va < im->page_tables + im->nr_page_tables * PAGE_SIZE;
}

const char *dom0_make_tables(struct dom0_image *im)
{
    uint64_t first = (im->page_tables - im->v_start) >> PAGE_SHIFT;
    struct pool pool = {first + 1, first + im->nr_page_tables};
    int rc;

    im->l4 = dom0_mfn(im, first);
    for (uint64_t va = im->v_start; va != im->v_end; va += PAGE_SIZE)
        if (!map_page(im, va, dom0_va_mfn(im, va),
                      is_table(im, va) ? DATA_FLAGS & ~PTE_RW : DATA_FLAGS, &pool))
            return "internal error: the page tables were counted wrong";
    if (im->p2m_pages) {
        struct pool more = {im->p2m_pfn + im->p2m_list_pages, im->p2m_pfn + im->p2m_pages};

        for (uint64_t i = 0; i < im->p2m_list_pages; i++)
            if (!map_page(im, im->p2m + i * PAGE_SIZE, dom0_mfn(im, im->p2m_pfn + i), DATA_FLAGS,
                          &more))
                return "internal error: the page tables of the P2M list were counted wrong";
    }
    do
        rc = pv_pin_table(im->d, im->l4, FT_L4);
    while (rc == -HC_RESTART);
    if (rc)
        return "internal error: its first page tables are not valid";
    return NULL;
}
