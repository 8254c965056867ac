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

/* Tables on the way are made where there are none. False: the pool is empty. */
static bool map_page(const struct dom0_image *im, uint64_t va, mfn_t m, uint64_t flags,
                     struct pool *pool)
{
    mfn_t table = im->l4;

    for (unsigned level = 4; level; level--) {
        pte_t *p = map_frame(table), *e = &p[pte_index(va, level)];

        if (level == 1)
            *e = pte_make(m, flags);
        else if (!(*e & PTE_P) && pool->next < pool->end)
            *e = pte_make(dom0_mfn(im, pool->next++), TABLE_FLAGS);
        table = *e & PTE_P ? pte_mfn(*e) : INVALID_MFN;
        unmap_frame(p);
        if (mfn_eq(table, INVALID_MFN))
            return false;
    }
    return true;
}

/* Map pfns [pfn, pfn + n) from va on. */
static bool map_area(const struct dom0_image *im, uint64_t va, uint64_t pfn, uint64_t n,
                     struct pool pool)
{
    uint64_t end = im->page_tables + im->nr_page_tables * PAGE_SIZE;

    for (; n; n--, va += PAGE_SIZE, pfn++) {
        bool is_table = va >= im->page_tables && va < end;

        if (!map_page(im, va, dom0_mfn(im, pfn), is_table ? DATA_FLAGS & ~PTE_RW : DATA_FLAGS,
                      &pool))
            return false;
    }
    return true;
}

const char *dom0_make_tables(struct dom0_image *im)
{
    uint64_t first = (im->page_tables - im->v_start) >> PAGE_SHIFT;
    uint64_t list_end = im->list_pfn + im->list_pages;
    int rc;

    im->l4 = dom0_mfn(im, first);
    if (!map_area(im, im->v_start, 0, (im->v_end - im->v_start) >> PAGE_SHIFT,
                  (struct pool){first + 1, first + im->nr_page_tables}) ||
        (im->list_tables && !map_area(im, im->p2m, im->list_pfn, im->list_pages,
                                      (struct pool){list_end, list_end + im->list_tables})))
        return "internal error: the page tables were counted wrong";
    do
        rc = pv_pin_table(im->d, im->l4, FT_L4);
    while (rc == -HC_RESTART);
    if (rc)
        return "internal error: its first page tables are not valid";
    return NULL;
}
