/* SPDX-License-Identifier: MIT */
/*
 * grants: the grant table, version 1, used by a domain on itself.
 *
 * How a guest would break the hypervisor: with references, handles and domains out of range
 * (XSA-316), a PTE address that is misaligned or in no page table of its own (XSA-227), by
 * unmapping with other flags than it mapped with (XSA-224, XSA-234), twice, or at another address;
 * by copies whose offset and length cross a page or wrap; by taking the frame away or making it a
 * page table while it is mapped. After every test the pins of the entries it used are gone and the
 * frames are free to be used as anything again.
 */
#include <rt/test.h>

#define BAD_POINTER ((void *)0xffff830000000000)
#define REF         20 /* the first eight are reserved for toolstacks */
#define SELF        0

/*
 * An address with a page-table entry and no page: Xen does not flush the TLB when a grant is mapped
 * over something, so the guest must have emptied the place before.
 */
static void *spot_alloc(void)
{
    void *at = page_alloc();

    CHECK_RC(hv_update_va_mapping(at, 0, UVMF_INVLPG), 0);
    return at;
}

static void spot_free(void *at)
{
    CHECK_RC(page_set_writable(at), 0);
    page_free(at);
}

static bool ready(void)
{
    static long rc = 1;

    if (rc == 1)
        rc = gnttab_init();
    return CHECK_RC(rc, 0);
}

static int16_t map(grant_ref_t ref, domid_t dom, uint64_t addr, uint32_t flags,
                   struct gnttab_map_grant_ref *op)
{
    *op = (struct gnttab_map_grant_ref){
        .host_addr = addr, .flags = flags, .ref = ref, .dom = dom, .handle = ~0u};
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, op, 1), 0);
    return op->status;
}

static int16_t unmap(grant_handle_t handle, uint64_t addr, uint64_t bus)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = addr, .dev_bus_addr = bus, .handle = handle};

    CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

/* A map that must fail with `status`; one that does not is undone, not to spoil the next tests. */
static bool map_fails(grant_ref_t ref, domid_t dom, uint64_t addr, uint32_t flags, int16_t status)
{
    struct gnttab_map_grant_ref op;

    if (map(ref, dom, addr, flags, &op) == GNTST_okay)
        unmap(op.handle, addr, flags & GNTMAP_device_map ? op.dev_bus_addr : 0);
    if (op.status == status)
        return true;
    printf("  map of ref %#x of domain %u at %#lx, flags %#x\n", ref, dom, addr, flags);
    return CHECK_EQ(op.status, status);
}

/* The frame has no writable use left besides its own mapping: it can become a page table. */
static void check_free(void *page)
{
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), 0);
    CHECK_RC(page_set_writable(page), 0);
}

static void test_setup(void)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_setup_table op = {.dom = DOMID_SELF};
    xen_pfn_t frames[2];

    REQUIRE(ready());
    CHECK_RC(hv_grant_op(GNTTABOP_query_size, &size, 1), 0);
    CHECK_EQ(size.status, GNTST_okay);
    CHECK(size.nr_frames >= GRANT_FRAMES);
    CHECK(size.max_nr_frames >= size.nr_frames);
    op.nr_frames = size.max_nr_frames + 1;
    set_xen_guest_handle(op.frame_list, frames);
    CHECK_RC(hv_grant_op(GNTTABOP_setup_table, &op, 1), 0);
    CHECK_EQ(op.status, GNTST_general_error);
    op.nr_frames = 1;
    op.dom = 4321;
    CHECK_RC(hv_grant_op(GNTTABOP_setup_table, &op, 1), 0);
    CHECK_EQ(op.status, GNTST_bad_domain);
    op.dom = DOMID_SELF;
    CHECK_RC(hv_grant_op(GNTTABOP_setup_table, &op, 2), -XEN_EINVAL);
    set_xen_guest_handle(op.frame_list, (xen_pfn_t *)BAD_POINTER);
    CHECK_RC(hv_grant_op(GNTTABOP_setup_table, &op, 1), -XEN_EFAULT);
    set_xen_guest_handle(op.frame_list, (xen_pfn_t *)0x1000);
    CHECK_RC(hv_grant_op(GNTTABOP_setup_table, &op, 1), 0);
    CHECK_EQ(op.status, GNTST_bad_virt_addr);
    size.dom = 4321;
    CHECK_RC(hv_grant_op(GNTTABOP_query_size, &size, 1), 0);
    CHECK_EQ(size.status, GNTST_bad_domain);
    CHECK_RC(hv_grant_op(GNTTABOP_query_size, &size, 0), -XEN_EINVAL);
}

static void test_version(void)
{
    struct gnttab_get_version v = {.dom = DOMID_SELF};

    CHECK_RC(hv_grant_op(GNTTABOP_get_version, &v, 1), 0);
    CHECK_EQ(v.version, 1);
    v.dom = 4321;
    CHECK_RC(hv_grant_op(GNTTABOP_get_version, &v, 1), -XEN_ESRCH);
}

static void test_map(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc();
    struct gnttab_map_grant_ref op;

    REQUIRE(ready());
    page[5] = 0xfeed;
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access);
    REQUIRE(CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map, &op), GNTST_okay));
    CHECK_EQ(op.dev_bus_addr, mfn_of(page) << 12);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(pte_mfn(pte_get(at)), mfn_of(page));
    CHECK(CATCH(CHECK_EQ(load64(at + 5), 0xfeed)) == NULL);
    store64(at + 6, 0xbeef);
    CHECK_EQ(page[6], 0xbeef);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    /* The mapping is gone; what was there before does not come back. */
    CHECK_EQ(pte_get(at), 0);
    CHECK_TRAP(CATCH(load64(at)), X86_EXC_PF, 0);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_bad_handle);
    grant_clear(REF);
    check_free(page);
    page_free(page);
    spot_free(at);
}

static void test_readonly(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc();
    struct gnttab_map_grant_ref op, op2;
    char *at2 = spot_alloc();

    REQUIRE(ready());
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access | GTF_readonly);
    map_fails(REF, SELF, (uint64_t)at, GNTMAP_host_map, GNTST_general_error);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_readonly);
    REQUIRE(
        CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map | GNTMAP_readonly, &op), GNTST_okay));
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_readonly | GTF_reading);
    CHECK(CATCH(load64(at)) == NULL);
    CHECK_TRAP(CATCH(store64(at, 1)), X86_EXC_PF, PF_WRITE | PF_PRESENT);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_readonly);

    /* A writable grant mapped twice, once read-only: each flag lives as long as it is needed. */
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access);
    CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map | GNTMAP_readonly, &op), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading);
    CHECK_EQ(map(REF, SELF, (uint64_t)at2, GNTMAP_host_map, &op2), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(unmap(op2.handle, (uint64_t)at2, 0), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    grant_clear(REF);
    check_free(page);
    page_free(page);
    spot_free(at);
    spot_free(at2);
}

static void test_map_refused(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc();
    struct gnttab_map_grant_ref op;
    uint32_t host = GNTMAP_host_map;

    REQUIRE(ready());
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access);
    map_fails(REF, SELF, (uint64_t)at, 0, GNTST_bad_gntref); /* neither host nor device */
    map_fails(REF, SELF, (uint64_t)at, GNTMAP_readonly, GNTST_bad_gntref);
    map_fails(REF, 4321, (uint64_t)at, host, GNTST_bad_domain);
    map_fails(REF, DOMID_SELF, (uint64_t)at, host, GNTST_bad_domain);
    map_fails(REF, DOMID_IO, (uint64_t)at, host, GNTST_bad_domain);
    map_fails(REF, DOMID_XEN, (uint64_t)at, host, GNTST_bad_domain);
    map_fails(0x7fffffff, SELF, (uint64_t)at, host, GNTST_bad_gntref);
    map_fails(0xffffffff, SELF, (uint64_t)at, host, GNTST_bad_gntref);
    map_fails(64 * 512, SELF, (uint64_t)at, host, GNTST_bad_gntref);
    map_fails(REF + 1, SELF, (uint64_t)at, host, GNTST_general_error); /* not granted */
    grant_set(REF + 1, 99, mfn_of(page), GTF_permit_access);           /* granted to someone else */
    map_fails(REF + 1, SELF, (uint64_t)at, host, GNTST_general_error);
    grant_set(REF + 1, SELF, mfn_of(page), GTF_accept_transfer); /* not a mappable kind */
    map_fails(REF + 1, SELF, (uint64_t)at, host, GNTST_general_error);
    grant_set(REF + 1, SELF, 0xfffffff, GTF_permit_access); /* no such frame */
    map_fails(REF + 1, SELF, (uint64_t)at, host, GNTST_bad_page);
    grant_set(REF + 1, SELF, start_info->shared_info >> 12, GTF_permit_access);
    map(REF + 1, SELF, (uint64_t)at, host, &op); /* the shared page: allowed or not, balanced */
    if (op.status == GNTST_okay)
        CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    grant_clear(REF + 1);
    /* Addresses that have no page-table entry of this guest's. */
    static const uint64_t nowhere[] = {0x1000, 0x800000000000, 0xffff830000000000,
                                       0xffff800000000000, 0xffff87fffffff000};

    for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
        map_fails(REF, SELF, nowhere[i], host, GNTST_general_error);
        CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    }
    /* No entry was left pinned, and `at` is still its own. */
    CHECK_EQ(grant_table[REF + 1].flags, 0);
    grant_clear(REF);
    check_free(page);
    page_free(page);
    spot_free(at);
}

static void test_contains_pte(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc(), *plain = page_alloc();
    maddr_t pte = pte_place_of(at, 1).maddr;
    struct gnttab_map_grant_ref op;
    uint32_t flags = GNTMAP_host_map | GNTMAP_contains_pte;

    REQUIRE(ready());
    page[1] = 0xabcd;
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access);
    REQUIRE(CHECK_EQ(map(REF, SELF, pte, flags, &op), GNTST_okay));
    CHECK_EQ(pte_mfn(pte_get(at)), mfn_of(page));
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_EQ(load64(at + 1), 0xabcd);
    CHECK_EQ(unmap(op.handle, pte, 0), GNTST_okay);
    CHECK_EQ(pte_get(at), 0);
    /* (XSA-227) misaligned; in a page that is no page table; in nobody's; in an L2. */
    map_fails(REF, SELF, pte + 4, flags, GNTST_general_error);
    map_fails(REF, SELF, pte + 1, flags, GNTST_general_error);
    map_fails(REF, SELF, maddr_of(plain), flags, GNTST_general_error);
    map_fails(REF, SELF, 0xfffffff000, flags, GNTST_general_error);
    map_fails(REF, SELF, start_info->shared_info, flags, GNTST_general_error);
    map_fails(REF, SELF, pte_place_of(at, 2).maddr, flags, GNTST_general_error);
    map_fails(REF, SELF, pte_place_of(at, 4).maddr, flags, GNTST_general_error);
    CHECK_EQ(*plain, 0);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    grant_clear(REF);
    check_free(page);
    page_free(page);
    spot_free(at);
    page_free(plain);
}

static void test_unmap_refused(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc(), *other = page_alloc();
    struct gnttab_map_grant_ref op;

    REQUIRE(ready());
    CHECK_EQ(unmap(0, (uint64_t)at, 0), GNTST_bad_handle);
    CHECK_EQ(unmap(12345, (uint64_t)at, 0), GNTST_bad_handle);
    CHECK_EQ(unmap(0xffffffff, (uint64_t)at, 0), GNTST_bad_handle);
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access);
    REQUIRE(CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map, &op), GNTST_okay));
    /* Another address, where another frame is mapped. */
    CHECK_EQ(unmap(op.handle, (uint64_t)other, 0), GNTST_general_error);
    CHECK_EQ(unmap(op.handle, 0x1000, 0), GNTST_general_error);
    CHECK_EQ(unmap(op.handle, 0xffff830000000000, 0), GNTST_general_error);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    /* Nothing asked: done, and the handle lives on. */
    CHECK_EQ(unmap(op.handle, 0, 0), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_bad_handle);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    CHECK_EQ(*other, 0);
    grant_clear(REF);
    check_free(page);
    page_free(page);
    spot_free(at);
    page_free(other);
}

/* Mapped for a device as well as for the host; taken apart in two steps (XSA-224). */
static void test_device(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc();
    mfn_t mfn = mfn_of(page);
    struct gnttab_map_grant_ref op;

    REQUIRE(ready());
    grant_set(REF, SELF, mfn, GTF_permit_access);
    REQUIRE(CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map | GNTMAP_device_map, &op),
                     GNTST_okay));
    CHECK_EQ(op.dev_bus_addr, mfn << 12);
    CHECK_EQ(unmap(op.handle, 0, (mfn << 12) + PAGE_SIZE), GNTST_bad_dev_addr);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    /* The handle lives, and of its host part nothing is left to do. */
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_EQ(unmap(op.handle, 0x1000, 0), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(unmap(op.handle, 0, mfn << 12), GNTST_okay);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    CHECK_EQ(unmap(op.handle, 0, mfn << 12), GNTST_bad_handle);
    grant_clear(REF);
    check_free(page);
    page_free(page);
    spot_free(at);
}

static void test_unmap_and_replace(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc(), *new = page_alloc();
    mfn_t new_mfn = mfn_of(new);
    struct gnttab_map_grant_ref op;
    struct gnttab_unmap_and_replace un;

    REQUIRE(ready());
    new[3] = 0x3333;
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access);
    REQUIRE(CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map, &op), GNTST_okay));
    un = (struct gnttab_unmap_and_replace){
        .host_addr = (uint64_t)at, .new_addr = 0x1000, .handle = op.handle};
    CHECK_RC(hv_grant_op(GNTTABOP_unmap_and_replace, &un, 1), 0);
    CHECK_EQ(un.status, GNTST_general_error);
    un.new_addr = (uint64_t) new;
    CHECK_RC(hv_grant_op(GNTTABOP_unmap_and_replace, &un, 1), 0);
    CHECK_EQ(un.status, GNTST_okay);
    /* `at` now shows what `new` showed, and `new` nothing. */
    CHECK_EQ(pte_mfn(pte_get(at)), new_mfn);
    CHECK_EQ(load64(at + 3), 0x3333);
    CHECK_EQ(pte_get(new), 0);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    un.handle = 12345;
    CHECK_RC(hv_grant_op(GNTTABOP_unmap_and_replace, &un, 1), 0);
    CHECK_EQ(un.status, GNTST_bad_handle);
    grant_clear(REF);
    CHECK_RC(page_set_writable(new), 0);
    spot_free(at); /* drops its mapping of `new` */
    check_free(page);
    check_free(new);
    page_free(page);
    page_free(new);
}

/* A mapped grant holds the frame: no page table can be made of it, and giving it back waits. */
static void test_holds_frame(void)
{
    uint64_t *page = page_alloc(), *at = spot_alloc();
    mfn_t mfn = mfn_of(page);
    struct gnttab_map_grant_ref op;

    REQUIRE(ready());
    grant_set(REF, SELF, mfn, GTF_permit_access);
    REQUIRE(CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map, &op), GNTST_okay));
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), -XEN_EINVAL);
    /* The owner drops its entry: the mapping stays good until it is unmapped. */
    WRITE_ONCE(grant_table[REF].flags, 0);
    store64(at, 0x77);
    CHECK_EQ(*(volatile uint64_t *)page, 0x77);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_RC(page_set_writable(page), 0);
    check_free(page);
    grant_clear(REF);

    /* The other way round: a page table is granted, and only read-only can it be mapped. */
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0);
    grant_set(REF, SELF, mfn, GTF_permit_access);
    map_fails(REF, SELF, (uint64_t)at, GNTMAP_host_map, GNTST_general_error);
    CHECK_EQ(map(REF, SELF, (uint64_t)at, GNTMAP_host_map | GNTMAP_readonly, &op), GNTST_okay);
    CHECK_EQ(unmap(op.handle, (uint64_t)at, 0), GNTST_okay);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(page_set_writable(page), 0);
    grant_clear(REF);
    page_free(page);
    spot_free(at);
}

/* One grant mapped many times and released in another order; every count comes back to zero. */
static void test_many(void)
{
    enum { N = 64 };
    static struct gnttab_map_grant_ref ops[N];
    static struct gnttab_unmap_grant_ref uns[N];
    static mfn_t own[N];
    uint64_t *page = page_alloc();
    char *at = page_alloc_many(N);
    unsigned int bad = 0;

    REQUIRE(ready());
    grant_set(REF, SELF, mfn_of(page), GTF_permit_access);
    for (unsigned int i = 0; i < N; i++) {
        own[i] = mfn_of(at + i * PAGE_SIZE);
        bad += hv_update_va_mapping(at + i * PAGE_SIZE, 0, UVMF_INVLPG) != 0;
        ops[i] =
            (struct gnttab_map_grant_ref){.host_addr = (uint64_t)(at + i * PAGE_SIZE),
                                          .flags = GNTMAP_host_map | (i & 1 ? GNTMAP_readonly : 0),
                                          .ref = REF,
                                          .dom = SELF};
    }
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, ops, N), 0);
    for (unsigned int i = 0; i < N; i++) {
        bad += ops[i].status != GNTST_okay;
        bad += load64(at + i * PAGE_SIZE) != 0;
        uns[N - 1 - i] =
            (struct gnttab_unmap_grant_ref){.host_addr = ops[i].host_addr, .handle = ops[i].handle};
    }
    CHECK_EQ(bad, 0);
    CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, uns, N), 0);
    for (unsigned int i = 0; i < N; i++) {
        bad += uns[i].status != GNTST_okay;
        bad += hv_update_va_mapping(at + i * PAGE_SIZE, pte_make(own[i], PTE_RW_FLAGS),
                                    UVMF_INVLPG) != 0;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    grant_clear(REF);
    check_free(page);
    page_free(page);
}

static int16_t copy(struct gnttab_copy *op)
{
    CHECK_RC(hv_grant_op(GNTTABOP_copy, op, 1), 0);
    return op->status;
}

static void test_copy(void)
{
    char *src = page_alloc(), *dst = page_alloc();
    struct gnttab_copy op = {.source = {.domid = SELF, .offset = 100, .u.ref = REF},
                             .dest = {.domid = DOMID_SELF, .offset = 200, .u.gmfn = mfn_of(dst)},
                             .len = 300,
                             .flags = GNTCOPY_source_gref};

    REQUIRE(ready());
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        src[i] = i * 7;
    grant_set(REF, SELF, mfn_of(src), GTF_permit_access | GTF_readonly);
    CHECK_EQ(copy(&op), GNTST_okay);
    CHECK(!memcmp(dst + 200, src + 100, 300));
    CHECK_EQ(dst[199], 0);
    CHECK_EQ(dst[500], 0);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access | GTF_readonly);
    /* Both by reference. */
    grant_set(REF + 1, SELF, mfn_of(dst), GTF_permit_access);
    op = (struct gnttab_copy){.source = {.domid = SELF, .u.ref = REF},
                              .dest = {.domid = SELF, .u.ref = REF + 1},
                              .len = PAGE_SIZE,
                              .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    CHECK_EQ(copy(&op), GNTST_okay);
    CHECK(!memcmp(dst, src, PAGE_SIZE));
    CHECK_EQ(grant_table[REF + 1].flags, GTF_permit_access);
    /* Neither. */
    memset(dst, 0, PAGE_SIZE);
    op = (struct gnttab_copy){.source = {.domid = DOMID_SELF, .u.gmfn = mfn_of(src)},
                              .dest = {.domid = DOMID_SELF, .u.gmfn = mfn_of(dst)},
                              .len = 64};
    CHECK_EQ(copy(&op), GNTST_okay);
    CHECK(!memcmp(dst, src, 64));
    CHECK_EQ(dst[64], 0);
    op.len = 0;
    CHECK_EQ(copy(&op), GNTST_okay);
    grant_clear(REF);
    grant_clear(REF + 1);
    check_free(src);
    check_free(dst);
    page_free(src);
    page_free(dst);
}

static void test_copy_refused(void)
{
    char *src = page_alloc(), *dst = page_alloc();
    struct gnttab_copy good = {.source = {.domid = SELF, .u.ref = REF},
                               .dest = {.domid = DOMID_SELF, .u.gmfn = mfn_of(dst)},
                               .len = 64,
                               .flags = GNTCOPY_source_gref},
                       op;

    REQUIRE(ready());
    memset(src, 0x5a, PAGE_SIZE);
    grant_set(REF, SELF, mfn_of(src), GTF_permit_access);
    op = good;
    op.source.offset = 4090;
    CHECK_EQ(copy(&op), GNTST_bad_copy_arg);
    op = good;
    op.dest.offset = 4090;
    CHECK_EQ(copy(&op), GNTST_bad_copy_arg);
    op = good;
    op.source.offset = 0xffff;
    op.len = 0xffff;
    CHECK_EQ(copy(&op), GNTST_bad_copy_arg);
    op = good;
    op.dest.offset = PAGE_SIZE;
    CHECK_EQ(copy(&op), GNTST_bad_copy_arg);
    op = good;
    op.len = PAGE_SIZE + 1;
    CHECK_EQ(copy(&op), GNTST_bad_copy_arg);
    op = good;
    op.source.u.ref = 0xffffffff;
    CHECK_EQ(copy(&op), GNTST_bad_gntref);
    op = good;
    op.source.u.ref = REF + 1; /* not granted */
    CHECK_EQ(copy(&op), GNTST_general_error);
    op = good;
    op.source.domid = 4321;
    CHECK_EQ(copy(&op), GNTST_bad_domain);
    op = good;
    op.dest.domid = 4321;
    CHECK_EQ(copy(&op), GNTST_bad_domain);
    op.dest.domid = SELF; /* a frame of one's own, but by number */
    CHECK_EQ(copy(&op), GNTST_permission_denied);
    op.source.offset = 4090; /* the frames are looked at before the range */
    op.dest.domid = DOMID_SELF;
    op.source.u.ref = 0xffffffff;
    CHECK_EQ(copy(&op), GNTST_bad_gntref);
    op = good;
    op.dest.u.gmfn = 0xfffffff;
    CHECK_EQ(copy(&op), GNTST_bad_page);
    op = good;
    op.dest.u.gmfn = 0xa0;
    CHECK_EQ(copy(&op), GNTST_bad_page);
    /* Into a page table: never. */
    op = good;
    op.dest.u.gmfn = pte_place_of(dst, 1).maddr >> 12;
    CHECK_EQ(copy(&op), GNTST_general_error);
    /* Into a read-only grant. */
    op = (struct gnttab_copy){.source = {.domid = DOMID_SELF, .u.gmfn = mfn_of(src)},
                              .dest = {.domid = SELF, .u.ref = REF + 1},
                              .len = 64,
                              .flags = GNTCOPY_dest_gref};
    grant_set(REF + 1, SELF, mfn_of(dst), GTF_permit_access | GTF_readonly);
    CHECK_EQ(copy(&op), GNTST_general_error);
    grant_clear(REF + 1);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        if (!CHECK_EQ(dst[i], 0))
            break;
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    grant_clear(REF);
    check_free(src);
    check_free(dst);
    page_free(src);
    page_free(dst);
}

/* One bad entry in a batch of copies does not stop the others. */
static void test_copy_batch(void)
{
    char *src = page_alloc(), *dst = page_alloc();
    static struct gnttab_copy ops[32];

    REQUIRE(ready());
    grant_set(REF, SELF, mfn_of(src), GTF_permit_access);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        src[i] = i ^ (i >> 8);
    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
        ops[i] = (struct gnttab_copy){
            .source = {.domid = SELF, .offset = i * 128, .u.ref = i == 9 ? REF + 5 : REF},
            .dest = {.domid = DOMID_SELF, .offset = i * 128, .u.gmfn = mfn_of(dst)},
            .len = 128,
            .flags = GNTCOPY_source_gref};
    CHECK_RC(hv_grant_op(GNTTABOP_copy, ops, ARRAY_SIZE(ops)), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        CHECK_EQ(ops[i].status, i == 9 ? GNTST_general_error : GNTST_okay);
        if (i != 9)
            CHECK(!memcmp(dst + i * 128, src + i * 128, 128));
    }
    grant_clear(REF);
    check_free(src);
    check_free(dst);
    page_free(src);
    page_free(dst);
}

static void test_swap(void)
{
    char *a = page_alloc(), *b = page_alloc(), *at = spot_alloc();
    struct gnttab_swap_grant_ref op = {.ref_a = REF, .ref_b = REF + 1};
    struct gnttab_map_grant_ref m;

    REQUIRE(ready());
    grant_set(REF, SELF, mfn_of(a), GTF_permit_access);
    grant_set(REF + 1, 7, mfn_of(b), GTF_permit_access | GTF_readonly);
    CHECK_RC(hv_grant_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(grant_table[REF].frame, mfn_of(b));
    CHECK_EQ(grant_table[REF].domid, 7);
    CHECK_EQ(grant_table[REF + 1].frame, mfn_of(a));
    op.ref_b = 0xffffffff;
    CHECK_RC(hv_grant_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    CHECK_EQ(op.status, GNTST_bad_gntref);
    /* A mapped entry cannot be swapped. */
    op.ref_b = REF + 1;
    CHECK_EQ(map(REF + 1, SELF, (uint64_t)at, GNTMAP_host_map, &m), GNTST_okay);
    CHECK_RC(hv_grant_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    CHECK_EQ(op.status, GNTST_eagain);
    CHECK_EQ(unmap(m.handle, (uint64_t)at, 0), GNTST_okay);
    grant_clear(REF);
    grant_clear(REF + 1);
    page_free(a);
    page_free(b);
    spot_free(at);
}

static void test_bad_calls(void)
{
    static const unsigned int ops[] = {GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref,
                                       GNTTABOP_copy, GNTTABOP_unmap_and_replace};

    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        CHECK_RC(hv_grant_op(ops[i], BAD_POINTER, 1), -XEN_EFAULT);
        CHECK_RC(hv_grant_op(ops[i], (void *)0x1000, 1), -XEN_EFAULT);
        CHECK_RC(hv_grant_op(ops[i], BAD_POINTER, 0x80000000), -XEN_EINVAL);
        CHECK_RC(hv_grant_op(ops[i], (void *)ops, 0xffffffff), -XEN_EINVAL);
        CHECK_RC(hv_grant_op(ops[i], (void *)ops, 0), 0);
    }
    CHECK_RC(hv_grant_op(99, BAD_POINTER, 1), -XEN_ENOSYS);
}

GUEST("grants", TEST(setup), TEST(version), TEST(map), TEST(readonly), TEST(map_refused),
      TEST(contains_pte), TEST(unmap_refused), TEST(device), TEST(unmap_and_replace),
      TEST(holds_frame), TEST(many), TEST(copy), TEST(copy_refused), TEST(copy_batch), TEST(swap),
      TEST(bad_calls));
