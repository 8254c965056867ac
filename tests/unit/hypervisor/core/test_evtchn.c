/* SPDX-License-Identifier: MIT */
/* Event channels: every kind of port, between two domains and within one, and what must be refused.
 */
#include <hv/evtchn.h>
#include <hv/frame.h>
#include <hv/irq.h>
#include <hv/sched.h>
#include <hv/string.h>
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
        long in_table = ports[i] < 64 ? 0 : -EINVAL; /* port 0 is, for ever closed */

        CU_ASSERT_EQUAL(OP(unmask, &(struct evtchn_unmask){ports[i]}), in_table);
        CU_ASSERT_EQUAL(OP(status, &st), in_table);
        CU_ASSERT_EQUAL(st.status, EVTCHNSTAT_closed);
        CU_ASSERT_EQUAL(evtchn_port_poll(a, ports[i]), -EINVAL);
    }
    CU_ASSERT_EQUAL(call(do_event_channel_op, EVTCHNOP_init_control, 8, 0), -EFAULT);
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

static void reset_others(void)
{
    struct evtchn_alloc_unbound u = {.dom = 7, .remote_dom = 0};
    struct evtchn_reset reset = {7};

    setup();
    CU_ASSERT_EQUAL(OP(alloc_unbound, &u), 0);
    b->controller_pauses = 0;
    CU_ASSERT_EQUAL(OP(reset, &reset), -EINVAL); /* it is not paused */
    b->controller_pauses = 1;
    CU_ASSERT_EQUAL(OP(reset, &reset), 0);
    CU_ASSERT_EQUAL(call(do_event_channel_op, 14, PTR(&(struct evtchn_reset){DOMID_SELF}), 0),
                    -EBUSY);
    reset.dom = 99;
    CU_ASSERT_EQUAL(OP(reset, &reset), -ESRCH);
    fake_become(b->vcpu[0]);
    reset.dom = 0;
    CU_ASSERT_EQUAL(OP(reset, &reset), -EPERM);
    struct evtchn_status st = {.dom = 0, .port = 1};
    CU_ASSERT_EQUAL(OP(status, &st), -EPERM);
    st.port = 70; /* looked at first */
    CU_ASSERT_EQUAL(OP(status, &st), -EINVAL);
    teardown();
}

/* --- FIFO ------------------------------------------------------------------------------------ */

#define F_PENDING (1u << EVTCHN_FIFO_PENDING)
#define F_MASKED  (1u << EVTCHN_FIFO_MASKED)
#define F_LINKED  (1u << EVTCHN_FIFO_LINKED)
#define F_BUSY    (1u << EVTCHN_FIFO_BUSY)

static struct evtchn_fifo_control_block *cb[2]; /* of b's vCPUs */
static uint32_t *word;                          /* of b's ports 0 … 1023 */

/* b uses FIFO events; each vCPU's control block is in a frame of its own. */
static void setup_fifo(void)
{
    mfn_t f = fake_frame_of(b);

    fake_become(b->vcpu[0]);
    for (unsigned i = 0; i < 2; i++) {
        mfn_t c = fake_frame_of(b);
        struct evtchn_init_control init = {.control_gfn = c.m, .offset = 8 * i, .vcpu = i};

        CU_ASSERT_EQUAL(OP(init_control, &init), 0);
        CU_ASSERT_EQUAL(init.link_bits, 17);
        cb[i] = (void *)(fake_frames[c.m].page + 8 * i);
    }
    CU_ASSERT_EQUAL(OP(expand_array, &(struct evtchn_expand_array){f.m}), 0);
    word = (void *)fake_frames[f.m].page;
}

static unsigned ipi(unsigned vcpu)
{
    struct evtchn_bind_ipi i = {.vcpu = vcpu};

    CU_ASSERT_EQUAL(OP(bind_ipi, &i), 0);
    return i.port;
}

static void send_to(unsigned port)
{
    CU_ASSERT_EQUAL(OP(send, &(struct evtchn_send){port}), 0);
}

/* The vCPU passes its exit path: true if an upcall is due. */
static bool leave(struct vcpu *v)
{
    struct vcpu_info info = {0};

    vcpu_fold_events(v, &info);
    CU_ASSERT_EQUAL(info.evtchn_pending_sel, 0);
    return info.evtchn_upcall_pending;
}

static void fifo_basics(void)
{
    unsigned pa, pb, p;
    uint64_t refs;

    setup();
    refs = fake_total_refs();
    connect(&pa, &pb);
    setup_fifo();
    CU_ASSERT(leave(b->vcpu[0]));
    CU_ASSERT_EQUAL(word[pb], F_PENDING | F_LINKED); /* pending before the switch */
    CU_ASSERT_FALSE(leave(b->vcpu[0]));
    word[pb] = 0;
    /* Another domain's send touches nothing of b's, until b's vCPU leaves. */
    fake_become(a->vcpu[0]);
    send_to(pa);
    send_to(pa);
    CU_ASSERT_EQUAL(word[pb], 0);
    fake_become(b->vcpu[0]);
    CU_ASSERT_EQUAL(evtchn_port_poll(b, pb), 1);
    cb[0]->ready = 0;
    word[pb] = 0;
    fake_become(a->vcpu[0]);
    send_to(pa);
    fake_become(b->vcpu[0]);
    CU_ASSERT(leave(b->vcpu[0]));
    CU_ASSERT_EQUAL(word[pb], F_PENDING | F_LINKED);
    CU_ASSERT_EQUAL(cb[0]->head[7], pb);
    CU_ASSERT_EQUAL(cb[0]->ready, 1 << 7);
    /* An IPI to the other vCPU is in its queue when send returns. */
    p = ipi(1);
    send_to(p);
    CU_ASSERT_EQUAL(word[p], F_PENDING | F_LINKED);
    CU_ASSERT_EQUAL(cb[1]->head[7], p);
    CU_ASSERT(leave(b->vcpu[1]));
    CU_ASSERT_EQUAL(OP(reset, &(struct evtchn_reset){DOMID_SELF}), 0);
    CU_ASSERT_EQUAL(fake_total_refs() - refs, 3); /* the frames' own */
    CU_ASSERT_EQUAL(OP(expand_array, &(struct evtchn_expand_array){1}), -EOPNOTSUPP);
    teardown();
}

/* An event that moves between vCPUs takes its place as a tail with it. */
static void fifo_moves(void)
{
    unsigned pa, pb, pa2, pb2;

    setup();
    connect(&pa, &pb);
    connect(&pa2, &pb2);
    setup_fifo();
    leave(b->vcpu[0]);
    word[pb] = word[pb2] = 0; /* both taken; pb2 is the tail of vCPU 0's queue */
    cb[0]->ready = 0;
    CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){pb2, 1}), 0);
    fake_become(a->vcpu[0]);
    send_to(pa2);
    send_to(pa);
    fake_become(b->vcpu[1]);
    CU_ASSERT(leave(b->vcpu[1]));
    CU_ASSERT_EQUAL(cb[1]->head[7], pb2);
    fake_become(b->vcpu[0]);
    CU_ASSERT(leave(b->vcpu[0]));
    CU_ASSERT_EQUAL(cb[0]->head[7], pb); /* and not a link from pb2 */
    CU_ASSERT_EQUAL(word[pb2], F_PENDING | F_LINKED);
    /* Bound elsewhere between send and delivery: whoever has it on its list finds the new queue. */
    word[pb] = word[pb2] = 0;
    cb[0]->ready = cb[1]->ready = 0;
    fake_become(a->vcpu[0]);
    send_to(pa);
    fake_become(b->vcpu[0]);
    CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){pb, 1}), 0);
    CU_ASSERT_FALSE(leave(b->vcpu[0]));
    CU_ASSERT(leave(b->vcpu[1]));
    CU_ASSERT_EQUAL(cb[1]->head[7], pb);
    teardown();
}

/* What was sent and not yet put into the array goes with its port. */
static void fifo_close_and_die(void)
{
    unsigned pa, pb;

    setup();
    connect(&pa, &pb);
    setup_fifo();
    leave(b->vcpu[0]);
    word[pb] = 0;
    fake_become(a->vcpu[0]);
    send_to(pa);
    fake_become(b->vcpu[0]);
    CU_ASSERT_EQUAL(OP(close, &(struct evtchn_close){pb}), 0);
    CU_ASSERT_FALSE(leave(b->vcpu[0]));
    CU_ASSERT_EQUAL(word[pb], 0);
    CU_ASSERT_EQUAL(ipi(0), pb); /* given out again, without the old event */
    CU_ASSERT_FALSE(leave(b->vcpu[0]));
    send_to(pb);
    fake_become(a->vcpu[0]);
    fake_kill(b); /* with a list, queues and references */
    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        CU_ASSERT_EQUAL(fake_frames[i].typed, 0);
    b = fake_domain(7, 2, false);
    teardown();
}

/* 25 (XSA-188): an init_control that is refused changes nothing, not even which ABI there is. */
static void fifo_refused(void)
{
    struct evtchn_init_control bad[] = {{.control_gfn = 200},
                                        {.control_gfn = 200, .offset = 4096 - 64},
                                        {.control_gfn = 200, .offset = 4},
                                        {.control_gfn = 200, .vcpu = 2}};
    unsigned pa, pb;

    setup();
    connect(&pa, &pb);
    fake_become(b->vcpu[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        CU_ASSERT(OP(init_control, &bad[i]) < 0);
        CU_ASSERT_EQUAL(OP(expand_array, &(struct evtchn_expand_array){fake_frame_of(b).m}),
                        -EOPNOTSUPP);
        fake_become(a->vcpu[0]);
        send_to(pa);
        CU_ASSERT(pending(b, pb));
        fake_become(b->vcpu[0]);
        b->shared_info->evtchn_pending[pb / 64] = 0;
    }
    setup_fifo();
    fake_become(a->vcpu[0]);
    send_to(pa);
    CU_ASSERT(leave(b->vcpu[0]));
    CU_ASSERT_EQUAL(word[pb] & F_PENDING, F_PENDING);
    teardown();
}

/*
 * The guest writes what it likes into its array and control blocks, while events are sent, moved
 * between queues and vCPUs, unmasked, closed. Nothing may follow from it for anybody: only ports of
 * the table are ever used (ASan looks on), and each call ends.
 */
static void fifo_hostile(void)
{
    uint64_t seed = 1;
    unsigned pa[4], pb[4], n = 0;

    setup();
    for (unsigned i = 0; i < 4; i++)
        connect(&pa[i], &pb[i]);
    setup_fifo();
    for (unsigned i = 0; i < 200000; i++) {
        unsigned k, port;

        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        k = (seed >> 33) % 10;
        port = pb[(seed >> 40) % 4];
        word[(seed >> 50) % 16] = (uint32_t)(seed >> 7) | (seed >> 60 ? 0 : F_LINKED | F_BUSY);
        cb[i % 2]->ready = (uint32_t)(seed >> 20);
        cb[i % 2]->head[i % 16] = (uint32_t)(seed >> 9);
        fake_become(b->vcpu[i % 2]);
        if (k < 4) {
            fake_become(a->vcpu[0]);
            n += OP(send, &(struct evtchn_send){pa[k]}) == 0;
        } else if (k == 4) {
            OP(bind_vcpu, &(struct evtchn_bind_vcpu){port, (seed >> 44) & 1});
        } else if (k == 5) {
            OP(set_priority, &(struct evtchn_set_priority){port, (seed >> 44) & 15});
        } else if (k == 6) {
            OP(unmask, &(struct evtchn_unmask){port});
        } else if (k == 7) {
            struct evtchn_bind_ipi op = {.vcpu = (seed >> 44) & 1};

            if (OP(bind_ipi, &op) == 0) {
                OP(send, &(struct evtchn_send){op.port});
                OP(close, &(struct evtchn_close){op.port});
            }
        } else {
            leave(b->vcpu[i % 2]);
        }
    }
    CU_ASSERT(n > 10000);
    /* Once it behaves, its events come. */
    memset(word, 0, PAGE_SIZE);
    memset(cb[0], 0, sizeof(*cb[0]));
    fake_become(b->vcpu[0]);
    CU_ASSERT_EQUAL(OP(bind_vcpu, &(struct evtchn_bind_vcpu){pb[0], 0}), 0);
    CU_ASSERT_EQUAL(OP(set_priority, &(struct evtchn_set_priority){pb[0], 3}), 0);
    leave(b->vcpu[0]);
    leave(b->vcpu[1]);
    memset(word, 0, PAGE_SIZE);
    memset(cb[0], 0, sizeof(*cb[0]));
    fake_become(a->vcpu[0]);
    send_to(pa[0]);
    fake_become(b->vcpu[0]);
    CU_ASSERT(leave(b->vcpu[0]));
    CU_ASSERT_EQUAL(word[pb[0]], F_PENDING | F_LINKED);
    CU_ASSERT_EQUAL(cb[0]->head[3], pb[0]);
    teardown();
}

/* 131,071 ports, each raised at once: the vCPU takes them in pieces, and all arrive in order. */
static void fifo_all_ports(void)
{
    struct domain_config cfg = {.max_vcpus = 1,
                                .max_evtchn_port = UINT32_MAX,
                                .max_grant_frames = 1,
                                .max_maptrack_frames = 1};
    struct evtchn_init_control init = {.vcpu = 0};
    struct evtchn_alloc_unbound u = {.dom = DOMID_SELF, .remote_dom = 0};
    unsigned n = 0, rounds = 0, port;
    struct evtchn_fifo_control_block *block;
    uint32_t *array[128];
    struct domain *d;
    mfn_t c;

    setup();
    CU_ASSERT_EQUAL_FATAL(domain_create(9, &cfg, &d), 0);
    CU_ASSERT_EQUAL_FATAL(domain_make_vcpus(d, 1), 0);
    c = fake_frame_of(d);
    fake_become(d->vcpu[0]);
    init.control_gfn = c.m;
    CU_ASSERT_EQUAL(OP(init_control, &init), 0);
    block = (void *)fake_frames[c.m].page;
    for (unsigned i = 0; i < 128; i++) {
        mfn_t f = fake_frame_of(d);

        CU_ASSERT_EQUAL(OP(expand_array, &(struct evtchn_expand_array){f.m}), 0);
        array[i] = (void *)fake_frames[f.m].page;
    }
    while (OP(alloc_unbound, &u) == 0)
        n++;
    CU_ASSERT_EQUAL(n, 131071);
    CU_ASSERT_EQUAL(u.port, 131071);
    fake_become(a->vcpu[0]);
    for (unsigned i = 1; i < 131072; i++) {
        struct evtchn_bind_interdomain bind = {.remote_dom = 9, .remote_port = i};

        if (OP(bind_interdomain, &bind) != 0) { /* dom0 has fewer here: one more round for it */
            CU_ASSERT_EQUAL(OP(reset, &(struct evtchn_reset){DOMID_SELF}), 0);
            CU_ASSERT_EQUAL(OP(bind_interdomain, &bind), 0);
        }
        send_to(bind.local_port);
    }
    fake_become(d->vcpu[0]);
    while (d->vcpu[0]->event_selectors)
        rounds += (unsigned)leave(d->vcpu[0]) | 1;
    CU_ASSERT(rounds >= 131071 / 64);
    CU_ASSERT_EQUAL(block->ready, 1 << 7);
    for (port = block->head[7], n = 1; n < 131071;
         n++, port = array[port / 1024][port % 1024] & 0x1ffff)
        if (port != n) /* in the order of sending */
            break;
    CU_ASSERT_EQUAL(n, 131071);
    fake_become(a->vcpu[0]);
    fake_kill(d);
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
    {"another domain's ports", reset_others},
    {"FIFO: two domains, two vCPUs, reset", fifo_basics},
    {"FIFO: events move between queues", fifo_moves},
    {"FIFO: close and destroy with events under way", fifo_close_and_die},
    {"FIFO: what is refused", fifo_refused},
    {"FIFO: a hostile array", fifo_hostile},
    {"FIFO: all ports at once", fifo_all_ports},
    CU_TEST_INFO_NULL,
};
