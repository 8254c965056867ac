/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_*: what guests do with their ports.
 *
 * Interface: do_event_channel_op. Making and closing ports is in bind.c. Locks, and how send does
 * without: port.h.
 */
#include <hv/irq.h>
#include <asm/uaccess.h>
#include "port.h"

#define RESET_CONT 14 /* EVTCHNOP_reset_cont: the public header shows it to Xen only */

/*
 * The hot one. In the section the pair that we see bound stays bound, and the peer's domain alive:
 * closing either end waits for us before it lets go of them.
 */
static long send(uint64_t arg)
{
    struct domain *d = current->domain, *to = d;
    struct evtchn_send op;
    struct cpu *c;
    struct port *p;
    long rc = 0;

    if (copy_in(&op, arg))
        return -EFAULT;
    c = events_enter();
    p = port_find(d, op.port);
    switch (p ? __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) : EVTCHNSTAT_closed) {
    case EVTCHNSTAT_interdomain:
        to = p->remote;
        op.port = p->number;
        p = port_find(to, op.port);
        /* fallthrough */
    case EVTCHNSTAT_ipi:
        port_set_pending(to, op.port, p, to == d);
        break;
    case EVTCHNSTAT_unbound:
        break; /* nobody listens yet: lost, and bind looks once */
    default:
        rc = -EINVAL;
        break;
    }
    events_leave(c);
    return rc;
}

static long op_close(void *arg)
{
    struct evtchn_close *op = arg;

    return port_close(current->domain, op->port);
}

static void tell(const struct port *p, struct evtchn_status *op)
{
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

static long op_status(void *arg)
{
    struct evtchn_status *op = arg;
    struct domain *d = domain_named(op->dom);
    const struct port *p;
    long rc = 0;

    if (!d)
        return -ESRCH;
    evtchn_lock(d);
    p = port_find(d, op->port);
    if (!p)
        rc = -EINVAL;
    else if (d != current->domain && !current->domain->is_dom0)
        rc = -EPERM;
    else
        tell(p, op);
    evtchn_unlock(d);
    domain_put(d);
    return rc;
}

static long op_bind_vcpu(void *arg)
{
    struct evtchn_bind_vcpu *op = arg;
    struct domain *d = current->domain;
    struct port *p;
    int pirq = -1;
    long rc = 0;

    if (!domain_vcpu(d, op->vcpu))
        return -ENOENT;
    evtchn_lock(d);
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
    evtchn_unlock(d);
    if (pirq >= 0)
        pirq_set_affinity(d, (unsigned)pirq, d->vcpu[op->vcpu]->cpu);
    return rc;
}

static long op_unmask(void *arg)
{
    struct evtchn_unmask *op = arg;

    return evtchn_unmask(current->domain, op->port);
}

static long op_reset(void *arg)
{
    const struct evtchn_reset *op = arg;
    struct hypercall *hc = &current->hc;
    struct domain *d;
    long rc = domain_managed(op->dom, &d);

    if (rc)
        return rc;
    rc = evtchn_reset(d, (unsigned)hc->arg[0] == RESET_CONT || hc->progress[0]);
    hc->progress[0] = rc == -HC_RESTART;
    domain_put(d);
    return rc;
}

/* For events to come: one that is in a queue stays there. */
static long op_set_priority(void *arg)
{
    struct evtchn_set_priority *op = arg;
    struct domain *d = current->domain;
    struct port *p;
    long rc = 0;

    evtchn_lock(d);
    p = port_find(d, op->port);
    if (!p)
        rc = -EINVAL;
    else if (!d->evtchn->fifo)
        rc = -ENOSYS;
    else if (p->state == EVTCHNSTAT_closed)
        rc = -EACCES;
    else if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
        rc = -EINVAL;
    else
        WRITE_ONCE(p->priority, (uint8_t)op->priority);
    evtchn_unlock(d);
    return rc;
}

static const struct {
    evtchn_op_fn *fn;
    uint8_t size;
    bool out; /* the structure goes back to the guest */
} ops[] = {
    [EVTCHNOP_bind_interdomain] = {evtchn_bind_interdomain, sizeof(struct evtchn_bind_interdomain),
                                   true},
    [EVTCHNOP_bind_virq] = {evtchn_bind_virq, sizeof(struct evtchn_bind_virq), true},
    [EVTCHNOP_bind_pirq] = {evtchn_bind_pirq, sizeof(struct evtchn_bind_pirq), true},
    [EVTCHNOP_close] = {op_close, sizeof(struct evtchn_close), false},
    [EVTCHNOP_status] = {op_status, sizeof(struct evtchn_status), true},
    [EVTCHNOP_alloc_unbound] = {evtchn_alloc_unbound, sizeof(struct evtchn_alloc_unbound), true},
    [EVTCHNOP_bind_ipi] = {evtchn_bind_ipi, sizeof(struct evtchn_bind_ipi), true},
    [EVTCHNOP_bind_vcpu] = {op_bind_vcpu, sizeof(struct evtchn_bind_vcpu), false},
    [EVTCHNOP_unmask] = {op_unmask, sizeof(struct evtchn_unmask), false},
    [EVTCHNOP_reset] = {op_reset, sizeof(struct evtchn_reset), false},
    [EVTCHNOP_init_control] = {fifo_init_control, sizeof(struct evtchn_init_control), true},
    [EVTCHNOP_expand_array] = {fifo_expand_array, sizeof(struct evtchn_expand_array), false},
    [EVTCHNOP_set_priority] = {op_set_priority, sizeof(struct evtchn_set_priority), false},
    [RESET_CONT] = {op_reset, sizeof(struct evtchn_reset), false},
};

static __attribute__((noinline)) long by_table(unsigned op, uint64_t arg)
{
    struct evtchn_status largest;
    long rc;

    if (op >= ARRAY_SIZE(ops) || !ops[op].fn)
        return -ENOSYS;
    if (copy_from_guest(&largest, arg, ops[op].size))
        return -EFAULT;
    rc = ops[op].fn(&largest);
    if (!rc && ops[op].out && copy_to_guest(arg, &largest, ops[op].size))
        rc = -EFAULT;
    return rc;
}

long do_event_channel_op(struct hypercall *hc)
{
    unsigned op = (unsigned)hc->arg[0];

    return op == EVTCHNOP_send ? send(hc->arg[1]) : by_table(op, hc->arg[1]);
}
