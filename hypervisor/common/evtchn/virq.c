/* SPDX-License-Identifier: MIT */
/*
 * Virtual interrupts: per-vCPU ones (timer, debug) that each vCPU binds for itself, and global ones
 * that are bound on vCPU 0.
 *
 * Interface: send_guest_vcpu_virq, send_dom0_virq (hv/evtchn.h): any context, interrupts included.
 * v->virq_port changes with d's evtchn lock, and is read in sections (port.h).
 */
#include "port.h"

bool virq_is_global(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned virq)
{
    struct domain *d = v->domain;
    struct cpu *c;
    unsigned port;

    if (!READ_ONCE(v->virq_port[virq])) /* not bound: the common case for most */
        return;
    c = events_enter();
    port = __atomic_load_n(&v->virq_port[virq], __ATOMIC_ACQUIRE);
    if (port)
        port_set_pending(d, port, port_find(d, port), false);
    events_leave(c);
}

void send_dom0_virq(unsigned virq)
{
    if (dom0 && dom0->vcpu[0])
        send_guest_vcpu_virq(dom0->vcpu[0], virq);
}

long evtchn_bind_virq(void *arg)
{
    struct evtchn_bind_virq *op = arg;
    struct domain *d = current->domain;
    struct vcpu *v = domain_vcpu(d, op->vcpu);
    long rc = -EEXIST;

    if (op->virq >= ARRAY_SIZE(v->virq_port) || (virq_is_global(op->virq) && op->vcpu != 0))
        return -EINVAL;
    if (!v)
        return -ENOENT;

    evtchn_lock(d);
    if (!v->virq_port[op->virq])
        rc = port_make(d,
                       (struct port){.state = EVTCHNSTAT_virq,
                                     .vcpu = (uint16_t)op->vcpu,
                                     .number = op->virq},
                       &op->port);
    if (!rc)
        __atomic_store_n(&v->virq_port[op->virq], op->port, __ATOMIC_RELEASE);
    evtchn_unlock(d);
    return rc;
}
