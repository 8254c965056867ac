/* SPDX-License-Identifier: MIT */
/*
 * The two-level event ABI: a pending and a mask bit for each port in shared_info, and in each
 * vCPU's vcpu_info a selector bit for each word of pending bits, and one byte that says "look".
 *
 * Interface: port_set_pending, port_clear_pending (port.h); evtchn_port_pending, evtchn_unmask,
 * vcpu_event_pending (hv/evtchn.h). shared_info is a heap page, reachable from any context.
 * vcpu_info may be in a guest frame, so the selector is left in v->event_selectors for the vCPU to
 * fold in when it next returns to its guest (hv/vcpu.h).
 */
#include <hv/sched.h>
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

static void notify(struct domain *d, unsigned vcpu, unsigned port)
{
    struct vcpu *v = d->vcpu && vcpu < d->max_vcpus ? d->vcpu[vcpu] : NULL;

    if (!v)
        return; /* no vCPUs yet: the first to look finds the pending bit */
    __atomic_fetch_or(&v->event_selectors, 1UL << (port / 64), __ATOMIC_SEQ_CST);
    vcpu_kick(v);
}

/* Wake whoever polls this port, or several ports that may include it. */
static void wake_pollers(struct domain *d, unsigned port)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v && v->polling && (v->poll_port == 0 || v->poll_port == port))
            vcpu_unblock(v);
    }
}

void port_set_pending(struct domain *d, unsigned port, const struct port *p)
{
    struct shared_info *s = d->shared_info;

    if (test_and_set(s->evtchn_pending, port))
        return;
    if (!test(s->evtchn_mask, port))
        notify(d, READ_ONCE(p->vcpu), port);
    if (d->evtchn->pollers)
        wake_pollers(d, port);
}

void port_clear_pending(struct domain *d, unsigned port)
{
    test_and_clear(d->shared_info->evtchn_pending, port);
}

bool evtchn_port_pending(struct domain *d, unsigned port)
{
    return port < EVTCHN_2L_NR_CHANNELS && test(d->shared_info->evtchn_pending, port);
}

int evtchn_unmask(struct domain *d, unsigned port)
{
    unsigned long flags = evtchn_lock(d);
    struct port *p = port_find(d, port);

    if (p && test_and_clear(d->shared_info->evtchn_mask, port) && evtchn_port_pending(d, port))
        notify(d, p->vcpu, port);
    evtchn_unlock(d, flags);
    return p ? 0 : -EINVAL;
}

bool vcpu_event_pending(struct vcpu *v)
{
    struct vcpu_info *info = vcpu_info_map(v);
    bool due = (v->event_selectors || READ_ONCE(info->evtchn_upcall_pending)) &&
               !READ_ONCE(info->evtchn_upcall_mask);

    vcpu_info_unmap(v, info);
    return due;
}
