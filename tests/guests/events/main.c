/* SPDX-License-Identifier: MIT */
/*
 * events: event channels of the 2-level ABI, and waiting for them.
 *
 * How a guest would break the hypervisor: with port and vCPU numbers out of range (they index
 * arrays in the hypervisor: XSA-221, XSA-338), by binding, closing and sending on ports in states
 * they are not in, by exhausting ports, and by polling lists that are long, wild or unmapped. Each
 * wrong call has its errno here, and each right one is seen to deliver exactly once.
 */
#include <rt/child.h>
#include <rt/test.h>

#define RESET_CONT  14 /* EVTCHNOP_reset_cont: for the hypervisor only, but guests may try */
#define BAD_POINTER ((void *)0xffff830000000000)

static void test_alloc_and_status(void)
{
    evtchn_port_t port;
    struct evtchn_status st;

    REQUIRE(CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &port), 0));
    CHECK(port != 0);
    CHECK_RC(event_status(DOMID_SELF, port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_unbound);
    CHECK_EQ(st.vcpu, 0);
    CHECK_EQ(st.u.unbound.dom, 0);
    CHECK_RC(event_close(port), 0);
    CHECK_RC(event_status(DOMID_SELF, port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_closed);
    /* The other end need not exist yet. */
    CHECK_RC(event_alloc_unbound(DOMID_SELF, 1234, &port), 0);
    CHECK_RC(event_status(DOMID_SELF, port, &st), 0);
    CHECK_EQ(st.u.unbound.dom, 1234);
    CHECK_RC(event_close(port), 0);
    /* The lowest free port is given, port 0 never. */
    evtchn_port_t again;

    CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &again), 0);
    CHECK_EQ(again, port);
    CHECK_RC(event_close(again), 0);
}

static void test_bad_domains(void)
{
    evtchn_port_t port;
    struct evtchn_status st;

    CHECK_RC(event_alloc_unbound(4321, DOMID_SELF, &port), -XEN_ESRCH);
    CHECK_RC(event_alloc_unbound(DOMID_IO, DOMID_SELF, &port), -XEN_ESRCH);
    CHECK_RC(event_alloc_unbound(DOMID_XEN, DOMID_SELF, &port), -XEN_ESRCH);
    CHECK_RC(event_bind_interdomain(4321, 1, &port), -XEN_ESRCH);
    CHECK_RC(event_bind_interdomain(DOMID_IDLE, 1, &port), -XEN_ESRCH);
    CHECK_RC(event_status(4321, 1, &st), -XEN_ESRCH);
}

static void test_interdomain(void)
{
    evtchn_port_t a, b, c;
    struct evtchn_status st;

    REQUIRE(event_loop(&a, &b));
    /* Binding makes the new port pending, for what was sent before. */
    CHECK(event_is_pending(b));
    CHECK(!event_is_pending(a));
    event_clear(b);
    CHECK_RC(event_status(DOMID_SELF, a, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_interdomain);
    CHECK_EQ(st.u.interdomain.dom, 0);
    CHECK_EQ(st.u.interdomain.port, b);
    CHECK_RC(event_send(a), 0);
    CHECK(event_is_pending(b) && !event_is_pending(a));
    CHECK_RC(event_send(b), 0);
    CHECK(event_is_pending(a));
    CHECK_RC(event_bind_interdomain(DOMID_SELF, a, &c), -XEN_EINVAL); /* not unbound any more */

    /* Closing one end leaves the other unbound, bindable again by the same domain. */
    CHECK_RC(event_close(b), 0);
    CHECK_RC(event_status(DOMID_SELF, a, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_unbound);
    CHECK_RC(event_send(a), 0); /* to nobody: nothing happens */
    CHECK_RC(event_bind_interdomain(DOMID_SELF, a, &c), 0);
    CHECK_RC(event_close(c), 0);
    CHECK_RC(event_close(a), 0);
    CHECK_RC(event_close(a), -XEN_EINVAL);

    /* A port that waits for another domain cannot be taken by this one. */
    CHECK_RC(event_alloc_unbound(DOMID_SELF, 77, &a), 0);
    CHECK_RC(event_bind_interdomain(DOMID_SELF, a, &c), -XEN_EINVAL);
    CHECK_RC(event_close(a), 0);
}

static void test_delivery(void)
{
    evtchn_port_t a, b;
    uint32_t before;

    REQUIRE(event_loop(&a, &b));
    event_clear(b);
    before = event_count[b];
    /* Masked: pending only. */
    events_enable();
    CHECK_RC(event_send(a), 0);
    CHECK(event_is_pending(b));
    CHECK_EQ(event_count[b], before);
    /* Unmasking delivers what is pending, before the hypercall comes back. */
    event_unmask(b);
    CHECK_EQ(event_count[b], before + 1);
    CHECK(!event_is_pending(b) && !event_is_masked(b));
    /* Unmasked: each send is seen when the hypercall comes back. */
    for (unsigned int i = 0; i < 100; i++)
        event_send(a);
    CHECK_EQ(event_count[b], before + 101);
    /* Upcalls off: the vCPU's flag and selector say what waits. */
    events_disable();
    CHECK_RC(event_send(a), 0);
    CHECK_RC(event_send(a), 0);
    CHECK_EQ(event_count[b], before + 101);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_pending, 1);
    CHECK_EQ(my_vcpu_info()->evtchn_pending_sel, 1ul << (b / 64));
    events_enable();
    CHECK_EQ(event_count[b], before + 102);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_pending, 0);
    events_disable();
    event_mask(b);
    CHECK_RC(event_close(a), 0);
    CHECK_RC(event_close(b), 0);
}

/* A pending bit that is already set raises nothing new: the edge is in the bit. */
static void test_edge(void)
{
    evtchn_port_t a, b;

    REQUIRE(event_loop(&a, &b));
    __atomic_fetch_and(&shared_info.evtchn_mask[b / 64], ~(1ul << (b % 64)), __ATOMIC_SEQ_CST);
    my_vcpu_info()->evtchn_upcall_pending = 0;
    my_vcpu_info()->evtchn_pending_sel = 0;
    CHECK(event_is_pending(b));
    CHECK_RC(event_send(a), 0);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_pending, 0);
    event_clear(b);
    CHECK_RC(event_send(a), 0);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_pending, 1);
    event_clear(b);
    my_vcpu_info()->evtchn_upcall_pending = 0;
    my_vcpu_info()->evtchn_pending_sel = 0;
    event_mask(b);
    event_close(a);
    event_close(b);
}

static void test_close_clears_pending(void)
{
    evtchn_port_t a, b;

    REQUIRE(event_loop(&a, &b));
    CHECK_RC(event_send(a), 0);
    CHECK(event_is_pending(b));
    CHECK_RC(event_close(b), 0);
    CHECK(!event_is_pending(b));
    CHECK_RC(event_close(a), 0);
}

static void test_bad_ports(void)
{
    static const evtchn_port_t ports[] = {0,       3000,       4095,       4096,
                                          0x20000, 0x7fffffff, 0x80000000, 0xffffffff};
    evtchn_port_t got;
    struct evtchn_status st;

    for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++) {
        struct evtchn_unmask un = {.port = ports[i]};

        CHECK_RC(event_send(ports[i]), -XEN_EINVAL);
        CHECK_RC(event_close(ports[i]), -XEN_EINVAL);
        CHECK_RC(event_bind_vcpu(ports[i], 0), -XEN_EINVAL);
        CHECK_RC(event_bind_interdomain(DOMID_SELF, ports[i], &got), -XEN_EINVAL);
        CHECK_RC(sched_poll(&ports[i], 1, 1), -XEN_EINVAL);
        /* Port 0 is reserved, yet it has a status. Others have one when a port near them had. */
        CHECK_RC(event_status(DOMID_SELF, ports[i], &st), ports[i] ? -XEN_EINVAL : 0);
        if (!ports[i])
            CHECK_EQ(st.status, EVTCHNSTAT_closed);
        CHECK_RC(hv_evtchn_op(EVTCHNOP_unmask, &un), ports[i] ? -XEN_EINVAL : 0);
    }
    event_mask(0);
}

/* Ports come in pieces of 64: a closed one in a piece has a status, beyond it there is nothing. */
static void test_pieces(void)
{
    struct evtchn_unmask un = {.port = 63};
    evtchn_port_t port, list[64];
    struct evtchn_status st;
    unsigned int n = 0;

    CHECK_RC(event_status(DOMID_SELF, 63, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_closed);
    CHECK_RC(event_status(DOMID_SELF, 64, &st), -XEN_EINVAL);
    event_mask(63);
    CHECK_RC(hv_evtchn_op(EVTCHNOP_unmask, &un), 0);
    CHECK(event_is_masked(63)); /* not in use: nothing is done */
    un.port = 64;
    CHECK_RC(hv_evtchn_op(EVTCHNOP_unmask, &un), -XEN_EINVAL);
    port = 63;
    CHECK_RC(sched_poll(&port, 1, 1), -XEN_EINVAL);
    do
        CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &list[n]), 0);
    while (list[n++] != 64);
    CHECK_RC(event_status(DOMID_SELF, 127, &st), 0);
    CHECK_RC(event_status(DOMID_SELF, 128, &st), -XEN_EINVAL);
    while (n > 0)
        event_close(list[--n]);
    CHECK_RC(event_status(DOMID_SELF, 127, &st), 0);
}

static void test_virq(void)
{
    evtchn_port_t port, other;
    struct evtchn_status st;

    REQUIRE(CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &port), 0));
    CHECK_RC(event_status(DOMID_SELF, port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_virq);
    CHECK_EQ(st.u.virq, VIRQ_DEBUG);
    CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &other), -XEN_EEXIST);
    CHECK_RC(event_send(port), -XEN_EINVAL);         /* only the hypervisor sends a VIRQ */
    CHECK_RC(event_bind_vcpu(port, 0), -XEN_EINVAL); /* per-vCPU: stays where it is */
    CHECK_RC(event_close(port), 0);
    CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &port), 0);
    CHECK_RC(event_close(port), 0);

    CHECK_RC(event_bind_virq(NR_VIRQS, 0, &port), -XEN_EINVAL);
    CHECK_RC(event_bind_virq(0xffffffff, 0, &port), -XEN_EINVAL);
    CHECK_RC(event_bind_virq(VIRQ_TIMER, 1000, &port), -XEN_ENOENT);
    CHECK_RC(event_bind_virq(VIRQ_TIMER, 0xffffffff, &port), -XEN_ENOENT);
    CHECK_RC(event_bind_virq(VIRQ_DOM_EXC, 1, &port), -XEN_EINVAL); /* global ones start on 0 */
    if (is_dom0()) {
        CHECK_RC(event_bind_virq(VIRQ_DOM_EXC, 0, &port), 0);
        CHECK_RC(event_bind_virq(VIRQ_DOM_EXC, 0, &other), -XEN_EEXIST);
        CHECK_RC(event_bind_vcpu(port, 0), 0); /* a global one may be moved */
        CHECK_RC(event_bind_vcpu(port, 99), -XEN_ENOENT);
        CHECK_RC(event_close(port), 0);
    }
}

static void test_ipi(void)
{
    evtchn_port_t port;
    struct evtchn_status st;
    uint32_t before;

    REQUIRE(CHECK_RC(event_bind_ipi(0, &port), 0));
    CHECK_RC(event_status(DOMID_SELF, port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_ipi);
    CHECK_EQ(st.vcpu, 0);
    before = event_count[port];
    event_unmask(port);
    events_enable();
    CHECK_RC(event_send(port), 0);
    CHECK_EQ(event_count[port], before + 1);
    events_disable();
    CHECK_RC(event_bind_vcpu(port, 0), -XEN_EINVAL);
    CHECK_RC(event_close(port), 0);
    CHECK_RC(event_bind_ipi(31, &port), -XEN_ENOENT);
    CHECK_RC(event_bind_ipi(0xffffffff, &port), -XEN_ENOENT);
}

static void test_bind_vcpu(void)
{
    evtchn_port_t a, b;

    REQUIRE(event_loop(&a, &b));
    CHECK_RC(event_bind_vcpu(a, 0), 0);
    CHECK_RC(event_bind_vcpu(a, 64), -XEN_ENOENT);
    CHECK_RC(event_bind_vcpu(a, 0xffffffff), -XEN_ENOENT);
    CHECK_RC(event_close(a), 0);
    CHECK_RC(event_bind_vcpu(b, 0), 0); /* unbound now, and allowed */
    CHECK_RC(event_close(b), 0);
}

static void test_pirq(void)
{
    struct evtchn_bind_pirq bind = {.pirq = 1 << 20};

    if (!is_dom0())
        return test_skip("physical interrupts belong to dom0");
    CHECK_RC(hv_evtchn_op(EVTCHNOP_bind_pirq, &bind), -XEN_EINVAL);
    bind.pirq = 0xffffffff;
    CHECK_RC(hv_evtchn_op(EVTCHNOP_bind_pirq, &bind), -XEN_EINVAL);
}

static void test_bad_calls(void)
{
    static const unsigned int ops[] = {EVTCHNOP_alloc_unbound,
                                       EVTCHNOP_bind_interdomain,
                                       EVTCHNOP_bind_virq,
                                       EVTCHNOP_bind_ipi,
                                       EVTCHNOP_bind_pirq,
                                       EVTCHNOP_close,
                                       EVTCHNOP_send,
                                       EVTCHNOP_status,
                                       EVTCHNOP_bind_vcpu,
                                       EVTCHNOP_unmask,
                                       EVTCHNOP_reset,
                                       EVTCHNOP_init_control,
                                       EVTCHNOP_expand_array,
                                       EVTCHNOP_set_priority,
                                       RESET_CONT};
    struct evtchn_reset reset = {.dom = 4321};

    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        CHECK_RC(hv_evtchn_op(ops[i], BAD_POINTER), -XEN_EFAULT);
        CHECK_RC(hv_evtchn_op(ops[i], (void *)0x1000), -XEN_EFAULT);
    }
    CHECK_RC(hv_evtchn_op(99, BAD_POINTER), -XEN_ENOSYS);
    CHECK_RC(hv_evtchn_op(EVTCHNOP_reset, &reset), -XEN_ESRCH);
}

/* All ports of the 2-level ABI can be had, the next one is a clean error, and all come back. */
static void test_exhaustion(void)
{
    evtchn_port_t port, last = 0;
    unsigned int got = 0;
    long rc;

    while ((rc = event_alloc_unbound(DOMID_SELF, DOMID_SELF, &port)) == 0) {
        got++;
        last = port;
        if (got > EVENT_PORTS)
            break;
    }
    CHECK_RC(rc, -XEN_ENOSPC);
    CHECK(got > 4000 && got < EVENT_PORTS);
    CHECK_EQ(last, EVENT_PORTS - 1);
    CHECK_RC(event_bind_ipi(0, &port), -XEN_ENOSPC);
    /* No room is seen before the other end is looked at; a second timer's VIRQ after that. */
    CHECK_RC(event_bind_interdomain(DOMID_SELF, 0xffffffff, &port), -XEN_ENOSPC);
    CHECK_RC(event_bind_interdomain(4321, 1, &port), -XEN_ESRCH);
    CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &port), -XEN_ENOSPC);
    for (port = last; got > 0; port--, got--)
        if (!CHECK_RC(event_close(port), 0))
            break;
    CHECK_RC(event_bind_ipi(0, &port), 0);
    CHECK_RC(event_close(port), 0);
}

/* max_evtchn_port, inclusive, is the end of another domain's ports, too. */
static void test_max_port(void)
{
    struct xen_domctl op = {.u.createdomain = {.max_vcpus = 1,
                                               .max_evtchn_port = 70,
                                               .max_grant_frames = 4,
                                               .max_maptrack_frames = 4,
                                               .grant_opts = XEN_DOMCTL_GRANT_version(1)}};
    struct evtchn_reset reset = {0};
    struct evtchn_status st;
    evtchn_port_t port = 0;
    unsigned int n = 0;
    domid_t d;

    if (!is_dom0())
        return test_skip("only dom0 makes domains");
    REQUIRE(CHECK_RC(domctl(&op, XEN_DOMCTL_createdomain, 0), 0));
    d = op.domain;
    while (n < 100 && event_alloc_unbound(d, DOMID_SELF, &port) == 0)
        n++;
    CHECK_EQ(n, 70);
    CHECK_RC(event_alloc_unbound(d, DOMID_SELF, &port), -XEN_ENOSPC);
    CHECK_RC(event_status(d, 70, &st), 0);
    CHECK_EQ(st.u.unbound.dom, 0);
    CHECK_RC(event_status(d, 71, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_closed);
    CHECK_RC(event_status(d, 128, &st), -XEN_EINVAL);
    reset.dom = d;
    CHECK_RC(hv_evtchn_op(EVTCHNOP_reset, &reset), 0); /* it is paused */
    CHECK_RC(event_status(d, 70, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_closed);
    CHECK_RC(event_alloc_unbound(d, DOMID_SELF, &port), 0);
    CHECK_EQ(port, 1);
    CHECK_RC(domctl(&op, XEN_DOMCTL_destroydomain, d), 0);
}

/* Delivery on the last ports: the selector's last bit. */
static void test_high_port(void)
{
    static evtchn_port_t ports[EVENT_PORTS];
    evtchn_port_t b = 0;
    unsigned int n = 0;

    while (n < EVENT_PORTS && event_alloc_unbound(DOMID_SELF, DOMID_SELF, &ports[n]) == 0)
        n++;
    REQUIRE(CHECK_EQ(ports[n - 1], EVENT_PORTS - 1));
    /* Free the last two and connect them to each other. */
    CHECK_RC(event_close(ports[n - 1]), 0);
    CHECK_RC(event_bind_interdomain(DOMID_SELF, ports[n - 2], &b), 0);
    CHECK_EQ(b, EVENT_PORTS - 1);
    event_clear(b);
    event_unmask(b);
    CHECK_RC(event_send(ports[n - 2]), 0);
    CHECK_EQ(my_vcpu_info()->evtchn_pending_sel, 1ul << 63);
    events_enable();
    CHECK_EQ(event_count[b], 1);
    events_disable();
    event_mask(b);
    for (unsigned int i = 0; i < n; i++)
        event_close(ports[i]);
}

static void test_poll(void)
{
    evtchn_port_t a, b, list[129] = {0};
    uint64_t before;

    REQUIRE(event_loop(&a, &b));
    /* Pending already: comes back at once, and the bit stays. */
    CHECK(event_is_pending(b));
    CHECK_RC(sched_poll(&b, 1, 0), 0);
    CHECK(event_is_pending(b));
    event_clear(b);
    /* The deadline ends it. */
    before = time_ns();
    CHECK_RC(sched_poll(&b, 1, before + 5000000), 0);
    CHECK(time_ns() >= before + 5000000);
    CHECK(!event_is_pending(b));
    before = time_ns();
    CHECK_RC(sched_poll(NULL, 0, before + 3000000), 0);
    CHECK(time_ns() >= before + 3000000);
    /* A deadline that is past ends it too. */
    CHECK_RC(sched_poll(&b, 1, 1), 0);

    for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = a;
    CHECK_RC(sched_poll(list, 129, time_ns() + 1000000), -XEN_EINVAL);
    CHECK_RC(sched_poll(list, 0xffffffff, time_ns() + 1000000), -XEN_EINVAL);
    CHECK_RC(sched_poll(list, 128, time_ns() + 1000000), 0);
    list[1] = 4096;
    CHECK_RC(sched_poll(list, 2, time_ns() + 1000000), -XEN_EINVAL);
    list[1] = 0xffffffff;
    CHECK_RC(sched_poll(list, 2, time_ns() + 1000000), -XEN_EINVAL);
    CHECK_RC(sched_poll(BAD_POINTER, 1, time_ns() + 1000000), -XEN_EFAULT);
    CHECK_RC(sched_poll((void *)0x1000, 1, time_ns() + 1000000), -XEN_EFAULT);
    CHECK_RC(hv_sched_op(SCHEDOP_poll, BAD_POINTER), -XEN_EFAULT);
    CHECK_RC(hv_sched_op(99, NULL), -XEN_ENOSYS);
    CHECK_RC(event_close(a), 0);
    CHECK_RC(event_close(b), 0);
}

/* A timer event wakes a poll although events are off, and a block by an upcall. */
static void test_wakes(void)
{
    evtchn_port_t timer;
    uint64_t start;
    uint32_t before;

    REQUIRE(CHECK_RC(event_bind_virq(VIRQ_TIMER, 0, &timer), 0));
    start = time_ns();
    CHECK_RC(hv_set_timer(start + 4000000), 0);
    CHECK_RC(sched_poll(&timer, 1, start + 2000000000), 0);
    CHECK(event_is_pending(timer));
    CHECK(time_ns() >= start + 4000000 && time_ns() < start + 1500000000);
    event_clear(timer);
    before = event_count[timer];
    event_unmask(timer);
    CHECK_RC(hv_set_timer(time_ns() + 4000000), 0);
    while (event_count[timer] == before)
        sched_block();
    CHECK_EQ(event_count[timer], before + 1);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_mask, 0); /* block enables delivery */
    events_disable();
    event_mask(timer);
    CHECK_RC(event_close(timer), 0);
}

/* Reset closes every port of the domain, and leaves nothing pending. */
static void test_reset(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    evtchn_port_t a, b, v;
    struct evtchn_status st;

    REQUIRE(event_loop(&a, &b));
    CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &v), 0);
    CHECK_RC(event_send(a), 0);
    CHECK_RC(hv_evtchn_op(RESET_CONT, &reset), -XEN_EBUSY); /* there is nothing to go on with */
    CHECK_RC(hv_evtchn_op(EVTCHNOP_reset, &reset), 0);
    CHECK(!event_is_pending(b));
    CHECK_RC(event_status(DOMID_SELF, a, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_closed);
    CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &v), 0);
    CHECK_RC(event_close(v), 0);
}

GUEST("events", TEST(alloc_and_status), TEST(bad_domains), TEST(interdomain), TEST(delivery),
      TEST(edge), TEST(close_clears_pending), TEST(bad_ports), TEST(pieces), TEST(virq), TEST(ipi),
      TEST(bind_vcpu), TEST(pirq), TEST(bad_calls), TEST(exhaustion), TEST(max_port),
      TEST(high_port), TEST(poll), TEST(wakes), TEST(reset));
