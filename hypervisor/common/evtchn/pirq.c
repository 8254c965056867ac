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
    unsigned long flags = evtchn_lock(d);
    unsigned port = evtchn_pirq_port(d, pirq);

    if (port)
        port_set_pending(d, port, port_find(d, port));
    evtchn_unlock(d, flags);
}

unsigned evtchn_pirq_port(struct domain *d, unsigned pirq)
{
    const uint32_t *map = __atomic_load_n(&d->evtchn->pirq_port, __ATOMIC_ACQUIRE);

    return map && pirq < nr_pirqs() ? READ_ONCE(map[pirq]) : 0;
}

void pirq_port_set(struct domain *d, unsigned pirq, unsigned port)
{
    WRITE_ONCE(d->evtchn->pirq_port[pirq], port);
}

static int make_map(struct domain *d)
{
    uint32_t *map = hv_alloc(nr_pirqs() * sizeof(*map));
    unsigned long flags;

    if (!map)
        return -ENOMEM;
    flags = evtchn_lock(d);
    if (!d->evtchn->pirq_port) {
        __atomic_store_n(&d->evtchn->pirq_port, map, __ATOMIC_RELEASE);
        map = NULL;
    }
    evtchn_unlock(d, flags);
    hv_free(map);
    return 0;
}

long evtchn_bind_pirq(struct evtchn_bind_pirq *op)
{
    struct domain *d = current->domain;
    unsigned pirq = op->pirq;
    unsigned long flags;
    int port, rc;

    if (pirq >= nr_pirqs())
        return -EINVAL;
    if (!d->is_dom0)
        return -EPERM;
    if ((!d->evtchn->pirq_port && make_map(d)) || port_room(d))
        return -ENOMEM;

    flags = evtchn_lock(d);
    port = evtchn_pirq_port(d, pirq) ? -EEXIST : port_alloc(d);
    if (port > 0) {
        struct port *p = port_find(d, (unsigned)port);

        /* Usable before the interrupt is unmasked: its first edge must find it. Not closable yet.
         */
        *p = (struct port){.state = EVTCHNSTAT_pirq, .reserved = true, .number = pirq};
        pirq_port_set(d, pirq, (unsigned)port);
    }
    evtchn_unlock(d, flags);
    if (port < 0)
        return port;

    rc = pirq_bind(d->vcpu[0], pirq, op->flags & BIND_PIRQ__WILL_SHARE);

    flags = evtchn_lock(d);
    if (rc) {
        pirq_port_set(d, pirq, 0);
        port_free(d, (unsigned)port);
    } else {
        port_find(d, (unsigned)port)->reserved = false;
        op->port = (evtchn_port_t)port;
    }
    evtchn_unlock(d, flags);
    return rc;
}
