/* SPDX-License-Identifier: MIT */
/*
 * hostile_pin: THREATS 4, pins of whole trees that fail or are interrupted at each of their
 * entries.
 *
 * How this guest would break the hypervisor: a pin takes a reference for each of up to 2^36
 * entries. When it stops in the middle, what was taken must be given back once: one too few and the
 * page is never free again, one too many and it is free while it is mapped (XSA-299, XSA-310,
 * XSA-290). So each table of a tree gets an entry that is refused at each of its 512 places (the
 * exact count is seen by making all pages another kind of page afterwards); dom0 interrupts a
 * child's pins again and again, while the child's other vCPU reaches for the half-done tables
 * (XSA-264); and children are destroyed in the middle of their pins.
 */
#include <rt/attack.h>
#include <rt/test.h>

#define HV_FIRST 256 /* slots of an L4 that are the hypervisor's */
#define HV_LAST  271
#define RACE_NS  8000000000         /* of two vCPUs, at most */
#define PATTERN  0x5a5a5a5a5a5a5a00 /* an entry that is not present, of no address in RAM */

enum {
    DATA,
    L1,
    L2,
    L3,
    L4,
    OTHER,
    PAGES
}; /* pages of the child; L1…L4: the table of that level */

static mfn_t neighbours;

static void take_aim(struct child *c)
{
    mfn_t *view = child_view(c, &neighbours);

    *view = neighbour_frame(0);
    child_unview(view);
}

/* --- entries that are refused, by the level of the table ----------------------------------------
 */

static pte_t foreign(unsigned int level)
{
    return pte_make(neighbours, level == 1 ? PTE_RO_FLAGS : PTE_TABLE_FLAGS);
}

/* A kind of page that cannot be had: a writable one as a table, a table as a writable one. */
static pte_t other_kind(unsigned int level)
{
    return level == 1 ? pte_make(mfn_of(child_page(L2)), PTE_RW_FLAGS)
                      : table_entry(child_page(DATA));
}

/* The tree above: a table of a level that it has already. */
static pte_t loop(unsigned int level)
{
    return pte_make(mfn_of(child_page(L4)), level == 1 ? PTE_RW_FLAGS : PTE_TABLE_FLAGS);
}

static pte_t superpage(unsigned int level)
{
    return level == 1 ? pte_make(mfn_of(child_page(DATA)), PTE_RW_FLAGS | PTE_PCD)
                      : table_entry(child_page(level - 1)) | PTE_PSE;
}

static pte_t beyond(unsigned int level)
{
    return pte_make(1ul << 39, PTE_TABLE_FLAGS);
}

static const struct {
    const char *name;
    pte_t (*entry)(unsigned int level);
    unsigned int step; /* places are tried from 0 on by so many */
} kinds[] = {
    {"a foreign frame", foreign, 1},
    {"another kind of page", other_kind, 29},
    {"a loop", loop, 31},
    {"a superpage or no cache", superpage, 37},
    {"an address beyond the bus", beyond, 43},
};

/* --- the tree -----------------------------------------------------------------------------------
 */

/* Slot 3 in each table leads to the next; the table of level `full` has as many as it can. (With
 * the L2 in slot 0 of its L3, Xen 4.17 loses the reference that it holds on the L2.) */
static void plant(unsigned int full)
{
    for (unsigned int level = L1; level <= L4; level++) {
        pte_t *table = child_page(level);

        memset(table, 0, PAGE_SIZE);
        for (unsigned int i = 0; i < 512; i++) {
            bool hv = level == L4 && i >= HV_FIRST && i <= HV_LAST;

            if (i != 3 && (level != full || hv || i < 3))
                continue;
            table[i] = level == L1
                           ? pte_make(mfn_of(child_page(DATA)), i & 1 ? PTE_RW_FLAGS : PTE_RO_FLAGS)
                           : table_entry(child_page(level - 1));
        }
        CHECK_RC(page_set_readonly(table), 0);
    }
}

/* All references are gone: each table is data again, the data page can be a table, and neither the
 * contents nor the frames have changed. */
static bool uprooted(void)
{
    uint64_t *data = child_page(DATA);
    bool ok = true;

    for (unsigned int level = L1; level <= L4; level++)
        ok &= CHECK_RC(page_set_writable(child_page(level)), 0);
    ok &= CHECK_RC(table_make(data, 1), 0) && CHECK_RC(table_release(data), 0);
    for (unsigned int i = 0; i < 512; i++)
        ok &= data[i] == PATTERN;
    for (unsigned int i = 0; i < PAGES; i++)
        ok &= CHECK_EQ(mfn_to_pfn(mfn_of(child_page(i))), pfn_of(child_page(i)));
    return CHECK(ok);
}

static void fill_data(void)
{
    for (unsigned int i = 0; i < 512; i++)
        ((uint64_t *)child_page(DATA))[i] = PATTERN;
}

static long pin_tree(void)
{
    return mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(child_page(L4)));
}

static long unpin_tree(void)
{
    return mmuext(MMUEXT_UNPIN_TABLE, mfn_of(child_page(L4)));
}

static bool fail_at(unsigned int level, unsigned int place, pte_t bad)
{
    bool hv = level == L4 && place >= HV_FIRST && place <= HV_LAST;
    pte_t *table = child_page(level);
    long rc;

    CHECK_RC(page_set_writable(table), 0);
    table[place] = bad;
    CHECK_RC(page_set_readonly(table), 0);
    rc = pin_tree();
    if (hv) { /* what stands in the hypervisor's slots means nothing */
        CHECK(table[place] != bad);
        return CHECK_RC(rc, 0) && CHECK_RC(unpin_tree(), 0) && uprooted();
    }
    if (!CHECK(rc < 0)) {
        CHECK_RC(unpin_tree(), 0);
        return false;
    }
    return uprooted();
}

static void fail_everywhere(unsigned int level)
{
    fill_data();
    for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++)
        for (unsigned int place = 0; place < 512; place += kinds[k].step) {
            plant(level);
            if (!fail_at(level, place, kinds[k].entry(level))) {
                printf("  L%u, place %u: %s\n", level, place, kinds[k].name);
                return;
            }
        }
    /* And the tree is good without them, whole. */
    plant(level);
    CHECK_RC(pin_tree(), 0);
    for (unsigned int i = L1; i <= L4; i++)
        CHECK_RC(page_set_writable(child_page(i)), -XEN_EBUSY);
    CHECK_RC(unpin_tree(), 0);
    uprooted();
}

static void fail_in_l1(void)
{
    fail_everywhere(1);
}

static void fail_in_l2(void)
{
    fail_everywhere(2);
}

static void fail_in_l3(void)
{
    fail_everywhere(3);
}

static void fail_in_l4(void)
{
    fail_everywhere(4);
}

/* --- interrupted --------------------------------------------------------------------------------
 */

static volatile uint32_t over, reached;

/* Takes whatever the first vCPU has half done, for another kind of page, and gives it back. */
static void reach_for_tables(void)
{
    for (unsigned int i = 0; !over; i++) {
        void *table = child_page(L1 + i % 4);
        unsigned int as = 1 + i / 4 % 4;

        if (i & 16) {
            if (page_set_writable(table) == 0)
                reached += page_set_readonly(table) == 0;
        } else if (mmuext(MMUEXT_PIN_L1_TABLE + as - 1, mfn_of(table)) == 0) {
            reached++;
            CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table)), 0);
        }
    }
    over = 2;
}

/* Of a tree with two full levels: the pin has 512 × 512 entries, less what is shared. */
static void pin_once(unsigned int i)
{
    unsigned int level = L1 + i % 4, place = i * 7 % 512;
    bool bad = i % 3 == 0;
    long rc;

    plant(level);
    if (bad && page_set_writable(child_page(level)) == 0) {
        ((pte_t *)child_page(level))[place] = kinds[i % ARRAY_SIZE(kinds)].entry(level);
        CHECK_RC(page_set_readonly(child_page(level)), 0);
    }
    rc = pin_tree();
    if (rc == 0)
        CHECK_RC(unpin_tree(), 0);
}

static void pin_interrupted(void)
{
    fill_data();
    for (unsigned int i = 0; i < 2000; i++) {
        pin_once(i);
        if (!uprooted()) {
            printf("  round %u\n", i);
            return;
        }
    }
}

static void pin_reached_for(void)
{
    uint64_t end = time_ns() + RACE_NS;

    fill_data();
    plant(L3);
    CHECK_RC(vcpu_start(1, reach_for_tables), 0);
    for (unsigned int i = 0; (i < 2000 || reached < 100) && time_ns() < end; i++) {
        long rc = pin_tree();

        /* Its own level and kind, or not at all. */
        if (rc == 0)
            CHECK_RC(unpin_tree(), 0);
        else
            CHECK_RC(rc, -XEN_EINVAL);
    }
    over = 1;
    while (over != 2)
        cpu_relax();
    uprooted();
}

static void two_vcpus_for_ever(void)
{
    fill_data();
    plant(L3);
    vcpu_start(1, reach_for_tables);
    for (;;)
        if (pin_tree() == 0)
            unpin_tree();
}

static void test_bad_entries(void)
{
    static const struct attack attacks[] = {
        {"a bad entry at each place of an L1", fail_in_l1, .prepare = take_aim},
        {"a bad entry at each place of an L2", fail_in_l2, .prepare = take_aim},
        {"a bad entry at each place of an L3", fail_in_l3, .prepare = take_aim},
        {"a bad entry at each place of an L4", fail_in_l4, .prepare = take_aim},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_interrupted(void)
{
    static const struct attack alone[] = {
        {"pins interrupted", pin_interrupted, .prepare = take_aim, .meanwhile = attack_interrupt},
    };
    static const struct attack two[] = {
        {"pins reached for", pin_reached_for, .prepare = take_aim},
        {"pins reached for and interrupted", pin_reached_for, .prepare = take_aim,
         .meanwhile = attack_interrupt},
    };

    attack_all(alone, ARRAY_SIZE(alone), 1);
    attack_all(two, ARRAY_SIZE(two), 2);
}

/* (XSA-310) A half-done table of a domain that is no more. */
static void test_destroyed(void)
{
    struct baseline before;
    static struct child c;

    baseline_take(&before);
    for (unsigned int i = 0; i < 30; i++) {
        REQUIRE(CHECK_RC(child_build_smp(&c, two_vcpus_for_ever, 2), 0));
        take_aim(&c);
        REQUIRE(CHECK_RC(child_set_context(&c), 0));
        CHECK_RC(child_run(&c), 0);
        sched_poll(NULL, 0, time_ns() + 3000000 + i * 700000);
        REQUIRE(CHECK_RC(child_destroy(&c), 0));
    }
    neighbour_check();
    baseline_check(&before);
}

GUEST("hostile_pin", TEST(bad_entries), TEST(interrupted), TEST(destroyed));
