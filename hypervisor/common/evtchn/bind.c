/* SPDX-License-Identifier: MIT */
/*
 * Ports come and go: alloc_unbound, bind_interdomain, bind_ipi, close.
 *
 * Interface: evtchn_alloc_unbound, evtchn_bind_* and port_close (port.h). Locks
 * and the rule for changing what senders see: port.h. Where two domains meet, the code takes a
 * reference to the other one, both locks in order, and looks again at everything it saw before.
 */
#include <hv/irq.h>
#include "port.h"

long evtchn_alloc_unbound(void *arg)
{
    struct evtchn_alloc_unbound *op = arg;
    domid_t remote = op->remote_dom == DOMID_SELF ? current->domain->id : op->remote_dom;
    struct domain *d;
    long rc = domain_managed(op->dom, &d);

    if (rc)
        return rc;
    evtchn_lock(d);
    rc = port_make(d, (struct port){.state = EVTCHNSTAT_unbound, .remote_domid = remote},
                   &op->port);
    evtchn_unlock(d);
    domain_put(d);
    return rc;
}

static long bind_interdomain(struct domain *d, struct domain *remote,
                             struct evtchn_bind_interdomain *op)
{
    long rc = port_make(d, (struct port){.reserved = true}, &op->local_port);
    struct port *ours, *theirs = port_find(remote, op->remote_port);

    if (rc)
        return rc;
    if (!theirs || theirs->state != EVTCHNSTAT_unbound || theirs->remote_domid != d->id) {
        port_free(d, op->local_port);
        return -EINVAL;
    }
    ours = port_find(d, op->local_port);
    ours->remote = remote;
    ours->number = op->remote_port;
    ours->reserved = false;
    __atomic_store_n(&ours->state, EVTCHNSTAT_interdomain, __ATOMIC_RELEASE);
    theirs->remote = d;
    theirs->number = op->local_port;
    __atomic_store_n(&theirs->state, EVTCHNSTAT_interdomain, __ATOMIC_RELEASE);
    /* What the peer sent before we were bound was dropped: look once, to be sure. */
    port_set_pending(d, op->local_port, ours, true);
    return 0;
}

long evtchn_bind_interdomain(void *arg)
{
    struct evtchn_bind_interdomain *op = arg;
    struct domain *d = current->domain, *remote = domain_named(op->remote_dom);
    long rc;

    if (!remote)
        return -ESRCH;
    evtchn_lock_both(d, remote);
    rc = bind_interdomain(d, remote, op);
    evtchn_unlock_both(d, remote);
    domain_put(remote);
    return rc;
}

long evtchn_bind_ipi(void *arg)
{
    struct evtchn_bind_ipi *op = arg;
    struct domain *d = current->domain;
    long rc;

    if (!domain_vcpu(d, op->vcpu))
        return -ENOENT;
    evtchn_lock(d);
    rc = port_make(d, (struct port){.state = EVTCHNSTAT_ipi, .vcpu = (uint16_t)op->vcpu},
                   &op->port);
    evtchn_unlock(d);
    return rc;
}

/* --- close ----------------------------------------------------------------------------------- */

/* The domain of the port's other end, held; d itself if there is none. */
static struct domain *other_end(struct domain *d, unsigned port)
{
    struct cpu *c = events_enter();
    const struct port *p = port_find(d, port);
    struct domain *remote = d;

    if (p && __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == EVTCHNSTAT_interdomain)
        remote = p->remote; /* alive: its end is bound to ours, and closing it waits for us */
    domain_hold(remote);
    events_leave(c);
    return remote;
}

/* Take p's port out of what it is bound to. What is left to do without locks: *pirq ≥ 0. */
static void unbind(struct domain *d, unsigned port, struct port *p, int *pirq)
{
    struct port *theirs;

    switch (p->state) {
    case EVTCHNSTAT_interdomain:
        /* The peer's end goes back to waiting for somebody to bind. A sender on it that came too
         * soon is waited for by port_free before our port is anybody's. */
        theirs = port_find(p->remote, p->number);
        theirs->remote_domid = d->id;
        __atomic_store_n(&theirs->state, EVTCHNSTAT_unbound, __ATOMIC_RELEASE);
        break;
    case EVTCHNSTAT_virq:
        for_each_vcpu(d, v)
            if (v->virq_port[p->number] == port)
                WRITE_ONCE(v->virq_port[p->number], 0);
        break;
    case EVTCHNSTAT_pirq:
        pirq_port_set(d, p->number, 0);
        *pirq = (int)p->number;
        break;
    }
    port_free(d, port);
}

int port_close(struct domain *d, unsigned port)
{
    int rc, pirq = -1;

    do {
        struct domain *remote = other_end(d, port);
        struct port *p;

        evtchn_lock_both(d, remote);
        p = port_find(d, port);
        rc = !p || p->state == EVTCHNSTAT_closed || p->reserved ? -EINVAL : 0;
        if (!rc && p->state == EVTCHNSTAT_interdomain && p->remote != remote)
            rc = -EAGAIN; /* bound meanwhile */
        if (!rc)
            unbind(d, port, p, &pirq);
        evtchn_unlock_both(d, remote);
        domain_put(remote);
    } while (rc == -EAGAIN);
    if (pirq >= 0)
        pirq_unbind(d, (unsigned)pirq);
    return rc;
}
