/* SPDX-License-Identifier: MIT */
/* Walk each page of each mapping, making tables on the way; see page_tables.h. */
#include "page_tables.h"

#include <stdbool.h>
#include <string.h>

#define ENTRIES 512

/* Bits of an x86 page-table entry. 64-bit PV kernels run in ring 3: every level is a user page. */
#define P  0x001ULL
#define RW 0x002ULL
#define US 0x004ULL
#define A  0x020ULL
#define D  0x040ULL

struct maker {
    const struct layout *layout;
    const uint64_t *p2m;
    uint64_t *tables;
    uint64_t used; /* tables handed out, in units of a page */
};

static uint64_t pfn_of_table(const struct maker *m, uint64_t index)
{
    uint64_t first = m->layout->tables.count;

    return index < first ? m->layout->tables.pfn + index
                         : m->layout->p2m_tables.pfn + (index - first);
}

static bool is_table(const struct layout *l, uint64_t pfn)
{
    return pfn - l->tables.pfn < l->tables.count || pfn - l->p2m_tables.pfn < l->p2m_tables.count;
}

/* The table that entry `index` of table `parent` leads to, made when it is not there. ~0: none
 * left. */
static uint64_t descend(struct maker *m, uint64_t parent, unsigned index, uint64_t *below)
{
    uint64_t *entry = &m->tables[parent * ENTRIES + index];
    uint64_t room = m->layout->tables.count + m->layout->p2m_tables.count;

    if (*below != ~0ULL)
        return *below;
    if (*entry == 0) {
        if (m->used == room)
            return ~0ULL;
        *entry = m->p2m[pfn_of_table(m, m->used)] << 12 | P | RW | US | A | D;
        *below = m->used++;
        return *below;
    }
    /* An entry made for an earlier mapping: find its table by frame. Rare, and the tables are few.
     */
    for (uint64_t i = 0; i < m->used; i++)
        if (m->p2m[pfn_of_table(m, i)] == *entry >> 12)
            return *below = i;
    return ~0ULL;
}

static unsigned index_at(uint64_t virt, unsigned level)
{
    return virt >> (12 + 9 * level) & (ENTRIES - 1);
}

/* The path L4 → L1 is kept between pages: only what changed is looked up again. */
static int map_range(struct maker *m, const struct mapping *map)
{
    uint64_t path[4] = {~0ULL, ~0ULL, ~0ULL, 0}; /* table index at L1, L2, L3, L4 */

    for (uint64_t i = 0; i < map->count; i++) {
        uint64_t virt = map->virt + i * GUEST_PAGE, pfn = map->pfn + i;

        for (unsigned level = 0; level < 3 && index_at(virt, level) == 0; level++)
            path[level] = ~0ULL;
        for (unsigned level = 3; level > 0; level--)
            if (descend(m, path[level], index_at(virt, level), &path[level - 1]) == ~0ULL)
                return -1;
        m->tables[path[0] * ENTRIES + index_at(virt, 0)] =
            m->p2m[pfn] << 12 | P | US | A | D | (is_table(m->layout, pfn) ? 0 : RW);
    }
    return 0;
}

int page_tables_build(const struct layout *layout, const uint64_t *p2m, uint64_t *tables)
{
    struct maker m = {layout, p2m, tables, 1}; /* the L4 is the first */

    for (unsigned i = 0; i < layout->nr_maps; i++)
        if (map_range(&m, &layout->maps[i]))
            return -1;
    return 0;
}
