/* SPDX-License-Identifier: MIT */
/*
 * Pending ports, in either ABI, and the two-level one whole: a pending and a mask bit for each port
 * in shared_info, and in each vCPU's vcpu_info a selector bit for each word of pending bits, and
 * one byte that says "look".
 *
 * Interface: port_set_pending, port_clear_pending (port.h); evtchn_port_poll, evtchn_unmask,
 * vcpu_event_pending, vcpu_fold_events (hv/evtchn.h, hv/vcpu.h). shared_info is a heap page,
 * reachable from any context. vcpu_info may be in a guest frame, so the selector is left in
 * v->event_selectors for the vCPU to fold in when it next returns to its guest.
 */
#include "port.h"

static bool test_and_set(xen_ulong_t *words, unsigned bit)
{
    xen_ulong_t m = 1UL << (bit % 64);

    return __atomic_fetch_or(&words[bit / 64], m, __ATOMIC_SEQ_CST) & m;
}
static bool test_and_clear(xen_ulong_t *words, unsigned bit)
{
    xen_ulong_t m = 1UL << (bit % 64);

    return __atomic_fetch_and(&words[bit / 64], ~m, __ATOMIC_SEQ_CST) & m;
}
static bool test(const xen_ulong_t *words, unsigned bit)
{
    return (READ_ONCE(words[bit / 64]) >> (bit % 64)) & 1;
}

static void notify(struct domain *d, const struct port *p, unsigned port)
{
    struct vcpu *v = d->vcpu[READ_ONCE(p->vcpu)];

    if (v) /* no vCPUs yet: the first to look finds the pending bit */
        port_notify(v, 1UL << (port / 64));
}

void port_set_pending(struct domain *d, unsigned port, struct port *p, bool here)
{
    struct shared_info *s = d->shared_info;

    struct fifo *f = __atomic_load_n(&d->evtchn->fifo, __ATOMIC_ACQUIRE);

    if (f) {
        fifo_notify(f, d, port, p, true, here);
        return;
    }
    if (test_and_set(s->evtchn_pending, port))
        return;
    if (!test(s->evtchn_mask, port))
        notify(d, p, port);
    if (d->evtchn->pollers)
        wake_pollers(d, port);
}

void port_clear_pending(struct domain *d, unsigned port, struct port *p)
{
    if (d->evtchn->fifo)
        fifo_clear_pending(d, port, p);
    else
        test_and_clear(d->shared_info->evtchn_pending, port);
}

int evtchn_port_poll(struct domain *d, unsigned port)
{
    struct cpu *c = events_enter();
    struct port *p = port_find(d, port);
    struct fifo *f = __atomic_load_n(&d->evtchn->fifo, __ATOMIC_ACQUIRE);
    int rc = -EINVAL;

    if (p && __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) != EVTCHNSTAT_closed &&
        !READ_ONCE(p->reserved))
        rc = f ? fifo_pending(f, d, port, p) : test(d->shared_info->evtchn_pending, port);
    events_leave(c);
    return rc;
}

/* A port that is not in use has nothing to unmask; that is no error. */
int evtchn_unmask(struct domain *d, unsigned port)
{
    struct cpu *c = events_enter();
    struct port *p = port_find(d, port);
    struct fifo *f = __atomic_load_n(&d->evtchn->fifo, __ATOMIC_ACQUIRE);

    if (p && READ_ONCE(p->state) != EVTCHNSTAT_closed) {
        if (f)
            fifo_unmask(f, d, port, p);
        else if (test_and_clear(d->shared_info->evtchn_mask, port) &&
                 test(d->shared_info->evtchn_pending, port))
            notify(d, p, port);
    }
    events_leave(c);
    return p ? 0 : -EINVAL;
}

/* --- the vCPU's side ------------------------------------------------------------------------- */

void vcpu_fold_events(struct vcpu *v, struct vcpu_info *info)
{
    uint64_t selectors;

    if (!v->event_selectors)
        return;
    selectors = __atomic_exchange_n(&v->event_selectors, 0, __ATOMIC_SEQ_CST);
    if (READ_ONCE(v->domain->evtchn->fifo)) {
        if (selectors & FIFO_WAITING)
            fifo_fold(v); /* may find that its own queue became ready */
        selectors |= __atomic_fetch_and(&v->event_selectors, ~FIFO_UPCALL, __ATOMIC_SEQ_CST);
        if (!(selectors & FIFO_UPCALL))
            return;
    } else {
        __atomic_fetch_or(&info->evtchn_pending_sel, selectors, __ATOMIC_SEQ_CST);
    }
    info->evtchn_upcall_pending = 1;
}

bool vcpu_event_pending(struct vcpu *v)
{
    struct vcpu_info *info = vcpu_info_map(v);
    bool due;

    vcpu_fold_events(v, info);
    due = READ_ONCE(info->evtchn_upcall_pending) && !READ_ONCE(info->evtchn_upcall_mask);
    vcpu_info_unmap(v, info);
    return due;
}
