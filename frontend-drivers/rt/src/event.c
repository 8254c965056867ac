/* SPDX-License-Identifier: MIT */
/*
 * The guest's half of 2-level events: pending and mask bits in the shared page, one selector word
 * per vCPU, and the upcall. Bits are set and cleared with locked instructions only, for the
 * hypervisor and the other vCPUs change them too.
 */
#include <rt/event.h>
#include <rt/test.h>
#include <rt/vcpu.h>

volatile uint32_t event_count[EVENT_PORTS];
volatile uint8_t event_last_vcpu[EVENT_PORTS];
static void (*handlers[EVENT_PORTS])(evtchn_port_t port);
static volatile uint32_t upcalls[MAX_VCPUS];

static unsigned long *word_of(unsigned long *bits, evtchn_port_t port)
{
    return &bits[port / 64];
}

static void bit_set(unsigned long *bits, evtchn_port_t port)
{
    __atomic_fetch_or(word_of(bits, port), 1ul << (port % 64), __ATOMIC_SEQ_CST);
}

static void bit_clear(unsigned long *bits, evtchn_port_t port)
{
    __atomic_fetch_and(word_of(bits, port), ~(1ul << (port % 64)), __ATOMIC_SEQ_CST);
}

static bool bit_test(unsigned long *bits, evtchn_port_t port)
{
    return (__atomic_load_n(word_of(bits, port), __ATOMIC_SEQ_CST) >> (port % 64)) & 1;
}

struct vcpu_info *my_vcpu_info(void)
{
    return &shared_info.vcpu_info[vcpu_id()];
}

bool event_is_pending(evtchn_port_t port)
{
    return bit_test(shared_info.evtchn_pending, port);
}

bool event_is_masked(evtchn_port_t port)
{
    return bit_test(shared_info.evtchn_mask, port);
}

void event_clear(evtchn_port_t port)
{
    bit_clear(shared_info.evtchn_pending, port);
}

void event_mask(evtchn_port_t port)
{
    bit_set(shared_info.evtchn_mask, port);
}

void event_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {.port = port};

    CHECK_RC(hv_evtchn_op(EVTCHNOP_unmask, &op), 0);
}

void event_set_handler(evtchn_port_t port, void (*handler)(evtchn_port_t port))
{
    handlers[port] = handler;
}

void events_init(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(shared_info.evtchn_mask); i++)
        __atomic_store_n(&shared_info.evtchn_mask[i], ~0ul, __ATOMIC_SEQ_CST);
}

void events_dispatch(void)
{
    struct vcpu_info *vi = my_vcpu_info();
    unsigned int cpu = vcpu_id();

    upcalls[cpu]++;
    __atomic_store_n(&vi->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    for (;;) {
        unsigned long words = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        if (!words)
            return;
        for (; words; words &= words - 1) {
            unsigned int w = __builtin_ctzl(words);
            unsigned long bits = __atomic_load_n(&shared_info.evtchn_pending[w], __ATOMIC_SEQ_CST) &
                                 ~__atomic_load_n(&shared_info.evtchn_mask[w], __ATOMIC_SEQ_CST);

            for (; bits; bits &= bits - 1) {
                evtchn_port_t port = w * 64 + __builtin_ctzl(bits);

                event_clear(port);
                event_count[port]++;
                event_last_vcpu[port] = cpu + 1;
                if (handlers[port])
                    handlers[port](port);
            }
        }
    }
}

void events_enable(void)
{
    struct vcpu_info *vi = my_vcpu_info();

    WRITE_ONCE(vi->evtchn_upcall_mask, 0);
    barrier();
    /* Any hypercall delivers what came while the mask was set. */
    if (READ_ONCE(vi->evtchn_upcall_pending))
        hv_xen_version(XENVER_version, NULL);
}

void events_disable(void)
{
    WRITE_ONCE(my_vcpu_info()->evtchn_upcall_mask, 1);
    barrier();
}

long event_alloc_unbound(domid_t dom, domid_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote};
    long rc = hv_evtchn_op(EVTCHNOP_alloc_unbound, &op);

    *port = op.port;
    return rc;
}

long event_bind_interdomain(domid_t remote, evtchn_port_t remote_port, evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};
    long rc = hv_evtchn_op(EVTCHNOP_bind_interdomain, &op);

    *port = op.local_port;
    return rc;
}

long event_bind_virq(uint32_t virq, uint32_t vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    long rc = hv_evtchn_op(EVTCHNOP_bind_virq, &op);

    *port = op.port;
    return rc;
}

long event_bind_ipi(uint32_t vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    long rc = hv_evtchn_op(EVTCHNOP_bind_ipi, &op);

    *port = op.port;
    return rc;
}

long event_bind_vcpu(evtchn_port_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

    return hv_evtchn_op(EVTCHNOP_bind_vcpu, &op);
}

long event_send(evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};

    return hv_evtchn_op(EVTCHNOP_send, &op);
}

long event_close(evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};

    handlers[port < EVENT_PORTS ? port : 0] = NULL;
    return hv_evtchn_op(EVTCHNOP_close, &op);
}

long event_status(domid_t dom, evtchn_port_t port, struct evtchn_status *status)
{
    long rc;

    *status = (struct evtchn_status){.dom = dom, .port = port};
    rc = hv_evtchn_op(EVTCHNOP_status, status);
    return rc;
}

bool event_loop(evtchn_port_t *a, evtchn_port_t *b)
{
    return CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, a), 0) &&
           CHECK_RC(event_bind_interdomain(DOMID_SELF, *a, b), 0);
}

void sched_block(void)
{
    uint32_t before = upcalls[vcpu_id()];

    /* The call itself enables delivery, so an event between the test and the call still wakes. */
    events_disable();
    while (upcalls[vcpu_id()] == before)
        hv_sched_op(SCHEDOP_block, NULL);
}

void sched_yield(void)
{
    hv_sched_op(SCHEDOP_yield, NULL);
}

long sched_poll(const evtchn_port_t *ports, unsigned int n, uint64_t deadline_ns)
{
    struct sched_poll op = {.nr_ports = n, .timeout = deadline_ns};

    set_xen_guest_handle(op.ports, (evtchn_port_t *)ports);
    return hv_sched_op(SCHEDOP_poll, &op);
}
