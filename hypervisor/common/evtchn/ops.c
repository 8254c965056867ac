/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_*: what guests do with their ports.
 *
 * Interface: do_event_channel_op; evtchn_alloc_unbound (hv/evtchn.h). Locks: port.h. Where two
 * domains meet, the code takes a reference to the other one, both locks in order, and looks again
 * at everything it saw before.
 */
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/sched.h>
#include <asm/cpu.h>
#include <asm/uaccess.h>
#include "port.h"

int evtchn_alloc_unbound(struct domain *d, domid_t remote)
{
    unsigned long flags;
    int port;

    if (port_room(d))
        return -ENOMEM;
    flags = evtchn_lock(d);
    port = d->dying ? -EINVAL : port_alloc(d);
    if (port > 0)
        *port_find(d, (unsigned)port) =
            (struct port){.state = EVTCHNSTAT_unbound, .remote_domid = remote};
    evtchn_unlock(d, flags);
    return port;
}

static long op_alloc_unbound(void *arg)
{
    struct evtchn_alloc_unbound *op = arg;
    struct domain *d = domain_get_self_or(op->dom);
    int port;

    if (!d)
        return current->domain->is_dom0 ? -ESRCH : -EPERM;
    if (d->is_system) {
        domain_put(d);
        return -ESRCH;
    }
    port = evtchn_alloc_unbound(d, op->remote_dom == DOMID_SELF ? current->domain->id
                                                                : op->remote_dom);
    domain_put(d);
    if (port < 0)
        return port;
    op->port = (evtchn_port_t)port;
    return 0;
}

static long bind_interdomain(struct domain *d, struct domain *remote,
                             struct evtchn_bind_interdomain *op)
{
    struct port *theirs = port_find(remote, op->remote_port), *mine;
    int port;

    if (d->dying || remote->dying || !theirs || theirs->state != EVTCHNSTAT_unbound ||
        theirs->remote_domid != d->id)
        return -EINVAL;
    port = port_alloc(d);
    if (port < 0)
        return port;
    mine = port_find(d, (unsigned)port);
    *mine =
        (struct port){.state = EVTCHNSTAT_interdomain, .remote = remote, .number = op->remote_port};
    theirs->state = EVTCHNSTAT_interdomain;
    theirs->remote = d;
    theirs->number = (uint32_t)port;
    op->local_port = (evtchn_port_t)port;
    /* What the peer sent before we were bound was dropped: look once, to be sure. */
    port_set_pending(d, (unsigned)port, mine);
    return 0;
}

static long op_bind_interdomain(void *arg)
{
    struct evtchn_bind_interdomain *op = arg;
    struct domain *d = current->domain;
    domid_t id = op->remote_dom == DOMID_SELF ? d->id : op->remote_dom;
    struct domain *remote = domain_get(id);
    struct evtchn_locked l;
    long rc;

    if (!remote)
        return -ESRCH;
    if (remote->is_system || port_room(d)) {
        rc = remote->is_system ? -ESRCH : -ENOMEM;
        domain_put(remote);
        return rc;
    }
    l = evtchn_lock_both(d, remote);
    rc = bind_interdomain(d, remote, op);
    evtchn_unlock_both(l);
    domain_put(remote);
    return rc;
}

static long op_bind_ipi(void *arg)
{
    struct evtchn_bind_ipi *op = arg;
    struct domain *d = current->domain;
    unsigned long flags;
    int port;

    if (op->vcpu >= d->max_vcpus || !d->vcpu[op->vcpu])
        return -ENOENT;
    if (port_room(d))
        return -ENOMEM;
    flags = evtchn_lock(d);
    port = port_alloc(d);
    if (port > 0) {
        *port_find(d, (unsigned)port) =
            (struct port){.state = EVTCHNSTAT_ipi, .vcpu = (uint16_t)op->vcpu};
        op->port = (evtchn_port_t)port;
    }
    evtchn_unlock(d, flags);
    return port < 0 ? port : 0;
}

/* --- close ----------------------------------------------------------------------------------- */

/* Take p's port out of what it is bound to on this side, with d's lock. What is left to do without
 * it: *pirq ≥ 0. */
static void unbind_local(struct domain *d, unsigned port, struct port *p, int *pirq)
{
    switch (p->state) {
    case EVTCHNSTAT_virq:
        for (unsigned i = 0; i < d->max_vcpus; i++)
            if (d->vcpu[i] && d->vcpu[i]->virq_port[p->number] == port)
                d->vcpu[i]->virq_port[p->number] = 0;
        break;
    case EVTCHNSTAT_pirq:
        pirq_port_set(d, p->number, 0);
        *pirq = (int)p->number;
        break;
    }
    port_clear_pending(d, port);
    port_free(d, port);
}

/* Both ends locked and looked at again: the peer's end goes back to waiting for somebody to bind.
 */
static void unbind_pair(struct domain *d, unsigned port, struct port *p)
{
    struct domain *remote = p->remote;
    struct port *theirs = port_find(remote, p->number);
    int none;

    *theirs =
        (struct port){.state = EVTCHNSTAT_unbound, .vcpu = theirs->vcpu, .remote_domid = d->id};
    unbind_local(d, port, p, &none);
}

static int close_interdomain(struct domain *d, unsigned port, struct domain *remote)
{
    struct evtchn_locked l = evtchn_lock_both(d, remote);
    struct port *p = port_find(d, port);
    bool same = p->state == EVTCHNSTAT_interdomain && p->remote == remote;

    if (same)
        unbind_pair(d, port, p);
    evtchn_unlock_both(l);
    return same ? 0 : -EAGAIN;
}

int port_close(struct domain *d, unsigned port)
{
    int rc, pirq = -1;

    do {
        unsigned long flags = evtchn_lock(d);
        struct port *p = port_find(d, port);
        struct domain *remote = NULL;

        rc = 0;
        if (!p || p->state == EVTCHNSTAT_closed || p->reserved) {
            rc = -EINVAL;
        } else if (p->state == EVTCHNSTAT_interdomain) {
            remote = p->remote; /* alive: its end is bound to ours while we hold our lock */
            domain_hold(remote);
        } else {
            unbind_local(d, port, p, &pirq);
        }
        evtchn_unlock(d, flags);
        if (remote) {
            rc = close_interdomain(d, port, remote);
            domain_put(remote);
        }
    } while (rc == -EAGAIN);
    if (pirq >= 0)
        pirq_unbind(d, (unsigned)pirq);
    return rc;
}

static long op_close(void *arg)
{
    struct evtchn_close *op = arg;

    return port_close(current->domain, op->port);
}

/* --- send and the rest ----------------------------------------------------------------------- */

static long op_send(void *arg)
{
    struct evtchn_send *op = arg;
    struct domain *d = current->domain;
    unsigned long flags = evtchn_lock(d);
    struct port *p = port_find(d, op->port);
    long rc = 0;

    switch (p ? p->state : EVTCHNSTAT_closed) {
    case EVTCHNSTAT_interdomain:
        port_set_pending(p->remote, p->number, port_find(p->remote, p->number));
        break;
    case EVTCHNSTAT_ipi:
        port_set_pending(d, op->port, p);
        break;
    case EVTCHNSTAT_unbound:
        break; /* nobody listens yet: lost, and bind looks once */
    default:
        rc = -EINVAL;
        break;
    }
    evtchn_unlock(d, flags);
    return rc;
}

static long op_status(void *arg)
{
    struct evtchn_status *op = arg;
    struct domain *d = domain_get_self_or(op->dom);
    unsigned long flags;
    struct port *p;

    if (!d)
        return current->domain->is_dom0 ? -ESRCH : -EPERM;
    if (d->is_system) {
        domain_put(d);
        return -ESRCH;
    }
    flags = evtchn_lock(d);
    p = port_find(d, op->port);
    if (p) {
        op->status = p->state;
        op->vcpu = p->vcpu;
        switch (p->state) {
        case EVTCHNSTAT_unbound:
            op->u.unbound.dom = p->remote_domid;
            break;
        case EVTCHNSTAT_interdomain:
            op->u.interdomain.dom = p->remote->id;
            op->u.interdomain.port = p->number;
            break;
        case EVTCHNSTAT_pirq:
            op->u.pirq = p->number;
            break;
        case EVTCHNSTAT_virq:
            op->u.virq = p->number;
            break;
        }
    }
    evtchn_unlock(d, flags);
    domain_put(d);
    return p ? 0 : -EINVAL;
}

static long op_bind_vcpu(void *arg)
{
    struct evtchn_bind_vcpu *op = arg;
    struct domain *d = current->domain;
    unsigned long flags;
    struct port *p;
    int pirq = -1;
    long rc = 0;

    if (op->vcpu >= d->max_vcpus || !d->vcpu[op->vcpu])
        return -ENOENT;
    flags = evtchn_lock(d);
    p = port_find(d, op->port);
    switch (p && !p->reserved ? p->state : EVTCHNSTAT_closed) {
    case EVTCHNSTAT_virq:
        if (virq_is_global(p->number))
            WRITE_ONCE(p->vcpu, (uint16_t)op->vcpu);
        else
            rc = -EINVAL;
        break;
    case EVTCHNSTAT_pirq:
        pirq = (int)p->number;
        /* fallthrough */
    case EVTCHNSTAT_unbound:
    case EVTCHNSTAT_interdomain:
        WRITE_ONCE(p->vcpu, (uint16_t)op->vcpu);
        break;
    default:
        rc = -EINVAL;
        break;
    }
    evtchn_unlock(d, flags);
    if (pirq >= 0)
        pirq_set_affinity(d, (unsigned)pirq, d->vcpu[op->vcpu]->cpu);
    return rc;
}

static long op_bind_virq(void *arg)
{
    return evtchn_bind_virq(arg);
}

static long op_bind_pirq(void *arg)
{
    return evtchn_bind_pirq(arg);
}

static long op_unmask(void *arg)
{
    struct evtchn_unmask *op = arg;

    return evtchn_unmask(current->domain, op->port);
}

static long op_reset(void *arg)
{
    struct evtchn_reset *op = arg;
    struct domain *d = domain_get_self_or(op->dom);

    if (!d)
        return current->domain->is_dom0 ? -ESRCH : -EPERM;
    if (d->is_system) {
        domain_put(d);
        return -ESRCH;
    }
    evtchn_domain_close_all(d);
    domain_put(d);
    return 0;
}

/* FIFO events are not offered: a guest that asks falls back to two levels. */
static const struct {
    long (*fn)(void *op);
    uint8_t size;
    bool out; /* the structure goes back to the guest */
} ops[] = {
    [EVTCHNOP_bind_interdomain] = {op_bind_interdomain, sizeof(struct evtchn_bind_interdomain),
                                   true},
    [EVTCHNOP_bind_virq] = {op_bind_virq, sizeof(struct evtchn_bind_virq), true},
    [EVTCHNOP_bind_pirq] = {op_bind_pirq, sizeof(struct evtchn_bind_pirq), true},
    [EVTCHNOP_close] = {op_close, sizeof(struct evtchn_close), false},
    [EVTCHNOP_send] = {op_send, sizeof(struct evtchn_send), false},
    [EVTCHNOP_status] = {op_status, sizeof(struct evtchn_status), true},
    [EVTCHNOP_alloc_unbound] = {op_alloc_unbound, sizeof(struct evtchn_alloc_unbound), true},
    [EVTCHNOP_bind_ipi] = {op_bind_ipi, sizeof(struct evtchn_bind_ipi), true},
    [EVTCHNOP_bind_vcpu] = {op_bind_vcpu, sizeof(struct evtchn_bind_vcpu), false},
    [EVTCHNOP_unmask] = {op_unmask, sizeof(struct evtchn_unmask), false},
    [EVTCHNOP_reset] = {op_reset, sizeof(struct evtchn_reset), false},
};

long do_event_channel_op(struct hypercall *hc)
{
    unsigned op = (unsigned)hc->arg[0];
    struct evtchn_op in;
    long rc;

    if (op >= ARRAY_SIZE(ops) || !ops[op].fn)
        return -ENOSYS;
    if (copy_from_guest(&in.u, hc->arg[1], ops[op].size))
        return -EFAULT;
    rc = ops[op].fn(&in.u);
    if (!rc && ops[op].out && copy_to_guest(hc->arg[1], &in.u, ops[op].size))
        rc = -EFAULT;
    return rc;
}
