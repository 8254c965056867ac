/* SPDX-License-Identifier: MIT */
/*
 * The table of a domain's ports: buckets of struct port in the hypervisor's heap, made as the guest
 * binds more of them.
 *
 * Interface: port.h; evtchn_domain_init/close_all/destroy, evtchn_reset, evtchn_polling
 * (hv/evtchn.h). Invariant: while a port is in use its address does not change; buckets go only
 * when no port is bound. Ports from 4,096 on exist only while ed->fifo is set. Lock: port.h.
 */
#include <hv/frame.h>
#include <hv/irq.h>
#include "port.h"

#define FEW_BUCKETS (EVTCHN_2L_NR_CHANNELS / PORTS_PER_BUCKET)

void evtchn_lock_both(struct domain *a, struct domain *b)
{
    evtchn_lock(a->id < b->id ? a : b);
    if (a != b)
        evtchn_lock(a->id < b->id ? b : a);
}

void evtchn_unlock_both(struct domain *a, struct domain *b)
{
    evtchn_unlock(a);
    if (a != b)
        evtchn_unlock(b);
}

void events_quiesce(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < nr_cpus; i++)
        while (cpu_data[i] && __atomic_load_n(&cpu_data[i]->in_events, __ATOMIC_ACQUIRE))
            cpu_relax();
}

/* --- ports ----------------------------------------------------------------------------------- */

static unsigned limit_now(const struct evtchn_domain *ed)
{
    return ed->fifo || ed->limit < EVTCHN_2L_NR_CHANNELS ? ed->limit : EVTCHN_2L_NR_CHANNELS;
}

/* One bucket more. */
static int grow(struct evtchn_domain *ed)
{
    struct port *bucket = hv_alloc(PORTS_PER_BUCKET * sizeof(*bucket));

    if (!bucket)
        return -ENOMEM;
    ed->buckets[ed->nr_ports / PORTS_PER_BUCKET] = bucket;
    __atomic_store_n(&ed->nr_ports, ed->nr_ports + PORTS_PER_BUCKET, __ATOMIC_RELEASE);
    return 0;
}

/* The lowest free port, which may be one of a new bucket, or -errno. */
static int find_free(struct domain *d)
{
    struct evtchn_domain *ed = d->evtchn;
    unsigned end = MIN(ed->nr_ports, limit_now(ed)), next = ed->nr_ports;
    bool lowest = true;

    for (unsigned i = ed->first_free; i < end; i++) {
        struct port *p = port_find(d, i);

        if (p->state != EVTCHNSTAT_closed || p->reserved)
            continue;
        if (lowest)
            ed->first_free = i;
        lowest = false;
        if (!ed->fifo || !fifo_busy(d, i))
            return (int)i;
    }
    if (lowest)
        ed->first_free = end;
    if (next >= limit_now(ed))
        return -ENOSPC;
    return grow(ed) ? -ENOMEM : (int)next;
}

long port_make(struct domain *d, struct port as, evtchn_port_t *out)
{
    int port = d->dying ? -EINVAL : find_free(d);
    struct port *p;

    if (port < 0)
        return port;
    p = port_find(d, (unsigned)port);
    WRITE_ONCE(p->vcpu, as.vcpu); /* a list of fifo.c may still have the port */
    p->remote_domid = as.remote_domid;
    p->number = as.number;
    p->remote = as.remote;
    p->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    p->reserved = as.reserved;
    d->evtchn->nr_active++;
    __atomic_store_n(&p->state, as.state, __ATOMIC_RELEASE);
    *out = (evtchn_port_t)port;
    return 0;
}

void port_free(struct domain *d, unsigned port)
{
    struct port *p = port_find(d, port);

    __atomic_store_n(&p->state, EVTCHNSTAT_closed, __ATOMIC_RELAXED);
    events_quiesce();
    port_clear_pending(d, port, p);
    WRITE_ONCE(p->vcpu, 0);
    p->reserved = false;
    d->evtchn->nr_active--;
    if (port < d->evtchn->first_free)
        d->evtchn->first_free = port;
}

/* --- polling --------------------------------------------------------------------------------- */

void evtchn_polling(struct vcpu *v, bool on)
{
    if (__atomic_exchange_n(&v->polling, on, __ATOMIC_SEQ_CST) != on)
        v->domain->evtchn->pollers += on ? 1 : -1;
}

/* Wake whoever polls this port, or several ports that may include it. */
void wake_pollers(struct domain *d, unsigned port)
{
    for_each_vcpu(d, v)
        if (v->polling && (v->poll_port == 0 || v->poll_port == port))
            vcpu_unblock(v);
}

/* --- life ------------------------------------------------------------------------------------ */

int evtchn_domain_init(struct domain *d, unsigned max_port)
{
    struct evtchn_domain *ed = hv_alloc(sizeof(*ed));

    if (!ed)
        return -ENOMEM;
    spin_lock_init(&ed->lock);
    ed->limit = max_port >= EVTCHN_FIFO_NR_CHANNELS ? EVTCHN_FIFO_NR_CHANNELS : max_port + 1;
    ed->buckets = hv_alloc(ROUND_UP(ed->limit, PORTS_PER_BUCKET) / PORTS_PER_BUCKET *
                           sizeof(*ed->buckets));
    d->evtchn = ed;
    if (!ed->buckets || grow(ed))
        return -ENOMEM;
    port_find(d, 0)->reserved = true; /* nobody's, for ever */
    ed->first_free = 1;
    return 0;
}

/* Close from *next on; what comes in behind it stays. */
static long close_from(struct domain *d, unsigned *next)
{
    struct evtchn_domain *ed = d->evtchn;

    for (unsigned i = *next; i < READ_ONCE(ed->nr_ports) && READ_ONCE(ed->nr_active); i++) {
        port_close(d, i);
        if (i % PORTS_PER_BUCKET == 0 && preempt_needed()) {
            *next = i + 1;
            return -HC_RESTART;
        }
    }
    return 0;
}

long evtchn_domain_close_all(struct domain *d)
{
    long rc;

    evtchn_lock(d); /* whoever binds in it from now on sees that it is dying */
    evtchn_unlock(d);
    rc = close_from(d, &d->evtchn->kill_next);
    if (rc)
        return rc;
    evtchn_lock(d);
    fifo_destroy(d);
    evtchn_unlock(d);
    return 0;
}

/* Ports that only FIFO events can have are given back; the others stay, as Xen's do. */
static void shrink(struct evtchn_domain *ed)
{
    unsigned was = ed->nr_ports / PORTS_PER_BUCKET;

    if (was <= FEW_BUCKETS)
        return;
    ed->nr_ports = EVTCHN_2L_NR_CHANNELS;
    ed->first_free = 1;
    events_quiesce();
    for (unsigned i = FEW_BUCKETS; i < was; i++)
        hv_free(ed->buckets[i]);
}

long evtchn_reset(struct domain *d, bool goes_on)
{
    struct evtchn_domain *ed = d->evtchn;
    long rc;

    if (d != current->domain && !d->controller_pauses)
        return -EINVAL;
    evtchn_lock(d);
    rc = (ed->reset_next != 0) == goes_on ? 0 : -EBUSY;
    if (!rc && !goes_on)
        ed->reset_next = 1;
    evtchn_unlock(d);
    if (rc)
        return rc;
    rc = close_from(d, &ed->reset_next);
    if (rc)
        return rc;
    evtchn_lock(d);
    ed->reset_next = 0;
    rc = ed->nr_active ? -EAGAIN : 0; /* somebody bound behind our back */
    if (!rc && ed->fifo) {
        fifo_destroy(d);
        shrink(ed);
    }
    evtchn_unlock(d);
    return rc;
}

void evtchn_domain_destroy(struct domain *d)
{
    struct evtchn_domain *ed = d->evtchn;

    for (unsigned i = 0; i < ed->nr_ports / PORTS_PER_BUCKET; i++)
        hv_free(ed->buckets[i]);
    hv_free(ed->buckets);
    hv_free(ed->pirq_port);
    hv_free(ed);
}
