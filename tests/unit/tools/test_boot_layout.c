/* SPDX-License-Identifier: MIT */
/*
 * Where a guest's pieces lie at boot, against the words of <xen/xen.h>: order, alignment, room; and
 * its page tables, walked the way a CPU walks them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "page_tables.h"
#include "tests.h"

#define LINUX_BASE 0xffffffff80000000ULL
#define LINUX_P2M  0x8000000000ULL
#define MFN(pfn)   ((pfn)*7 + 1000) /* machine frames in no order that hides a mistake */

static const struct layout_input shapes[] = {
    {LINUX_BASE, LINUX_BASE + (74ULL << 20), 6 << 20, true, LINUX_P2M, 192 << 8},
    {LINUX_BASE, LINUX_BASE + (74ULL << 20), 6000001, false, LAYOUT_NO_ADDRESS, 192 << 8},
    {LINUX_BASE, LINUX_BASE + (60ULL << 20), 0, true, LINUX_P2M, 4096 << 8},
    {LINUX_BASE, LINUX_BASE + (60ULL << 20), 5000, true, LINUX_P2M, 65536ULL << 8},
    {LINUX_BASE, LINUX_BASE + (60ULL << 20), 900 << 20, false, LINUX_P2M, 2048 << 8},
    {0, 0x201234, 0, false, LAYOUT_NO_ADDRESS, 16 << 8},
    {0x100000, 0x3fffff, 1, false, LAYOUT_NO_ADDRESS, 16 << 8},
    {0x7ffffff000ULL, 0x7ffffff000ULL + 5000, 100, false, LAYOUT_NO_ADDRESS,
     16 << 8}, /* across an L4 entry */
    {0xffff880000000000ULL, 0xffff880000300000ULL, 0, true,
     0xffff87ff00000000ULL & 0x7fffffffffffULL, 32 << 8},
    {0x40000000, 0x40100000, 4097, true, 0x3fe00000,
     16 << 8}, /* the list just below the image: tables are shared */
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void order_alignment_and_room(void)
{
    for (size_t i = 0; i < SHAPES; i++) {
        const struct layout_input *in = &shapes[i];
        struct failure f = {0};
        struct layout l;
        uint64_t end;

        CU_ASSERT_EQUAL_FATAL(layout_compute(in, &l, &f), 0);
        end = l.virt_base + l.maps[0].count * GUEST_PAGE;
        CU_ASSERT_EQUAL(end % (4 << 20), 0);
        CU_ASSERT_TRUE(l.image.count * GUEST_PAGE >= in->image_end - in->virt_base);
        CU_ASSERT_TRUE(l.start_info_pfn >= l.image.pfn + l.image.count);
        CU_ASSERT_TRUE(l.store_pfn == l.start_info_pfn + 1 && l.console_pfn == l.store_pfn + 1);
        CU_ASSERT_TRUE(l.tables.pfn == l.console_pfn + 1);
        CU_ASSERT_EQUAL(l.stack_pfn, l.tables.pfn + l.tables.count);
        CU_ASSERT_TRUE(end - layout_virt(&l, l.stack_pfn + 1) >= 512 * 1024);
        if (in->init_p2m == LAYOUT_NO_ADDRESS) {
            CU_ASSERT_EQUAL(l.p2m_virt, layout_virt(&l, l.p2m.pfn));
            CU_ASSERT_TRUE(l.p2m.pfn + l.p2m.count <= l.start_info_pfn);
        } else {
            CU_ASSERT_EQUAL(l.p2m_virt, in->init_p2m);
            CU_ASSERT_TRUE(l.p2m.pfn >= l.maps[0].count);
            CU_ASSERT_EQUAL(l.p2m_tables.pfn, l.p2m.pfn + l.p2m.count);
        }
        CU_ASSERT_TRUE(l.p2m.count * 512 >= in->nr_pages);
        if (in->initrd_size && !in->initrd_unmapped)
            CU_ASSERT_EQUAL(l.initrd_start, layout_virt(&l, l.initrd.pfn));
        if (in->initrd_size && in->initrd_unmapped) {
            CU_ASSERT_EQUAL(l.initrd_start, l.initrd.pfn);
            CU_ASSERT_TRUE(l.initrd.pfn >= l.maps[0].count);
        }
        CU_ASSERT_TRUE(l.used_pages <= in->nr_pages);
    }
}

static void too_small_is_said(void)
{
    struct layout_input in = shapes[0];
    struct failure f = {0};
    struct layout l;

    in.nr_pages = 70 << 8;
    CU_ASSERT_EQUAL(layout_compute(&in, &l, &f), -1);
    CU_ASSERT_EQUAL(f.code, FAIL_MEMORY_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f.where, "/memory");
    /* exactly what it needs is enough, one page less is not */
    in.nr_pages = 1 << 20;
    f = (struct failure){0};
    CU_ASSERT_EQUAL(layout_compute(&in, &l, &f), 0);
    in.initrd_size = ~0ULL - 4096;
    CU_ASSERT_EQUAL(layout_compute(&in, &l, &f), -1);
}

/* pfn of a machine frame, by search: the inverse of MFN for frames in use. */
static uint64_t pfn_of(uint64_t mfn)
{
    return (mfn - 1000) / 7;
}

static const uint64_t *table_at(const struct layout *l, const uint64_t *tables, uint64_t mfn)
{
    uint64_t pfn = pfn_of(mfn);

    if (pfn - l->tables.pfn < l->tables.count)
        return tables + (pfn - l->tables.pfn) * 512;
    if (pfn - l->p2m_tables.pfn < l->p2m_tables.count)
        return tables + (l->tables.count + pfn - l->p2m_tables.pfn) * 512;
    return NULL;
}

/* The L1 entry for an address, or 0. */
static uint64_t walk(const struct layout *l, const uint64_t *tables, uint64_t virt)
{
    const uint64_t *table = tables;

    for (int level = 3;; level--) {
        uint64_t entry = table[virt >> (12 + 9 * level) & 511];

        if (!(entry & 1) || level == 0)
            return entry;
        CU_ASSERT_EQUAL(entry & 0xfff, 0x067);
        table = table_at(l, tables, entry >> 12);
        CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    }
}

static void every_address_translates(void)
{
    for (size_t i = 0; i < SHAPES; i++) {
        struct failure f = {0};
        struct layout l;
        uint64_t *p2m, *tables, wrong = 0, read_only = 0, mapped = 0, entries = 0;

        CU_ASSERT_EQUAL_FATAL(layout_compute(&shapes[i], &l, &f), 0);
        p2m = calloc(l.nr_pages, sizeof(*p2m));
        for (uint64_t pfn = 0; pfn < l.nr_pages; pfn++)
            p2m[pfn] = MFN(pfn);
        tables = calloc(l.tables.count + l.p2m_tables.count, GUEST_PAGE);
        CU_ASSERT_EQUAL_FATAL(page_tables_build(&l, p2m, tables), 0);
        for (unsigned m = 0; m < l.nr_maps; m++)
            for (uint64_t p = 0; p < l.maps[m].count; p++) {
                uint64_t pfn = l.maps[m].pfn + p,
                         entry = walk(&l, tables, l.maps[m].virt + p * GUEST_PAGE);
                bool table = table_at(&l, tables, MFN(pfn)) != NULL;

                mapped++;
                wrong += entry >> 12 != MFN(pfn) || (entry & 5) != 5 || !(entry & 2) != table;
                read_only += !(entry & 2);
            }
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_EQUAL(read_only, l.tables.count); /* tables of a p2m apart are mapped nowhere */
        /* nothing else is mapped: present leaf entries = pages of the mappings, others = tables but
         * the L4 */
        for (uint64_t e = 0; e < (l.tables.count + l.p2m_tables.count) * 512; e++)
            entries += tables[e] & 1;
        CU_ASSERT_EQUAL(entries, mapped + l.tables.count + l.p2m_tables.count - 1);
        free(p2m);
        free(tables);
    }
}

static void tables_are_counted_once(void)
{
    const struct mapping linux_guest[] = {{LINUX_BASE, 0, 20480}, {LINUX_P2M, 20480, 96}};
    const struct mapping shared[] = {{0x40000000, 0, 512}, {0x3fe00000, 512, 512}};
    uint64_t n[4];

    layout_count_tables(linux_guest, 2, n);
    CU_ASSERT_TRUE(n[3] == 1 && n[2] == 2 && n[1] == 2 && n[0] == 41);
    layout_count_tables(shared, 2, n);
    CU_ASSERT_TRUE(n[3] == 1 && n[2] == 1 && n[1] == 2 && n[0] == 2);
}

void add_layout_suite(void)
{
    CU_pSuite s = CU_add_suite("boot layout", NULL, NULL);

    CU_add_test(s, "order, alignment and room", order_alignment_and_room);
    CU_add_test(s, "too small a domain is said", too_small_is_said);
    CU_add_test(s, "every address translates, tables read-only", every_address_translates);
    CU_add_test(s, "tables are counted once", tables_are_counted_once);
}
