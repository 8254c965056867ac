/* SPDX-License-Identifier: MIT */
/*
 * hostile_grants: THREATS 17–22, grants of an unprivileged child.
 *
 * How this guest would break the hypervisor: by making it hold pages for ever (it dies with
 * mappings, with handles, with the hypervisor's own shared pages granted to itself or registered as
 * its vcpu_info: 21), by dying with so many handles that the hypervisor is long busy with it (21),
 * by all of its vCPUs mapping, copying and unmapping one reference, and one handle, at once (20),
 * by unmapping in parts or otherwise than it mapped (18), by references, domains and entries that
 * there are not (19), and by an entry that changes while it is looked at (17, 22).
 */
#include <rt/attack.h>
#include <rt/test.h>

static domid_t me; /* set by dom0 */

static void say_who(struct child *c)
{
    domid_t *view = child_view(c, &me);

    *view = c->id;
    child_unview(view);
}

static struct gnttab_map_grant_ref map_of(unsigned int page, grant_ref_t ref, uint32_t flags)
{
    return (struct gnttab_map_grant_ref){
        .host_addr = (uint64_t)child_page(page), .flags = flags, .ref = ref, .dom = me};
}

static void empty(unsigned int page)
{
    CHECK_RC(hv_update_va_mapping(child_page(page), 0, UVMF_INVLPG), 0);
}

/* --- pages that the hypervisor shares: they are referenced like any other, and must come back ---
 */

static mfn_t shared_frame(unsigned int which)
{
    return which ? pte_mfn(pte_get(grant_table)) : start_info->shared_info >> 12;
}

static void die_with_shared_mapped(void)
{
    CHECK_RC(gnttab_init(), 0);
    for (unsigned int i = 0; i < 8; i++)
        CHECK_RC(hv_update_va_mapping(child_page(i), pte_make(shared_frame(i & 1), PTE_RW_FLAGS),
                                      UVMF_INVLPG),
                 0);
    CHECK_RC(hv_update_va_mapping(child_page(0), pte_make(shared_frame(1), PTE_RO_FLAGS), 0), 0);
}

static void die_with_shared_in_a_pinned_table(void)
{
    uint64_t *table = child_page(0);

    CHECK_RC(gnttab_init(), 0);
    for (unsigned int i = 0; i < 512; i++)
        table[i] = pte_make(shared_frame(i & 1), i & 2 ? PTE_RW_FLAGS : PTE_RO_FLAGS);
    CHECK_RC(page_set_readonly(table), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)), 0);
}

/* A table that is refused in its middle gives back what it took. */
static void die_with_shared_in_a_bad_table(void)
{
    uint64_t *table = child_page(0);

    CHECK_RC(gnttab_init(), 0);
    for (unsigned int i = 0; i < 512; i++)
        table[i] = pte_make(shared_frame(i & 1), i & 2 ? PTE_RW_FLAGS : PTE_RO_FLAGS);
    table[300] = pte_make(0xb8, PTE_RW_FLAGS);
    CHECK_RC(page_set_readonly(table), 0);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)) < 0);
}

static void die_with_shared_as_vcpu_info(void)
{
    struct vcpu_register_vcpu_info reg = {.offset = 1024};

    CHECK_RC(gnttab_init(), 0);
    for (unsigned int v = 1; v < 3; v++) {
        reg.mfn = shared_frame(v & 1);
        CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, v, &reg), 0);
    }
}

static void die_with_shared_granted(void)
{
    CHECK_RC(gnttab_init(), 0);
    for (unsigned int i = 0; i < 8; i++) {
        struct gnttab_map_grant_ref map = map_of(i, 8 + i,
                                                 GNTMAP_host_map | (i & 2 ? GNTMAP_device_map : 0) |
                                                     (i & 4 ? GNTMAP_readonly : 0));

        empty(i);
        grant_set(8 + i, me, shared_frame(i & 1), GTF_permit_access);
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    }
}

static void copy_shared(void)
{
    CHECK_RC(gnttab_init(), 0);
    for (unsigned int i = 0; i < 8; i++) {
        struct gnttab_copy copy = {
            .source = {.domid = DOMID_SELF, .u.gmfn = shared_frame(i & 1)},
            .dest = {.domid = DOMID_SELF,
                     .u.gmfn = i & 2 ? shared_frame(1) : mfn_of(child_page(1))},
            .len = 8};

        copy.source.offset = copy.dest.offset = 4000;
        CHECK_RC(hv_grant_op(GNTTABOP_copy, &copy, 1), 0);
    }
}

/* --- handles --- */

static void die_with_handles(void)
{
    CHECK_RC(gnttab_init(), 0);
    for (unsigned int i = 0; i < 8; i++) {
        struct gnttab_map_grant_ref map = map_of(i, 8 + i,
                                                 GNTMAP_host_map | (i & 2 ? GNTMAP_device_map : 0) |
                                                     (i & 4 ? GNTMAP_readonly : 0));

        empty(i);
        grant_set(8 + i, me, mfn_of(child_page(8 + i)), GTF_permit_access);
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        CHECK_EQ(map.status, GNTST_okay);
        CHECK_EQ(grant_table[8 + i].flags & GTF_reading, GTF_reading);
    }
}

/* (XSA-224, XSA-234) Each part is unmapped once, as what it was mapped as. */
static void parts(void)
{
    CHECK_RC(gnttab_init(), 0);
    grant_set(8, me, mfn_of(child_page(8)), GTF_permit_access);
    for (unsigned int readonly = 0; readonly < 2; readonly++) {
        struct gnttab_map_grant_ref map =
            map_of(0, 8, GNTMAP_host_map | GNTMAP_device_map | (readonly ? GNTMAP_readonly : 0));
        struct gnttab_unmap_grant_ref unmap = {0};

        empty(0);
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        CHECK_EQ(map.status, GNTST_okay);
        unmap.handle = map.handle;
        unmap.host_addr = map.host_addr;
        CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        CHECK_EQ(unmap.status, GNTST_okay);
        CHECK(grant_table[8].flags & GTF_reading); /* the device's part holds it */
        unmap.host_addr = 0;
        unmap.dev_bus_addr = map.dev_bus_addr;
        CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        CHECK_EQ(unmap.status, GNTST_okay);
        CHECK_EQ(grant_table[8].flags, GTF_permit_access);
        CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        CHECK(unmap.status < 0);
    }
}

/* (XSA-227, XSA-316) Places and references that there are not: a negative status. */
static void not_there(void)
{
    static const grant_ref_t refs[] = {GRANT_ENTRIES, 0x7fffffff, 0xffffffff, 0x10000};
    static const domid_t doms[] = {0x7fef, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff};
    maddr_t entry = pte_place_of(child_page(0), 1).maddr;

    CHECK_RC(gnttab_init(), 0);
    grant_set(8, me, mfn_of(child_page(8)), GTF_permit_access);
    empty(0);
    for (unsigned int i = 0; i < ARRAY_SIZE(refs); i++) {
        struct gnttab_map_grant_ref map = map_of(0, refs[i], GNTMAP_host_map);

        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        CHECK(map.status < 0);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(doms); i++) {
        struct gnttab_map_grant_ref map = map_of(0, 8, GNTMAP_host_map);

        map.dom = doms[i];
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        CHECK(map.status < 0);
    }
    for (unsigned int off = 1; off < 8; off++) {
        struct gnttab_map_grant_ref map = map_of(0, 8, GNTMAP_host_map | GNTMAP_contains_pte);

        map.host_addr = entry + off;
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        CHECK(map.status < 0);
    }
    CHECK_EQ(grant_table[8].flags, GTF_permit_access);
}

/* The mark of a grant's entry (bit 62), which owns no reference, set by the guest while it changes
 * the rights: the entry's own references would be lost with it. */
static void forge_mark(void)
{
    const uint64_t mark = 1ull << 62;

    for (unsigned int i = 0; i < 4; i++) {
        mfn_t m = mfn_of(child_page(8 + i));
        uint64_t from = i & 1 ? PTE_RO_FLAGS : PTE_RW_FLAGS;
        uint64_t to = i & 1 ? PTE_RW_FLAGS : PTE_RO_FLAGS;
        long rc;

        CHECK_RC(hv_update_va_mapping(child_page(i), pte_make(m, from), UVMF_INVLPG), 0);
        rc = i & 2 ? mmu_write(pte_place_of(child_page(i), 1).maddr, pte_make(m, to | mark))
                   : hv_update_va_mapping(child_page(i), pte_make(m, to | mark), UVMF_INVLPG);
        CHECK(rc == 0 || rc == -XEN_EINVAL);
        CHECK_RC(hv_update_va_mapping(child_page(i), 0, UVMF_INVLPG), 0);
        CHECK_RC(hv_update_va_mapping(child_page(8 + i), 0, UVMF_INVLPG), 0);
    }
}

/* --- 17, 22: the owner's other vCPU never lets the entry stand still --- */

static volatile uint32_t over;

static void flip_entry(void)
{
    for (unsigned int i = 0; !over; i++) {
        grant_table[8].domid = i & 1 ? me : 0;
        grant_table[8].frame = mfn_of(child_page(8 + (i & 3)));
        __atomic_fetch_xor(&grant_table[8].flags, GTF_readonly, __ATOMIC_SEQ_CST);
    }
}

static void map_flipping_entry(void)
{
    unsigned int mapped = 0;

    CHECK_RC(gnttab_init(), 0);
    grant_set(8, me, mfn_of(child_page(8)), GTF_permit_access);
    empty(0);
    CHECK_RC(vcpu_start(1, flip_entry), 0);
    for (unsigned int i = 0; i < 20000; i++) {
        struct gnttab_map_grant_ref map =
            map_of(0, 8, GNTMAP_host_map | (i & 1 ? GNTMAP_readonly : 0));
        struct gnttab_unmap_grant_ref unmap = {.host_addr = map.host_addr};
        bool own = false;

        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        if (map.status != GNTST_okay)
            continue;
        mapped++;
        for (unsigned int p = 8; p < 12; p++)
            own |= map.dev_bus_addr == mfn_of(child_page(p)) << 12;
        CHECK(own);
        CHECK_EQ(pte_mfn(pte_get(child_page(0))), map.dev_bus_addr >> 12);
        unmap.handle = map.handle;
        CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        CHECK_EQ(unmap.status, GNTST_okay);
    }
    over = 1;
    CHECK(mapped > 0);
}

/* --- 20: all vCPUs on one reference, and on one handle --- */

#define ALONE       400  /* times that each vCPU maps, copies and unmaps */
#define TOGETHER    2000 /* handles that all of them unmap, or as many as */
#define TOGETHER_NS 2000000000
#define ROUNDS_OVER ~0u

static struct {
    volatile uint32_t bad, ready, arrived, wins, round;
    volatile uint32_t handle;
} one;

static void on_one_reference(unsigned int v)
{
    for (unsigned int i = 0; i < ALONE; i++) {
        struct gnttab_map_grant_ref map =
            map_of(v, 8, GNTMAP_host_map | (i & 1 ? GNTMAP_readonly : 0));
        struct gnttab_unmap_grant_ref unmap = {.host_addr = map.host_addr};
        struct gnttab_copy copy = {
            .source = {.domid = me, .u.ref = 8},
            .dest = {.domid = DOMID_SELF, .u.gmfn = mfn_of(child_page(4 + v))},
            .len = 64,
            .flags = GNTCOPY_source_gref};

        hv_grant_op(GNTTABOP_map_grant_ref, &map, 1);
        hv_grant_op(GNTTABOP_copy, &copy, 1);
        unmap.handle = map.handle;
        hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
        if (map.status || copy.status || unmap.status)
            __atomic_fetch_add(&one.bad, 1, __ATOMIC_SEQ_CST);
    }
}

/* Awake, so that all go on at the same moment, unless another vCPU needs the CPU for that. */
static void wait_a_little(unsigned int turn)
{
    if (turn % 256)
        cpu_relax();
    else
        sched_yield();
}

static bool unmap_it(void)
{
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (uint64_t)child_page(0),
                                           .handle = one.handle};

    hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    return unmap.status == GNTST_okay;
}

/* Each round all unmap the same handle, as soon as they see it: one of them does. */
static void unmap_with_others(void)
{
    for (uint32_t seen = 0;;) {
        uint32_t now;

        for (unsigned int i = 1; (now = __atomic_load_n(&one.round, __ATOMIC_ACQUIRE)) == seen; i++)
            wait_a_little(i);
        if (now == ROUNDS_OVER)
            return;
        seen = now;
        __atomic_fetch_add(&one.wins, unmap_it(), __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&one.arrived, 1, __ATOMIC_SEQ_CST);
    }
}

static void map_for_all(unsigned int n)
{
    uint64_t end = time_ns() + TOGETHER_NS;

    for (uint32_t r = 1; r <= TOGETHER && time_ns() < end; r++) {
        struct gnttab_map_grant_ref map = map_of(0, 8, GNTMAP_host_map);

        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        CHECK_EQ(map.status, GNTST_okay);
        one.handle = map.handle;
        one.wins = one.arrived = 0;
        __atomic_store_n(&one.round, r, __ATOMIC_RELEASE);
        __atomic_fetch_add(&one.wins, unmap_it(), __ATOMIC_SEQ_CST);
        for (unsigned int i = 1; one.arrived != n - 1; i++)
            wait_a_little(i);
        CHECK_EQ(one.wins, 1);
        CHECK_EQ(grant_table[8].flags, GTF_permit_access);
    }
    one.round = ROUNDS_OVER;
}

/* A handle that is all vCPUs' own only once nobody maps by himself any more: else its number may be
 * another mapping's by the time it is unmapped. */
static void on_one_reference_all(unsigned int n)
{
    on_one_reference(vcpu_id());
    __atomic_fetch_add(&one.ready, 1, __ATOMIC_SEQ_CST);
    for (unsigned int i = 1; one.ready != n; i++)
        wait_a_little(i);
}

static void other_racer(void)
{
    on_one_reference_all(vcpu_max());
    unmap_with_others();
}

static void all_on_one(void)
{
    unsigned int n = vcpu_max();
    void *page = child_page(8);

    CHECK_RC(gnttab_init(), 0);
    grant_set(8, me, mfn_of(page), GTF_permit_access);
    for (unsigned int v = 0; v < n; v++)
        empty(v);
    for (unsigned int v = 1; v < n; v++)
        CHECK_RC(vcpu_start(v, other_racer), 0);
    on_one_reference_all(n);
    CHECK_EQ(one.bad, 0);
    CHECK_EQ(grant_table[8].flags, GTF_permit_access);
    map_for_all(n);
    /* Nothing refers to it any more. */
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(table_make(page, 1), 0);
    CHECK_RC(table_release(page), 0);
}

/* --- 21: 64 Ki handles --- */

#define HANDLES       65536
#define HANDLE_FRAMES (HANDLES / 256)
#define MAPS_OF_ONE   240 /* of a reference: below what its pins can count */
#define FIRST_REF     8
#define LAST_REF      (FIRST_REF + (HANDLES - 1) / MAPS_OF_ONE)

static volatile uint32_t handles;

/* Of dom0's page, without an entry for each: the device's part is a handle too. */
static void take_handles(void)
{
    static struct gnttab_map_grant_ref map[16];

    while (handles < HANDLES) {
        for (unsigned int i = 0; i < ARRAY_SIZE(map); i++)
            map[i] = (struct gnttab_map_grant_ref){.flags = GNTMAP_device_map |
                                                            (i & 1 ? GNTMAP_readonly : 0),
                                                   .ref = FIRST_REF + (handles + i) / MAPS_OF_ONE};
        if (!CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, map, ARRAY_SIZE(map)), 0))
            return;
        for (unsigned int i = 0; i < ARRAY_SIZE(map); i++)
            if (!CHECK_EQ(map[i].status, GNTST_okay))
                return;
        handles += ARRAY_SIZE(map);
    }
    /* One more there is not. */
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, map, 1), 0);
    CHECK(map[0].status < 0);
}

/* dom0's second vCPU asks what waits for the lock of the call that destroys: while some of the
 * handles are gone and others are not, answers come only if that call lets go of it. */
static volatile uint32_t meanwhile, stop;

static bool half_gone(void)
{
    return READ_ONCE(grant_table[FIRST_REF].flags) == GTF_permit_access &&
           READ_ONCE(grant_table[LAST_REF].flags) & GTF_reading;
}

static void ask(void)
{
    while (!stop) {
        struct xen_domctl d = {0};
        bool was = half_gone();

        CHECK_RC(domctl(&d, XEN_DOMCTL_getvcpuinfo, neighbour_id()), 0);
        meanwhile += was && half_gone();
    }
    stop = 2;
}

static void mapper_dies(void)
{
    void *page = page_alloc();
    volatile uint32_t *view;
    static struct child c;

    REQUIRE(CHECK_RC(child_build_large(&c, take_handles, 1, HANDLE_FRAMES), 0) &&
            CHECK_RC(child_set_context(&c), 0));
    for (grant_ref_t ref = FIRST_REF; ref <= LAST_REF; ref++)
        grant_set(ref, c.id, mfn_of(page), GTF_permit_access);
    CHECK_RC(child_run(&c), 0);
    CHECK_EQ(child_wait_ns(&c, 20000000000), SHUTDOWN_poweroff);
    child_absorb_console(&c);
    view = child_view(&c, (void *)&handles);
    CHECK_EQ(*view, HANDLES);
    child_unview((void *)view);
    CHECK_EQ(grant_table[FIRST_REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_RC(child_destroy(&c), 0);
    for (grant_ref_t ref = FIRST_REF; ref <= LAST_REF; ref++) {
        CHECK_EQ(grant_table[ref].flags, GTF_permit_access);
        grant_clear(ref);
    }
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), 0);
    CHECK_RC(page_set_writable(page), 0);
    page_free(page);
}

static void test_many_handles(void)
{
    struct vcpu_set_periodic_timer often = {.period_ns = 1000000}; /* and so the call looks up */
    struct baseline before;

    if (!cmdline_number("handles", 0)) {
        test_skip("handles=1 is not on the command line: a machine that counts time in instructions");
        return;
    }
    REQUIRE(CHECK_RC(gnttab_init(), 0));
    baseline_take(&before); /* starts the neighbour */
    REQUIRE(CHECK_RC(vcpu_start(1, ask), 0));
    CHECK_RC(hv_vcpu_op(VCPUOP_set_periodic_timer, 0, &often), 0);
    mapper_dies(); /* the first time dom0 gets pages for its table that it keeps */
    baseline_take(&before);
    mapper_dies();
    CHECK(meanwhile > 0);
    CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    for (stop = 1; stop != 2;)
        cpu_relax();
    neighbour_check();
    baseline_check(&before);
}

static void test_shared_pages(void)
{
    static const struct attack attacks[] = {
        {"mapped", die_with_shared_mapped, .prepare = say_who},
        {"in a pinned table", die_with_shared_in_a_pinned_table, .prepare = say_who},
        {"in a table that is refused", die_with_shared_in_a_bad_table, .prepare = say_who},
        {"as vcpu_info", die_with_shared_as_vcpu_info, .prepare = say_who},
        {"granted to itself", die_with_shared_granted, .prepare = say_who},
        {"copied", copy_shared, .prepare = say_who},
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(attacks); i++)
        attack_all(&attacks[i], 1, 3);
}

static void test_handles(void)
{
    static const struct attack attacks[] = {
        {"dies with handles", die_with_handles, .prepare = say_who},
        {"unmaps in parts", parts, .prepare = say_who},
        {"what is not there", not_there, .prepare = say_who},
        {"a forged mark", forge_mark, .prepare = say_who},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_flipping(void)
{
    static const struct attack attacks[] = {
        {"an entry that changes", map_flipping_entry, .prepare = say_who},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 2);
}

static void test_racing(void)
{
    static const struct attack attacks[] = {
        {"all vCPUs on one reference", all_on_one, .prepare = say_who},
    };

    for (unsigned int vcpus = 2; vcpus <= MAX_VCPUS; vcpus++)
        attack_all(attacks, ARRAY_SIZE(attacks), vcpus);
}

GUEST("hostile_grants", TEST(shared_pages), TEST(handles), TEST(flipping), TEST(racing),
      TEST(many_handles));
