/* SPDX-License-Identifier: MIT */
/*
 * Event channels (THREATS 23; XSA-343): two vCPUs of one domain, or of two, bind, send, move, mask,
 * close and reset the same few ports, by two levels and by queues. In the end each pair must name
 * each other, the ports in use be counted right, and the frames of the queues be given back.
 */
#include <hv/evtchn.h>
#include <xen/event_channel.h>
#include "threads.h"
#include "../../../../hypervisor/common/evtchn/port.h" /* to count the real ports */

#define PORTS 24

static const domid_t id[] = {0, 7};
static struct domain *real[2];
static mfn_t control[2], array[2]; /* of each domain's queues */
static bool fifo;

static void begin(unsigned round)
{
    fifo = round >= 3;
    for (unsigned i = 0; i < 2; i++) {
        real[i] = fake_domain(id[i], 2, false);
        real[i]->evtchn->limit = PORTS;
        control[i] = fake_frame_of(real[i]);
        array[i] = fake_frame_of(real[i]);
    }
}

/* Rounds 0 and 3: two domains; the others: two vCPUs of dom0, of the other. */
static struct vcpu *vcpu(unsigned round, unsigned thread)
{
    round %= 3;
    return round ? real[round - 1]->vcpu[thread] : real[thread]->vcpu[0];
}

#define CALL(op, ...)                                            \
    do {                                                         \
        struct evtchn_##op arg_ = {__VA_ARGS__};                 \
        hypercall(do_event_channel_op, EVTCHNOP_##op, &arg_, 0); \
    } while (0)

/* What the guest does in its own memory: masks and takes events, or writes what it likes. */
static void guest_bits(unsigned d)
{
    struct shared_info *s = current->domain->shared_info;
    event_word_t *word = (event_word_t *)fake_frames[array[d].m].page + pick(PORTS);
    unsigned port = pick(PORTS);

    switch (pick(4)) {
    case 0:
        __atomic_fetch_or(&s->evtchn_mask[0], 1ul << port, __ATOMIC_SEQ_CST);
        break;
    case 1:
        __atomic_fetch_and(&s->evtchn_pending[0], ~(1ul << port), __ATOMIC_SEQ_CST);
        break;
    case 2:
        __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
        break;
    case 3:
        __atomic_fetch_xor(word, 1u << (28 + pick(4)), __ATOMIC_SEQ_CST);
        break;
    }
}

/* Queues, if there are none: after a reset, too. */
static void queues(unsigned d)
{
    unsigned v = pick(2);

    CALL(init_control, .control_gfn = control[d].m, .offset = v * 512, .vcpu = v);
    if (pick(2))
        CALL(expand_array, .array_gfn = array[d].m);
    CALL(set_priority, .port = pick(PORTS), .priority = pick(17));
}

static void step(unsigned thread)
{
    domid_t other = id[pick(2)];
    struct vcpu_info info = {0};

    this_cpu()->softirq_pending = !pick(4);
    switch (pick(18)) {
    case 0:
    case 1:
        CALL(alloc_unbound, .dom = DOMID_SELF, .remote_dom = other);
        break;
    case 2:
    case 3:
    case 4:
        CALL(bind_interdomain, .remote_dom = other, .remote_port = pick(PORTS));
        break;
    case 5:
        CALL(bind_ipi, .vcpu = pick(2));
        break;
    case 6:
        CALL(bind_virq, .virq = pick(2) ? VIRQ_TIMER : VIRQ_CONSOLE, .vcpu = 0);
        CALL(bind_pirq, .pirq = pick(4));
        break;
    case 7:
    case 8:
        CALL(close, .port = pick(PORTS));
        break;
    case 9:
    case 10:
    case 11:
        CALL(send, .port = pick(PORTS));
        break;
    case 12:
        CALL(unmask, .port = pick(PORTS));
        break;
    case 13:
        CALL(status, .dom = DOMID_SELF, .port = pick(PORTS));
        break;
    case 14:
        CALL(bind_vcpu, .port = pick(PORTS), .vcpu = pick(2));
        break;
    case 15:
        evtchn_port_poll(current->domain, pick(PORTS));
        send_guest_vcpu_virq(real[pick(2)]->vcpu[0], VIRQ_TIMER);
        send_guest_vcpu_virq(real[pick(2)]->vcpu[0], VIRQ_CONSOLE);
        send_guest_pirq(real[0], pick(4));
        break;
    case 16:
        guest_bits(current->domain == real[1]);
        vcpu_fold_events(current, &info);
        break;
    case 17:
        if (fifo)
            queues(current->domain == real[1]);
        if (!pick(50))
            CALL(reset, .dom = DOMID_SELF);
        break;
    }
}

static const char *count(unsigned d)
{
    unsigned open = 0;

    for (unsigned i = 1; i < PORTS; i++) {
        const struct port *p = port_find(real[d], i), *peer;

        open += p->state != EVTCHNSTAT_closed;
        if (p->reserved)
            return "a port is left reserved";
        if (p->state != EVTCHNSTAT_interdomain)
            continue;
        peer = port_find(p->remote, p->number);
        if (!peer || peer->state != EVTCHNSTAT_interdomain || peer->remote != real[d] ||
            peer->number != i)
            return "a port is bound to one that does not know it";
    }
    return open == real[d]->evtchn->nr_active ? NULL : "the ports in use are counted wrong";
}

static const char *end(void)
{
    const char *wrong = NULL;

    for (unsigned d = 0; d < 2 && !wrong; d++)
        wrong = count(d);
    for (unsigned d = 2; d-- > 0 && !wrong;)
        fake_kill(real[d]);
    for (unsigned d = 0; d < 2 && !wrong; d++)
        if (fake_frames[control[d].m].refs != 1 || fake_frames[array[d].m].refs != 1)
            wrong = "a frame of a queue is left with a reference";
    return wrong;
}

const struct room events_room = {"events", 6, begin, vcpu, step, end};
