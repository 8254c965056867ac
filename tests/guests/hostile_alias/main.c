/* SPDX-License-Identifier: MIT */
/*
 * hostile_alias: THREATS 6, an uncached alias of a page that becomes a table.
 *
 * How this guest would break the hypervisor: through an uncached mapping it puts other contents
 * into memory than the cache has (XSA-402). The hypervisor looks at the cache and finds the entries
 * good; the line is dropped, and the processor walks what is in memory. So a domain without devices
 * gets no such mapping, and the page of one that does is flushed from the cache before it is a
 * table.
 *
 * QEMU has no caches. What can be seen is that the hypervisor flushes: with instructions counted
 * (icount: RDTSC tells them) such a page costs 64 CLFLUSH more than another to become a table.
 */
#include <rt/attack.h>
#include <rt/test.h>

#define LINES 64 /* of a page: at least so many instructions, and then some to walk them */

static const pte_t uncached[] = {PTE_PCD,           PTE_PWT,           PTE_PAT,
                                 PTE_PCD | PTE_PWT, PTE_PAT | PTE_PCD, PTE_PAT | PTE_PCD | PTE_PWT};

/* --- a child, which has no devices --- */

static void map_uncached(void)
{
    uint64_t *page = child_page(0), *table = child_page(1);
    mfn_t m = mfn_of(page);

    for (unsigned int i = 0; i < ARRAY_SIZE(uncached); i++)
        for (unsigned int ro = 0; ro < 2; ro++) {
            pte_t e = pte_make(m, (ro ? PTE_RO_FLAGS : PTE_RW_FLAGS) | uncached[i]);
            struct pte_place at = pte_place_of(page, 1);

            CHECK_RC(hv_update_va_mapping(page, e, UVMF_INVLPG), -XEN_EINVAL);
            CHECK_RC(mmu_write(at.maddr, e), -XEN_EINVAL);
            CHECK_RC(mmu_write(at.maddr | MMU_PT_UPDATE_PRESERVE_AD, e), -XEN_EINVAL);
            CHECK_TRAP(CATCH(*at.entry = e), X86_EXC_PF, PF_WRITE | PF_PRESENT);
            CHECK_TRAP(CATCH(__asm__ volatile("lock orq %1, %0"
                                              : "+m"(*at.entry)
                                              : "r"(uncached[i])
                                              : "memory", "cc")),
                       X86_EXC_PF, PF_WRITE | PF_PRESENT);
            memset(table, 0, PAGE_SIZE);
            table[i * 100] = e;
            CHECK_RC(table_make(table, 1), -XEN_EINVAL);
            CHECK_RC(page_set_writable(table), 0);
        }
    CHECK_RC(table_make(page, 1), 0);
    CHECK_RC(table_release(page), 0);
}

static void test_refused(void)
{
    static const struct attack attacks[] = {{"uncached mappings", map_uncached}};

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

/* --- dom0, which has --- */

/* What it costs to make it a table and data again, in instructions: the least of three. */
static uint64_t cost_of_table(void *page, unsigned int level, void (*before)(void *page))
{
    uint64_t least = ~0ull;

    for (unsigned int i = 0; i < 3; i++) {
        uint64_t took;

        if (before)
            before(page);
        CHECK_RC(page_set_readonly(page), 0);
        took = rdtsc();
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn_of(page)), 0);
        took = rdtsc() - took;
        CHECK_RC(table_release(page), 0);
        if (took < least)
            least = took;
    }
    return least;
}

static pte_t flags_of_alias;

static void alias(void *page)
{
    long rc;
    void *va = window_map(pte_make(mfn_of(page), flags_of_alias), &rc);

    if (CHECK_RC(rc, 0)) {
        if (flags_of_alias & PTE_RW)
            store64(va, 0);
        CHECK_RC(window_unmap(va), 0);
    }
}

/* The alias keeps its frame and its rights, and only the cache's bits come. */
static void alias_by_flags(void *page)
{
    CHECK_RC(hv_update_va_mapping(page, pte_make(mfn_of(page), PTE_RW_FLAGS), UVMF_INVLPG), 0);
    CHECK_RC(hv_update_va_mapping(page, pte_make(mfn_of(page), PTE_RW_FLAGS | PTE_PCD | PTE_PWT),
                                  UVMF_INVLPG),
             0);
}

static void alias_in_table(void *page)
{
    pte_t *table = page_alloc();

    table[9] = pte_make(mfn_of(page), PTE_RW_FLAGS | PTE_PCD);
    CHECK_RC(table_make(table, 1), 0);
    CHECK_RC(table_release(table), 0);
    page_free(table);
}

static void test_flushed(void)
{
    void *page = page_alloc();

    if (!is_dom0())
        return test_skip("a domU has no uncached mappings");
    for (unsigned int level = 1; level <= 4; level++) {
        uint64_t plain = cost_of_table(page, level, NULL);

        for (unsigned int i = 0; i < ARRAY_SIZE(uncached); i++) {
            flags_of_alias = PTE_RW_FLAGS | uncached[i];
            if (!CHECK(cost_of_table(page, level, alias) >= plain + LINES))
                printf("  L%u, flags %#lx\n", level, uncached[i]);
        }
        CHECK(cost_of_table(page, level, alias_by_flags) >= plain + LINES);
        CHECK(cost_of_table(page, level, alias_in_table) >= plain + LINES);
        /* Once is enough: what was flushed is coherent until the next alias. */
        CHECK(cost_of_table(page, level, NULL) < plain + LINES);
        memset(page, 0, PAGE_SIZE);
    }
    page_free(page);
}

/* A page of a child's, which dom0 mapped uncached: the child makes it a table, once. */
static void measure_in_child(void)
{
    uint64_t plain = cost_of_table(child_page(0), 1, NULL), took;

    CHECK_RC(page_set_readonly(child_page(1)), 0);
    took = rdtsc();
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(child_page(1))), 0);
    took = rdtsc() - took;
    CHECK(took >= plain + LINES);
    CHECK_RC(table_release(child_page(1)), 0);
    CHECK(cost_of_table(child_page(1), 1, NULL) < plain + LINES);
}

static void alias_of_child(struct child *c)
{
    long rc;
    mfn_t m = c->frames[c->nr_pages - CHILD_FREE_PAGES + 1]; /* child_page(1) */
    void *va = window_map_of(pte_make(m, PTE_RW_FLAGS | PTE_PCD | PTE_PWT), c->id, &rc);

    if (CHECK_RC(rc, 0))
        CHECK_RC(window_unmap(va), 0);
}

static void test_flushed_for_child(void)
{
    static const struct attack attacks[] = {
        {"a page that dom0 had uncached", measure_in_child, .prepare = alias_of_child}};

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

GUEST("hostile_alias", TEST(refused), TEST(flushed), TEST(flushed_for_child));
