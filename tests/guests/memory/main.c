/* SPDX-License-Identifier: MIT */
/*
 * memory: memory_op.
 *
 * How a guest would break the hypervisor: with extents, orders, counts and domains that do not
 * exist (XSA-158, XSA-231), an exchange whose progress field and output pointer lead into the
 * hypervisor (XSA-212), or by giving back a page that is still mapped, pinned or a page table
 * (XSA-252): it must not be reused while anything refers to it. Counts of extents done must be
 * right also when the list breaks off in the middle, for the guest's own map of its memory depends
 * on them.
 */
#include <rt/test.h>

#define BAD_POINTER ((void *)0xffff830000000000)
#define BAD_MFN     0xfffffffff

static long reservation(unsigned int op, xen_pfn_t *list, uint64_t n, unsigned int order,
                        domid_t dom)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = dom};

    set_xen_guest_handle(r.extent_start, list);
    return hv_memory_op(op, &r);
}

static long current_pages(void)
{
    struct xen_memory_domain d = {.domid = DOMID_SELF};

    return hv_memory_op(XENMEM_current_reservation, &d);
}

/* Takes the page at `va` out of the page tables, so that only the domain's claim on it is left. */
static mfn_t detach(void *va)
{
    mfn_t mfn = mfn_of(va);

    CHECK_RC(hv_update_va_mapping(va, 0, UVMF_INVLPG), 0);
    return mfn;
}

/* The domain got `mfn` for the page at `va`: publish it, map it. */
static void attach(void *va, mfn_t mfn)
{
    ((uint64_t *)start_info->mfn_list)[pfn_of(va)] = mfn;
    CHECK_RC(page_set_writable(va), 0);
}

static void test_totals(void)
{
    struct xen_memory_domain d = {.domid = DOMID_SELF};
    long max_mfn = hv_memory_op(XENMEM_maximum_ram_page, NULL);

    CHECK_EQ(current_pages(), start_info->nr_pages);
    CHECK(hv_memory_op(XENMEM_maximum_reservation, &d) >= current_pages());
    CHECK(max_mfn > (long)start_info->nr_pages);
    for (pfn_t pfn = 0; pfn < start_info->nr_pages; pfn += 97)
        CHECK(pfn_to_mfn(pfn) < (mfn_t)max_mfn);
    d.domid = 4321;
    CHECK_RC(hv_memory_op(XENMEM_current_reservation, &d), -XEN_ESRCH);
    CHECK_RC(hv_memory_op(XENMEM_maximum_reservation, &d), -XEN_ESRCH);
    CHECK_RC(hv_memory_op(XENMEM_maximum_gpfn, &d), -XEN_ESRCH);
    CHECK_RC(hv_memory_op(XENMEM_current_reservation, BAD_POINTER), -XEN_EFAULT);
    CHECK_RC(hv_memory_op(XENMEM_maximum_ram_page | (1 << 6), NULL), -XEN_EINVAL);
    CHECK_RC(hv_memory_op(XENMEM_current_reservation | (1 << 6), &d), -XEN_EINVAL);
    CHECK_RC(hv_memory_op(63, NULL), -XEN_ENOSYS);
}

static void test_decrease_populate(void)
{
    uint64_t *page = page_alloc();
    pfn_t pfn = pfn_of(page);
    long before = current_pages();
    xen_pfn_t extent = detach(page);

    CHECK_EQ(reservation(XENMEM_decrease_reservation, &extent, 1, 0, DOMID_SELF), 1);
    CHECK_EQ(current_pages(), before - 1);
    extent = pfn;
    CHECK_EQ(reservation(XENMEM_populate_physmap, &extent, 1, 0, DOMID_SELF), 1);
    CHECK_EQ(current_pages(), before);
    CHECK_EQ(mfn_to_pfn(extent), pfn);
    attach(page, extent);
    *page = 0x1234;
    CHECK_EQ(*page, 0x1234);
    page_free(page);
}

static void test_increase(void)
{
    xen_pfn_t extents[4] = {0};
    long before = current_pages();

    CHECK_EQ(reservation(XENMEM_increase_reservation, extents, 4, 0, DOMID_SELF), 4);
    CHECK_EQ(current_pages(), before + 4);
    for (unsigned int i = 0; i < 4; i++) {
        long rc;
        void *va = window_map(pte_make(extents[i], PTE_RW_FLAGS), &rc);

        CHECK_RC(rc, 0);
        if (va)
            CHECK_RC(window_unmap(va), 0);
    }
    CHECK_EQ(reservation(XENMEM_decrease_reservation, extents, 4, 0, DOMID_SELF), 4);
    CHECK_EQ(current_pages(), before);
}

static void test_orders(void)
{
    xen_pfn_t extent = 0;
    long before = current_pages();

    CHECK_EQ(reservation(XENMEM_increase_reservation, &extent, 1, 3, DOMID_SELF), 1);
    CHECK_EQ(extent & 7, 0); /* naturally aligned */
    CHECK_EQ(current_pages(), before + 8);
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &extent, 1, 3, DOMID_SELF), 1);
    CHECK_EQ(current_pages(), before);
    /* Orders that cannot be. */
    static const unsigned int orders[] = {20, 31, 32, 63, 64, 0xffffffff};

    for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
        extent = pfn_of(&before);
        CHECK_EQ(reservation(XENMEM_increase_reservation, &extent, 1, orders[i], DOMID_SELF), 0);
        CHECK_EQ(reservation(XENMEM_populate_physmap, &extent, 1, orders[i], DOMID_SELF), 0);
        CHECK_EQ(reservation(XENMEM_decrease_reservation, &extent, 1, orders[i], DOMID_SELF), 0);
    }
    CHECK_EQ(current_pages(), before);
}

/* The list breaks off: the answer is how many were done, and those stay done. */
static void test_partial(void)
{
    char *pages = page_alloc_many(2), *victim = page_alloc(), *victim2 = page_alloc();
    xen_pfn_t *list = (xen_pfn_t *)(pages + PAGE_SIZE) - 1;
    long before = current_pages();
    xen_pfn_t extents[3] = {detach(victim), BAD_MFN, detach(victim2)};

    CHECK_EQ(reservation(XENMEM_decrease_reservation, extents, 3, 0, DOMID_SELF), 1);
    CHECK_EQ(current_pages(), before - 1);
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &extents[2], 1, 0, DOMID_SELF), 1);

    /* The second entry is on a page that is not there. */
    mfn_t hidden = detach(pages + PAGE_SIZE);

    list[0] = pfn_of(victim);
    CHECK_EQ(reservation(XENMEM_populate_physmap, list, 2, 0, DOMID_SELF), 1);
    CHECK_EQ(current_pages(), before - 1);
    attach(victim, list[0]);
    attach(pages + PAGE_SIZE, hidden);
    list[0] = pfn_of(victim2);
    CHECK_EQ(reservation(XENMEM_populate_physmap, list, 1, 0, DOMID_SELF), 1);
    attach(victim2, list[0]);
    CHECK_EQ(current_pages(), before);

    /* A start in the command's upper bits is where a continuation resumes. */
    list[0] = 0;
    CHECK_EQ(reservation(XENMEM_populate_physmap | (5 << 6), list, 1, 0, DOMID_SELF), 5);
}

static void test_bad_arguments(void)
{
    xen_pfn_t extent = BAD_MFN;
    long before = current_pages();
    static const unsigned int ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                       XENMEM_populate_physmap};

    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        CHECK_EQ(reservation(ops[i], &extent, 0, 0, DOMID_SELF), 0);
        CHECK_EQ(reservation(ops[i], &extent, 1, 0, 4321), 0);
        CHECK_EQ(reservation(ops[i], &extent, 1, 0, DOMID_IO), 0);
        CHECK_EQ(reservation(ops[i], &extent, 1, 0, DOMID_XEN), 0);
        CHECK_EQ(reservation(ops[i], &extent, ~0ul, 0, DOMID_SELF), 0);
        CHECK_EQ(reservation(ops[i], &extent, 1ul << 32, 0, DOMID_SELF), 0);
        CHECK_EQ(reservation(ops[i], BAD_POINTER, 1, 0, DOMID_SELF), 0);
        CHECK_EQ(reservation(ops[i], (void *)0xffff7ffffffffff8, 4, 0, DOMID_SELF), 0);
        CHECK_EQ(hv_memory_op(ops[i], BAD_POINTER), 0);
    }
    CHECK_EQ(current_pages(), before);
    /* Frames that are not ours. */
    static const xen_pfn_t foreign[] = {0, 0x9f, 0xa0, BAD_MFN, ~0ul, 1ul << 40};

    for (unsigned int i = 0; i < ARRAY_SIZE(foreign); i++) {
        extent = foreign[i];
        CHECK_EQ(reservation(XENMEM_decrease_reservation, &extent, 1, 0, DOMID_SELF), 0);
    }
    CHECK_EQ(current_pages(), before);
    /* The shared page is shared, not given: Xen 4.17 says done (1) and keeps the page. */
    extent = start_info->shared_info >> 12;
    reservation(XENMEM_decrease_reservation, &extent, 1, 0, DOMID_SELF);
    CHECK_EQ(current_pages(), before);
    CHECK_EQ(shared_info.vcpu_info[0].evtchn_upcall_mask, 1);
    CHECK(shared_info.vcpu_info[0].time.version > 0);
}

/* (XSA-252) Given back while mapped: the mapping keeps the frame until it goes. */
static void test_decrease_mapped(void)
{
    volatile uint64_t *page = page_alloc();
    xen_pfn_t extent = mfn_of((void *)page), fresh[8];
    long before = current_pages();

    *page = 0x5ec2e7;
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &extent, 1, 0, DOMID_SELF), 1);
    /* Nobody else, not even we again, may get the frame now. */
    CHECK_EQ(reservation(XENMEM_increase_reservation, fresh, 8, 0, DOMID_SELF), 8);
    for (unsigned int i = 0; i < 8; i++)
        CHECK(fresh[i] != extent);
    CHECK_EQ(*page, 0x5ec2e7);
    /* A second time there is nothing to give, though Xen 4.17 counts it as done. */
    reservation(XENMEM_decrease_reservation, &extent, 1, 0, DOMID_SELF);
    CHECK_EQ(*page, 0x5ec2e7);
    CHECK_RC(hv_update_va_mapping((void *)page, 0, UVMF_INVLPG), 0);
    /* The last reference is gone: it cannot be mapped again. */
    CHECK_RC(hv_update_va_mapping((void *)page, pte_make(extent, PTE_RW_FLAGS), 0), -XEN_EBUSY);
    CHECK_EQ(current_pages(), before + 7);
    CHECK_EQ(reservation(XENMEM_decrease_reservation, fresh, 7, 0, DOMID_SELF), 7);
    CHECK_EQ(current_pages(), before);
    CHECK_RC(mmu_write((fresh[7] << 12) | MMU_MACHPHYS_UPDATE, pfn_of((void *)page)), 0);
    attach((void *)page, fresh[7]);
}

/* A pinned page table given back stays a page table until it is unpinned. */
static void test_decrease_pinned(void)
{
    uint64_t *table = page_alloc();
    xen_pfn_t extent = mfn_of(table), fresh;
    long before = current_pages();

    CHECK_RC(page_set_readonly(table), 0);
    REQUIRE(CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, extent), 0));
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &extent, 1, 0, DOMID_SELF), 1);
    CHECK_EQ(current_pages(), before - 0);
    CHECK_RC(page_set_writable(table), -XEN_EBUSY);
    CHECK_RC(hv_update_va_mapping(table, 0, UVMF_INVLPG), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, extent), 0);
    CHECK_EQ(current_pages(), before - 1);
    fresh = pfn_of(table);
    CHECK_EQ(reservation(XENMEM_populate_physmap, &fresh, 1, 0, DOMID_SELF), 1);
    attach(table, fresh);
    page_free(table);
}

static long exchange(xen_pfn_t *in, uint64_t nr_in, unsigned int in_order, xen_pfn_t *out,
                     uint64_t nr_out, unsigned int out_order, uint64_t *done)
{
    struct xen_memory_exchange ex = {
        .in = {.nr_extents = nr_in, .extent_order = in_order, .domid = DOMID_SELF},
        .out = {.nr_extents = nr_out, .extent_order = out_order, .domid = DOMID_SELF},
        .nr_exchanged = *done};
    long rc;

    set_xen_guest_handle(ex.in.extent_start, in);
    set_xen_guest_handle(ex.out.extent_start, out);
    rc = hv_memory_op(XENMEM_exchange, &ex);
    *done = ex.nr_exchanged;
    return rc;
}

static void test_exchange(void)
{
    void *page = page_alloc();
    xen_pfn_t in = detach(page), out = pfn_of(page);
    uint64_t done = 0;
    long before = current_pages();

    CHECK_RC(exchange(&in, 1, 0, &out, 1, 0, &done), 0);
    CHECK_EQ(done, 1);
    CHECK_EQ(current_pages(), before);
    CHECK(out != in);
    CHECK_EQ(mfn_to_pfn(out), pfn_of(page));
    attach(page, out);

    /* Eight single pages for one contiguous run. */
    char *many = page_alloc_many(8);
    xen_pfn_t ins[8];

    for (unsigned int i = 0; i < 8; i++)
        ins[i] = detach(many + i * PAGE_SIZE);
    out = pfn_of(many);
    done = 0;
    CHECK_RC(exchange(ins, 8, 0, &out, 1, 3, &done), 0);
    CHECK_EQ(done, 8);
    CHECK_EQ(out & 7, 0);
    for (unsigned int i = 0; i < 8; i++)
        attach(many + i * PAGE_SIZE, out + i);
    CHECK_EQ(current_pages(), before);
}

static void test_exchange_refused(void)
{
    void *page = page_alloc();
    xen_pfn_t in = mfn_of(page), out = pfn_of(page);
    uint64_t done = 0;
    long before = current_pages();

    /* Still mapped: not exchanged. */
    CHECK_RC(exchange(&in, 1, 0, &out, 1, 0, &done), -XEN_EINVAL);
    CHECK_EQ(done, 0);
    CHECK_EQ(pte_mfn(pte_get(page)), in);
    in = BAD_MFN;
    CHECK_RC(exchange(&in, 1, 0, &out, 1, 0, &done), -XEN_EINVAL);
    /* Sizes differ, or overflow. */
    CHECK_RC(exchange(&in, 2, 0, &out, 1, 0, &done), -XEN_EINVAL);
    CHECK_RC(exchange(&in, 1ul << 63, 1, &out, 0, 0, &done), -XEN_EINVAL);
    CHECK_RC(exchange(&in, 1, 40, &out, 1, 40, &done), -XEN_EPERM);
    done = 2;
    CHECK_RC(exchange(&in, 1, 0, &out, 1, 0, &done), -XEN_EINVAL);
    /* (XSA-212) progress times size leads the output pointer into the hypervisor. */
    done = 0x10000;
    CHECK_RC(exchange(&in, 0x20000, 0, (xen_pfn_t *)0xffff7ffffff80000, 0x20000, 0, &done),
             -XEN_EFAULT);
    done = 0x1ffffffff;
    CHECK_RC(exchange((xen_pfn_t *)0xffff830000000000, 1ul << 33, 0,
                      (xen_pfn_t *)0xffff830000000000, 1ul << 33, 0, &done),
             -XEN_EFAULT);
    done = 0;
    CHECK_RC(exchange(BAD_POINTER, 1, 0, &out, 1, 0, &done), -XEN_EFAULT);
    in = mfn_of(page);
    CHECK_RC(exchange(&in, 1, 0, BAD_POINTER, 1, 0, &done), -XEN_EFAULT);
    CHECK_RC(hv_memory_op(XENMEM_exchange, BAD_POINTER), -XEN_EFAULT);
    CHECK_EQ(current_pages(), before);
    page_free(page);
}

static void test_machphys(void)
{
    struct xen_machphys_mapping map;
    struct xen_machphys_mfn_list list = {.max_extents = 4};
    xen_pfn_t frames[4] = {0};

    CHECK_RC(hv_memory_op(XENMEM_machphys_mapping, &map), 0);
    CHECK_EQ(map.v_start, MACH2PHYS_VIRT_START);
    CHECK(map.v_end > map.v_start && map.v_end <= 0xffff808000000000);
    CHECK(map.max_mfn >= (uint64_t)hv_memory_op(XENMEM_maximum_ram_page, NULL) - 1);
    CHECK_RC(hv_memory_op(XENMEM_machphys_mapping, BAD_POINTER), -XEN_EFAULT);

    set_xen_guest_handle(list.extent_start, frames);
    CHECK_RC(hv_memory_op(XENMEM_machphys_mfn_list, &list), 0);
    CHECK(list.nr_extents >= 1);
    CHECK(frames[0] != 0);
    if (is_dom0()) {
        /* dom0's tools map those frames through DOMID_XEN, read-only. */
        static char spot[PAGE_SIZE] PAGE_ALIGNED;
        mmu_update_t req = {.ptr = pte_place_of(spot, 1).maddr,
                            .val = pte_make(frames[0], PTE_RO_FLAGS)};

        CHECK_RC(hv_mmu_update(&req, 1, NULL, DOMID_XEN), 0);
        mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
        CHECK_EQ(((uint64_t *)spot)[200], ((uint64_t *)MACH2PHYS_VIRT_START)[200]);
        CHECK_RC(page_set_writable(spot), 0);
    }
    list.max_extents = 1;
    set_xen_guest_handle(list.extent_start, (xen_pfn_t *)BAD_POINTER);
    CHECK_RC(hv_memory_op(XENMEM_machphys_mfn_list, &list), -XEN_EFAULT);
}

/* MMU_MACHPHYS_UPDATE: only own frames, and only for oneself. */
static void test_machphys_update(void)
{
    void *page = page_alloc();
    mfn_t mfn = mfn_of(page);

    CHECK_RC(mmu_write((mfn << 12) | MMU_MACHPHYS_UPDATE, 0x12345), 0);
    CHECK_EQ(mfn_to_pfn(mfn), 0x12345);
    CHECK_RC(mmu_write((mfn << 12) | MMU_MACHPHYS_UPDATE, pfn_of(page)), 0);
    CHECK_RC(mmu_write(((mfn_t)BAD_MFN << 12) | MMU_MACHPHYS_UPDATE, 1), -XEN_EINVAL);
    CHECK_RC(mmu_write(0 | MMU_MACHPHYS_UPDATE, 1), -XEN_EINVAL);
    page_free(page);
}

struct e820entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

static void test_memory_map(void)
{
    static struct e820entry entries[128];
    struct xen_memory_map map = {.nr_entries = ARRAY_SIZE(entries)};
    uint64_t ram = 0;

    set_xen_guest_handle(map.buffer, entries);
    if (!is_dom0()) {
        CHECK_RC(hv_memory_op(XENMEM_machine_memory_map, &map), -XEN_EPERM);
        return;
    }
    /* dom0 has no map of its own until it sets one. */
    CHECK_RC(hv_memory_op(XENMEM_memory_map, &map), -XEN_ENOSYS);
    map.nr_entries = ARRAY_SIZE(entries);
    CHECK_RC(hv_memory_op(XENMEM_machine_memory_map, &map), 0);
    CHECK(map.nr_entries > 2 && map.nr_entries <= ARRAY_SIZE(entries));
    for (unsigned int i = 0; i < map.nr_entries && i < ARRAY_SIZE(entries); i++) {
        if (entries[i].type == 1)
            ram += entries[i].size;
        if (i)
            CHECK(entries[i].addr >= entries[i - 1].addr + entries[i - 1].size);
    }
    CHECK(ram / PAGE_SIZE >= start_info->nr_pages);
    map.nr_entries = 1;
    CHECK_RC(hv_memory_op(XENMEM_machine_memory_map, &map), -XEN_EINVAL);
    CHECK_RC(hv_memory_op(XENMEM_machine_memory_map, BAD_POINTER), -XEN_EFAULT);
}

/* What a PV guest may not do, or what is not there: the errno that libxl and Linux expect. */
static void test_others(void)
{
    struct xen_add_to_physmap add = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info};
    struct xen_remove_from_physmap rem = {.domid = DOMID_SELF};
    struct xen_vnuma_topology_info numa = {.domid = DOMID_SELF};

    CHECK_RC(hv_memory_op(XENMEM_add_to_physmap, &add), -XEN_EACCES);
    CHECK_RC(hv_memory_op(XENMEM_remove_from_physmap, &rem), -XEN_EACCES);
    CHECK_RC(hv_memory_op(XENMEM_get_vnumainfo, &numa), -XEN_EOPNOTSUPP);
    long shared = hv_memory_op(XENMEM_get_sharing_shared_pages, NULL);
    long freed = hv_memory_op(XENMEM_get_sharing_freed_pages, NULL);

    CHECK(shared == 0 || shared == -XEN_ENOSYS);
    CHECK(freed == 0 || freed == -XEN_ENOSYS);
}

GUEST("memory", TEST(totals), TEST(decrease_populate), TEST(increase), TEST(orders), TEST(partial),
      TEST(bad_arguments), TEST(decrease_mapped), TEST(decrease_pinned), TEST(exchange),
      TEST(exchange_refused), TEST(machphys), TEST(machphys_update), TEST(memory_map),
      TEST(others));
