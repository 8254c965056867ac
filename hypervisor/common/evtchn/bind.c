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
    int port = port_alloc(d);
    struct port *theirs = port_find(remote, op->remote_port);

    if (port < 0)
        return port;
    if (!theirs || theirs->state != EVTCHNSTAT_unbound || theirs->remote_domid != d->id) {
        port_free(d, (unsigned)port);
        return -EINVAL;
    }
    port_bind(d, (unsigned)port,
              (struct port){
                  .state = EVTCHNSTAT_interdomain, .remote = remote, .number = op->remote_port});
    theirs->remote = d;
    theirs->number = (uint32_t)port;
    __atomic_store_n(&theirs->state, EVTCHNSTAT_interdomain, __ATOMIC_RELEASE);
    op->local_port = (evtchn_port_t)port;
    /* What the peer sent before we were bound was dropped: look once, to be sure. */
    port_set_pending(d, (unsigned)port, port_find(d, (unsigned)port), true);
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

/* Take p's port out of what it is bound to on this side, with d's lock. What is left to do without
 * it: *pirq ≥ 0. */
static void unbind_local(struct domain *d, unsigned port, struct port *p, int *pirq)
{
    switch (p->state) {
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

/* Both ends locked and looked at again: the peer's end goes back to waiting for somebody to bind.
 * A sender on it that came too soon is waited for by port_free before our port is anybody's. */
static void unbind_pair(struct domain *d, unsigned port, struct port *p)
{
    struct port *theirs = port_find(p->remote, p->number);

    theirs->remote_domid = d->id;
    __atomic_store_n(&theirs->state, EVTCHNSTAT_unbound, __ATOMIC_RELEASE);
    port_free(d, port);
}

static int close_interdomain(struct domain *d, unsigned port, struct domain *remote)
{
    struct port *p;
    bool same;

    evtchn_lock_both(d, remote);
    p = port_find(d, port);
    same = p && p->state == EVTCHNSTAT_interdomain && p->remote == remote;
    if (same)
        unbind_pair(d, port, p);
    evtchn_unlock_both(d, remote);
    return same ? 0 : -EAGAIN;
}

int port_close(struct domain *d, unsigned port)
{
    int rc, pirq = -1;

    do {
        struct domain *remote = NULL;
        struct port *p;

        rc = 0;
        evtchn_lock(d);
        p = port_find(d, port);
        if (!p || p->state == EVTCHNSTAT_closed || p->reserved) {
            rc = -EINVAL;
        } else if (p->state == EVTCHNSTAT_interdomain) {
            remote = p->remote; /* alive: its end is bound to ours while we hold our lock */
            domain_hold(remote);
        } else {
            unbind_local(d, port, p, &pirq);
        }
        evtchn_unlock(d);
        if (remote) {
            rc = close_interdomain(d, port, remote);
            domain_put(remote);
        }
    } while (rc == -EAGAIN);
    if (pirq >= 0)
        pirq_unbind(d, (unsigned)pirq);
    return rc;
}
