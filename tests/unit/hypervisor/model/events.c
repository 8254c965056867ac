/* SPDX-License-Identifier: MIT */
/*
 * Event channels, two levels: three domains of two vCPUs bind, send, mask, close, reset and die at
 * random. The model: for each port its state, and a bit each for pending and masked.
 */
#include <hv/evtchn.h>
#include <xen/event_channel.h>
#include "model.h"
#include "../../../../hypervisor/common/evtchn/port.h" /* to look at the real ports */
#include "domains.h" /* after it: its names shadow ours otherwise */

#define VCPUS 2
#define PORTS 80 /* so few that they run out */
#define NONE  99 /* no domain has this id */

static const unsigned virqs[] = {VIRQ_TIMER, VIRQ_DEBUG, VIRQ_CONSOLE, VIRQ_DOM_EXC, 13, 23, 24};

struct mport {
    unsigned state, vcpu, virq;
    unsigned dom, port; /* interdomain: the other end */
    domid_t may_bind;   /* unbound */
    bool pending, masked;
};

static struct model {
    struct mport port[PORTS];
    unsigned table; /* ports below it have a status */
    uint64_t selectors[VCPUS];
} model[DOMS];

static struct evtchn_domain *ports_of(unsigned d)
{
    return real[d]->evtchn;
}

static void birth(unsigned d)
{
    real[d] = fake_domain(id[d], VCPUS, false);
    ports_of(d)->limit = PORTS;
    memset(&model[d], 0, sizeof(model[d]));
    model[d].table = 64;
}

static void begin(void)
{
    fake_machine(1);
    for (unsigned d = 0; d < DOMS; d++)
        birth(d);
}

static void end(void)
{
    fake_become(this_cpu()->idle);
    for (unsigned d = DOMS; d-- > 0;)
        fake_kill(real[d]);
    fake_machine_down();
}

/* --- the model --- */

static int lowest_free(unsigned me)
{
    for (int i = 1; i < PORTS; i++)
        if (model[me].port[i].state == EVTCHNSTAT_closed)
            return i;
    return -ENOSPC;
}

static struct mport *take(unsigned me, int port, unsigned state, unsigned vcpu)
{
    struct mport *p = &model[me].port[port];

    p->state = state;
    p->vcpu = vcpu;
    if ((unsigned)port >= model[me].table)
        model[me].table = 128;
    done++;
    return p;
}

static void tell_vcpu(unsigned d, unsigned port)
{
    model[d].selectors[model[d].port[port].vcpu] |= 1ul << (port / 64);
}

static void raise(unsigned d, unsigned port)
{
    struct mport *p = &model[d].port[port];

    if (!p->pending && !p->masked)
        tell_vcpu(d, port);
    p->pending = true;
}

static void shut(unsigned d, unsigned port)
{
    struct mport *p = &model[d].port[port];

    if (p->state == EVTCHNSTAT_interdomain) {
        struct mport *other = &model[p->dom].port[p->port];

        other->state = EVTCHNSTAT_unbound;
        other->may_bind = id[d];
    }
    *p = (struct mport){.state = EVTCHNSTAT_closed, .masked = p->masked};
}

/* Whom an operation names: an index, or -ESRCH. */
static int named(unsigned me, domid_t dom)
{
    int d = dom == DOMID_SELF ? (int)me : index_of(dom);

    return d < 0 ? -ESRCH : d;
}

/* --- steps: each makes the call and predicts its result --- */

static domid_t any_domid(void)
{
    static const domid_t odd[] = {DOMID_SELF, DOMID_SELF, NONE, DOMID_IO, DOMID_XEN};

    return pick(3) ? id[pick(DOMS)] : odd[pick(ARRAY_SIZE(odd))];
}

static unsigned any_port(void)
{
    static const unsigned odd[] = {0, PORTS, 127, 128, 1023, 4096, 131072, ~0u};

    return pick(16) ? pick(PORTS) : odd[pick(ARRAY_SIZE(odd))];
}

static struct mport *known(unsigned me, unsigned port)
{
    return port < PORTS ? &model[me].port[port] : NULL;
}

#define CALL(op, arg) hypercall(do_event_channel_op, EVTCHNOP_##op, arg, 0)
#define EXPECT(name, got, want)                                                      \
    do {                                                                             \
        long got_ = (got), want_ = (want);                                           \
        if (got_ != want_)                                                           \
            return differs("%s answers %ld, the model says %ld", name, got_, want_); \
    } while (0)

static const char *alloc_unbound(unsigned me)
{
    struct evtchn_alloc_unbound op = {.dom = any_domid(), .remote_dom = any_domid()};
    domid_t remote = op.remote_dom == DOMID_SELF ? id[me] : op.remote_dom;
    long rc = CALL(alloc_unbound, &op);
    int d = named(me, op.dom), port = d;

    if (d >= 0)
        port = d == (int)me || me == 0 ? lowest_free((unsigned)d) : -EPERM;
    EXPECT("alloc_unbound", rc, port < 0 ? port : 0);
    if (port < 0)
        return NULL;
    EXPECT("the new port", op.port, port);
    take((unsigned)d, port, EVTCHNSTAT_unbound, 0)->may_bind = remote;
    return NULL;
}

static const char *bind_interdomain(unsigned me)
{
    struct evtchn_bind_interdomain op = {.remote_dom = any_domid(), .remote_port = any_port()};
    long rc;
    int d, port;
    struct mport *theirs;

    /* Mostly one that may be bound. */
    for (unsigned i = 0, k = pick(DOMS); i < PORTS && pick(8); i++)
        if (model[k].port[i].state == EVTCHNSTAT_unbound && model[k].port[i].may_bind == id[me]) {
            op.remote_dom = id[k];
            op.remote_port = i;
        }
    rc = CALL(bind_interdomain, &op);
    d = named(me, op.remote_dom);
    port = d;
    if (d >= 0)
        port = lowest_free(me);
    theirs = d >= 0 ? known((unsigned)d, op.remote_port) : NULL;
    if (port >= 0 &&
        (!theirs || theirs->state != EVTCHNSTAT_unbound || theirs->may_bind != id[me])) {
        if ((unsigned)port >= model[me].table)
            model[me].table = 128; /* it was looked for there */
        port = -EINVAL;
    }
    EXPECT("bind_interdomain", rc, port < 0 ? port : 0);
    if (port < 0)
        return NULL;
    EXPECT("the new port", op.local_port, port);
    *take(me, port, EVTCHNSTAT_interdomain, 0) =
        (struct mport){.state = EVTCHNSTAT_interdomain,
                       .dom = (unsigned)d,
                       .port = op.remote_port,
                       .masked = model[me].port[port].masked};
    theirs->state = EVTCHNSTAT_interdomain;
    theirs->dom = me;
    theirs->port = (unsigned)port;
    raise(me, (unsigned)port);
    return NULL;
}

static const char *bind_ipi(unsigned me)
{
    struct evtchn_bind_ipi op = {.vcpu = pick(VCPUS + 1)};
    long rc = CALL(bind_ipi, &op);
    int port = op.vcpu < VCPUS ? lowest_free(me) : -ENOENT;

    EXPECT("bind_ipi", rc, port < 0 ? port : 0);
    if (port < 0)
        return NULL;
    EXPECT("the new port", op.port, port);
    take(me, port, EVTCHNSTAT_ipi, op.vcpu);
    return NULL;
}

static bool one_for_all(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != 7 && virq != 13;
}

static int port_of_virq(unsigned d, unsigned virq, unsigned vcpu)
{
    for (int i = 1; i < PORTS; i++) {
        const struct mport *p = &model[d].port[i];

        /* A global one stays vCPU 0's, wherever its port was sent since. */
        if (p->state == EVTCHNSTAT_virq && p->virq == virq &&
            (one_for_all(virq) || p->vcpu == vcpu))
            return i;
    }
    return 0;
}

static const char *bind_virq(unsigned me)
{
    struct evtchn_bind_virq op = {.virq = virqs[pick(ARRAY_SIZE(virqs))], .vcpu = pick(VCPUS + 1)};
    long rc = CALL(bind_virq, &op);
    int port;

    if (op.virq >= 24 || (one_for_all(op.virq) && op.vcpu))
        port = -EINVAL;
    else if (op.vcpu >= VCPUS)
        port = -ENOENT;
    else
        port = port_of_virq(me, op.virq, op.vcpu) ? -EEXIST : lowest_free(me);
    EXPECT("bind_virq", rc, port < 0 ? port : 0);
    if (port < 0)
        return NULL;
    EXPECT("the new port", op.port, port);
    take(me, port, EVTCHNSTAT_virq, op.vcpu)->virq = op.virq;
    return NULL;
}

static const char *raise_virq(unsigned me)
{
    unsigned virq = virqs[pick(ARRAY_SIZE(virqs) - 1)], vcpu = pick(VCPUS);
    int port = port_of_virq(me, virq, vcpu);

    send_guest_vcpu_virq(real[me]->vcpu[one_for_all(virq) ? 0 : vcpu], virq);
    if (port)
        raise(me, (unsigned)port);
    return NULL;
}

static const char *close_port(unsigned me)
{
    struct evtchn_close op = {.port = any_port()};
    struct mport *p = known(me, op.port);
    bool open = p && p->state != EVTCHNSTAT_closed;

    EXPECT("close", CALL(close, &op), open ? 0 : -EINVAL);
    if (open) {
        shut(me, op.port);
        done++;
    }
    return NULL;
}

static const char *send_event(unsigned me)
{
    struct evtchn_send op = {.port = any_port()};
    long rc = CALL(send, &op), want = 0;
    struct mport *p = known(me, op.port);

    switch (p ? p->state : EVTCHNSTAT_closed) {
    case EVTCHNSTAT_interdomain:
        raise(p->dom, p->port);
        done++;
        break;
    case EVTCHNSTAT_ipi:
        raise(me, op.port);
        done++;
        break;
    case EVTCHNSTAT_unbound:
        break;
    default:
        want = -EINVAL;
    }
    EXPECT("send", rc, want);
    return NULL;
}

static const char *unmask(unsigned me)
{
    struct evtchn_unmask op = {.port = any_port()};
    struct mport *p = known(me, op.port);
    long rc = CALL(unmask, &op);

    EXPECT("unmask", rc, op.port < model[me].table ? 0 : -EINVAL);
    if (p && p->state != EVTCHNSTAT_closed) {
        if (p->masked && p->pending)
            tell_vcpu(me, op.port);
        p->masked = false;
        done++;
    }
    return NULL;
}

static const char *status(unsigned me)
{
    struct evtchn_status op = {.dom = any_domid(), .port = any_port()};
    int d = named(me, op.dom);
    long rc = CALL(status, &op), want = d < 0 ? d : 0;
    const struct mport *p;

    if (d >= 0 && op.port >= model[d].table)
        want = -EINVAL;
    else if (d >= 0 && d != (int)me && me != 0)
        want = -EPERM;
    EXPECT("status", rc, want);
    p = d < 0 ? NULL : known((unsigned)d, op.port);
    if (rc || !p)
        return NULL;
    EXPECT("status.status", op.status, p->state);
    EXPECT("status.vcpu", op.vcpu, p->vcpu);
    if (p->state == EVTCHNSTAT_interdomain) {
        EXPECT("status' domain", op.u.interdomain.dom, id[p->dom]);
        EXPECT("status' port", op.u.interdomain.port, p->port);
    } else if (p->state == EVTCHNSTAT_unbound) {
        EXPECT("status' domain", op.u.unbound.dom, p->may_bind);
    } else if (p->state == EVTCHNSTAT_virq) {
        EXPECT("status' virq", op.u.virq, p->virq);
    }
    return NULL;
}

static const char *bind_vcpu(unsigned me)
{
    struct evtchn_bind_vcpu op = {.port = any_port(), .vcpu = pick(VCPUS + 1)};
    struct mport *p = known(me, op.port);
    unsigned state = p ? p->state : EVTCHNSTAT_closed;
    bool moves = state == EVTCHNSTAT_unbound || state == EVTCHNSTAT_interdomain ||
                 (state == EVTCHNSTAT_virq && one_for_all(p->virq));

    EXPECT("bind_vcpu", CALL(bind_vcpu, &op), op.vcpu >= VCPUS ? -ENOENT : moves ? 0 : -EINVAL);
    if (op.vcpu < VCPUS && moves) {
        p->vcpu = op.vcpu;
        done++;
    }
    return NULL;
}

static const char *reset(unsigned me)
{
    struct evtchn_reset op = {.dom = pick(4) ? DOMID_SELF : any_domid()};
    int d = named(me, op.dom);
    long want = d < 0 ? d : d == (int)me || me == 0 ? 0 : -EPERM; /* all are paused */

    EXPECT("reset", CALL(reset, &op), want);
    for (unsigned i = 1; !want && i < PORTS; i++)
        if (model[d].port[i].state != EVTCHNSTAT_closed)
            shut((unsigned)d, i);
    return NULL;
}

/* What the guest does without us: masks, and takes pending bits. */
static const char *guest_bits(unsigned me)
{
    struct shared_info *s = real[me]->shared_info;
    unsigned port = 1 + pick(PORTS - 1);

    if (pick(2)) {
        s->evtchn_mask[port / 64] |= 1ul << (port % 64);
        model[me].port[port].masked = true;
    } else {
        s->evtchn_pending[port / 64] &= ~(1ul << (port % 64));
        model[me].port[port].pending = false;
    }
    return NULL;
}

static const char *poll(unsigned me)
{
    unsigned port = any_port();
    const struct mport *p = known(me, port);

    EXPECT("poll", evtchn_port_poll(real[me], port),
           p && p->state != EVTCHNSTAT_closed ? p->pending : -EINVAL);
    return NULL;
}

/* A vCPU on its way to the guest. */
static const char *leave(unsigned me)
{
    unsigned vcpu = pick(VCPUS);
    struct vcpu_info info = {0};

    vcpu_fold_events(real[me]->vcpu[vcpu], &info);
    EXPECT("the selectors", (long)info.evtchn_pending_sel, (long)model[me].selectors[vcpu]);
    EXPECT("the upcall", info.evtchn_upcall_pending, model[me].selectors[vcpu] != 0);
    model[me].selectors[vcpu] = 0;
    return NULL;
}

static const char *die(unsigned me)
{
    int told = port_of_virq(0, VIRQ_DOM_EXC, 0);

    if (pick(20))
        return NULL;
    for (unsigned i = 1; i < PORTS; i++)
        if (model[me].port[i].state != EVTCHNSTAT_closed)
            shut(me, i);
    fake_become(this_cpu()->idle);
    fake_kill(real[me]);
    birth(me);
    if (told) /* dom0 hears of it */
        raise(0, (unsigned)told);
    return NULL;
}

/* --- comparison --- */

static bool bit(const xen_ulong_t *words, unsigned i)
{
    return (words[i / 64] >> (i % 64)) & 1;
}

static const char *compare_port(unsigned d, unsigned i, const struct port *r)
{
    const struct mport *m = &model[d].port[i];
    const struct shared_info *s = real[d]->shared_info;

    if (r->state != m->state || r->vcpu != m->vcpu || bit(s->evtchn_pending, i) != m->pending ||
        bit(s->evtchn_mask, i) != m->masked ||
        (m->state == EVTCHNSTAT_unbound && r->remote_domid != m->may_bind) ||
        (m->state == EVTCHNSTAT_interdomain &&
         (r->remote != real[m->dom] || r->number != m->port)) ||
        (m->state == EVTCHNSTAT_virq && r->number != m->virq))
        return differs(
            "port %u of domain %u: state %u vcpu %u pending %d masked %d, the model says "
            "%u %u %d %d",
            i, id[d], r->state, r->vcpu, bit(s->evtchn_pending, i), bit(s->evtchn_mask, i),
            m->state, m->vcpu, m->pending, m->masked);
    return NULL;
}

static const char *compare(unsigned d)
{
    const char *bad = NULL;
    unsigned open = 0;

    if (ports_of(d)->nr_ports != model[d].table)
        return differs("domain %u has a table of %u, the model says %u", id[d],
                       ports_of(d)->nr_ports, model[d].table);
    for (unsigned i = 1; i < PORTS && i < model[d].table && !bad; i++) {
        bad = compare_port(d, i, port_find(real[d], i));
        open += model[d].port[i].state != EVTCHNSTAT_closed;
    }
    for (unsigned v = 0; v < VCPUS && !bad; v++)
        if (real[d]->vcpu[v]->event_selectors != model[d].selectors[v])
            bad = differs("vCPU %u of domain %u: selectors %lx, the model says %lx", v, id[d],
                          real[d]->vcpu[v]->event_selectors, model[d].selectors[v]);
    if (!bad && ports_of(d)->nr_active != open)
        bad = differs("domain %u: %u ports in use, the model says %u", id[d],
                      ports_of(d)->nr_active, open);
    return bad;
}

static const char *step(void)
{
    static const char *(*const how[])(unsigned me) = {
        alloc_unbound,
        alloc_unbound,
        bind_interdomain,
        bind_interdomain,
        bind_interdomain,
        bind_ipi,
        bind_virq,
        raise_virq,
        close_port,
        close_port,
        send_event,
        send_event,
        send_event,
        unmask,
        status,
        bind_vcpu,
        guest_bits,
        guest_bits,
        poll,
        leave,
    };
    unsigned me = pick(DOMS), rare = pick(300);
    const char *bad;

    fake_become(real[me]->vcpu[pick(VCPUS)]);
    this_cpu()->softirq_pending = pick(4) ? 0 : 1;
    bad = rare == 0 ? reset(me) : rare == 1 && me ? die(me) : how[pick(ARRAY_SIZE(how))](me);
    this_cpu()->softirq_pending = 0;
    for (unsigned d = 0; d < DOMS && !bad; d++)
        bad = compare(d);
    return bad;
}

const struct room events_room = {"events", begin, step, end, progress};
