/* SPDX-License-Identifier: MIT */
/* Event channels: every kind of port, between two domains and within one, and what must be refused.
 */
#include <hv/evtchn.h>
#include <hv/irq.h>
#include <hv/sched.h>
#include <xen/event_channel.h>
#include "fake.h"
#include "tests.h"

static struct domain *a, *b; /* a is dom0 */

static void setup(void)
{
    fake_machine(1);
    a = fake_domain(0, 2, false);
    b = fake_domain(7, 2, false);
    fake_become(a->vcpu[0]);
}

static void teardown(void)
{
    fake_become(this_cpu()->idle);
    fake_kill(b);
    fake_kill(a);
    fake_machine_down();
}

#define OP(cmd, ...) call(do_event_channel_op, EVTCHNOP_##cmd, PTR((__VA_ARGS__)), 0)

static bool pending(struct domain *d, unsigned port)
{
    return (d->shared_info->evtchn_pending[port / 64] >> (port % 64)) & 1;
}
static void set_mask(struct domain *d, unsigned port)
{
    d->shared_info->evtchn_mask[port / 64] |= 1UL << (port % 64);
}

static void connect(unsigned *pa, unsigned *pb)
{
    struct evtchn_alloc_unbound u = {.dom = DOMID_SELF, .remote_dom = 7};
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};

    fake_become(a->vcpu[0]);
    CU_ASSERT_EQUAL(OP(alloc_unbound, &u), 0);
    fake_become(b->vcpu[0]);
    bind.remote_port = u.port;
    CU_ASSERT_EQUAL(OP(bind_interdomain, &bind), 0);
    *pa = u.port;
    *pb = bind.local_port;
}

static void interdomain(void)
{
    unsigned pa, pb;
    struct evtchn_status st = {.dom = DOMID_SELF};
    struct evtchn_send s;

    setup();
    connect(&pa, &pb);
    CU_ASSERT(pending(b, pb)); /* bind looks once */
    CU_ASSERT_EQUAL(b->vcpu[0]->event_selectors, 1UL << (pb / 64));
    fake_become(b->vcpu[0]);
    s.port = pb;
    CU_ASSERT_FALSE(pending(a, pa));
    CU_ASSERT_EQUAL(OP(send, &s), 0);
    CU_ASSERT(pending(a, pa));
    CU_ASSERT_EQUAL(a->vcpu[0]->event_selectors, 1);
    /* a second send changes nothing until the guest takes the first */
    a->vcpu[0]->event_selectors = 0;
    OP(send, &s);
    CU_ASSERT_EQUAL(a->vcpu[0]->event_selectors, 0);

    fake_become(a->vcpu[0]);
    st.port = pa;
    CU_ASSERT_EQUAL(OP(status, &st), 0);
    CU_ASSERT_EQUAL(st.status, EVTCHNSTAT_interdomain);
    CU_ASSERT_EQUAL(st.u.interdomain.dom, 7);
    CU_ASSERT_EQUAL(st.u.interdomain.port, pb);
    /* b closes: a's end waits for b again, and can be bound again */
    fake_become(b->vcpu[0]);
    CU_ASSERT_EQUAL(OP(close, &(struct evtchn_close){pb}), 0);
    CU_ASSERT_EQUAL(OP(close, &(struct evtchn_close){pb}), -EINVAL);
    CU_ASSERT_EQUAL(OP(send, &s), -EINVAL);
    fake_become(a->vcpu[0]);
    CU_ASSERT_EQUAL(OP(status, &st), 0);
    CU_ASSERT_EQUAL(st.status, EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(st.u.unbound.dom, 7);
    CU_ASSERT_EQUAL(OP(send, &(struct evtchn_send){pa}), 0); /* lost, not refused */
    fake_become(b->vcpu[0]);
    struct evtchn_bind_interdomain again = {.remote_dom = 0, .remote_port = pa};
    CU_ASSERT_EQUAL(OP(bind_interdomain, &again), 0);
    teardown();
}

static void who_may_bind(void)
{
    struct evtchn_alloc_unbound u = {.dom = DOMID_SELF, .remote_dom = 5};
    struct evtchn_alloc_unbound other = {.dom = 0, .remote_dom = 7};
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};

    setup();
    OP(alloc_unbound, &u);
    fake_become(b->vcpu[0]);
    bind.remote_port = u.port;
    CU_ASSERT_EQUAL(OP(bind_interdomain, &bind), -EINVAL); /* meant for another */
    bind.remote_dom = 99;
    CU_ASSERT_EQUAL(OP(bind_interdomain, &bind), -ESRCH);
    bind.remote_dom = DOMID_XEN;
    CU_ASSERT_EQUAL(OP(bind_interdomain, &bind), -ESRCH);
    CU_ASSERT_EQUAL(OP(alloc_unbound, &other), -EPERM); /* in dom0's table */
    fake_become(a->vcpu[0]);
    other = (struct evtchn_alloc_unbound){.dom = 7, .remote_dom = DOMID_SELF};
    CU_ASSERT_EQUAL(OP(alloc_unbound, &other), 0); /* dom0 may, for others */
    other.dom = 98;
    CU_ASSERT_EQUAL(OP(alloc_unbound, &other), -ESRCH);
    teardown();
}

static void masks(void)
{
    unsigned pa, pb;

    setup();
    connect(&pa, &pb);
    set_mask(a, pa);
    fake_become(b->vcpu[0]);
    OP(send, &(struct evtchn_send){pb});
    CU_ASSERT(pending(a, pa));
    CU_ASSERT_EQUAL(a->vcpu[0]->event_selectors, 0);
    fake_become(a->vcpu[1]);
    CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){pa, 1}), 0);
    CU_ASSERT_EQUAL(OP(unmask, &(struct evtchn_unmask){pa}), 0);
    CU_ASSERT_EQUAL(a->vcpu[0]->event_selectors, 0);
    CU_ASSERT_EQUAL(a->vcpu[1]->event_selectors, 1);
    teardown();
}

static void virqs(void)
{
    struct evtchn_bind_virq v = {.virq = VIRQ_TIMER, .vcpu = 1};

    setup();
    CU_ASSERT_EQUAL(OP(bind_virq, &v), 0);
    CU_ASSERT_EQUAL(OP(bind_virq, &v), -EEXIST);
    send_guest_vcpu_virq(a->vcpu[0], VIRQ_TIMER);
    CU_ASSERT_FALSE(pending(a, v.port));
    send_guest_vcpu_virq(a->vcpu[1], VIRQ_TIMER);
    CU_ASSERT(pending(a, v.port));
    CU_ASSERT_EQUAL(a->vcpu[1]->event_selectors, 1);
    CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){v.port, 0}), -EINVAL);
    CU_ASSERT_EQUAL(OP(close, &(struct evtchn_close){v.port}), 0);
    CU_ASSERT_FALSE(pending(a, v.port));
    send_guest_vcpu_virq(a->vcpu[1], VIRQ_TIMER); /* bound to nothing now */
    CU_ASSERT_FALSE(pending(a, v.port));

    v = (struct evtchn_bind_virq){.virq = VIRQ_DOM_EXC, .vcpu = 1};
    CU_ASSERT_EQUAL(OP(bind_virq, &v), -EINVAL);
    v.vcpu = 0;
    CU_ASSERT_EQUAL(OP(bind_virq, &v), 0);
    CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){v.port, 1}), 0);
    a->vcpu[1]->event_selectors = 0;
    send_dom0_virq(VIRQ_DOM_EXC);
    CU_ASSERT(pending(a, v.port));
    CU_ASSERT_EQUAL(a->vcpu[1]->event_selectors, 1);
    v = (struct evtchn_bind_virq){.virq = 24};
    CU_ASSERT_EQUAL(OP(bind_virq, &v), -EINVAL);
    v = (struct evtchn_bind_virq){.virq = VIRQ_DEBUG, .vcpu = 2};
    CU_ASSERT_EQUAL(OP(bind_virq, &v), -ENOENT);
    teardown();
}

static void ipis(void)
{
    struct evtchn_bind_ipi i = {.vcpu = 1};

    setup();
    CU_ASSERT_EQUAL(OP(bind_ipi, &i), 0);
    CU_ASSERT_EQUAL(OP(send, &(struct evtchn_send){i.port}), 0);
    CU_ASSERT_EQUAL(a->vcpu[1]->event_selectors, 1);
    CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){i.port, 0}), -EINVAL);
    i.vcpu = 2;
    CU_ASSERT_EQUAL(OP(bind_ipi, &i), -ENOENT);
    teardown();
}

static void pirqs(void)
{
    struct evtchn_bind_pirq p = {.pirq = 9};

    setup();
    CU_ASSERT_EQUAL(OP(bind_pirq, &p), 0);
    CU_ASSERT_EQUAL(OP(bind_pirq, &p), -EEXIST);
    CU_ASSERT_EQUAL(evtchn_pirq_port(a, 9), p.port);
    send_guest_pirq(a, 9);
    send_guest_pirq(a, 10);
    CU_ASSERT(pending(a, p.port));
    CU_ASSERT_EQUAL(OP(send, &(struct evtchn_send){p.port}), -EINVAL);
    CU_ASSERT_EQUAL(OP(close, &(struct evtchn_close){p.port}), 0);
    CU_ASSERT_EQUAL(evtchn_pirq_port(a, 9), 0);
    p.pirq = 63; /* the interrupt code refuses this one: its port is free again */
    unsigned was = p.port;
    CU_ASSERT_EQUAL(OP(bind_pirq, &p), -EBUSY);
    p.pirq = 8;
    CU_ASSERT_EQUAL(OP(bind_pirq, &p), 0);
    CU_ASSERT_EQUAL(p.port, was);
    p.pirq = 64;
    CU_ASSERT_EQUAL(OP(bind_pirq, &p), -EINVAL);
    fake_become(b->vcpu[0]);
    p.pirq = 5;
    CU_ASSERT_EQUAL(OP(bind_pirq, &p), -EPERM);
    teardown();
}

static void exhaustion(void)
{
    struct evtchn_alloc_unbound u = {.dom = DOMID_SELF, .remote_dom = 7};
    unsigned n = 0;
    long rc;

    setup();
    while ((rc = OP(alloc_unbound, &u)) == 0) {
        n++;
        CU_ASSERT_EQUAL_FATAL(u.port, n); /* the lowest free one */
    }
    CU_ASSERT_EQUAL(rc, -ENOSPC);
    CU_ASSERT_EQUAL(n, 1023); /* max_evtchn_port */
    OP(close, &(struct evtchn_close){500});
    CU_ASSERT_EQUAL(OP(alloc_unbound, &u), 0);
    CU_ASSERT_EQUAL(u.port, 500);
    CU_ASSERT_EQUAL(OP(alloc_unbound, &u), -ENOSPC);
    CU_ASSERT_EQUAL(OP(reset, &(struct evtchn_reset){DOMID_SELF}), 0);
    CU_ASSERT_EQUAL(OP(alloc_unbound, &u), 0);
    CU_ASSERT_EQUAL(u.port, 1);
    teardown();
}

static void bad_ports(void)
{
    const unsigned ports[] = {0, 170, 1023, 1024, 4095, 4096, 131072, 0x7fffffff, 0xffffffff};

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        struct evtchn_status st = {.dom = DOMID_SELF, .port = ports[i]};

        CU_ASSERT_EQUAL(OP(send, &(struct evtchn_send){ports[i]}), -EINVAL);
        CU_ASSERT_EQUAL(OP(close, &(struct evtchn_close){ports[i]}), -EINVAL);
        CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){ports[i], 0}), -EINVAL);
        if (ports[i] == 0 || ports[i] > 1023) {
            CU_ASSERT_EQUAL(OP(unmask, &(struct evtchn_unmask){ports[i]}), -EINVAL);
            CU_ASSERT_EQUAL(OP(status, &st), -EINVAL);
        }
    }
    CU_ASSERT_EQUAL(call(do_event_channel_op, EVTCHNOP_init_control, PTR(ports), 0), -ENOSYS);
    CU_ASSERT_EQUAL(call(do_event_channel_op, 99, PTR(ports), 0), -ENOSYS);
    CU_ASSERT_EQUAL(call(do_event_channel_op, EVTCHNOP_send, 8, 0), -EFAULT);
    teardown();
}

/* The peer dies: our end stays, unbound, and nothing of the dead one is touched. */
static void peer_dies(void)
{
    unsigned pa, pb;
    struct evtchn_status st = {.dom = DOMID_SELF};

    setup();
    connect(&pa, &pb);
    fake_become(a->vcpu[0]);
    fake_kill(b);
    CU_ASSERT_PTR_NULL(domain_get(7));
    st.port = pa;
    CU_ASSERT_EQUAL(OP(status, &st), 0);
    CU_ASSERT_EQUAL(st.status, EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(OP(send, &(struct evtchn_send){pa}), 0);
    b = fake_domain(7, 2, false); /* for teardown */
    teardown();
}

static void poller_is_woken(void)
{
    unsigned pa, pb;

    setup();
    connect(&pa, &pb);
    set_mask(a, pa); /* as PV spinlocks do */
    a->shared_info->evtchn_pending[0] = 0;
    a->vcpu[1]->blocked = true;
    a->vcpu[1]->poll_port = pa;
    evtchn_polling(a->vcpu[1], true);
    fake_become(b->vcpu[0]);
    OP(send, &(struct evtchn_send){pb});
    CU_ASSERT_FALSE(a->vcpu[1]->blocked);
    CU_ASSERT_FALSE(a->vcpu[1]->polling);
    CU_ASSERT_EQUAL(a->vcpu[1]->event_selectors, 0);
    teardown();
}

static void folding(void)
{
    struct vcpu_info info = {.evtchn_pending_sel = 2};

    setup();
    a->vcpu[0]->event_selectors = 5;
    vcpu_fold_events(a->vcpu[0], &info);
    CU_ASSERT_EQUAL(info.evtchn_pending_sel, 7);
    CU_ASSERT_EQUAL(info.evtchn_upcall_pending, 1);
    CU_ASSERT_EQUAL(a->vcpu[0]->event_selectors, 0);
    teardown();
}

CU_TestInfo evtchn_tests[] = {
    {"interdomain: bind, send, close, rebind", interdomain},
    {"who may bind what", who_may_bind},
    {"masks and unmask", masks},
    {"VIRQs", virqs},
    {"IPIs", ipis},
    {"PIRQs", pirqs},
    {"ports run out", exhaustion},
    {"bad ports", bad_ports},
    {"the peer dies", peer_dies},
    {"a poller is woken through a mask", poller_is_woken},
    {"selectors are folded in", folding},
    CU_TEST_INFO_NULL,
};
