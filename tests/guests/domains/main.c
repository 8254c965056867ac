/* SPDX-License-Identifier: MIT */
/*
 * domains: what one domain can do to another, and to itself, without taking anyone along.
 *
 * How a guest would break the hypervisor: dom0 is this test, the attacker is a child domain. It
 * asks for every privileged call, maps frames that are not its own, grants and closes and dies while the other side still uses what it gave. After each
 * the hypervisor and dom0 are alive, the child is crashed with a reason or told an errno, and every
 * page comes back.
 */
#include <rt/child.h>
#include <rt/test.h>
#include <xen/io/console.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

/* Written by the child in its copy, read by dom0 through child_view(). */
static struct {
    volatile uint32_t stage;
    volatile long rc[64];
    volatile uint64_t value[16];
} box PAGE_ALIGNED;

static uint64_t free_pages(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    uint64_t end = time_ns() + 3000000000, now = 0, last;
    unsigned int same = 0;

    do {
        last = now;
        CHECK_RC(hv_sysctl(&op), 0);
        now = op.u.physinfo.free_pages;
        same = now == last ? same + 1 : 0;
        sched_poll(NULL, 0, time_ns() + 10000000);
    } while (same < 10 && time_ns() < end);
    return now;
}

/* Runs a child to its end; its box is copied into ours. */
static bool run_child(void (*fn)(void), unsigned int expected)
{
    struct child c;
    void *view;
    bool ok;

    memset(&box, 0, sizeof(box));
    if (!CHECK_RC(child_create(&c, fn), 0) || !CHECK_RC(child_run(&c), 0))
        return false;
    ok = CHECK_EQ(child_wait(&c), expected);
    view = child_view(&c, &box);
    memcpy(&box, view, sizeof(box));
    child_unview(view);
    return CHECK_RC(child_destroy(&c), 0) && ok;
}

/* Everything that only dom0 may do. */
static mfn_t parents_frame;

static void try_privileges(void)
{
    struct xen_domctl d = {.cmd = XEN_DOMCTL_getdomaininfo,
                           .interface_version = XEN_DOMCTL_INTERFACE_VERSION};
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_physinfo,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    struct xen_platform_op p = {.cmd = XENPF_firmware_info,
                                .interface_version = XENPF_INTERFACE_VERSION};
    struct physdev_set_iopl iopl = {.iopl = 1};
    struct sched_remote_shutdown shut = {.domain_id = 0, .reason = SHUTDOWN_poweroff};
    struct xen_memory_domain mem = {.domid = 0};
    struct xen_memory_reservation res = {.nr_extents = 1, .domid = 0};
    struct xen_memory_map map = {.nr_entries = 1};
    xen_pfn_t extent = 0x200;
    evtchn_port_t port;
    struct evtchn_status st;
    mmu_update_t req = {.ptr = pte_place_of(&box, 1).maddr,
                        .val = pte_make(parents_frame, PTE_RO_FLAGS)};
    unsigned int n = 0;

    set_xen_guest_handle(res.extent_start, &extent);
    set_xen_guest_handle(map.buffer, (void *)child_page(0));
    box.rc[n++] = hv_domctl(&d);
    d.cmd = XEN_DOMCTL_destroydomain;
    box.rc[n++] = hv_domctl(&d);
    box.rc[n++] = hv_sysctl(&s);
    box.rc[n++] = hypercall1(__HYPERVISOR_platform_op, &p);
    box.rc[n++] = hv_sched_op(SCHEDOP_remote_shutdown, &shut);
    box.rc[n++] = event_bind_virq(VIRQ_DOM_EXC, 0, &port);
    box.rc[n++] = event_status(0, 1, &st);
    box.rc[n++] = event_alloc_unbound(0, DOMID_SELF, &port);
    box.rc[n++] = hv_memory_op(XENMEM_current_reservation, &mem);
    box.rc[n++] = hv_memory_op(XENMEM_machine_memory_map, &map);
    box.rc[n++] = hv_mmu_update(&req, 1, NULL, 0);
    box.rc[n++] = hv_mmu_update(&req, 1, NULL, DOMID_SELF);
    box.rc[n++] = hv_mmu_update(&req, 1, NULL, DOMID_IO);
    box.rc[n++] = hv_mmu_update(&req, 1, NULL, DOMID_XEN);
    box.rc[n++] = hv_memory_op(XENMEM_populate_physmap, &res);
    box.rc[n++] = hv_memory_op(XENMEM_decrease_reservation, &res);
    box.value[1] = CATCH(__asm__ volatile("inb $0x61, %%al" ::: "eax")) != NULL;
    box.rc[n++] = hv_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    /* With IOPL the instruction is let through, and reaches nothing. */
    CATCH(__asm__ volatile("outb %%al, $0x80" : : "a"(0)));
    CATCH(__asm__ volatile("inl %%dx, %%eax; mov %%rax, %0"
                           : "=m"(box.value[2])
                           : "d"(0x1f0), "a"(0)));
    window_map(pte_make(0xb8, PTE_RW_FLAGS), (long *)&box.rc[n++]);
    window_map(pte_make(0, PTE_RO_FLAGS), (long *)&box.rc[n++]);
    box.rc[n++] = mmuext(MMUEXT_FLUSH_CACHE, 0);
    box.stage = n;
}

static void test_privileges(void)
{
    static const struct {
        const char *what;
        long rc;
    } want[] = {
        {"getdomaininfo of dom0", -XEN_EPERM},
        {"destroydomain of dom0", -XEN_EPERM},
        {"sysctl", -XEN_EPERM},
        {"platform_op", -XEN_EPERM},
        {"remote_shutdown of dom0", -XEN_EPERM},
        {"VIRQ_DOM_EXC", 0}, /* anyone may bind it; only dom0 gets it */
        {"evtchn_status of dom0", -XEN_EPERM},
        {"alloc_unbound in dom0", -XEN_EPERM},
        {"current_reservation of dom0", -XEN_EPERM},
        {"machine_memory_map", -XEN_EPERM},
        {"mapping dom0's frame as dom0's", -XEN_EPERM},
        {"mapping dom0's frame as one's own", -XEN_EBUSY},
        {"mapping dom0's frame as I/O", -XEN_EBUSY},
        {"mapping dom0's frame as Xen's", -XEN_EPERM},
        {"populate dom0", 0},
        {"decrease dom0", 0},
        {"set_iopl", 0},
        {"mapping VGA memory", -XEN_EPERM},
        {"mapping frame 0", -XEN_EPERM},
        {"FLUSH_CACHE", -XEN_EACCES},
    };

    parents_frame = mfn_of(page_alloc());
    if (!run_child(try_privileges, SHUTDOWN_poweroff))
        return;
    REQUIRE(CHECK_EQ(box.stage, ARRAY_SIZE(want)));
    for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
        if (!CHECK_RC(box.rc[i], want[i].rc))
            printf("  %s\n", want[i].what);
    CHECK_EQ(box.value[1], 1); /* a fault without IOPL */
    CHECK_EQ(box.value[2], 0xffffffff);
}

/* Memory given to a new domain was somebody's: it must not show. */
static void look_at_free_pages(void)
{
    unsigned int dirty = 0;

    for (unsigned int i = 0; i < CHILD_FREE_PAGES; i++)
        for (unsigned int j = 0; j < 512; j++)
            dirty += ((uint64_t *)child_page(i))[j] != 0;
    box.value[0] = dirty;
    for (unsigned int i = 0; i < CHILD_FREE_PAGES; i++)
        memset(child_page(i), 0xa5, PAGE_SIZE);
}

static void test_scrubbed(void)
{
    for (unsigned int i = 0; i < 4; i++) {
        if (!run_child(look_at_free_pages, SHUTDOWN_poweroff))
            return;
        CHECK_EQ(box.value[0], 0);
    }
}

/* An event each way: dom0's unbound port, the child's binding. */
static evtchn_port_t parents_port;

static void answer_events(void)
{
    evtchn_port_t port;

    box.rc[0] = event_bind_interdomain(0, parents_port, &port);
    event_count[port] = 0;
    event_unmask(port);
    for (uint32_t i = 0; i < 50; i++) {
        while (event_count[port] <= i)
            sched_block();
        box.rc[1] = event_send(port);
    }
    events_disable();
    box.value[0] = event_count[port];
    box.rc[2] = event_bind_interdomain(0, parents_port, &port); /* taken already */
}

static void test_events(void)
{
    struct child c;
    evtchn_port_t port;
    struct evtchn_status st;
    void *view;

    memset(&box, 0, sizeof(box));
    REQUIRE(CHECK_RC(child_build(&c, answer_events), 0));
    REQUIRE(CHECK_RC(event_alloc_unbound(DOMID_SELF, c.id, &port), 0));
    event_clear(port);
    view = child_view(&c, &parents_port);
    *(evtchn_port_t *)view = port;
    child_unview(view);
    REQUIRE(CHECK_RC(child_set_context(&c), 0) && CHECK_RC(child_run(&c), 0));
    /* Nobody is there yet: what we send is lost until it binds. */
    while (event_status(DOMID_SELF, port, &st) == 0 && st.status == EVTCHNSTAT_unbound)
        sched_poll(NULL, 0, time_ns() + 1000000);
    CHECK_EQ(st.status, EVTCHNSTAT_interdomain);
    CHECK_EQ(st.u.interdomain.dom, c.id);
    for (unsigned int i = 0; i < 50; i++) {
        CHECK_RC(sched_poll(&port, 1, time_ns() + 3000000000), 0);
        if (!CHECK(event_is_pending(port)))
            break;
        event_clear(port);
        if (i < 49)
            CHECK_RC(event_send(port), 0);
    }
    CHECK_EQ(child_wait(&c), SHUTDOWN_poweroff);
    view = child_view(&c, &box);
    memcpy(&box, view, sizeof(box));
    child_unview(view);
    CHECK_RC(box.rc[0], 0);
    CHECK_RC(box.rc[1], 0);
    CHECK_EQ(box.value[0], 50);
    CHECK_RC(box.rc[2], -XEN_EINVAL);
    /* The other end dies: the port is unbound again, and ours to close. */
    CHECK_RC(child_destroy(&c), 0);
    CHECK_RC(event_status(DOMID_SELF, port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_unbound);
    CHECK_RC(event_send(port), 0);
    CHECK_RC(event_close(port), 0);
}

/* The child grants three pages to dom0: one writable, one read-only, one that it takes back. */
static void grant_and_wait(void)
{
    box.rc[0] = gnttab_init();
    for (unsigned int i = 0; i < 3; i++) {
        *(uint64_t *)child_page(i) = 0x1000 + i;
        grant_set(8 + i, 0, mfn_of(child_page(i)), GTF_permit_access | (i == 1 ? GTF_readonly : 0));
    }
    box.stage = 1;
    while (box.stage != 2)
        sched_yield();
    box.value[0] = *(volatile uint64_t *)child_page(0);
    box.value[1] = grant_table[8].flags;
    WRITE_ONCE(grant_table[10].flags, 0);
    box.stage = 3;
    while (box.stage != 4)
        sched_yield();
}

static bool wait_stage(volatile uint32_t *stage, uint32_t value)
{
    uint64_t end = time_ns() + 5000000000;

    while (*stage != value && time_ns() < end)
        sched_poll(NULL, 0, time_ns() + 1000000);
    return CHECK_EQ(*stage, value);
}

static void use_grants(void)
{
    struct child c;
    struct gnttab_map_grant_ref map[3];
    struct gnttab_unmap_grant_ref unmap[3];
    struct gnttab_copy copy;
    uint64_t *at[3];
    volatile uint32_t *stage;
    struct xen_domctl op = {0};

    memset(&box, 0, sizeof(box));
    REQUIRE(CHECK_RC(child_create(&c, grant_and_wait), 0) && CHECK_RC(child_run(&c), 0));
    stage = child_view(&c, (void *)&box.stage);
    REQUIRE(wait_stage(stage, 1));
    for (unsigned int i = 0; i < 3; i++) {
        at[i] = page_alloc();
        CHECK_RC(hv_update_va_mapping(at[i], 0, UVMF_INVLPG), 0);
        map[i] =
            (struct gnttab_map_grant_ref){.host_addr = (uint64_t)at[i],
                                          .flags = GNTMAP_host_map | (i == 1 ? GNTMAP_readonly : 0),
                                          .ref = 8 + i,
                                          .dom = c.id};
    }
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, map, 3), 0);
    for (unsigned int i = 0; i < 3; i++) {
        REQUIRE(CHECK_EQ(map[i].status, GNTST_okay));
        CHECK_EQ(load64(at[i]), 0x1000 + i);
    }
    store64(at[0], 0xabcdef);
    CHECK_TRAP(CATCH(store64(at[1], 1)), X86_EXC_PF, PF_WRITE | PF_PRESENT);
    copy = (struct gnttab_copy){.source = {.domid = c.id, .u.ref = 9},
                                .dest = {.domid = DOMID_SELF, .u.gmfn = mfn_of(&box)},
                                .len = 8,
                                .flags = GNTCOPY_source_gref};
    copy.dest.offset = (uint64_t)&box.value[5] & (PAGE_SIZE - 1);
    CHECK_RC(hv_grant_op(GNTTABOP_copy, &copy, 1), 0);
    CHECK_EQ(copy.status, GNTST_okay);
    CHECK_EQ(box.value[5], 0x1001);
    copy.source.u.ref = 30; /* never granted */
    CHECK_RC(hv_grant_op(GNTTABOP_copy, &copy, 1), 0);
    CHECK_EQ(copy.status, GNTST_general_error);
    *stage = 2;
    REQUIRE(wait_stage(stage, 3));
    /* It took the third one back: what is mapped stays mapped, anew it cannot be. */
    CHECK_EQ(load64(at[2]), 0x1002);
    struct gnttab_map_grant_ref again = map[2];

    again.host_addr = (uint64_t)page_alloc();
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &again, 1), 0);
    CHECK(again.status == GNTST_general_error || again.status == GNTST_okay);
    if (again.status == GNTST_okay) {
        /* Xen maps an entry that is pinned already without looking at its flags again. */
        struct gnttab_unmap_grant_ref un = {.host_addr = again.host_addr, .handle = again.handle};

        CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &un, 1), 0);
        CHECK_EQ(un.status, GNTST_okay);
    }
    *stage = 4;
    CHECK_EQ(child_wait(&c), SHUTDOWN_poweroff);
    struct {
        uint64_t value[2];
    } seen;
    uint64_t *view = child_view(&c, (void *)box.value);

    memcpy(&seen, view, sizeof(seen));
    child_unview(view);
    CHECK_EQ(seen.value[0], 0xabcdef);
    CHECK_EQ(seen.value[1], GTF_permit_access | GTF_reading | GTF_writing);
    child_unview((void *)stage);
    /* (XSA-380) The owner dies while we hold its pages: they are ours to read until we let go. */
    while (domctl(&op, XEN_DOMCTL_destroydomain, c.id) == -XEN_EAGAIN)
        ;
    CHECK_EQ(load64(at[0]), 0xabcdef);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, c.id), 0);
    CHECK_EQ(op.u.getdomaininfo.flags & XEN_DOMINF_dying, XEN_DOMINF_dying);
    for (unsigned int i = 0; i < 3; i++)
        unmap[i] =
            (struct gnttab_unmap_grant_ref){.host_addr = (uint64_t)at[i], .handle = map[i].handle};
    CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, unmap, 3), 0);
    for (unsigned int i = 0; i < 3; i++) {
        CHECK_EQ(unmap[i].status, GNTST_okay);
        CHECK_RC(page_set_writable(at[i]), 0);
        page_free(at[i]);
    }
    sched_poll(NULL, 0, time_ns() + 50000000);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, c.id), -XEN_ESRCH);
}

static void test_grants(void)
{
    uint64_t before;

    use_grants(); /* the first use makes the hypervisor's table of mappings grow */
    before = free_pages();
    use_grants();
    CHECK_EQ(free_pages(), before);
}

/* What the hypervisor shares with a child is no memory of the child's, yet it can lend it out: we hold that, too, when it dies. */
static void grant_shared_info(void)
{
    box.rc[0] = gnttab_init();
    grant_set(8, 0, start_info->shared_info / PAGE_SIZE, GTF_permit_access | GTF_readonly);
    box.stage = 1;
    for (;;)
        sched_block();
}

static void use_shared_info(void)
{
    struct gnttab_map_grant_ref map = {.host_addr = (uint64_t)page_alloc(),
                                       .flags = GNTMAP_host_map | GNTMAP_readonly,
                                       .ref = 8};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = map.host_addr};
    struct xen_domctl op = {0};
    volatile uint32_t *stage;
    struct child c;

    memset(&box, 0, sizeof(box));
    REQUIRE(CHECK_RC(child_create(&c, grant_shared_info), 0) && CHECK_RC(child_run(&c), 0));
    stage = child_view(&c, (void *)&box.stage);
    REQUIRE(wait_stage(stage, 1));
    child_unview((void *)stage);
    map.dom = c.id;
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    REQUIRE(CHECK_EQ(map.status, GNTST_okay));
    CHECK_RC(child_kill(&c), 0);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, c.id), 0);
    CHECK_EQ(op.u.getdomaininfo.flags & XEN_DOMINF_dying, XEN_DOMINF_dying);
    unmap.handle = map.handle;
    CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    CHECK_EQ(unmap.status, GNTST_okay);
    for (unsigned int i = 0; i < 1000 && domctl(&op, XEN_DOMCTL_getdomaininfo, c.id) == 0; i++)
        sched_poll(NULL, 0, time_ns() + 1000000);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, c.id), -XEN_ESRCH);
    CHECK_RC(page_set_writable((void *)map.host_addr), 0);
    page_free((void *)map.host_addr);
}

static void test_shared_page(void)
{
    uint64_t before;

    use_shared_info();
    before = free_pages();
    use_shared_info();
    CHECK_EQ(free_pages(), before);
}

/* The mapper dies with what it mapped: dom0's page is free of pins when it is gone. */
static grant_ref_t offered;

static void map_and_die(void)
{
    struct gnttab_map_grant_ref map = {.flags = GNTMAP_host_map, .ref = offered, .dom = 0};

    page_set_writable(child_page(0));
    hv_update_va_mapping(child_page(0), 0, UVMF_INVLPG);
    map.host_addr = (uint64_t)child_page(0);
    box.rc[0] = hv_grant_op(GNTTABOP_map_grant_ref, &map, 1);
    box.rc[1] = map.status;
    box.value[0] = load64(child_page(0));
    *(volatile uint64_t *)child_page(0) = 0x2222;
    child_exit(SHUTDOWN_crash);
}

static void test_mapper_dies(void)
{
    struct child c;
    uint64_t *page = page_alloc();
    void *view;

    REQUIRE(CHECK_RC(gnttab_init(), 0));
    memset(&box, 0, sizeof(box));
    *page = 0x1111;
    offered = 16;
    REQUIRE(CHECK_RC(child_create(&c, map_and_die), 0));
    grant_set(offered, c.id, mfn_of(page), GTF_permit_access);
    CHECK_RC(child_run(&c), 0);
    CHECK_EQ(child_wait(&c), SHUTDOWN_crash);
    view = child_view(&c, &box);
    memcpy(&box, view, sizeof(box));
    child_unview(view);
    CHECK_RC(box.rc[0], 0);
    CHECK_EQ(box.rc[1], GNTST_okay);
    CHECK_EQ(box.value[0], 0x1111);
    CHECK_EQ(*(volatile uint64_t *)page, 0x2222);
    CHECK_EQ(grant_table[offered].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_RC(child_destroy(&c), 0);
    CHECK_EQ(grant_table[offered].flags, GTF_permit_access);
    grant_clear(offered);
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), 0);
    CHECK_RC(page_set_writable(page), 0);
    page_free(page);
}

/* A tool that offers a child an interrupt, which we refuse, keeps no hold of the child. */
static void do_nothing(void)
{
}

static void test_refused_interrupt(void)
{
    struct physdev_map_pirq map = {.type = 99};
    struct child c;

    REQUIRE(CHECK_RC(child_create(&c, do_nothing), 0));
    map.domid = c.id;
    CHECK(hv_physdev_op(PHYSDEVOP_map_pirq, &map) < 0);
    CHECK_RC(child_destroy(&c), 0); /* waits until nobody finds it any more */
}

/* (XSA-405 and kin) A yielding, timer-arming child leaves dom0 its time. */
static void storm(void)
{
    for (;;) {
        hv_set_timer(time_ns() + 100);
        sched_yield();
        hv_xen_version(XENVER_version, NULL);
    }
}

static void test_storm(void)
{
    struct child c;
    uint64_t start, n = 0;

    REQUIRE(CHECK_RC(child_create(&c, storm), 0) && CHECK_RC(child_run(&c), 0));
    start = time_ns();
    while (time_ns() < start + 200000000)
        n++;
    CHECK(n > 0);
    for (unsigned int i = 0; i < 10; i++) {
        uint64_t at = time_ns() + 5000000;

        sched_poll(NULL, 0, at);
        CHECK(time_ns() - at < 500000000);
    }
    CHECK_RC(child_destroy(&c), 0);
}

GUEST("domains", TEST(privileges), TEST(scrubbed), TEST(events), TEST(grants), TEST(shared_page),
      TEST(mapper_dies), TEST(refused_interrupt), TEST(storm));
