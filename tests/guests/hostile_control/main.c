/* SPDX-License-Identifier: MIT */
/*
 * hostile_control: THREATS 31 and 32, the control calls: by a child that may make none of them, and
 * long ones by dom0.
 *
 * How this guest would break the hypervisor: with any call of the toolstack's that does not look at
 * who calls: it would pause, read or destroy its neighbour, set the machine's clock, or switch the
 * machine off. So every domctl, sysctl and platform_op is made with every interface version (a
 * wrong one is refused by another test than the privilege), about itself, dom0 and the neighbour,
 * and nothing may happen, not even to the structure (31). And a toolstack that destroys a large
 * domain must not keep another waiting that only asks for information (32: XSA-492).
 */
#include <rt/attack.h>
#include <rt/test.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define COMMANDS 128 /* of each call: all that there are, and as many that are not yet */
#define STAIN    0xa5

static domid_t neighbour;

static void take_aim(struct child *c)
{
    domid_t *view = child_view(c, &neighbour);

    *view = neighbour_id();
    child_unview(view);
}

/* --- 31 -----------------------------------------------------------------------------------------
 */

static union {
    struct xen_domctl domctl;
    struct xen_sysctl sysctl;
    struct xen_platform_op platform;
    uint8_t bytes[1024];
} op, was;

static const struct {
    const char *name;
    unsigned int nr;
    uint32_t version;
    bool domain; /* the third word names a domain */
} calls[] = {
    {"domctl", __HYPERVISOR_domctl, XEN_DOMCTL_INTERFACE_VERSION, true},
    {"sysctl", __HYPERVISOR_sysctl, XEN_SYSCTL_INTERFACE_VERSION, false},
    {"platform_op", __HYPERVISOR_platform_op, XENPF_INTERFACE_VERSION, false},
};

/* Refused because of who asks; Xen 4.17 looks at some arguments before. */
static bool refused(long rc, bool right_version)
{
    static const int others[] = {XEN_ESRCH, XEN_ENOSYS, XEN_EINVAL, XEN_EOPNOTSUPP};

    for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
        if (rc == -others[i])
            return true;
    return rc == -XEN_EPERM || (!right_version && rc == -XEN_EACCES);
}

static void one_call(unsigned int which, uint32_t version, uint32_t cmd, domid_t dom, uint8_t fill)
{
    bool right = version == calls[which].version;
    long rc;

    memset(&op, fill, sizeof(op));
    op.domctl.cmd = cmd;
    op.domctl.interface_version = version;
    if (calls[which].domain)
        op.domctl.domain = dom;
    memcpy(&was, &op, sizeof(op));
    rc = hypercall1(calls[which].nr, &op);
    if (!CHECK(refused(rc, right)) || !CHECK(!memcmp(&was, &op, sizeof(op))))
        printf("  %s %u, version %#x, domain %u: %ld\n", calls[which].name, cmd, version, dom, rc);
}

static void every_control_call(void)
{
    const domid_t doms[] = {DOMID_SELF, 0, neighbour, 0x7fe0, DOMID_XEN};
    static const uint8_t fills[] = {0, 1, STAIN, 0xff};

    for (unsigned int c = 0; c < ARRAY_SIZE(calls); c++) {
        const uint32_t right = calls[c].version;
        const uint32_t versions[] = {right, 0, right - 1, right + 1, 1u << 31, ~0u};

        for (uint32_t cmd = 0; cmd < COMMANDS; cmd++) {
            for (unsigned int f = 0; f < ARRAY_SIZE(fills); f++)
                for (unsigned int d = 0; d < (calls[c].domain ? ARRAY_SIZE(doms) : 1u); d++)
                    one_call(c, right, cmd, doms[d], fills[f]);
            for (unsigned int v = 1; v < ARRAY_SIZE(versions); v++)
                one_call(c, versions[v], cmd, neighbour, 0);
        }
        one_call(c, right, ~0u, neighbour, 0);
        one_call(c, right, 1u << 31, neighbour, 0);
        one_call(c, right, 1000, neighbour, 0); /* the architecture's own, Xen's XSM's … */
        /* Where there is no structure. */
        CHECK(hypercall1(calls[c].nr, 0) < 0);
        CHECK(hypercall1(calls[c].nr, 0xffff830000000000) < 0);
        CHECK(hypercall1(calls[c].nr, 0x800000000000) < 0);
    }
}

/* In a multicall there is no other privilege. */
static void in_a_multicall(void)
{
    static multicall_entry_t list[COMMANDS];

    for (unsigned int c = 0; c < ARRAY_SIZE(calls); c++) {
        memset(&op, 0, sizeof(op));
        op.domctl.interface_version = calls[c].version;
        op.domctl.cmd = c ? XEN_SYSCTL_physinfo : XEN_DOMCTL_destroydomain;
        op.domctl.domain = c ? 0 : neighbour;
        for (unsigned int i = 0; i < COMMANDS; i++)
            list[i] = (multicall_entry_t){.op = calls[c].nr, .args = {(uint64_t)&op}};
        CHECK_RC(hv_multicall(list, COMMANDS), 0);
        for (unsigned int i = 0; i < COMMANDS; i++)
            CHECK_RC(list[i].result, -XEN_EPERM);
    }
}

/* The machine's devices and interrupts are dom0's. What a guest may: ask for its own rights, and
 * how an interrupt is ended that it does not have. */
static void every_physdev_call(void)
{
    static const unsigned int harmless[] = {PHYSDEVOP_set_iopl, PHYSDEVOP_set_iobitmap,
                                            PHYSDEVOP_irq_status_query, PHYSDEVOP_IRQ_UNMASK_NOTIFY,
                                            PHYSDEVOP_get_free_pirq};
    static uint8_t arg[256];

    for (unsigned int cmd = 0; cmd < 64; cmd++)
        for (unsigned int fill = 0; fill < 3; fill++) {
            bool may = false;
            long rc;

            memset(arg, fill == 2 ? 0xff : fill, sizeof(arg));
            for (unsigned int i = 0; i < ARRAY_SIZE(harmless); i++)
                may |= cmd == harmless[i];
            rc = hv_physdev_op(cmd, arg);
            if (!may && !CHECK(rc < 0))
                printf("  physdev_op %u: %ld\n", cmd, rc);
        }
}

/* The calls that anybody may make for himself, made for another. */
static void for_another(void)
{
    const domid_t doms[] = {0, neighbour};

    for (unsigned int i = 0; i < ARRAY_SIZE(doms); i++) {
        domid_t dom = doms[i];
        struct sched_remote_shutdown shut = {.domain_id = dom, .reason = SHUTDOWN_poweroff};
        struct xen_memory_domain mem = {.domid = dom};
        struct xen_foreign_memory_map map = {.domid = dom};
        struct xen_mem_acquire_resource res = {
            .domid = dom, .type = XENMEM_resource_grant_table, .nr_frames = 1};
        struct gnttab_query_size size = {.dom = dom};
        struct gnttab_setup_table setup = {.dom = dom, .nr_frames = 1};
        struct evtchn_reset reset = {.dom = dom};
        mmuext_op_t pin = {.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = 0x1000};
        evtchn_port_t port;

        CHECK_RC(hv_sched_op(SCHEDOP_remote_shutdown, &shut), -XEN_EPERM);
        CHECK_RC(hv_memory_op(XENMEM_current_reservation, &mem), -XEN_EPERM);
        CHECK_RC(hv_memory_op(XENMEM_maximum_reservation, &mem), -XEN_EPERM);
        CHECK_RC(hv_memory_op(XENMEM_maximum_gpfn, &mem), -XEN_EPERM);
        CHECK(hv_memory_op(XENMEM_set_memory_map, &map) < 0);
        CHECK(hv_memory_op(XENMEM_acquire_resource, &res) < 0);
        CHECK_RC(hv_grant_op(GNTTABOP_query_size, &size, 1), 0);
        CHECK_EQ(size.status, GNTST_permission_denied);
        CHECK_RC(hv_grant_op(GNTTABOP_setup_table, &setup, 1), 0);
        CHECK_EQ(setup.status, GNTST_permission_denied);
        CHECK_RC(hv_evtchn_op(EVTCHNOP_reset, &reset), -XEN_EPERM);
        CHECK_RC(event_alloc_unbound(dom, DOMID_SELF, &port), -XEN_EPERM);
        CHECK_RC(hv_mmuext_op(&pin, 1, NULL, dom), -XEN_EPERM);
    }
}

/* What tools see of a domain, less what changes by itself. */
static struct xen_domctl_getdomaininfo look_at(domid_t dom)
{
    struct xen_domctl d = {0};

    CHECK_RC(domctl(&d, XEN_DOMCTL_getdomaininfo, dom), 0);
    d.u.getdomaininfo.cpu_time = 0;
    d.u.getdomaininfo.flags &= ~(XEN_DOMINF_running | XEN_DOMINF_blocked);
    return d.u.getdomaininfo;
}

static void test_unprivileged(void)
{
    static const struct attack attacks[] = {
        {"every control call", every_control_call, .prepare = take_aim},
        {"control calls in a multicall", in_a_multicall, .prepare = take_aim},
        {"every physdev_op", every_physdev_call, .prepare = take_aim},
        {"calls for another", for_another, .prepare = take_aim},
    };
    struct xen_domctl_getdomaininfo before[2], after[2];
    struct baseline machine;

    baseline_take(&machine); /* starts the neighbour */
    before[0] = look_at(0);
    before[1] = look_at(neighbour_id());
    attack_all(attacks, ARRAY_SIZE(attacks), 1);
    after[0] = look_at(0);
    after[1] = look_at(neighbour_id());
    CHECK(!memcmp(before, after, sizeof(before)));
}

/* --- 32 -----------------------------------------------------------------------------------------
 */

#define LARGE_ORDER   9
#define LARGE_EXTENTS 64 /* 128 MiB: a while to take apart, */
#define LARGE_PAGES   (LARGE_EXTENTS << LARGE_ORDER)
#define ANSWERS       10 /* in which thousands ask and are answered */

static long ask_info(struct xen_domctl *d)
{
    return domctl(d, XEN_DOMCTL_getdomaininfo, neighbour_id());
}

static long ask_vcpu(struct xen_domctl *d)
{
    d->u.getvcpuinfo.vcpu = 0;
    return domctl(d, XEN_DOMCTL_getvcpuinfo, neighbour_id());
}

static long ask_affinity(struct xen_domctl *d)
{
    static uint8_t map[8];

    memset(&d->u, 0, sizeof(d->u));
    d->u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    d->u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    set_xen_guest_handle(d->u.vcpuaffinity.cpumap_hard.bitmap, map);
    return domctl(d, XEN_DOMCTL_getvcpuaffinity, neighbour_id());
}

static long ask_context(struct xen_domctl *d)
{
    static vcpu_guest_context_t context;

    d->u.vcpucontext.vcpu = 0;
    set_xen_guest_handle(d->u.vcpucontext.ctxt, &context);
    return domctl(d, XEN_DOMCTL_getvcpucontext, neighbour_id());
}

static long ask_tsc(struct xen_domctl *d)
{
    return domctl(d, XEN_DOMCTL_gettscinfo, neighbour_id());
}

static long ask_list(struct xen_domctl *d)
{
    static struct xen_domctl_getdomaininfo list[4];
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_getdomaininfolist,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
                           .u.getdomaininfolist.max_domains = ARRAY_SIZE(list)};

    set_xen_guest_handle(s.u.getdomaininfolist.buffer, list);
    return hv_sysctl(&s);
}

static long ask_machine(struct xen_domctl *d)
{
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_physinfo,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    return hv_sysctl(&s);
}

static const struct question {
    const char *name;
    long (*ask)(struct xen_domctl *d);
} questions[] = {
    {"getdomaininfo", ask_info}, {"getdomaininfolist", ask_list},   {"physinfo", ask_machine},
    {"getvcpuinfo", ask_vcpu},   {"getvcpuaffinity", ask_affinity}, {"getvcpucontext", ask_context},
    {"gettscinfo", ask_tsc},
};

static volatile uint32_t asked, meanwhile, stop;
static volatile domid_t large;
static const struct question *volatile question = questions;

/* Some of its pages are there, some are gone: it is being taken apart. */
static bool half_gone(domid_t dom)
{
    struct xen_domctl d = {0};

    return domctl(&d, XEN_DOMCTL_getdomaininfo, dom) == 0 && d.domain == dom &&
           d.u.getdomaininfo.tot_pages > 0 && d.u.getdomaininfo.tot_pages < LARGE_PAGES;
}

/* On dom0's second vCPU: asks about the neighbour without end, and counts the answers that came in
 * the middle of a destruction. */
static void ask(void)
{
    struct xen_domctl d = {0};

    while (!stop) {
        CHECK_RC(question->ask(&d), 0);
        asked++;
        meanwhile += half_gone(large);
    }
    stop = 2;
}

static bool make_large(domid_t *id)
{
    static xen_pfn_t frames[LARGE_EXTENTS];
    struct xen_domctl d = {.u.createdomain = {.max_vcpus = 1,
                                              .max_evtchn_port = -1,
                                              .max_grant_frames = 4,
                                              .max_maptrack_frames = 4,
                                              .grant_opts = XEN_DOMCTL_GRANT_version(1)}};
    struct xen_memory_reservation r = {.nr_extents = LARGE_EXTENTS, .extent_order = LARGE_ORDER};

    if (!CHECK_RC(domctl(&d, XEN_DOMCTL_createdomain, 0), 0))
        return false;
    r.domid = *id = d.domain;
    d.u.max_mem.max_memkb = (LARGE_EXTENTS + 1) << (LARGE_ORDER + 2);
    set_xen_guest_handle(r.extent_start, frames);
    return CHECK_RC(domctl(&d, XEN_DOMCTL_max_mem, *id), 0) &&
           CHECK_RC(hv_memory_op(XENMEM_increase_reservation, &r), LARGE_EXTENTS);
}

/* How many answers arrive while the domain is taken apart, not only after. */
static uint32_t answers_meanwhile(const struct question *q)
{
    struct xen_domctl d = {0};
    uint32_t first;
    domid_t id;
    long rc;

    if (!make_large(&id))
        return 0;
    large = id;
    question = q;
    for (first = asked; asked - first < 10;) /* this one, by now */
        cpu_relax();
    meanwhile = 0;
    do
        rc = domctl(&d, XEN_DOMCTL_destroydomain, id);
    while (rc == -XEN_EAGAIN);
    CHECK_RC(rc, 0);
    return meanwhile;
}

static void test_long_destroy(void)
{
    struct vcpu_set_periodic_timer often = {.period_ns = 1000000}; /* and so the call looks up */
    struct baseline before;

    if (vcpu_max() < 2)
        return test_skip("one vCPU cannot ask while it destroys");
    baseline_take(&before);
    REQUIRE(CHECK_RC(vcpu_start(1, ask), 0));
    CHECK_RC(hv_vcpu_op(VCPUOP_set_periodic_timer, 0, &often), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(questions); i++) {
        uint32_t n = 0;

        /* Again where the emulator gave the asking CPU no time. */
        for (unsigned int tries = 0; tries < 10 && n < ANSWERS; tries++)
            n = answers_meanwhile(&questions[i]);
        if (!CHECK(n >= ANSWERS))
            printf("  %s: %u answers meanwhile\n", questions[i].name, n);
        neighbour_check();
    }
    CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    stop = 1;
    while (stop != 2)
        cpu_relax();
    baseline_check(&before);
}

GUEST("hostile_control", TEST(unprivileged), TEST(long_destroy));
