/* SPDX-License-Identifier: MIT */
/*
 * hostile_tables: THREATS 1, 2, 5 and 8, page-table entries of an unprivileged child.
 *
 * How this guest would break the hypervisor: with one writable mapping of a page table of its own
 * (1: all is lost then), with a superpage, which maps 511 frames that nobody looked at (2), with an
 * entry written into another table than the one that maps the address, after the tables above it
 * were exchanged (5), and with an entry for a frame that is another domain's, the hypervisor's,
 * free, or a device's (8). Each is tried by every way that writes an entry: the commands of
 * mmu_update, update_va_mapping, stores that are emulated, and pins of tables that hold it already.
 */
#include "tables.h"

#define TREE_VA ((char *)0x0000100000000000) /* L4 slot 32, nobody's */
#define RACE_NS 8000000000                   /* of two vCPUs, at most */

/* --- 1: a writable mapping of a page table ------------------------------------------------------
 */

static uint64_t sum_of(const uint64_t *page)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < 512; i++)
        sum = sum * 31 + (page[i] & ~(uint64_t)(PTE_A | PTE_D));
    return sum;
}

/* Writing through the hypervisor's hands: it must not write into a table what was never looked at.
 */
static void by_other_hands(void *table)
{
    mfn_t m = mfn_of(table);
    uint64_t sum = sum_of(table), *data = child_page(14);
    struct gnttab_map_grant_ref map = {
        .host_addr = (uint64_t)child_page(8), .flags = GNTMAP_host_map, .ref = 8, .dom = aim.me};
    struct gnttab_copy copy = {.source = {.domid = DOMID_SELF, .u.gmfn = mfn_of(data)},
                               .dest = {.domid = DOMID_SELF, .u.gmfn = m},
                               .flags = 0,
                               .len = 8};
    mmuext_op_t copy_page = {.cmd = MMUEXT_COPY_PAGE, .arg1.mfn = m, .arg2.src_mfn = mfn_of(data)};
    struct vcpu_register_vcpu_info info = {.mfn = m};
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    xen_pfn_t in = m, out = pfn_of(table);

    data[0] = pte_make(m, PTE_RW_FLAGS);
    grant_set(8, aim.me, m, GTF_permit_access);
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    CHECK(map.status < 0);
    CHECK_RC(hv_grant_op(GNTTABOP_copy, &copy, 1), 0);
    CHECK(copy.status < 0);
    copy.dest = (typeof(copy.dest)){.domid = aim.me, .u.ref = 8};
    copy.flags = GNTCOPY_dest_gref;
    CHECK_RC(hv_grant_op(GNTTABOP_copy, &copy, 1), 0);
    CHECK(copy.status < 0);
    grant_clear(8);
    CHECK_RC(hv_mmuext_op(&copy_page, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, m), -XEN_EINVAL);
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 0, &info), -XEN_EINVAL);
    CHECK_RC(hv_set_gdt(&m, 512), -XEN_EINVAL);
    CHECK_RC(hv_update_descriptor(m << 12, 0), -XEN_EINVAL);
    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    CHECK_RC(hv_memory_op(XENMEM_exchange, &x), -XEN_EINVAL);
    /* Answers of calls, to where the table can only be read. */
    CHECK_RC(hypercall2(__HYPERVISOR_xen_version, XENVER_extraversion, table), -XEN_EFAULT);
    CHECK_EQ(sum_of(table), sum);
}

static void flip(void)
{
    void *pinned[4], *live;
    void *va = child_page(8);

    CHECK_RC(gnttab_init(), 0);
    for (unsigned int level = 1; level <= 4; level++) {
        pinned[level - 1] = child_page(level);
        CHECK_RC(table_make(pinned[level - 1], level), 0);
    }
    for (unsigned int level = 1; level <= 4; level++) {
        void *table = pinned[level - 1];
        mfn_t m = mfn_of(table);

        live = (void *)((uint64_t)pte_place_of(va, level).entry & ~(PAGE_SIZE - 1ul));
        /* Over a mapping of something else, over nothing, and over its own read-only mapping. */
        refused(va, pte_make(m, PTE_RW_FLAGS), -XEN_EBUSY, "a pinned table");
        refused(table, pte_make(m, PTE_RW_FLAGS), -XEN_EBUSY, "a pinned table's own mapping");
        refused(va, pte_make(mfn_of(live), PTE_RW_FLAGS), -XEN_EBUSY, "a live table");
        refused(live, pte_make(mfn_of(live), PTE_RW_FLAGS), -XEN_EBUSY, "a live table's mapping");
        CHECK_RC(hv_update_va_mapping(va, 0, UVMF_INVLPG), 0);
        refused(va, pte_make(m, PTE_RW_FLAGS), -XEN_EBUSY, "a pinned table over nothing");
        CHECK_RC(page_set_writable(va), 0);
        /* Reading is allowed, and is all that is. */
        CHECK_RC(hv_update_va_mapping(va, pte_make(m, PTE_RO_FLAGS), UVMF_INVLPG), 0);
        refused(va, pte_make(m, PTE_RW_FLAGS), -XEN_EBUSY, "a pinned table seen twice");
        if (level > 1)
            CHECK_TRAP(CATCH(store64(va, 0)), X86_EXC_PF, PF_WRITE | PF_PRESENT);
        CHECK_RC(page_set_writable(va), 0);
        by_other_hands(table);
    }
    for (unsigned int level = 1; level <= 4; level++) {
        CHECK_RC(table_release(pinned[level - 1]), 0);
        unreferenced(pinned[level - 1]);
    }
}

/* (XSA-182) An L4 that maps itself: writable never, and the way from read-only is checked too. */
void map_itself(void)
{
    void *l4 = child_page(0), *l3 = child_page(1);
    pte_t self, l3e;

    CHECK_RC(table_make(l4, 4), 0);
    CHECK_RC(table_make(l3, 3), 0);
    self = table_entry(l4);
    l3e = table_entry(l3);
    for (unsigned int i = 0; i < 4; i++) {
        maddr_t slot = maddr_of((pte_t *)l4 + 32) | (i & 1 ? MMU_PT_UPDATE_PRESERVE_AD : 0);
        pte_t first = i & 2 ? l3e : self & ~PTE_RW;

        if (mmu_write(slot, first) == 0) { /* Xen allows a linear table, we need not */
            CHECK_RC(mmu_write(slot, self), -XEN_EINVAL);
            CHECK_RC(mmu_write(slot, self | PTE_NX), -XEN_EINVAL);
            CHECK_RC(mmu_write(slot, 0), 0);
        }
        CHECK_RC(mmu_write(slot, self), -XEN_EINVAL);
    }
    CHECK_RC(table_set(l3, 0, l3e), -XEN_EINVAL);
    CHECK_RC(table_set(l3, 511, self), -XEN_EINVAL);
    CHECK_RC(mmu_write(pte_place_of(TREE_VA, 4).maddr, pte_make(current_l4_mfn(), PTE_TABLE_FLAGS)),
             -XEN_EINVAL);
    CHECK_RC(table_release(l4), 0);
    CHECK_RC(table_release(l3), 0);
    unreferenced(l4);
    unreferenced(l3);
}

/* --- 2: superpages ------------------------------------------------------------------------------
 */

/* (XSA-148: the bit was added to an entry that was good, by the short way for flags.) */
static void superpage_of_live(void)
{
    static const uint64_t with[] = {0, PTE_US, PTE_AVAIL, PTE_PCD, PTE_G, PTE_NX, 1ull << 12};
    void *va = child_page(8);

    for (unsigned int level = 2; level <= 4; level++) {
        struct pte_place at = pte_place_of(va, level);
        pte_t was = *at.entry;

        for (unsigned int i = 0; i < ARRAY_SIZE(with); i++) {
            pte_t pse = (was | PTE_PSE) ^ with[i];

            CHECK_RC(mmu_write(at.maddr, pse), -XEN_EINVAL);
            CHECK_RC(mmu_write(at.maddr | MMU_PT_UPDATE_PRESERVE_AD, pse), -XEN_EINVAL);
            CHECK_RC(mmu_write(at.maddr | MMU_PT_UPDATE_NO_TRANSLATE, pse & ~PTE_RW), -XEN_EINVAL);
        }
        CHECK_TRAP(CATCH(__asm__ volatile("lock btsq $7, %0"
                                          : "+m"(*at.entry)
                                          :
                                          : "memory", "cc")),
                   X86_EXC_PF, PF_WRITE | PF_PRESENT);
        CHECK_EQ(*at.entry & (PTE_MFN_MASK | PTE_P | PTE_PSE), was & (PTE_MFN_MASK | PTE_P));
    }
}

static void superpages_in(unsigned int level)
{
    static const unsigned int slots[] = {0, 1, 240, 511};
    pte_t *table = child_page(0), *below = child_page(1);
    pte_t pse = PTE_PSE | PTE_TABLE_FLAGS, forms[4];

    forms[0] = (mfn_of(below) & ~511ul) << 12 | pse;
    forms[1] = mfn_of(below) << 12 | pse;
    forms[2] = pse; /* the machine's first megabytes */
    forms[3] = (mfn_of(below) & ~511ul) << 12 | PTE_PSE | PTE_P;
    CHECK_RC(table_make(table, level), 0);
    CHECK_RC(table_make(below, level - 1), 0);
    for (unsigned int s = 0; s < ARRAY_SIZE(slots); s++)
        for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
            CHECK_RC(table_set(table, slots[s], forms[i]), -XEN_EINVAL);
            CHECK_EQ(table[slots[s]], 0);
            /* A good entry first, or one that is not present, or the bit alone. */
            CHECK_RC(table_set(table, slots[s], table_entry(below)), 0);
            CHECK_RC(table_set(table, slots[s], forms[i]), -XEN_EINVAL);
            CHECK_RC(table_set(table, slots[s], PTE_PSE), 0);
            CHECK_RC(table_set(table, slots[s], forms[i]), -XEN_EINVAL);
            CHECK_RC(table_set(table, slots[s], 0), 0);
        }
    CHECK_RC(table_release(table), 0);
    CHECK_RC(table_release(below), 0);
    for (unsigned int s = 0; s < ARRAY_SIZE(slots); s++)
        for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
            memset(table, 0, PAGE_SIZE);
            table[slots[s]] = forms[i];
            CHECK_RC(table_make(table, level), -XEN_EINVAL);
            CHECK_RC(page_set_writable(table), 0);
        }
    unreferenced(table);
    unreferenced(below);
}

static void superpage_of_new(void)
{
    for (unsigned int level = 2; level <= 4; level++)
        superpages_in(level);
}

/* --- 5: tables exchanged between updates --------------------------------------------------------
 */

enum { L4S, L3A, L3B, L2A, L2B, L1A, L1B, DATA }; /* pages of the child; DATA: three of them */

static pte_t data_entry(unsigned int i)
{
    return pte_make(mfn_of(child_page(DATA + i % 3)), i & 1 ? PTE_RW_FLAGS : PTE_RO_FLAGS);
}

static void trees_make(void)
{
    for (unsigned int which = 0; which < 2; which++) {
        void *l3 = child_page(L3A + which), *l2 = child_page(L2A + which);

        CHECK_RC(table_make(l3, 3), 0);
        CHECK_RC(table_make(l2, 2), 0);
        CHECK_RC(table_make(child_page(L1A + which), 1), 0);
        CHECK_RC(table_set(l2, 0, table_entry(child_page(L1A + which))), 0);
        CHECK_RC(table_set(l3, 0, table_entry(l2)), 0);
    }
    CHECK_RC(mmu_write(pte_place_of(TREE_VA, 4).maddr, table_entry(child_page(L3A))), 0);
}

static void trees_release(void)
{
    CHECK_RC(mmu_write(pte_place_of(TREE_VA, 4).maddr, 0), 0);
    for (unsigned int page = L3A; page < DATA; page++)
        CHECK_RC(table_release(child_page(page)), 0);
    for (unsigned int page = L3A; page < DATA + 3; page++)
        unreferenced(child_page(page));
}

/* The entry that an upper level exchanges, and between which tables: the L2 under an L3, the L1
 * under an L2, the L3 under the running L4. */
static maddr_t swap_entry(unsigned int level)
{
    return level == 3 ? pte_place_of(TREE_VA, 4).maddr
                      : maddr_of(child_page(level == 2 ? L3A : L2A));
}

static pte_t swap_value(unsigned int level, unsigned int which)
{
    static const unsigned int first[] = {[1] = L1A, [2] = L2A, [3] = L3A};

    return table_entry(child_page(first[level] + which));
}

/* Swap, update, one after the other: the entry goes where the address leads now. */
static void swap_between(void)
{
    trees_make();
    for (unsigned int level = 1; level <= 3; level++) {
        for (unsigned int i = 0; i < 600; i++) {
            unsigned int which = i & 1, slot = i * 7 % 512;
            const volatile pte_t *here = child_page(L1A + which), *there = child_page(L1B - which);
            char *va = TREE_VA + slot * PAGE_SIZE;
            pte_t other = there[slot];

            if (i % 3) {
                CHECK_RC(mmu_write(swap_entry(level), swap_value(level, which)), 0);
                CHECK_RC(hv_update_va_mapping(va, data_entry(i), 0), 0);
            } else { /* there and back first, in one call, with an update at each stop */
                mmu_update_t to[2] = {{swap_entry(level), swap_value(level, !which)},
                                      {swap_entry(level), swap_value(level, which)}};
                multicall_entry_t list[4] = {
                    {.op = __HYPERVISOR_mmu_update, .args = {(uint64_t)&to[0], 1, 0, DOMID_SELF}},
                    {.op = __HYPERVISOR_update_va_mapping, .args = {(uint64_t)va, other, 0}},
                    {.op = __HYPERVISOR_mmu_update, .args = {(uint64_t)&to[1], 1, 0, DOMID_SELF}},
                    {.op = __HYPERVISOR_update_va_mapping,
                     .args = {(uint64_t)va, data_entry(i), 0}},
                };

                CHECK_RC(hv_multicall(list, 4), 0);
                for (unsigned int n = 0; n < 4; n++)
                    CHECK_RC(list[n].result, 0);
            }
            CHECK_EQ(pte_mfn(here[slot]), pte_mfn(data_entry(i)));
            CHECK_EQ(here[slot] & PTE_RW, data_entry(i) & PTE_RW);
            CHECK_EQ(there[slot] & (PTE_MFN_MASK | PTE_P | PTE_RW),
                     other & (PTE_MFN_MASK | PTE_P | PTE_RW));
            *(volatile uint64_t *)child_page(DATA + i % 3) = i + 1;
            if (level > 1) /* the processor follows too: a present upper entry went */
                CHECK(CATCH(CHECK_EQ(load64(va), i + 1)) == NULL);
        }
        CHECK_RC(mmu_write(swap_entry(level), swap_value(level, 0)), 0);
    }
    trees_release();
}

/* The same by loading another L4 in between. */
static void swap_by_baseptr(void)
{
    const volatile pte_t *now = pfn_to_va(mfn_to_pfn(current_l4_mfn()));
    pte_t *l4 = child_page(L4S);
    mfn_t base[2] = {current_l4_mfn(), mfn_of(l4)};

    trees_make();
    for (unsigned int i = 0; i < 512; i++)
        if (i < 256 || i >= 272)
            l4[i] = now[i];
    l4[32] = table_entry(child_page(L3B));
    CHECK_RC(table_make(l4, 4), 0);
    for (unsigned int i = 0; i < 400; i++) {
        unsigned int which = i & 1, slot = i % 512;
        const volatile pte_t *here = child_page(L1A + which), *there = child_page(L1B - which);
        pte_t other = there[slot];

        CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, base[which]), 0);
        CHECK_RC(hv_update_va_mapping(TREE_VA + slot * PAGE_SIZE, data_entry(i), 0), 0);
        CHECK_EQ(pte_mfn(here[slot]), pte_mfn(data_entry(i)));
        CHECK_EQ(there[slot], other);
    }
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, base[0]), 0);
    CHECK_RC(table_release(l4), 0);
    unreferenced(l4);
    trees_release();
}

/* The other vCPU exchanges the tables all the while: each update reaches one of the two. */
static volatile uint32_t over, swaps;

static void swap_always(void)
{
    for (unsigned int i = 0; !over; i++) {
        unsigned int level = 1 + i / 2 % 3;

        CHECK_RC(mmu_write(swap_entry(level), swap_value(level, ~i & 1)), 0);
        swaps++;
    }
    over = 2;
}

static void swap_under_updates(void)
{
    unsigned int reached[2] = {0, 0};
    uint64_t end = time_ns() + RACE_NS;

    trees_make();
    CHECK_RC(vcpu_start(1, swap_always), 0);
    for (unsigned int i = 0; (i < 20000 || swaps < 1000) && time_ns() < end; i++) {
        unsigned int slot = i % 512;
        const volatile pte_t *a = child_page(L1A), *b = child_page(L1B);
        pte_t was[2] = {a[slot], b[slot]};
        bool to_a, to_b;

        CHECK_RC(hv_update_va_mapping(TREE_VA + slot * PAGE_SIZE, data_entry(i / 512 + i), 0), 0);
        to_a = pte_mfn(a[slot]) != pte_mfn(was[0]) || (a[slot] ^ was[0]) & PTE_RW;
        to_b = pte_mfn(b[slot]) != pte_mfn(was[1]) || (b[slot] ^ was[1]) & PTE_RW;
        CHECK(!(to_a && to_b));
        reached[0] += to_a;
        reached[1] += to_b;
    }
    CHECK(reached[0] && reached[1]);
    over = 1;
    while (over != 2)
        cpu_relax();
    for (unsigned int level = 1; level <= 3; level++)
        CHECK_RC(mmu_write(swap_entry(level), swap_value(level, 0)), 0);
    trees_release();
}

static void test_writable_tables(void)
{
    static const struct attack attacks[] = {
        {"every way to map a table writable", flip, .prepare = take_aim},
        {"tables that map themselves", map_itself},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_superpages(void)
{
    static const struct attack attacks[] = {
        {"a live entry becomes a superpage", superpage_of_live},
        {"superpages in tables of its own", superpage_of_new},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_swapped_tables(void)
{
    static const struct attack alone[] = {
        {"tables exchanged between updates", swap_between},
        {"another L4 between updates", swap_by_baseptr},
    };
    static const struct attack two[] = {{"tables exchanged under updates", swap_under_updates}};

    attack_all(alone, ARRAY_SIZE(alone), 1);
    attack_all(two, ARRAY_SIZE(two), 2);
}

GUEST("hostile_tables", TEST(writable_tables), TEST(superpages), TEST(swapped_tables),
      TEST(foreign_frames), TEST(restore));
