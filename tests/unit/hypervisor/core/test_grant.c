/* SPDX-License-Identifier: MIT */
/*
 * Grants: what a guest may map and copy, and that after everything is undone every reference is
 * where it was. The owner is domain 3, the user is dom0.
 */
#include <hv/grant.h>
#include <hv/softirq.h>
#include <hv/string.h>
#include <xen/grant_table.h>
#include <pthread.h>
#include <time.h>
#include "fake.h"
#include "tests.h"
#include "../../../../hypervisor/common/grant/gt.h"

static struct domain *owner, *user;
static mfn_t frame;
static struct grant_entry_v1 *table;

static void setup(void)
{
    fake_machine(1);
    user = fake_domain(0, 1, false);
    owner = fake_domain(3, 1, false);
    frame = fake_frame_of(owner);
    table = owner->grant->shared[0];
    fake_become(user->vcpu[0]);
}

static void teardown(void)
{
    fake_become(this_cpu()->idle);
    fake_kill(owner);
    fake_kill(user);
    fake_machine_down();
}

static void give(unsigned ref, domid_t to, mfn_t f, uint16_t flags)
{
    table[ref] = (struct grant_entry_v1){
        .flags = GTF_permit_access | flags, .domid = to, .frame = (uint32_t)f.m};
}

static struct gnttab_map_grant_ref map(unsigned ref, uint32_t flags, uint64_t addr)
{
    struct gnttab_map_grant_ref op = {.ref = ref, .dom = 3, .flags = flags, .host_addr = addr};

    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_map_grant_ref, PTR(&op), 1), 0);
    return op;
}

static int unmap(uint32_t handle, uint64_t addr, uint64_t dev)
{
    struct gnttab_unmap_grant_ref op = {.handle = handle, .host_addr = addr, .dev_bus_addr = dev};

    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_unmap_grant_ref, PTR(&op), 1), 0);
    return op.status;
}

static void map_and_unmap(void)
{
    struct gnttab_map_grant_ref m;
    uint64_t before;

    setup();
    before = fake_total_refs();
    give(8, 0, frame, 0);
    m = map(8, GNTMAP_host_map, 0x10000);
    CU_ASSERT_EQUAL(m.status, GNTST_okay);
    CU_ASSERT_EQUAL(m.dev_bus_addr, frame.m << PAGE_SHIFT);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 2);
    CU_ASSERT_EQUAL(fake_frames[frame.m].typed, 1);
    CU_ASSERT_EQUAL(unmap(m.handle, 0x20000, 0), GNTST_general_error); /* not there */
    CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 2);
    CU_ASSERT_EQUAL(unmap(m.handle, 0x10000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(fake_total_refs(), before);
    CU_ASSERT_EQUAL(fake_flush_refs, before + 2); /* the flush came before the references went */
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    CU_ASSERT_EQUAL(fake_nr_mappings(), 0);
    CU_ASSERT_EQUAL(unmap(m.handle, 0x10000, 0), GNTST_bad_handle);
    CU_ASSERT_EQUAL(unmap(0xffffffff, 0x10000, 0), GNTST_bad_handle);
    teardown();
}

static void readonly_and_writable(void)
{
    struct gnttab_map_grant_ref ro, rw;

    setup();
    give(8, 0, frame, GTF_readonly);
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x10000).status, GNTST_general_error);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access | GTF_readonly);
    ro = map(8, GNTMAP_host_map | GNTMAP_readonly, 0x10000);
    CU_ASSERT_EQUAL(ro.status, GNTST_okay);
    CU_ASSERT(fake_mapping_at(0x10000)->readonly);
    CU_ASSERT_EQUAL(fake_frames[frame.m].typed, 0);
    CU_ASSERT_EQUAL(unmap(ro.handle, 0x10000, 0), GNTST_okay);

    give(9, 0, frame, 0);
    ro = map(9, GNTMAP_host_map | GNTMAP_readonly, 0x10000);
    CU_ASSERT_EQUAL(table[9].flags, GTF_permit_access | GTF_reading);
    rw = map(9, GNTMAP_host_map, 0x11000);
    CU_ASSERT_EQUAL(table[9].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(unmap(rw.handle, 0x11000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(table[9].flags, GTF_permit_access | GTF_reading);
    CU_ASSERT_EQUAL(unmap(ro.handle, 0x10000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(table[9].flags, GTF_permit_access);
    /* a page table of the owner's: readable by others, never writable */
    fake_frames[frame.m].is_table = true;
    CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 0x10000).status, GNTST_general_error);
    CU_ASSERT_EQUAL(table[9].flags, GTF_permit_access);
    ro = map(9, GNTMAP_host_map | GNTMAP_readonly, 0x10000);
    CU_ASSERT_EQUAL(ro.status, GNTST_okay);
    CU_ASSERT_EQUAL(unmap(ro.handle, 0x10000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 1);
    teardown();
}

/* The entry's meaning is what it was when it was first pinned, whatever the owner writes into it
 * since. */
static void owner_changes_its_mind(void)
{
    struct gnttab_map_grant_ref m, n;
    mfn_t other;

    setup();
    other = fake_frame_of(owner);
    give(8, 0, frame, 0);
    m = map(8, GNTMAP_host_map | GNTMAP_readonly, 0x10000);
    give(8, 0, other, GTF_reading);
    n = map(8, GNTMAP_host_map | GNTMAP_readonly, 0x11000);
    CU_ASSERT_EQUAL(n.dev_bus_addr, frame.m << PAGE_SHIFT);
    n = map(8, GNTMAP_host_map, 0x12000);
    CU_ASSERT_EQUAL(n.dev_bus_addr, frame.m << PAGE_SHIFT);
    CU_ASSERT_EQUAL(unmap(n.handle, 0x12000, 0), GNTST_okay);
    table[8].domid = 5;
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x12000).status, GNTST_general_error);
    CU_ASSERT_EQUAL(unmap(m.handle, 0x10000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(unmap(m.handle + 1, 0x11000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 1);
    CU_ASSERT_EQUAL(fake_frames[other.m].refs, 1);
    teardown();
}

static void host_and_device(void)
{
    struct gnttab_map_grant_ref m;

    setup();
    give(8, 0, frame, 0);
    m = map(8, GNTMAP_host_map | GNTMAP_device_map, 0x10000);
    CU_ASSERT_EQUAL(m.status, GNTST_okay);
    CU_ASSERT_EQUAL(fake_frames[frame.m].typed, 1);
    CU_ASSERT_EQUAL(unmap(m.handle, 0, 0x123000), GNTST_bad_dev_addr);
    CU_ASSERT_EQUAL(unmap(m.handle, 0, m.dev_bus_addr), GNTST_okay);
    CU_ASSERT_EQUAL(fake_frames[frame.m].typed, 1);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(unmap(m.handle, 0, m.dev_bus_addr), GNTST_okay); /* nothing is left of it */
    CU_ASSERT_EQUAL(fake_frames[frame.m].typed, 1);
    CU_ASSERT_EQUAL(unmap(m.handle, 0x10000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 1);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    teardown();
}

static void refused(void)
{
    struct gnttab_map_grant_ref op = {.ref = 8, .dom = 99, .flags = GNTMAP_host_map};
    mfn_t mine;

    setup();
    mine = fake_frame_of(user);
    uint64_t before = fake_total_refs();
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x10000).status, GNTST_general_error); /* invalid */
    CU_ASSERT_EQUAL(map(512, GNTMAP_host_map, 0x10000).status, GNTST_bad_gntref);
    CU_ASSERT_EQUAL(map(0xffffffff, GNTMAP_host_map, 0x10000).status, GNTST_bad_gntref);
    give(8, 0, frame, 0);
    CU_ASSERT_EQUAL(map(8, GNTMAP_readonly, 0x10000).status, GNTST_bad_gntref);
    give(8, 4, frame, 0);
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x10000).status, GNTST_general_error);
    give(8, 0, mine, 0); /* a frame that is not the owner's */
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x10000).status, GNTST_general_error);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    table[8] = (struct grant_entry_v1){.flags = GTF_accept_transfer, .domid = 0};
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x10000).status, GNTST_general_error);
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_map_grant_ref, PTR(&op), 1), 0);
    CU_ASSERT_EQUAL(op.status, GNTST_bad_domain);
    give(8, 0, frame, 0);
    fake_map_fails = true; /* the PTE cannot be written: all is undone */
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x10000).status, GNTST_general_error);
    fake_map_fails = true;
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map | GNTMAP_device_map, 0x10000).status,
                    GNTST_general_error);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    CU_ASSERT_EQUAL(fake_total_refs(), before);
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_map_grant_ref, 16, 1), -EFAULT);
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_map_grant_ref, PTR(&op), 0x80000000), -EINVAL);
    CU_ASSERT_EQUAL(call(do_grant_table_op, 77, PTR(&op), 1), -ENOSYS);
    teardown();
}

/* More than one batch, preempted at every check; no memory for handles; handles used again. */
static void many(void)
{
    static struct gnttab_map_grant_ref m[64] __aligned_page;
    static struct gnttab_unmap_grant_ref u[64] __aligned_page; /* a batch does not cross pages */

    setup();
    this_cpu()->softirq_pending = 1u << SOFTIRQ_SCHEDULE;
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 64; i++) {
            give(8 + i, 0, frame, 0);
            m[i] = (struct gnttab_map_grant_ref){.ref = 8 + i,
                                                 .dom = 3,
                                                 .flags = GNTMAP_host_map,
                                                 .host_addr = 0x10000 + i * 4096UL};
        }
        CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_map_grant_ref, PTR(m), 64), 0);
        CU_ASSERT_EQUAL(fake_frames[frame.m].typed, 64);
        for (unsigned i = 0; i < 64; i++) {
            CU_ASSERT_EQUAL(m[i].status, GNTST_okay);
            u[i] =
                (struct gnttab_unmap_grant_ref){.handle = m[i].handle, .host_addr = m[i].host_addr};
        }
        u[40].handle = 9999;
        fake_flushes = 0;
        CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_unmap_grant_ref, PTR(u), 64), 0);
        CU_ASSERT_EQUAL(fake_flushes, 2);
        CU_ASSERT_EQUAL(u[40].status, GNTST_bad_handle);
        CU_ASSERT_EQUAL(u[41].status, GNTST_okay);
        CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 2);
        CU_ASSERT_EQUAL(unmap(m[40].handle, m[40].host_addr, 0), GNTST_okay);
    }
    CU_ASSERT(user->grant->nr_tracks <= TRACKS_PER_PAGE);
    this_cpu()->softirq_pending = 0;
    teardown();
}

/* (XSA-218) Two operations of one batch name one handle: the second finds nothing, however far the
 * first is. */
static void handle_twice(void)
{
    struct gnttab_unmap_grant_ref u[2];
    struct gnttab_map_grant_ref m;
    uint64_t before;

    setup();
    before = fake_total_refs();
    give(8, 0, frame, 0);
    m = map(8, GNTMAP_device_map, 0);
    CU_ASSERT_EQUAL(m.status, GNTST_okay);
    u[0] = u[1] =
        (struct gnttab_unmap_grant_ref){.handle = m.handle, .dev_bus_addr = m.dev_bus_addr};
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_unmap_grant_ref, PTR(u), 2), 0);
    CU_ASSERT_EQUAL(u[0].status, GNTST_okay);
    CU_ASSERT_EQUAL(u[1].status, GNTST_bad_handle);
    CU_ASSERT_EQUAL(fake_total_refs(), before);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    teardown();
}

/* (XSA-316) As many mappings as there are handles, and one more. */
static void handles_run_out(void)
{
    struct gnttab_map_grant_ref m;
    uint64_t before;
    unsigned n = 0;

    setup();
    before = fake_total_refs();
    give(8, 0, frame, 0);
    while ((m = map(8, GNTMAP_device_map, 0)).status == GNTST_okay)
        CU_ASSERT_EQUAL_FATAL(m.handle, n++);
    CU_ASSERT_EQUAL(m.status, GNTST_no_space);
    CU_ASSERT_EQUAL(n, user->grant->max_tracks);
    CU_ASSERT_EQUAL(fake_total_refs(), before + 2 * n);
    m.dev_bus_addr = mfn_to_maddr(frame);
    while (n-- > 0)
        CU_ASSERT_EQUAL(unmap(n, 0, m.dev_bus_addr), GNTST_okay);
    CU_ASSERT_EQUAL(fake_total_refs(), before);
    teardown();
}

/* (XSA-236) While its entry says that the frame is in use the owner waits; so it is said for as
 * long as that is true. */
static void still_said_to_be_used(mfn_t f)
{
    CU_ASSERT(!mfn_eq(f, frame) || (table[8].flags & GTF_reading));
}

static void reference_goes_first(void)
{
    struct gnttab_map_grant_ref m;

    setup();
    give(8, 0, frame, 0);
    for (unsigned i = 0; i < 2; i++) {
        m = map(8, GNTMAP_device_map | (i ? GNTMAP_readonly : 0), 0);
        fake_on_put = still_said_to_be_used;
        CU_ASSERT_EQUAL(unmap(m.handle, 0, m.dev_bus_addr), GNTST_okay);
        fake_on_put = NULL;
        CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    }
    teardown();
}

/* (XSA-380) However many there are, others get the CPU in between. */
static void mapper_dies(void)
{
    unsigned restarts = 0;

    setup();
    give(8, 0, frame, 0);
    give(9, 0, frame, 0);
    map(8, GNTMAP_host_map | GNTMAP_device_map, 0x10000);
    map(9, GNTMAP_host_map | GNTMAP_readonly, 0x11000);
    fake_become(this_cpu()->idle);
    this_cpu()->softirq_pending = 1u << SOFTIRQ_SCHEDULE;
    while (grant_release_mappings(user) == -HC_RESTART)
        restarts++;
    CU_ASSERT(restarts >= 2);
    this_cpu()->softirq_pending = 0;
    fake_kill(user);
    CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 1);
    CU_ASSERT_EQUAL(fake_frames[frame.m].typed, 0);
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    CU_ASSERT_EQUAL(table[9].flags, GTF_permit_access);
    user = fake_domain(0, 1, false);
    teardown();
}

/* The owner dies while we have its page: we keep both, and can still give it back. The page may be
 * one that the hypervisor shares with its owner, which is no memory of the owner's. */
static void owner_dies(void)
{
    struct gnttab_map_grant_ref m;

    setup();
    give(8, 0, frame, 0);
    m = map(8, GNTMAP_host_map, 0x10000);
    fake_kill(owner);
    CU_ASSERT_EQUAL(map(8, GNTMAP_host_map, 0x11000).status, GNTST_bad_domain);
    CU_ASSERT_EQUAL(unmap(m.handle, 0x10000, 0), GNTST_okay);
    CU_ASSERT_EQUAL(fake_frames[frame.m].refs, 1);
    CU_ASSERT_PTR_NULL(domain_get(3));
    owner = fake_domain(3, 1, false);
    teardown();
}

static int copy(struct gnttab_copy *op)
{
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_copy, PTR(op), 1), 0);
    return op->status;
}

static void copies(void)
{
    mfn_t mine;
    uint64_t before;

    setup();
    mine = fake_frame_of(user);
    before = fake_total_refs();
    give(8, 0, frame, 0);
    give(9, 0, frame, GTF_readonly);
    memcpy(fake_frames[mine.m].page + 100, "mullion", 8);
    struct gnttab_copy c = {.source = {.u.gmfn = mine.m, .domid = DOMID_SELF, .offset = 100},
                            .dest = {.u.ref = 8, .domid = 3, .offset = 4088},
                            .len = 8,
                            .flags = GNTCOPY_dest_gref};
    CU_ASSERT_EQUAL(copy(&c), GNTST_okay);
    CU_ASSERT_STRING_EQUAL(fake_frames[frame.m].page + 4088, "mullion");
    CU_ASSERT_EQUAL(table[8].flags, GTF_permit_access);
    c.len = 9;
    CU_ASSERT_EQUAL(copy(&c), GNTST_bad_copy_arg);
    c.len = 8;
    c.dest.u.ref = 9;
    CU_ASSERT_EQUAL(copy(&c), GNTST_general_error);
    c = (struct gnttab_copy){.source = {.u.ref = 9, .domid = 3, .offset = 4088},
                             .dest = {.u.gmfn = mine.m, .domid = DOMID_SELF, .offset = 0},
                             .len = 8,
                             .flags = GNTCOPY_source_gref};
    CU_ASSERT_EQUAL(copy(&c), GNTST_okay);
    CU_ASSERT_STRING_EQUAL(fake_frames[mine.m].page, "mullion");
    c.source = (struct gnttab_copy_ptr){.u.gmfn = frame.m, .domid = 3};
    c.flags = 0; /* another domain's frame by number, or by our own name */
    CU_ASSERT_EQUAL(copy(&c), GNTST_permission_denied);
    c.source.domid = DOMID_SELF;
    CU_ASSERT_EQUAL(copy(&c), GNTST_bad_page);
    c.source = (struct gnttab_copy_ptr){.u.gmfn = mine.m, .domid = DOMID_SELF};
    fake_frames[mine.m].is_table = true;
    CU_ASSERT_EQUAL(copy(&c), GNTST_general_error); /* not into a page table of ours */
    c.dest.domid = 99;
    CU_ASSERT_EQUAL(copy(&c), GNTST_bad_domain);
    CU_ASSERT_EQUAL(fake_total_refs(), before);
    teardown();
}

/* (XSA-318) Interrupted after each batch, a list is copied whole, and each operation has its own
 * status. */
static void many_copies(void)
{
    static struct gnttab_copy c[100] __aligned_page;
    mfn_t mine;
    uint64_t before;

    setup();
    mine = fake_frame_of(user);
    before = fake_total_refs();
    give(8, 0, frame, 0);
    for (unsigned i = 0; i < 100; i++) {
        fake_frames[mine.m].page[i] = (char)(i + 1);
        c[i] = (struct gnttab_copy){
            .source = {.u.gmfn = mine.m, .domid = DOMID_SELF, .offset = (uint16_t)i},
            .dest = {.u.ref = i == 70 ? 9 : 8, .domid = 3, .offset = (uint16_t)(2 * i)},
            .len = 1,
            .flags = GNTCOPY_dest_gref,
            .status = 77};
    }
    this_cpu()->softirq_pending = 1u << SOFTIRQ_SCHEDULE;
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_copy, PTR(c), 100), 0);
    this_cpu()->softirq_pending = 0;
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(c[i].status, i == 70 ? GNTST_general_error : GNTST_okay);
        CU_ASSERT_EQUAL(fake_frames[frame.m].page[2 * i], i == 70 ? 0 : (char)(i + 1));
    }
    CU_ASSERT_EQUAL(fake_total_refs(), before);
    teardown();
}

static void tables(void)
{
    xen_pfn_t frames[8] = {0};
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 3};
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    struct gnttab_set_version v = {.version = 2};
    struct gnttab_swap_grant_ref w = {.ref_a = 8, .ref_b = 9};

    setup();
    fake_become(owner->vcpu[0]);
    s.frame_list.p = frames;
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_setup_table, PTR(&s), 1), 0);
    CU_ASSERT_EQUAL(s.status, GNTST_okay);
    CU_ASSERT_EQUAL(frames[0], virt_to_mfn(table).m);
    CU_ASSERT(frames[2] && !frames[3]);
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_query_size, PTR(&q), 1), 0);
    CU_ASSERT_EQUAL(q.nr_frames, 3);
    CU_ASSERT_EQUAL(q.max_nr_frames, 4);
    s.nr_frames = 5;
    call(do_grant_table_op, GNTTABOP_setup_table, PTR(&s), 1);
    CU_ASSERT_EQUAL(s.status, GNTST_general_error);
    s = (struct gnttab_setup_table){.dom = 0, .nr_frames = 1};
    call(do_grant_table_op, GNTTABOP_setup_table, PTR(&s), 1);
    CU_ASSERT_EQUAL(s.status, GNTST_permission_denied);
    s.dom = 99;
    call(do_grant_table_op, GNTTABOP_setup_table, PTR(&s), 1);
    CU_ASSERT_EQUAL(s.status, GNTST_bad_domain);
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_set_version, PTR(&v), 1), -ENOSYS);
    v.version = 1;
    CU_ASSERT_EQUAL(call(do_grant_table_op, GNTTABOP_set_version, PTR(&v), 1), 0);

    give(8, 0, frame, 0);
    call(do_grant_table_op, GNTTABOP_swap_grant_ref, PTR(&w), 1);
    CU_ASSERT_EQUAL(w.status, GNTST_okay);
    CU_ASSERT_EQUAL(table[8].flags, 0);
    CU_ASSERT_EQUAL(table[9].frame, frame.m);
    fake_become(user->vcpu[0]);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map, 0x10000);
    fake_become(owner->vcpu[0]);
    call(do_grant_table_op, GNTTABOP_swap_grant_ref, PTR(&w), 1);
    CU_ASSERT_EQUAL(w.status, GNTST_eagain);
    fake_become(user->vcpu[0]);
    unmap(m.handle, 0x10000, 0);
    teardown();
}

/* The owner's other vCPU keeps rewriting the entry: a mapping gets one of its meanings, whole, or
 * fails; counts are exact. */
static _Atomic bool stop;

static void *spoiler(void *data)
{
    uint64_t *e = data, raw[4];

    raw[0] = *e;
    raw[1] = raw[0] ^ (3UL << 32); /* another frame */
    raw[2] = raw[0] | 9UL << 16;   /* another domain */
    raw[3] = raw[0] | GTF_readonly;
    for (unsigned i = 0; !stop; i++)
        __atomic_store_n(e, raw[i % 4], __ATOMIC_SEQ_CST);
    return NULL;
}

static void unstable_entry(void)
{
    pthread_t t;
    unsigned ok = 0;

    setup();
    for (unsigned i = 0; i < 8; i++)
        fake_frame_of(owner);
    uint64_t before = fake_total_refs();
    give(8, 0, frame, 0);
    stop = false;
    pthread_create(&t, NULL, spoiler, &table[8]);
    /* A busy machine may stop the other thread for long at a value that is refused. */
    time_t end = time(NULL) + 60;
    for (unsigned i = 0; i < 20000 || (!ok && time(NULL) < end); i++) {
        struct gnttab_map_grant_ref op = {
            .ref = 8, .dom = 3, .flags = GNTMAP_host_map, .host_addr = 0x10000};

        call(do_grant_table_op, GNTTABOP_map_grant_ref, PTR(&op), 1);
        if (op.status == GNTST_okay) {
            ok++;
            CU_ASSERT_EQUAL_FATAL(fake_total_refs(), before + 2);
            CU_ASSERT_EQUAL_FATAL(unmap(op.handle, 0x10000, 0), GNTST_okay);
        }
        CU_ASSERT_EQUAL_FATAL(fake_total_refs(), before);
    }
    stop = true;
    pthread_join(t, NULL);
    CU_ASSERT(ok > 0);
    teardown();
}

CU_TestInfo grant_tests[] = {
    {"map and unmap", map_and_unmap},
    {"read-only and writable", readonly_and_writable},
    {"the owner changes its mind", owner_changes_its_mind},
    {"host and device parts", host_and_device},
    {"what is refused", refused},
    {"many, preempted at every check", many},
    {"a handle twice in a batch", handle_twice},
    {"handles run out", handles_run_out},
    {"the reference goes before the sign", reference_goes_first},
    {"the mapper dies", mapper_dies},
    {"the owner dies", owner_dies},
    {"copies", copies},
    {"copies, preempted at every check", many_copies},
    {"tables, versions, swap", tables},
    {"an entry that does not stand still", unstable_entry},
    CU_TEST_INFO_NULL,
};
