/* SPDX-License-Identifier: MIT */
/*
 * pagetables: direct paging through mmu_update, update_va_mapping and mmuext_op.
 *
 * How a guest would break the hypervisor: by getting a writable mapping of a page table, of another
 * domain's frame or of the hypervisor's. It tries it in the plain way, by flipping a read-only
 * entry to writable (XSA-182), by superpages (XSA-148, XSA-167), by using one frame at two levels,
 * by pinning tables with one bad entry in the middle (XSA-299: the roll-back must drop exactly what
 * was taken), and by editing the hypervisor's own slots. After each test every frame it used must
 * be an ordinary writable page again: a leaked reference shows as a refusal there.
 */
#include <rt/test.h>

#define BAD_POINTER ((void *)0xffff830000000000)
#define BAD_MFN     0xfffffff
#define TREE_VA     0x0000100000000000 /* L4 slot 32, free for the guest */

static void *table_new(void)
{
    void *page = page_alloc();

    CHECK_RC(page_set_readonly(page), 0);
    return page;
}

/* The proof that no reference is left: the table becomes writable data. */
static void table_free(void *table)
{
    CHECK_RC(page_set_writable(table), 0);
    page_free(table);
}

static void test_pin_each_level(void)
{
    void *t = table_new();
    static const unsigned int pins[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                        MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE};

    for (unsigned int i = 0; i < 4; i++) {
        CHECK_RC(mmuext(pins[i], mfn_of(t)), 0);
        CHECK_RC(mmuext(pins[i], mfn_of(t)), -XEN_EINVAL);           /* twice */
        CHECK_RC(mmuext(pins[(i + 1) & 3], mfn_of(t)), -XEN_EINVAL); /* at another level */
        CHECK_RC(page_set_writable(t), -XEN_EBUSY);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t)), 0);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t)), -XEN_EINVAL);
        /* As an L4 the hypervisor put its own entries in; an L1 of those is refused. */
        CHECK_RC(page_set_writable(t), 0);
        memset(t, 0, PAGE_SIZE);
        CHECK_RC(page_set_readonly(t), 0);
    }
    table_free(t);
}

static void test_pin_refused(void)
{
    void *page = page_alloc();

    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), -XEN_EINVAL); /* mapped writable */
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, BAD_MFN), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, ~0ul), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, 0), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, start_info->shared_info >> 12), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, BAD_MFN), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), -XEN_EINVAL);
    page_free(page);
}

/* Entries that no L1 may hold, and what mmu_update says to each. */
struct bad_entry {
    pte_t pte;
    long rc;
};

static unsigned int bad_l1_entries(struct bad_entry *bad, mfn_t table)
{
    unsigned int n = 0;

    bad[n++] = (struct bad_entry){pte_make(table, PTE_RW_FLAGS), -XEN_EBUSY};
    /* Frames outside RAM may be dom0's to map; the local APIC's never. */
    bad[n++] = (struct bad_entry){pte_make(0xfee00, PTE_RO_FLAGS), -XEN_EPERM};
    bad[n++] = (struct bad_entry){pte_make(0xfee00, PTE_RW_FLAGS), -XEN_EPERM};
    /* The machine-to-guest table's frame is the hypervisor's. */
    bad[n++] = (struct bad_entry){0, -XEN_EBUSY};
    /* Beyond the processor's physical addresses. */
    bad[n++] = (struct bad_entry){pte_make(1ul << 39, PTE_RO_FLAGS), -XEN_EPERM};
    return n;
}

static mfn_t m2p_frame(void)
{
    struct xen_machphys_mfn_list list = {.max_extents = 1};
    static xen_pfn_t frame;

    set_xen_guest_handle(list.extent_start, &frame);
    CHECK_RC(hv_memory_op(XENMEM_machphys_mfn_list, &list), 0);
    return frame;
}

static void test_l1_refused(void)
{
    void *table = table_new(), *page = page_alloc();
    struct bad_entry bad[16];
    unsigned int n;

    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)), 0);
    n = bad_l1_entries(bad, mfn_of(table));
    bad[3].pte = pte_make(m2p_frame(), PTE_RO_FLAGS);
    for (unsigned int i = 0; i < n; i++) {
        if (!CHECK_RC(table_set(table, 7, bad[i].pte), bad[i].rc) ||
            !CHECK_RC(hv_update_va_mapping(page, bad[i].pte, 0), bad[i].rc))
            printf("  entry %#lx\n", bad[i].pte);
        CHECK_EQ(((pte_t *)table)[7], 0);
    }
    CHECK_EQ(pte_mfn(pte_get(page)), mfn_of(page));
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table)), 0);
    table_free(table);
    page_free(page);
}

/* The same entries in a table that is not one yet: pinning it fails and leaves nothing behind. */
static void test_pin_bad_contents(void)
{
    struct bad_entry bad[16];
    void *table = page_alloc(), *good = page_alloc();
    unsigned int n = bad_l1_entries(bad, mfn_of(table));

    bad[3].pte = pte_make(m2p_frame(), PTE_RO_FLAGS);
    for (unsigned int i = 0; i < n; i++) {
        pte_t *entries = table;

        memset(table, 0, PAGE_SIZE);
        entries[0] = pte_make(mfn_of(good), PTE_RW_FLAGS);
        entries[100] = pte_make(mfn_of(good), PTE_RO_FLAGS);
        entries[300] = bad[i].pte;
        entries[400] = pte_make(mfn_of(good), PTE_RW_FLAGS);
        CHECK_RC(page_set_readonly(table), 0);
        CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)) < 0);
        CHECK_RC(page_set_writable(table), 0);
        CHECK_RC(page_set_readonly(good), 0); /* the last writable use was its own */
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(good)), 0);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(good)), 0);
        CHECK_RC(page_set_writable(good), 0);
    }
    page_free(table);
    page_free(good);
}

/* A read-only mapping of a table may not become writable, by any of the ways to write an entry. */
static void test_flip(void)
{
    void *table = table_new();
    maddr_t entry = pte_place_of(table, 1).maddr;
    pte_t rw = pte_make(mfn_of(table), PTE_RW_FLAGS);

    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)), 0);
    CHECK_RC(mmu_write(entry, rw), -XEN_EBUSY);
    CHECK_RC(mmu_write(entry | MMU_PT_UPDATE_PRESERVE_AD, rw), -XEN_EBUSY);
    CHECK_RC(mmu_write(entry | MMU_PT_UPDATE_NO_TRANSLATE, rw), -XEN_EBUSY);
    CHECK_RC(hv_update_va_mapping(table, rw, UVMF_TLB_FLUSH | UVMF_ALL), -XEN_EBUSY);
    CHECK_TRAP(CATCH(store64(table, rw)), X86_EXC_PF, PF_WRITE | PF_PRESENT);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table)), 0);
    table_free(table);
}

static void test_superpages(void)
{
    void *l2 = table_new(), *l3 = table_new(), *page = page_alloc();
    pte_t pse = pte_make(mfn_of(page) & ~511ul, PTE_RW_FLAGS | PTE_PSE);

    CHECK_RC(mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2)), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L3_TABLE, mfn_of(l3)), 0);
    CHECK_RC(table_set(l2, 0, pse), -XEN_EINVAL);
    CHECK_RC(table_set(l2, 0, pse & ~PTE_RW), -XEN_EINVAL);
    CHECK_RC(table_set(l3, 0, pse), -XEN_EINVAL);
    CHECK_RC(table_set(l3, 0, pte_make(mfn_of(l2), PTE_TABLE_FLAGS | PTE_PSE)), -XEN_EINVAL);
    /* Not present: anything may stand there, and means nothing. */
    CHECK_RC(table_set(l2, 0, pse & ~PTE_P), 0);
    CHECK_RC(table_set(l2, 0, pse), -XEN_EINVAL);
    CHECK_RC(table_set(l2, 0, 0), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l3)), 0);
    table_free(l2);
    table_free(l3);

    pte_t *fresh = page_alloc();

    fresh[5] = pse;
    CHECK_RC(page_set_readonly(fresh), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(fresh)), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_PIN_L3_TABLE, mfn_of(fresh)), -XEN_EINVAL);
    CHECK_RC(page_set_writable(fresh), 0);
    page_free(fresh);
    page_free(page);
}

static void test_levels(void)
{
    void *l1 = table_new(), *l2 = table_new(), *data = page_alloc();

    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2)), 0);
    CHECK_RC(table_set(l2, 0, table_entry(data)), -XEN_EINVAL); /* a writable page */
    CHECK_RC(table_set(l2, 0, pte_make(BAD_MFN, PTE_TABLE_FLAGS)), -XEN_EINVAL);
    CHECK_RC(table_set(l2, 0, table_entry(l1)), 0);
    CHECK_RC(table_set(l1, 0, table_entry(l2)), -XEN_EBUSY); /* an L1 maps data, writable */
    CHECK_RC(table_set(l1, 0, pte_make(mfn_of(l2), PTE_RO_FLAGS)), 0); /* reading is fine */
    CHECK_RC(table_set(l1, 0, 0), 0);
    /* The L1 is held by its pin and by the L2. */
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)), 0);
    CHECK_RC(page_set_writable(l1), -XEN_EBUSY);
    CHECK_RC(mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l1)), -XEN_EINVAL);
    CHECK_RC(table_set(l2, 0, 0), 0);
    table_free(l1);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2)), 0);
    table_free(l2);
    page_free(data);
}

/* One L1 in two places of one L2, and an L2 that frees its L1s when it is unpinned. */
static void test_shared_l1(void)
{
    void *l1 = table_new(), *l2 = table_new();

    CHECK_RC(mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2)), 0);
    CHECK_RC(table_set(l2, 1, table_entry(l1)), 0);
    CHECK_RC(table_set(l2, 2, table_entry(l1)), 0);
    CHECK_RC(table_set(l2, 1, 0), 0);
    CHECK_RC(page_set_writable(l1), -XEN_EBUSY);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2)), 0);
    table_free(l1);
    table_free(l2);
}

/* What a table's entries look like after the hypervisor took them. */
static void test_stored_flags(void)
{
    void *l1 = table_new(), *page = page_alloc();
    pte_t got;

    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)), 0);
    CHECK_RC(table_set(l1, 0, pte_make(mfn_of(page), PTE_P | PTE_A)), 0);
    got = ((pte_t *)l1)[0];
    CHECK_EQ(pte_mfn(got), mfn_of(page));
    CHECK_EQ(got & (PTE_P | PTE_RW | PTE_US), PTE_P | PTE_US); /* 64-bit: all of it is ring 3 */
    CHECK_RC(table_set(l1, 0, pte_make(mfn_of(page), PTE_RO_FLAGS | PTE_AVAIL | PTE_NX)), 0);
    got = ((pte_t *)l1)[0];
    CHECK_EQ(got & PTE_AVAIL, PTE_AVAIL);
    CHECK_EQ(got & PTE_NX, PTE_NX);
    /* Not present: kept as it is. */
    CHECK_RC(table_set(l1, 0, 0x123456789abcdef0 & ~PTE_P), 0);
    CHECK_EQ(((pte_t *)l1)[0], 0x123456789abcdef0 & ~PTE_P);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)), 0);
    table_free(l1);
    page_free(page);
}

static void test_preserve_ad(void)
{
    volatile char *page = page_alloc();
    struct pte_place place = pte_place_of((void *)page, 1);
    pte_t clean = pte_make(mfn_of((void *)page), PTE_P | PTE_RW | PTE_US);

    CHECK_RC(mmu_write(place.maddr, clean), 0);
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_EQ(*place.entry & (PTE_A | PTE_D), 0);
    *page = 1;
    CHECK_EQ(*place.entry & (PTE_A | PTE_D), PTE_A | PTE_D);
    CHECK_RC(mmu_write(place.maddr | MMU_PT_UPDATE_PRESERVE_AD, clean & ~PTE_RW), 0);
    CHECK_EQ(*place.entry & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D);
    CHECK_RC(mmu_write(place.maddr, clean), 0);
    CHECK_EQ(*place.entry & (PTE_A | PTE_D | PTE_RW), PTE_RW);
    CHECK_RC(page_set_writable((void *)page), 0);
    page_free((void *)page);
}

static void test_requests(void)
{
    void *l1 = table_new(), *page = page_alloc();
    maddr_t entry = maddr_of(l1);
    mmu_update_t req[4];
    unsigned int done = 77;

    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)), 0);
    for (unsigned int low = 4; low < 8; low++) /* not a command, nor aligned */
        CHECK_RC(mmu_write(entry | low, 0), -XEN_ENOSYS);
    /* Into an ordinary page: a plain write. */
    CHECK_RC(mmu_write(maddr_of(page) + 8, 0x1122334455667788), 0);
    CHECK_EQ(((uint64_t *)page)[1], 0x1122334455667788);
    CHECK_RC(mmu_write((mfn_t)BAD_MFN << 12, 0), -XEN_EINVAL);
    CHECK_RC(mmu_write(0, 0), -XEN_EINVAL);
    CHECK_RC(mmu_write(0xfee00000, 0), -XEN_EINVAL);
    CHECK_RC(mmu_write(m2p_frame() << 12, 0), -XEN_EINVAL);
    CHECK_RC(mmu_write(~7ul, 0), -XEN_EINVAL);

    /* The batch stops at the third; the first two are done and counted. */
    for (unsigned int i = 0; i < 4; i++) {
        req[i].ptr = entry + 8 * i;
        req[i].val = i == 2 ? pte_make(mfn_of(l1), PTE_RW_FLAGS) : pte_make(mfn_of(page), 0x25);
    }
    CHECK_RC(hv_mmu_update(req, 4, &done, DOMID_SELF), -XEN_EBUSY);
    CHECK_EQ(done, 2);
    CHECK_EQ(pte_mfn(((pte_t *)l1)[1]), mfn_of(page));
    CHECK_EQ(((pte_t *)l1)[2], 0);
    CHECK_EQ(((pte_t *)l1)[3], 0);
    CHECK_RC(hv_mmu_update(req, 2, NULL, DOMID_SELF), 0);
    CHECK_RC(hv_mmu_update(req, 0, &done, DOMID_SELF), 0);
    CHECK_EQ(done, 0);
    CHECK_RC(hv_mmu_update(req, 1, &done, 4321), -XEN_ESRCH);
    CHECK_RC(hv_mmu_update(req, 1, &done, DOMID_SELF | (4322u << 16)), -XEN_ESRCH);
    CHECK_RC(hv_mmu_update(BAD_POINTER, 1, &done, DOMID_SELF), -XEN_EFAULT);
    CHECK_RC(hv_mmu_update((void *)0x1000, 1, &done, DOMID_SELF), -XEN_EFAULT);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)), 0);
    table_free(l1);
    page_free(page);
}

static void test_update_va_mapping(void)
{
    char *page = page_alloc();
    pte_t rw = pte_make(mfn_of(page), PTE_RW_FLAGS), ro = pte_make(mfn_of(page), PTE_RO_FLAGS);
    uint64_t mask = 1;
    static const uint64_t flags[] = {UVMF_TLB_FLUSH | UVMF_LOCAL, UVMF_TLB_FLUSH | UVMF_ALL,
                                     UVMF_INVLPG | UVMF_LOCAL, UVMF_INVLPG | UVMF_ALL};

    for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
        CHECK_RC(hv_update_va_mapping(page, ro, flags[i]), 0);
        CHECK_TRAP(CATCH(store64(page, 1)), X86_EXC_PF, PF_WRITE | PF_PRESENT);
        CHECK_RC(hv_update_va_mapping(page, rw, flags[i]), 0);
        CHECK(CATCH(store64(page, 1)) == NULL);
        CHECK_RC(hv_update_va_mapping(page, 0, flags[i]), 0);
        CHECK_TRAP(CATCH(load64(page)), X86_EXC_PF, 0);
        CHECK_RC(hv_update_va_mapping(page, rw, flags[i]), 0);
    }
    CHECK_RC(hv_update_va_mapping(page, ro, UVMF_INVLPG | (uint64_t)&mask), 0);
    CHECK_TRAP(CATCH(store64(page, 1)), X86_EXC_PF, PF_WRITE | PF_PRESENT);
    CHECK_RC(hv_update_va_mapping(page, rw, UVMF_TLB_FLUSH | (uint64_t)&mask), 0);
    /* A wild mask is seen when the entry is written already. */
    CHECK_RC(hv_update_va_mapping(page, ro, UVMF_TLB_FLUSH | 0xffff830000000000), -XEN_EFAULT);
    CHECK_EQ(pte_get(page) & PTE_RW, 0);
    CHECK_RC(hv_update_va_mapping(page, rw, UVMF_INVLPG), 0);
    /* Addresses with no L1 of this guest. */
    static const uint64_t nowhere[] = {
        0x1000, 0x800000000000, 0xffff800000000000, 0xffff830000000000, 0xffff87fffffff000,
        TREE_VA};

    for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
        CHECK_RC(hv_update_va_mapping((void *)nowhere[i], rw, 0), -XEN_EINVAL);
        CHECK_RC(hv_update_va_mapping((void *)nowhere[i], 0, 0), -XEN_EINVAL);
    }
    CHECK_RC(hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, page, rw, 0, DOMID_SELF), 0);
    CHECK_RC(hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, page, rw, 0, 4321), -XEN_ESRCH);
    page_free(page);
}

/* A whole tree of our own, hung into the running L4, used, taken out, all frames free after. */
static void test_tree(void)
{
    void *l3 = table_new(), *l2 = table_new(), *l1 = table_new();
    uint64_t *page = page_alloc(), *va = (uint64_t *)TREE_VA;
    maddr_t slot = pte_place_of(va, 4).maddr;

    CHECK_EQ(*pte_place_of(va, 4).entry, 0);
    CHECK_RC(mmu_write(slot, table_entry(l3)), 0);
    CHECK_RC(table_set(l3, 0, table_entry(l2)), 0);
    CHECK_RC(table_set(l2, 0, table_entry(l1)), 0);
    CHECK_RC(table_set(l1, 0, pte_make(mfn_of(page), PTE_RW_FLAGS)), 0);
    page[3] = 0x333;
    CHECK(CATCH(CHECK_EQ(load64(va + 3), 0x333)) == NULL);
    store64(va + 4, 0x444);
    CHECK_EQ(page[4], 0x444);
    CHECK_RC(hv_update_va_mapping(va, 0, UVMF_INVLPG), 0);
    CHECK_TRAP(CATCH(load64(va)), X86_EXC_PF, 0);
    CHECK_RC(hv_update_va_mapping(va, pte_make(mfn_of(page), PTE_RW_FLAGS), 0), 0);
    CHECK_EQ(load64(va + 3), 0x333);
    /* The upper level goes away, and with it what TLBs remember, without being asked. */
    CHECK_RC(mmu_write(slot, 0), 0);
    CHECK_TRAP(CATCH(load64(va + 3)), X86_EXC_PF, 0);
    table_free(l3);
    CHECK_RC(page_set_writable(l2), 0);
    CHECK_EQ(pte_mfn(*(pte_t *)l2), mfn_of(l1)); /* contents stay, they only lost their meaning */
    page_free(l2);
    table_free(l1);
    page_free(page);
}

/* INVLPG is a hypercall's business: the instruction is not emulated. */
static void test_invlpg(void)
{
    uint64_t *page = page_alloc();

    CHECK_TRAP(CATCH(__asm__ volatile("invlpg %0" ::"m"(*page) : "memory")), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("invlpg %0" ::"m"(*(char *)BAD_POINTER)
                                      : "memory")),
               X86_EXC_GP, 0);
    page_free(page);
}

/* The hypervisor's slots of an L4 are not the guest's to write, in use or not. */
static void test_hypervisor_slots(void)
{
    void *l4 = table_new(), *l3 = table_new();

    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4)), 0);
    for (unsigned int slot = 256; slot < 272; slot++) {
        CHECK_RC(table_set(l4, slot, table_entry(l3)), -XEN_EINVAL);
        CHECK_RC(table_set(l4, slot, 0), -XEN_EINVAL);
    }
    CHECK_RC(table_set(l4, 255, table_entry(l3)), 0);
    CHECK_RC(table_set(l4, 272, table_entry(l3)), 0);
    CHECK_RC(table_set(l4, 0, table_entry(l3)), 0);
    CHECK_RC(mmu_write(pte_place_of((void *)0xffff830000000000, 4).maddr, 0), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l4)), 0);
    table_free(l4);
    table_free(l3);
}

/* (XSA-182) A table that maps itself, writable: never. (Xen allows it read-only, we need not.) */
static void test_self_map(void)
{
    void *l4 = table_new();
    pte_t self = table_entry(l4);

    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4)), 0);
    CHECK_RC(table_set(l4, 32, self), -XEN_EINVAL);
    if (table_set(l4, 32, self & ~PTE_RW) == 0) {
        CHECK_RC(table_set(l4, 32, self), -XEN_EINVAL);
        CHECK_RC(table_set(l4, 32, 0), 0);
    }
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l4)), 0);
    table_free(l4);
}

/*
 * Pinning a tree with a bad leaf fails at the top and gives everything back. (With the L2 in slot 0
 * of its L3, Xen 4.17 loses the reference that it holds on the L2; hence slot 3.)
 */
static void test_deep_failure(void)
{
    pte_t *l4 = page_alloc(), *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc(),
          *ok = page_alloc();
    void *all[] = {l4, l3, l2, l1, ok};

    ok[0] = 0;
    l1[511] = pte_make(0xfee00, PTE_RW_FLAGS);
    l2[0] = table_entry(ok);
    l2[510] = table_entry(l1);
    l3[3] = table_entry(l2);
    l4[1] = table_entry(l3);
    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        CHECK_RC(page_set_readonly(all[i]), 0);
    CHECK(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4)) < 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        CHECK_RC(page_set_writable(all[i]), 0);
    /* The leaf mended, the same tree is good, and unpinning frees it all. */
    l1[511] = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        CHECK_RC(page_set_readonly(all[i]), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4)), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        CHECK_RC(page_set_writable(all[i]), -XEN_EBUSY);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l4)), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        table_free(all[i]);
}

static void test_new_baseptr(void)
{
    pte_t *l4 = page_alloc();
    const volatile pte_t *now = pfn_to_va(mfn_to_pfn(current_l4_mfn()));
    mfn_t old = current_l4_mfn();
    void *l3 = table_new(), *l2 = table_new(), *l1 = table_new();
    uint64_t *page = page_alloc(), *va = (uint64_t *)TREE_VA;

    /* The guest's entries only: the hypervisor adds its own. */
    for (unsigned int i = 0; i < 512; i++)
        if (i < 256 || i >= 272)
            l4[i] = now[i];
    CHECK_RC(page_set_readonly(l4), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4)), 0);
    CHECK_RC(table_set(l4, 32, table_entry(l3)), 0);
    CHECK_RC(table_set(l3, 0, table_entry(l2)), 0);
    CHECK_RC(table_set(l2, 0, table_entry(l1)), 0);
    CHECK_RC(table_set(l1, 0, pte_make(mfn_of(page), PTE_RW_FLAGS)), 0);
    page[0] = 0xcafe;
    CHECK_TRAP(CATCH(load64(va)), X86_EXC_PF, 0);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(l4)), 0);
    CHECK_EQ(current_l4_mfn(), mfn_of(l4));
    CHECK(CATCH(CHECK_EQ(load64(va), 0xcafe)) == NULL);
    CHECK_EQ(mfn_to_pfn(old), pfn_of((void *)start_info->pt_base)); /* the M2P is there too */
    /* In use, unpinned: still a table. */
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l4)), 0);
    CHECK_RC(page_set_writable(l4), -XEN_EBUSY);
    CHECK_EQ(load64(va), 0xcafe);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, old), 0);
    CHECK_TRAP(CATCH(load64(va)), X86_EXC_PF, 0);
    table_free(l4);
    table_free(l3);
    table_free(l2);
    table_free(l1);
    page_free(page);
}

static void test_new_baseptr_refused(void)
{
    void *page = page_alloc(), *l3 = table_new();
    mfn_t old = current_l4_mfn();

    CHECK_RC(mmuext(MMUEXT_PIN_L3_TABLE, mfn_of(l3)), 0);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(page)), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(l3)), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, 0), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, BAD_MFN), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, ~0ul), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(page)), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(l3)), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, BAD_MFN), -XEN_EINVAL);
    CHECK_EQ(current_l4_mfn(), old);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, old), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l3)), 0);
    table_free(l3);
    page_free(page);
}

/* The user tables are held like the kernel's, and may be taken away again. */
ASM_FUNCTION(user_back, "syscall");
static void test_user_baseptr(void)
{
    pte_t *l4 = page_alloc();
    const volatile pte_t *now = pfn_to_va(mfn_to_pfn(current_l4_mfn()));
    mfn_t old = current_l4_mfn();

    CHECK_TRAP(run_user(user_back, 0), VEC_SYSCALL, 0);
    l4[511] = now[511];
    CHECK_RC(page_set_readonly(l4), 0);
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(l4)), 0); /* no pin needed */
    CHECK_RC(page_set_writable(l4), -XEN_EBUSY);
    CHECK_TRAP(run_user(user_back, 0), VEC_SYSCALL, 0);
    CHECK_EQ(current_l4_mfn(), old);
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, old), 0);
    table_free(l4);
}

static void test_tlb_ops(void)
{
    uint64_t mask = 1;
    mmuext_op_t op = {.cmd = MMUEXT_TLB_FLUSH_MULTI, .arg1.linear_addr = (uint64_t)&mask};
    unsigned int done;

    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_ALL, 0), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)&mask), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_ALL, (uint64_t)&mask), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, 0x800000000000), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_ALL, 0xffff830000000000), 0);
    set_xen_guest_handle(op.arg2.vcpumask, &mask);
    CHECK_RC(hv_mmuext_op(&op, 1, &done, DOMID_SELF), 0);
    CHECK_EQ(done, 1);
    op.cmd = MMUEXT_INVLPG_MULTI;
    CHECK_RC(hv_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
    set_xen_guest_handle(op.arg2.vcpumask, BAD_POINTER);
    CHECK_RC(hv_mmuext_op(&op, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    if (is_dom0()) {
        CHECK_RC(mmuext(MMUEXT_FLUSH_CACHE, 0), 0);
        CHECK_RC(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0), 0);
    }
    CHECK_RC(mmuext(14, 0), -XEN_ENOSYS);
    CHECK_RC(mmuext(99, 0), -XEN_ENOSYS);
    CHECK_RC(mmuext(MMUEXT_MARK_SUPER, 0), -XEN_EOPNOTSUPP);
    CHECK_RC(hv_mmuext_op(BAD_POINTER, 1, NULL, DOMID_SELF), -XEN_EFAULT);
    CHECK_RC(hv_mmuext_op((void *)0x1000, 1, NULL, DOMID_SELF), -XEN_EFAULT);
    CHECK_RC(hv_mmuext_op(&op, 1, NULL, 4321), -XEN_ESRCH);
}

static void test_clear_copy(void)
{
    char *a = page_alloc(), *b = page_alloc(), *table = table_new();
    mmuext_op_t copy = {.cmd = MMUEXT_COPY_PAGE, .arg1.mfn = mfn_of(b), .arg2.src_mfn = mfn_of(a)};

    memset(a, 0x3c, PAGE_SIZE);
    CHECK_RC(hv_mmuext_op(&copy, 1, NULL, DOMID_SELF), 0);
    CHECK(!memcmp(a, b, PAGE_SIZE));
    CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, mfn_of(b)), 0);
    CHECK_EQ(b[0] | b[4095], 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)), 0);
    CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, mfn_of(table)), -XEN_EINVAL);
    copy.arg1.mfn = mfn_of(table);
    CHECK_RC(hv_mmuext_op(&copy, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    CHECK_EQ(*(pte_t *)table, 0);
    CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, BAD_MFN), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, m2p_frame()), -XEN_EINVAL);
    copy.arg1.mfn = mfn_of(b);
    copy.arg2.src_mfn = BAD_MFN;
    CHECK_RC(hv_mmuext_op(&copy, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table)), 0);
    table_free(table);
    page_free(a);
    page_free(b);
}

/* The hypervisor's frames through DOMID_XEN: dom0 may read some, and write none. */
static void test_dom_xen(void)
{
    void *page = page_alloc();
    mmu_update_t req = {.ptr = pte_place_of(page, 1).maddr,
                        .val = pte_make(m2p_frame(), PTE_RW_FLAGS)};

    if (!is_dom0())
        return test_skip("only dom0 may name DOMID_XEN");
    CHECK_RC(hv_mmu_update(&req, 1, NULL, DOMID_XEN), -XEN_EBUSY);
    req.val = pte_make(m2p_frame(), PTE_RO_FLAGS);
    CHECK_RC(hv_mmu_update(&req, 1, NULL, DOMID_XEN), 0);
    CHECK_RC(page_set_writable(page), 0);
    page_free(page);
}

/* Memory-mapped I/O is dom0's, apart from what the hypervisor keeps. */
static void test_mmio(void)
{
    long rc;
    void *va;

    if (!is_dom0())
        return test_skip("a domU has no I/O memory");
    va = window_map(pte_make(0xb8, PTE_RW_FLAGS | PTE_PCD | PTE_PWT), &rc); /* VGA text */
    if (CHECK_RC(rc, 0)) {
        CHECK(CATCH(load64(va)) == NULL);
        CHECK_RC(window_unmap(va), 0);
    }
    window_map(pte_make(0xfee00, PTE_RW_FLAGS | PTE_PCD | PTE_PWT), &rc); /* the local APIC */
    CHECK_RC(rc, -XEN_EPERM);
}

/* Many rounds of everything: what leaks one reference in a round would be refused at the end. */
static void test_counts_survive(void)
{
    pte_t *l1 = page_alloc();
    void *page = page_alloc();
    unsigned int bad = 0;

    for (unsigned int round = 0; round < 200; round++) {
        for (unsigned int i = 0; i < 512; i += 3)
            l1[i] = pte_make(mfn_of(page), i & 1 ? PTE_RW_FLAGS : PTE_RO_FLAGS);
        bad += page_set_readonly(l1) != 0;
        bad += mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)) != 0;
        for (unsigned int i = 0; i < 512; i += 5)
            bad += table_set(l1, i, pte_make(mfn_of(page), i & 2 ? PTE_RW_FLAGS : 0x25)) != 0;
        for (unsigned int i = 0; i < 512; i += 7)
            bad += table_set(l1, i, 0) != 0;
        bad += mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)) != 0;
        bad += page_set_writable(l1) != 0;
        memset(l1, 0, PAGE_SIZE);
    }
    CHECK_EQ(bad, 0);
    page_free(l1);
    CHECK_RC(page_set_readonly(page), 0);
    memset(l1, 0, PAGE_SIZE);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), 0);
    table_free(page);
}

GUEST("pagetables", TEST(pin_each_level), TEST(pin_refused), TEST(l1_refused),
      TEST(pin_bad_contents), TEST(flip), TEST(superpages), TEST(levels), TEST(shared_l1),
      TEST(stored_flags), TEST(preserve_ad), TEST(requests), TEST(update_va_mapping), TEST(tree),
      TEST(invlpg), TEST(hypervisor_slots), TEST(self_map), TEST(deep_failure), TEST(new_baseptr),
      TEST(new_baseptr_refused), TEST(user_baseptr), TEST(tlb_ops), TEST(clear_copy), TEST(dom_xen),
      TEST(mmio), TEST(counts_survive));
