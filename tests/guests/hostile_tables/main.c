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
#include <rt/attack.h>
#include <rt/test.h>

#define TREE_VA ((char *)0x0000100000000000) /* L4 slot 32, nobody's */
#define RACE_NS 8000000000                   /* of two vCPUs, at most */

/* What dom0 tells the child of frames that are not the child's. */
static struct aim {
    domid_t me, neighbour;
    mfn_t neighbours, neighbours_shared_info, dom0s, dom0s_l4, m2p, free;
} aim;

/* --- every way to write an L1 entry -------------------------------------------------------------
 */

typedef long way_fn(void *va, pte_t e);

static maddr_t entry_of(void *va)
{
    return pte_place_of(va, 1).maddr;
}

static long by_mmu_update(void *va, pte_t e)
{
    return mmu_write(entry_of(va), e);
}

static long by_preserving(void *va, pte_t e)
{
    return mmu_write(entry_of(va) | MMU_PT_UPDATE_PRESERVE_AD, e);
}

static long by_no_translate(void *va, pte_t e)
{
    return mmu_write(entry_of(va) | MMU_PT_UPDATE_NO_TRANSLATE, e);
}

static long by_va_mapping(void *va, pte_t e)
{
    return hv_update_va_mapping(va, e, UVMF_TLB_FLUSH | UVMF_ALL);
}

static long by_otherdomain(void *va, pte_t e)
{
    return hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, e, UVMF_INVLPG, DOMID_SELF);
}

/* Two calls, one after the other without the guest in between: nothing, then the entry. */
static long by_multicall(void *va, pte_t e)
{
    multicall_entry_t list[2] = {
        {.op = __HYPERVISOR_update_va_mapping, .args = {(uint64_t)va, 0, 0}},
        {.op = __HYPERVISOR_update_va_mapping, .args = {(uint64_t)va, e, UVMF_INVLPG}},
    };
    pte_t was = pte_get(va);
    long rc = hv_multicall(list, 2);

    if (!rc && (long)list[1].result < 0)
        CHECK_RC(hv_update_va_mapping(va, was, UVMF_INVLPG), 0);
    return rc ? rc : (long)list[1].result;
}

static long by_store(void *va, pte_t e)
{
    volatile pte_t *p = pte_place_of(va, 1).entry;

    return CATCH(__asm__ volatile("movq %1, %0" : "=m"(*p) : "r"(e) : "memory")) ? -XEN_EFAULT : 0;
}

static long by_cmpxchg(void *va, pte_t e)
{
    volatile pte_t *p = pte_place_of(va, 1).entry;
    pte_t was = *p;

    return CATCH(__asm__ volatile("lock cmpxchgq %2, %0"
                                  : "+m"(*p), "+a"(was)
                                  : "r"(e)
                                  : "memory", "cc"))
               ? -XEN_EFAULT
               : 0;
}

/* In parts, while the entry is not present, which last becomes so: by bits, and by halves. Not on
 * the entry that maps its own table: it would vanish from under the next store. */
static long in_parts(void *va, pte_t e, bool bits)
{
    volatile pte_t *p = pte_place_of(va, 1).entry;
    volatile uint32_t *half = (volatile uint32_t *)p;
    pte_t was = *p;
    bool caught;

    if (pte_mfn(was) == entry_of(va) >> 12)
        return -XEN_EFAULT;
    if (bits)
        caught = NULL != CATCH(__asm__ volatile("lock btrq $0, %0; movq %1, %0; lock orq %2, %0"
                                                : "+m"(*p)
                                                : "r"(e & ~(pte_t)(PTE_P | PTE_RW)),
                                                  "r"((pte_t)(PTE_P | PTE_RW) & e)
                                                : "memory", "cc"));
    else
        caught = NULL != CATCH(half[0] = 0; half[1] = e >> 32; half[0] = (uint32_t)e);
    if (caught)
        CHECK_RC(hv_update_va_mapping(va, was, UVMF_INVLPG), 0);
    return caught ? -XEN_EFAULT : 0;
}

static long by_bits(void *va, pte_t e)
{
    return in_parts(va, e, true);
}

static long by_halves(void *va, pte_t e)
{
    return in_parts(va, e, false);
}

/* A table that holds it already, at its begin, in the middle, and at its end. */
static long by_pin(void *va, pte_t e)
{
    static const unsigned int slots[] = {0, 255, 511};
    uint64_t *table = child_page(15);
    long rc = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
        memset(table, 0, PAGE_SIZE);
        table[slots[i]] = e;
        rc = table_make(table, 1);
        CHECK_RC(rc ? page_set_writable(table) : table_release(table), 0);
        if (!rc)
            break;
    }
    return rc;
}

static const struct {
    const char *name;
    way_fn *write;
} ways[] = {
    {"mmu_update", by_mmu_update},
    {"mmu_update, preserving A and D", by_preserving},
    {"mmu_update, not translating", by_no_translate},
    {"update_va_mapping", by_va_mapping},
    {"update_va_mapping_otherdomain", by_otherdomain},
    {"multicall", by_multicall},
    {"a store", by_store},
    {"cmpxchg", by_cmpxchg},
    {"bits", by_bits},
    {"halves", by_halves},
    {"pinning a table", by_pin},
};

/* The entry for `va` stays what it was, whatever writes e over it. `rc`: what hypercalls say; 0:
 * any error. */
static void refused(void *va, pte_t e, long rc, const char *what)
{
    pte_t was = pte_get(va);

    for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
        long got = ways[i].write(va, e);
        bool ok = got == -XEN_EFAULT || !rc || ways[i].write == by_pin ? CHECK(got < 0)
                                                                       : CHECK_RC(got, rc);

        if (!ok || !CHECK_EQ(pte_get(va) & (PTE_MFN_MASK | PTE_P | PTE_RW),
                             was & (PTE_MFN_MASK | PTE_P | PTE_RW)))
            printf("  %s: entry %#lx, by %s\n", what, e, ways[i].name);
    }
}

/* The proof that nothing refers to an own page: it can be made a table, and data again. */
static void unreferenced(void *page)
{
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(table_make(page, 1), 0);
    CHECK_RC(table_release(page), 0);
}

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
static void map_itself(void)
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

/* --- 8: frames that are not the child's ---------------------------------------------------------
 */

static mfn_t free_frame(void)
{
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    xen_pfn_t frame;

    set_xen_guest_handle(r.extent_start, &frame);
    CHECK_RC(hv_memory_op(XENMEM_increase_reservation, &r), 1);
    CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), 1);
    return frame;
}

static mfn_t m2p_frame(void)
{
    struct xen_machphys_mfn_list list = {.max_extents = 1};
    static xen_pfn_t frame;

    set_xen_guest_handle(list.extent_start, &frame);
    CHECK_RC(hv_memory_op(XENMEM_machphys_mfn_list, &list), 0);
    return frame;
}

static void find_aims(struct aim *a, const struct child *c)
{
    struct xen_domctl op = {0};

    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, neighbour_id()), 0);
    a->me = c->id;
    a->neighbour = neighbour_id();
    a->neighbours = neighbour_frame(0);
    a->neighbours_shared_info = op.u.getdomaininfo.shared_info_frame;
    a->dom0s = mfn_of(&aim);
    a->dom0s_l4 = current_l4_mfn();
    a->m2p = m2p_frame();
    a->free = free_frame();
}

static void take_aim(struct child *c)
{
    struct aim *view = child_view(c, &aim);

    find_aims(view, c);
    child_unview(view);
}

/* With the errno for it, which the kind of the frame decides: somebody's RAM, or none. */
struct foreign {
    const char *name;
    mfn_t mfn;
    long rc;
};

static unsigned int foreign_frames(struct foreign *f)
{
    struct foreign list[] = {
        {"the neighbour's", aim.neighbours, -XEN_EBUSY},
        {"the neighbour's shared_info", aim.neighbours_shared_info, -XEN_EBUSY},
        {"dom0's", aim.dom0s, -XEN_EBUSY},
        {"dom0's L4", aim.dom0s_l4, -XEN_EBUSY},
        {"the M2P", aim.m2p, -XEN_EBUSY},
        {"a free one", aim.free, -XEN_EBUSY},
        {"the hypervisor's image", 0x400, 0}, /* 4 MiB: here is ours, elsewhere Xen's */
        {"the first", 0, -XEN_EPERM},
        {"low memory", 0x8, -XEN_EPERM}, /* where other CPUs start */
        {"the VGA's", 0xb8, -XEN_EPERM},
        {"the BIOS's", 0xf0, -XEN_EPERM},
        {"an IO-APIC", 0xfec00, -XEN_EPERM},
        {"the HPET", 0xfed00, -XEN_EPERM},
        {"the local APIC", 0xfee00, -XEN_EPERM},
        {"the flash's", 0xfffff, -XEN_EPERM},
        {"beyond RAM", 0x1000000, -XEN_EPERM},
        {"beyond the bus", 1ul << 39, 0},
        {"none", 0xffffffffff, 0},
    };

    memcpy(f, list, sizeof(list));
    return ARRAY_SIZE(list);
}

static void map_foreign(void)
{
    static struct foreign f[32];
    void *va = child_page(8);
    unsigned int n = foreign_frames(f);

    for (unsigned int i = 0; i < n; i++) {
        refused(va, pte_make(f[i].mfn, PTE_RW_FLAGS), f[i].rc, f[i].name);
        refused(va, pte_make(f[i].mfn, PTE_RO_FLAGS), f[i].rc, f[i].name);
    }
    unreferenced(va);
}

/* Under another name: as a frame of the domain that has it, of I/O, of the hypervisor. */
static void map_foreign_as_theirs(void)
{
    static struct foreign f[32];
    domid_t names[] = {aim.neighbour, 0, DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, 0x7fef};
    void *va = child_page(8);
    unsigned int n = foreign_frames(f);
    pte_t was = pte_get(va);

    for (unsigned int i = 0; i < n; i++)
        for (unsigned int k = 0; k < ARRAY_SIZE(names); k++) {
            mmu_update_t req = {entry_of(va), pte_make(f[i].mfn, PTE_RO_FLAGS)};
            long rc = hv_mmu_update(&req, 1, NULL, names[k]);

            CHECK(rc == -XEN_EPERM || rc == -XEN_ESRCH || rc == -XEN_EBUSY || rc == -XEN_EINVAL);
            rc = hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, req.val, UVMF_INVLPG,
                            names[k]);
            CHECK(rc == -XEN_EPERM || rc == -XEN_ESRCH || rc == -XEN_EBUSY || rc == -XEN_EINVAL);
            CHECK_EQ(pte_get(va), was);
            /* And entries in tables of theirs, with the child's own frame. */
            req = (mmu_update_t){pte_make(f[i].mfn, 0), pte_make(mfn_of(va), PTE_RW_FLAGS)};
            CHECK(hv_mmu_update(&req, 1, NULL, DOMID_SELF | (uint32_t)(names[k] + 1) << 16) < 0);
        }
}

/* As tables: hung into upper levels, pinned, loaded; as data: written, cleared, copied from. */
static void use_foreign(void)
{
    static struct foreign f[32];
    unsigned int n = foreign_frames(f);
    pte_t *table = child_page(0);

    for (unsigned int i = 0; i < n; i++) {
        mmuext_op_t copy = {
            .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = mfn_of(child_page(1)), .arg2.src_mfn = f[i].mfn};
        uint64_t gdt = f[i].mfn;

        for (unsigned int level = 2; level <= 4; level++) {
            CHECK_RC(table_make(table, level), 0);
            CHECK_RC(table_set(table, 3, pte_make(f[i].mfn, PTE_TABLE_FLAGS)), -XEN_EINVAL);
            CHECK_RC(table_set(table, 3, pte_make(f[i].mfn, PTE_P)), -XEN_EINVAL);
            CHECK_RC(table_release(table), 0);
            table[3] = pte_make(f[i].mfn, PTE_TABLE_FLAGS);
            CHECK_RC(table_make(table, level), -XEN_EINVAL);
            CHECK_RC(page_set_writable(table), 0);
            memset(table, 0, PAGE_SIZE); /* Xen 4.17 leaves its own entries in an L4 */
        }
        for (unsigned int level = 1; level <= 4; level++)
            CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, f[i].mfn), -XEN_EINVAL);
        if (f[i].mfn)
            CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(hv_mmuext_op(&copy, 1, NULL, DOMID_SELF), -XEN_EINVAL);
        CHECK_RC(mmu_write(f[i].mfn << 12, 0), -XEN_EINVAL);
        CHECK_RC(mmu_write(f[i].mfn << 12 | MMU_MACHPHYS_UPDATE, 0x123), -XEN_EINVAL);
        CHECK_RC(hv_set_gdt(&gdt, 512), -XEN_EINVAL);
        CHECK_RC(hv_update_descriptor(f[i].mfn << 12, 0), -XEN_EINVAL);
    }
    unreferenced(table);
}

/* The page with the table of this level that a child begins with (rt/src/child.c). */
static void *first_table(const struct child *c, unsigned int level)
{
    return pfn_to_va(CHILD_FIRST_PFN + c->nr_pages - CHILD_FREE_PAGES - 5 + level);
}

static pte_t exchange_last(struct child *c, unsigned int level, pte_t e)
{
    pte_t *view = child_view(c, first_table(c, level)), was = view[511];

    view[511] = e;
    child_unview(view);
    return was;
}

/* By a tool, for the child: what a restore does with the tables that an image gives it. dom0 is
 * trusted with everybody's frames, but not when it says that they are the child's. */
static void test_restore(void)
{
    struct xen_domctl op = {0};
    struct baseline before;
    struct child c;
    struct aim a;

    baseline_take(&before);
    REQUIRE(CHECK_RC(child_build(&c, map_itself), 0));
    find_aims(&a, &c);

    const mfn_t wrong[] = {
        a.neighbours, a.neighbours_shared_info, a.dom0s_l4, a.m2p, a.free, 0xfee00, 0xb8, 1ul << 39,
        c.shared_info};

    for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
        mmuext_op_t pin = {.cmd = MMUEXT_PIN_L1_TABLE + i % 4, .arg1.mfn = wrong[i]};

        c.context->ctrlreg[3] = xen_pfn_to_cr3(wrong[i]);
        CHECK_RC(child_set_context(&c), -XEN_EINVAL);
        CHECK_RC(hv_mmuext_op(&pin, 1, NULL, c.id), -XEN_EINVAL);
    }
    c.context->ctrlreg[3] = xen_pfn_to_cr3(c.l4);
    /* One wrong leaf in a tree that is right otherwise; the last one is the tree's own L3. */
    for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
        bool own = i == ARRAY_SIZE(wrong) - 1;
        mfn_t m = own ? child_mfn(&c, first_table(&c, 3)) : wrong[i];
        mmuext_op_t pin = {.cmd = own ? MMUEXT_PIN_L4_TABLE : MMUEXT_PIN_L1_TABLE,
                           .arg1.mfn = own ? c.l4 : child_mfn(&c, first_table(&c, 1))};
        pte_t was = exchange_last(&c, 1, pte_make(m, PTE_RW_FLAGS));

        CHECK(child_set_context(&c) < 0);
        CHECK(hv_mmuext_op(&pin, 1, NULL, c.id) < 0);
        exchange_last(&c, 1, was);
    }
    CHECK_RC(child_set_context(&c), 0);
    CHECK_RC(child_run(&c), 0);
    CHECK_EQ(child_wait(&c), SHUTDOWN_poweroff);
    child_absorb_console(&c);
    CHECK_RC(child_destroy(&c), 0);
    CHECK(domctl(&op, XEN_DOMCTL_getdomaininfo, c.id) || op.domain != c.id);
    neighbour_check();
    baseline_check(&before);
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

static void test_foreign_frames(void)
{
    static const struct attack attacks[] = {
        {"foreign frames mapped", map_foreign, .prepare = take_aim},
        {"foreign frames under their owners' names", map_foreign_as_theirs, .prepare = take_aim},
        {"foreign frames as tables", use_foreign, .prepare = take_aim},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

GUEST("hostile_tables", TEST(writable_tables), TEST(superpages), TEST(swapped_tables),
      TEST(foreign_frames), TEST(restore));
