/* SPDX-License-Identifier: MIT */
/*
 * domctl: the control calls that create, look at and destroy domains.
 *
 * How a guest would break the hypervisor: dom0 is trusted with other domains, not with the
 * hypervisor. Wrong interface versions, numbers of domains and vCPUs that do not exist, contexts
 * that no vCPU can have, sizes that overflow, and destroying what is half built must be errors; and
 * whatever is created and destroyed leaves exactly as much memory free as before.
 */
#include <rt/child.h>
#include <rt/test.h>
#include <xen/sysctl.h>

#define BAD_POINTER ((void *)0xffff830000000000)

static long sysctl(struct xen_sysctl *op, uint32_t cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hv_sysctl(op);
}

/* Free pages when the last of a dying domain is gone: the same for a tenth of a second. */
static uint64_t free_pages(void)
{
    struct xen_sysctl op = {0};
    uint64_t end = time_ns() + 3000000000, now = 0, last;
    unsigned int same = 0;

    do {
        last = now;
        CHECK_RC(sysctl(&op, XEN_SYSCTL_physinfo), 0);
        now = op.u.physinfo.free_pages;
        same = now == last ? same + 1 : 0;
        sched_poll(NULL, 0, time_ns() + 10000000);
    } while (same < 10 && time_ns() < end);
    return now;
}

static void test_versions(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getdomaininfo};
    struct xen_sysctl sys = {.cmd = XEN_SYSCTL_physinfo};
    static const uint32_t versions[] = {0, XEN_DOMCTL_INTERFACE_VERSION - 1,
                                        XEN_DOMCTL_INTERFACE_VERSION + 1, ~0u};

    for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++) {
        op.interface_version = versions[i];
        CHECK_RC(hv_domctl(&op), -XEN_EACCES);
        sys.interface_version = versions[i];
        CHECK_RC(hv_sysctl(&sys), -XEN_EACCES);
    }
    CHECK_RC(hv_domctl(BAD_POINTER), -XEN_EFAULT);
    CHECK_RC(hv_domctl((void *)0x1000), -XEN_EFAULT);
    CHECK_RC(hv_sysctl(BAD_POINTER), -XEN_EFAULT);
    CHECK_RC(domctl(&op, 999, 0), -XEN_ENOSYS);
    CHECK_RC(sysctl(&sys, 999), -XEN_ENOSYS);
}

static void test_getdomaininfo(void)
{
    struct xen_domctl op;
    const struct xen_domctl_getdomaininfo *info = &op.u.getdomaininfo;

    memset(&op, 0x5a, sizeof(op));
    REQUIRE(CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, 0), 0));
    CHECK_EQ(info->domain, 0);
    CHECK_EQ(op.domain, 0);
    CHECK_EQ(info->tot_pages, start_info->nr_pages);
    CHECK(info->max_pages >= info->tot_pages);
    CHECK_EQ(info->shared_info_frame, start_info->shared_info >> 12);
    CHECK_EQ(info->nr_online_vcpus, 1);
    CHECK_EQ(info->max_vcpu_id, 0);
    CHECK(info->cpu_time > 0);
    CHECK_EQ(info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_paused), 0);
    CHECK_EQ(info->flags & XEN_DOMINF_running, XEN_DOMINF_running);
    CHECK_EQ(info->cpupool, 0);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, 4321), -XEN_ESRCH);
}

static void test_lists(void)
{
    static struct xen_domctl_getdomaininfo list[4];
    struct xen_sysctl op = {0};

    op.u.getdomaininfolist.first_domain = 0;
    op.u.getdomaininfolist.max_domains = 4;
    set_xen_guest_handle(op.u.getdomaininfolist.buffer, list);
    REQUIRE(CHECK_RC(sysctl(&op, XEN_SYSCTL_getdomaininfolist), 0));
    CHECK_EQ(op.u.getdomaininfolist.num_domains, 1);
    CHECK_EQ(list[0].domain, 0);
    CHECK_EQ(list[0].tot_pages, start_info->nr_pages);
    op.u.getdomaininfolist.first_domain = 1;
    CHECK_RC(sysctl(&op, XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(op.u.getdomaininfolist.num_domains, 0);
    op.u.getdomaininfolist.first_domain = 0;
    set_xen_guest_handle(op.u.getdomaininfolist.buffer, BAD_POINTER);
    CHECK_RC(sysctl(&op, XEN_SYSCTL_getdomaininfolist), -XEN_EFAULT);
}

static void test_physinfo(void)
{
    struct xen_sysctl op;
    const struct xen_sysctl_physinfo *p = &op.u.physinfo;

    memset(&op, 0x5a, sizeof(op));
    REQUIRE(CHECK_RC(sysctl(&op, XEN_SYSCTL_physinfo), 0));
    CHECK(p->total_pages > start_info->nr_pages);
    CHECK(p->free_pages < p->total_pages);
    CHECK_EQ(p->nr_cpus, 1);
    CHECK_EQ(p->max_cpu_id, 0);
    CHECK_EQ(p->nr_nodes, 1);
    CHECK(p->threads_per_core >= 1 && p->cores_per_socket >= 1);
    CHECK(p->cpu_khz > 1000);
    CHECK(p->hw_cap[0] != 0);
    CHECK_EQ(p->capabilities & XEN_SYSCTL_PHYSCAP_pv, XEN_SYSCTL_PHYSCAP_pv);
}

/* One node: a device is on it, or (on Xen, while dom0 has not told of it) unknown. */
static void test_pci_topology(void)
{
    static physdev_pci_device_t devs[3] = {{0, 0, 0}, {0, 0, 8}, {0, 0xff, 0xff}};
    static uint32_t nodes[4] = {7, 7, 7, 7};
    struct xen_sysctl op = {.u.pcitopoinfo = {.num_devs = 3}};

    CHECK_RC(sysctl(&op, XEN_SYSCTL_pcitopoinfo), -XEN_EINVAL);
    set_xen_guest_handle(op.u.pcitopoinfo.devs, devs);
    CHECK_RC(sysctl(&op, XEN_SYSCTL_pcitopoinfo), -XEN_EINVAL);
    set_xen_guest_handle(op.u.pcitopoinfo.nodes, nodes);
    REQUIRE(CHECK_RC(sysctl(&op, XEN_SYSCTL_pcitopoinfo), 0));
    CHECK_EQ(op.u.pcitopoinfo.num_devs, 3);
    for (unsigned int i = 0; i < 3; i++)
        CHECK(nodes[i] == 0 || nodes[i] == XEN_INVALID_DEV);
    CHECK_EQ(nodes[3], 7);
    set_xen_guest_handle(op.u.pcitopoinfo.nodes, BAD_POINTER);
    CHECK_RC(sysctl(&op, XEN_SYSCTL_pcitopoinfo), -XEN_EFAULT);
}

static void test_readconsole(void)
{
    static char text[8192];
    struct xen_sysctl op = {0};
    bool found = false;

    op.u.readconsole.count = sizeof(text);
    set_xen_guest_handle(op.u.readconsole.buffer, text);
    REQUIRE(CHECK_RC(sysctl(&op, XEN_SYSCTL_readconsole), 0));
    CHECK(op.u.readconsole.count > 100 && op.u.readconsole.count <= sizeof(text));
    for (unsigned int i = 0; i + 1 < op.u.readconsole.count; i++)
        found |= text[i] == '\n';
    CHECK(found);
    set_xen_guest_handle(op.u.readconsole.buffer, BAD_POINTER);
    op.u.readconsole.count = 64;
    CHECK_RC(sysctl(&op, XEN_SYSCTL_readconsole), -XEN_EFAULT);
}

static struct xen_domctl plain(void)
{
    return (struct xen_domctl){.u.createdomain = {.max_vcpus = 1,
                                                  .max_evtchn_port = -1,
                                                  .max_grant_frames = 4,
                                                  .max_maptrack_frames = 4,
                                                  .grant_opts = XEN_DOMCTL_GRANT_version(1)}};
}

/* Destroys, and waits until the number is unknown again. */
static void destroy(domid_t id)
{
    struct child c = {.id = id};

    CHECK_RC(child_destroy(&c), 0);
}

static void test_create_destroy(void)
{
    uint64_t before;
    struct xen_domctl op = plain();
    domid_t first;

    /* Once to warm up what the hypervisor keeps, then no page may be missing. */
    REQUIRE(CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 0), 0));
    first = op.domain;
    CHECK(first != 0);
    destroy(first);
    before = free_pages();
    for (unsigned int i = 0; i < 10; i++) {
        op = plain();
        REQUIRE(CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 0), 0));
        op.u.max_vcpus.max = 1;
        CHECK_RC(domctl(&op, XEN_DOMCTL_max_vcpus, op.domain), 0);
        CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, op.domain), 0);
        CHECK_EQ(op.u.getdomaininfo.tot_pages, 0);
        CHECK_EQ(op.u.getdomaininfo.flags & XEN_DOMINF_paused, XEN_DOMINF_paused);
        destroy(op.domain);
    }
    CHECK_EQ(free_pages(), before);
}

static void test_create_refused(void)
{
    struct xen_domctl op = plain();

    CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 500), 0); /* a number of one's choice */
    CHECK_EQ(op.domain, 500);
    op = plain();
    CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 500), -XEN_EEXIST);
    op = plain();
    op.u.createdomain.max_vcpus = 0;
    CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 501), -XEN_EINVAL);
    op = plain();
    op.u.createdomain.max_vcpus = 100000;
    CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 501), -XEN_EINVAL);
    op = plain();
    op.u.createdomain.flags = 0x80000000;
    CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 501), -XEN_EINVAL);
    op = plain();
    op.u.createdomain.arch.emulation_flags = 0xffffffff;
    CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 501), -XEN_EINVAL);
    op = plain();
    op.u.createdomain.grant_opts = 0;
    CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 501), -XEN_EINVAL);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, 501), -XEN_ESRCH);
    destroy(500);
    static const uint32_t ops[] = {XEN_DOMCTL_destroydomain, XEN_DOMCTL_pausedomain,
                                   XEN_DOMCTL_unpausedomain, XEN_DOMCTL_max_mem,
                                   XEN_DOMCTL_max_vcpus,     XEN_DOMCTL_setvcpucontext,
                                   XEN_DOMCTL_getvcpuinfo,   XEN_DOMCTL_setdomainhandle};

    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
        CHECK_RC(domctl(&op, ops[i], 4321), -XEN_ESRCH);
    CHECK_RC(domctl(&op, XEN_DOMCTL_destroydomain, 0), -XEN_EINVAL); /* oneself */
    CHECK_RC(domctl(&op, XEN_DOMCTL_pausedomain, 0), -XEN_EINVAL);
}

static void test_handle(void)
{
    struct xen_domctl op = plain();
    domid_t id;

    REQUIRE(CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 0), 0));
    id = op.domain;
    memset(op.u.setdomainhandle.handle, 0x3c, sizeof(op.u.setdomainhandle.handle));
    CHECK_RC(domctl(&op, XEN_DOMCTL_setdomainhandle, id), 0);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, id), 0);
    for (unsigned int i = 0; i < sizeof(xen_domain_handle_t); i++)
        CHECK_EQ(op.u.getdomaininfo.handle[i], 0x3c);
    op.u.max_mem.max_memkb = 8192;
    CHECK_RC(domctl(&op, XEN_DOMCTL_max_mem, id), 0);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, id), 0);
    CHECK_EQ(op.u.getdomaininfo.max_pages, 2048);
    destroy(id);
}

/* Memory: up to the limit, with the count of what was done, and all of it back at the end. */
static void test_memory_limit(void)
{
    static xen_pfn_t list[64];
    struct xen_domctl op = plain();
    struct xen_memory_reservation res = {.nr_extents = 64};
    uint64_t before = free_pages();
    domid_t id;

    REQUIRE(CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 0), 0));
    id = op.domain;
    op.u.max_mem.max_memkb = 40 * 4;
    CHECK_RC(domctl(&op, XEN_DOMCTL_max_mem, id), 0);
    for (unsigned int i = 0; i < 64; i++)
        list[i] = i;
    res.domid = id;
    set_xen_guest_handle(res.extent_start, list);
    CHECK_EQ(hv_memory_op(XENMEM_populate_physmap, &res), 40);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, id), 0);
    CHECK_EQ(op.u.getdomaininfo.tot_pages, 40);
    CHECK_EQ(mfn_to_pfn(list[7]), 7);
    /* A mapping of ours keeps a frame of a dead domain, and the domain's name, until it goes. */
    void *page = page_alloc();

    CHECK_RC(hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, page,
                        pte_make(list[7], PTE_RW_FLAGS), UVMF_INVLPG, id),
             0);
    store64(page, 0x77);
    while (domctl(&op, XEN_DOMCTL_destroydomain, id) == -XEN_EAGAIN)
        ;
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, id), 0);
    CHECK_EQ(op.u.getdomaininfo.flags & XEN_DOMINF_dying, XEN_DOMINF_dying);
    CHECK_EQ(op.u.getdomaininfo.tot_pages, 1);
    CHECK_EQ(load64(page), 0x77);
    CHECK_RC(page_set_writable(page), 0);
    sched_poll(NULL, 0, time_ns() + 50000000);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, id), -XEN_ESRCH);
    CHECK_EQ(free_pages(), before);
    page_free(page);
}

/* Contexts that a vCPU cannot have. */
static void nothing(void)
{
}

static void test_bad_contexts(void)
{
    struct child c;
    struct xen_domctl op = {.u.vcpucontext.vcpu = 1};

    REQUIRE(CHECK_RC(child_build(&c, nothing), 0));
    uint64_t cr3 = c.context->ctrlreg[3];

    c.context->ctrlreg[3] = xen_pfn_to_cr3(mfn_of(&c)); /* a frame of dom0's */
    CHECK_RC(child_set_context(&c), -XEN_EINVAL);
    c.context->ctrlreg[3] = xen_pfn_to_cr3(0xfffffff);
    CHECK_RC(child_set_context(&c), -XEN_EINVAL);
    c.context->ctrlreg[3] = cr3;
    c.context->gdt_ents = 8000;
    CHECK_RC(child_set_context(&c), -XEN_EINVAL);
    c.context->gdt_ents = 0;
    c.context->trap_ctxt[14].address = 0x800000000000;
    CHECK_RC(child_set_context(&c), -XEN_EINVAL);
    c.context->trap_ctxt[14].address = 0;
    CHECK_RC(child_set_context(&c), 0);
    /* Once it is there, other page tables or descriptors would need the old ones dropped. */
    c.context->ctrlreg[3] = xen_pfn_to_cr3(0xfffffff);
    CHECK_RC(child_set_context(&c), -XEN_EOPNOTSUPP);
    c.context->ctrlreg[3] = cr3;
    CHECK_RC(child_set_context(&c), 0);
    set_xen_guest_handle(op.u.vcpucontext.ctxt, c.context);
    CHECK_RC(domctl(&op, XEN_DOMCTL_setvcpucontext, c.id), -XEN_EINVAL); /* no vCPU 1 */
    op.u.vcpucontext.vcpu = 0;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, (vcpu_guest_context_t *)BAD_POINTER);
    CHECK_RC(domctl(&op, XEN_DOMCTL_setvcpucontext, c.id), -XEN_EFAULT);
    CHECK_RC(child_destroy(&c), 0);
}

static volatile uint32_t counter;

static void count(void)
{
    for (;;)
        counter++;
}

static void test_pause(void)
{
    struct child c;
    struct xen_domctl op = {0};
    volatile uint32_t *view;
    uint32_t at;

    REQUIRE(CHECK_RC(child_create(&c, count), 0) && CHECK_RC(child_run(&c), 0));
    view = child_view(&c, (void *)&counter);
    sched_poll(NULL, 0, time_ns() + 50000000);
    CHECK(*view > 0);
    CHECK_RC(domctl(&op, XEN_DOMCTL_pausedomain, c.id), 0);
    at = *view;
    sched_poll(NULL, 0, time_ns() + 50000000);
    CHECK_EQ(*view, at);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getvcpuinfo, c.id), 0);
    CHECK_EQ(op.u.getvcpuinfo.online, 1);
    CHECK_EQ(op.u.getvcpuinfo.blocked, 0);
    CHECK(op.u.getvcpuinfo.cpu_time > 0);
    CHECK_RC(domctl(&op, XEN_DOMCTL_unpausedomain, c.id), 0);
    sched_poll(NULL, 0, time_ns() + 100000000);
    CHECK(*view != at);
    child_unview((void *)view);
    CHECK_RC(child_destroy(&c), 0);
}

/* The end of a domain is announced by VIRQ_DOM_EXC, and its memory is back. */
static void test_run_and_end(void)
{
    struct child c;
    evtchn_port_t exc;
    uint64_t before = free_pages();

    REQUIRE(CHECK_RC(event_bind_virq(VIRQ_DOM_EXC, 0, &exc), 0));
    event_clear(exc);
    for (unsigned int i = 0; i < 5; i++) {
        REQUIRE(CHECK_RC(child_create(&c, nothing), 0));
        CHECK_RC(child_run(&c), 0);
        CHECK_RC(sched_poll(&exc, 1, time_ns() + 3000000000), 0);
        CHECK(event_is_pending(exc));
        event_clear(exc);
        CHECK_EQ(child_wait(&c), SHUTDOWN_poweroff);
        CHECK_RC(child_destroy(&c), 0);
    }
    event_clear(exc);
    CHECK_RC(event_close(exc), 0);
    CHECK_EQ(free_pages(), before);
}

static uint64_t outstanding(void)
{
    struct xen_sysctl op = {.cmd = 0};

    CHECK_RC(sysctl(&op, XEN_SYSCTL_physinfo), 0);
    return op.u.physinfo.outstanding_pages;
}

static long claim(domid_t id, uint64_t pages)
{
    struct xen_memory_reservation r = {.nr_extents = pages, .domid = id};

    return hv_memory_op(XENMEM_claim_pages, &r);
}

/* Memory set aside: for one domain, no more than there is, and given back by use, word or death. */
static void test_claim(void)
{
    static xen_pfn_t list[64];
    struct xen_domctl op = plain();
    struct xen_memory_reservation r = {.nr_extents = 64};
    domid_t id;

    REQUIRE(CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 0), 0));
    id = op.domain;
    op.u.max_mem.max_memkb = 4 << 20;
    CHECK_RC(domctl(&op, XEN_DOMCTL_max_mem, id), 0);
    CHECK_RC(claim(4321, 10), -XEN_EINVAL);
    CHECK_RC(claim(DOMID_SELF, 10), -XEN_EINVAL);
    r = (struct xen_memory_reservation){.nr_extents = 1, .extent_order = 1, .domid = id};
    CHECK_RC(hv_memory_op(XENMEM_claim_pages, &r), -XEN_EINVAL);
    r = (struct xen_memory_reservation){.nr_extents = 1, .domid = id};
    set_xen_guest_handle(r.extent_start, list);
    CHECK_RC(hv_memory_op(XENMEM_claim_pages, &r), -XEN_EINVAL);
    CHECK_RC(hv_memory_op(XENMEM_claim_pages, BAD_POINTER), -XEN_EFAULT);
    CHECK_RC(claim(id, (4 << 18) + 1), -XEN_EINVAL); /* more than it may have */
    CHECK_RC(claim(id, 4 << 18), -XEN_ENOMEM);       /* more than there is */
    CHECK_EQ(outstanding(), 0);
    CHECK_RC(claim(id, 256), 0);
    CHECK_RC(claim(id, 300), -XEN_EINVAL); /* one at a time */
    CHECK_EQ(outstanding(), 256);
    r = (struct xen_memory_reservation){.nr_extents = 64, .domid = id};
    set_xen_guest_handle(r.extent_start, list);
    CHECK_EQ(hv_memory_op(XENMEM_populate_physmap, &r), 64);
    CHECK_EQ(outstanding(), 192);
    CHECK_RC(claim(id, 0), 0);
    CHECK_EQ(outstanding(), 0);
    CHECK_RC(claim(id, 64), -XEN_EINVAL); /* it has so many */
    CHECK_RC(claim(id, 100), 0);
    CHECK_EQ(outstanding(), 36);
    destroy(id);
    CHECK_EQ(outstanding(), 0);
}

GUEST("domctl", TEST(versions), TEST(getdomaininfo), TEST(lists), TEST(physinfo),
      TEST(pci_topology), TEST(readconsole), TEST(create_destroy), TEST(create_refused),
      TEST(handle), TEST(memory_limit), TEST(claim), TEST(bad_contexts), TEST(pause),
      TEST(run_and_end));
