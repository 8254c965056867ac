/* SPDX-License-Identifier: MIT */
/*
 * Ports bound to physical interrupts of dom0.
 *
 * Interface: send_guest_pirq, evtchn_pirq_port (hv/evtchn.h); evtchn_bind_pirq. The interrupt code
 * (hv/irq.h) is called with no lock of ours held: it has its own, and its handlers call
 * send_guest_pirq; a port is `reserved` meanwhile.
 */
#include <hv/frame.h>
#include <hv/irq.h>
#include "port.h"

void send_guest_pirq(struct domain *d, unsigned pirq)
{
    struct cpu *c = events_enter();
    unsigned port = evtchn_pirq_port(d, pirq);

    if (port)
        port_set_pending(d, port, port_find(d, port), false);
    events_leave(c);
}

unsigned evtchn_pirq_port(struct domain *d, unsigned pirq)
{
    const uint32_t *map = __atomic_load_n(&d->evtchn->pirq_port, __ATOMIC_ACQUIRE);

    return map && pirq < nr_pirqs() ? __atomic_load_n(&map[pirq], __ATOMIC_ACQUIRE) : 0;
}

void pirq_port_set(struct domain *d, unsigned pirq, unsigned port)
{
    __atomic_store_n(&d->evtchn->pirq_port[pirq], port, __ATOMIC_RELEASE);
}

long evtchn_bind_pirq(void *arg)
{
    struct evtchn_bind_pirq *op = arg;
    struct domain *d = current->domain;
    struct evtchn_domain *ed = d->evtchn;
    unsigned pirq = op->pirq;
    long rc = -ENOMEM;

    if (pirq >= nr_pirqs())
        return -EINVAL;
    if (!d->is_dom0)
        return -EPERM;

    evtchn_lock(d);
    if (!ed->pirq_port)
        __atomic_store_n(&ed->pirq_port, hv_alloc(nr_pirqs() * sizeof(*ed->pirq_port)),
                         __ATOMIC_RELEASE);
    if (evtchn_pirq_port(d, pirq))
        rc = -EEXIST;
    else if (ed->pirq_port) /* not closable yet: */
        rc = port_make(d,
                       (struct port){.state = EVTCHNSTAT_pirq, .reserved = true, .number = pirq},
                       &op->port);
    if (!rc) /* usable before the interrupt is unmasked: its first edge must find it */
        pirq_port_set(d, pirq, op->port);
    evtchn_unlock(d);
    if (rc)
        return rc;

    rc = pirq_bind(d->vcpu[0], pirq, op->flags & BIND_PIRQ__WILL_SHARE);

    evtchn_lock(d);
    if (rc) {
        pirq_port_set(d, pirq, 0);
        port_free(d, op->port);
    } else {
        WRITE_ONCE(port_find(d, op->port)->reserved, false);
    }
    evtchn_unlock(d);
    return rc;
}
