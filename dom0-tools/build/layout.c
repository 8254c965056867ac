/* SPDX-License-Identifier: MIT */
/* The calculation of layout.h. */
#include "layout.h"

#include <string.h>

#define PADDING \
    (512 * 1024 / GUEST_PAGE) /* the room that kernels may count on after the last element */
#define MAPPING_STEP (4ULL << 20)

static uint64_t pages(uint64_t bytes)
{
    return (bytes + GUEST_PAGE - 1) / GUEST_PAGE;
}

/* What one entry of a table at `level` covers: L1 (0) 4 KiB, L2 2 MiB, L3 1 GiB, L4 512 GiB. */
static unsigned entry_shift(unsigned level)
{
    return 12 + 9 * level;
}

void layout_count_tables(const struct mapping *maps, unsigned nr, uint64_t count[4])
{
    const uint64_t mask48 = (1ULL << 48) - 1;

    for (unsigned level = 0; level < 4; level++) {
        unsigned shift = entry_shift(level) + 9; /* what one table covers */
        uint64_t last = 0;

        count[level] = 0;
        for (unsigned i = 0; i < nr; i++) {
            uint64_t from = (maps[i].virt & mask48) >> shift;
            uint64_t to = ((maps[i].virt & mask48) + maps[i].count * GUEST_PAGE - 1) >> shift;

            count[level] += to - from + 1;
            /* Two mappings can only share the table in which one ends and the other begins. */
            if (i > 0) {
                uint64_t other_from = (maps[0].virt & mask48) >> shift;

                if (to >= other_from && from <= last)
                    count[level] -= 1;
            }
            last = to;
        }
    }
}

static uint64_t total(const uint64_t count[4])
{
    return count[0] + count[1] + count[2] + count[3];
}

static struct frames take(uint64_t *next, uint64_t count)
{
    struct frames f = {*next, count};

    *next += count;
    return f;
}

/* The mapping must hold its own page tables: grow it by 4 MiB until it does. */
static uint64_t size_initial_mapping(struct layout *l, uint64_t before_tables)
{
    uint64_t count[4], end = l->virt_base + before_tables * GUEST_PAGE;

    for (;;) {
        end = (end + MAPPING_STEP - 1) & ~(MAPPING_STEP - 1);
        l->maps[0] = (struct mapping){l->virt_base, 0, (end - l->virt_base) / GUEST_PAGE};
        layout_count_tables(l->maps, 1, count);
        if (before_tables + total(count) + 1 + PADDING <= l->maps[0].count)
            return total(count);
        end += 1;
    }
}

static int too_small(struct failure *failure, uint64_t need, uint64_t have)
{
    fail(failure, FAIL_MEMORY_UNAVAILABLE, "layout", "/memory",
         "the kernel and initrd need at least %llu MiB at boot, the domain has %llu MiB",
         (unsigned long long)(need * GUEST_PAGE >> 20) + 1,
         (unsigned long long)(have * GUEST_PAGE >> 20));
    return fail_hint(failure, "raise \"memory\"");
}

int layout_compute(const struct layout_input *in, struct layout *l, struct failure *failure)
{
    bool p2m_apart = in->init_p2m != LAYOUT_NO_ADDRESS;
    uint64_t p2m_pages = pages(in->nr_pages * 8), initrd_pages = pages(in->initrd_size);
    uint64_t next = 0, mapped_tables, count[4];

    memset(l, 0, sizeof(*l));
    l->virt_base = in->virt_base;
    l->nr_pages = in->nr_pages;
    l->initrd_unmapped = in->initrd_unmapped && in->initrd_size;
    if (initrd_pages > in->nr_pages)
        return too_small(failure, initrd_pages, in->nr_pages);

    l->image = take(&next, pages(in->image_end - in->virt_base));
    if (!l->initrd_unmapped) {
        l->initrd = take(&next, initrd_pages);
        l->initrd_start = initrd_pages ? layout_virt(l, l->initrd.pfn) : 0;
    }
    if (!p2m_apart) {
        l->p2m = take(&next, p2m_pages);
        l->p2m_virt = layout_virt(l, l->p2m.pfn);
    }
    l->start_info_pfn = take(&next, 1).pfn;
    l->store_pfn = take(&next, 1).pfn;
    l->console_pfn = take(&next, 1).pfn;
    mapped_tables = size_initial_mapping(l, next);
    l->tables = take(&next, mapped_tables);
    l->stack_pfn = take(&next, 1).pfn;
    l->nr_maps = 1;
    next = l->maps[0].count; /* every page of the initial mapping must exist */

    if (l->initrd_unmapped) {
        l->initrd = take(&next, initrd_pages);
        l->initrd_start = l->initrd.pfn;
    }
    if (p2m_apart) {
        l->p2m = take(&next, p2m_pages);
        l->p2m_virt = in->init_p2m;
        l->maps[l->nr_maps++] = (struct mapping){in->init_p2m, l->p2m.pfn, p2m_pages};
        layout_count_tables(l->maps, l->nr_maps, count);
        l->p2m_tables = take(&next, total(count) - mapped_tables);
    }
    l->used_pages = next;
    return next <= in->nr_pages ? 0 : too_small(failure, next, in->nr_pages);
}
