/* SPDX-License-Identifier: MIT */
/*
 * The table of a domain's ports: pages of struct port in the hypervisor's heap, made as the guest
 * binds more of them.
 *
 * Interface: port.h; evtchn_domain_init/close_all/destroy, evtchn_polling, evtchn_port_valid
 * (hv/evtchn.h). Invariant: pages are only added while the domain lives, so a port's address does
 * not change. Lock: port.h.
 */
#include <hv/frame.h>
#include <hv/irq.h>
#include <hv/string.h>
#include "port.h"

#define TWO_LEVEL_PORTS 4096
#define PORTS_AHEAD     16

struct evtchn_locked evtchn_lock_both(struct domain *a, struct domain *b)
{
    struct evtchn_locked l = {a->evtchn, a == b ? NULL : b->evtchn, 0};

    if (l.second && b->id < a->id) {
        l.first = b->evtchn;
        l.second = a->evtchn;
    }
    l.flags = spin_lock_irqsave(&l.first->lock);
    if (l.second)
        spin_lock(&l.second->lock);
    return l;
}

void evtchn_unlock_both(struct evtchn_locked l)
{
    if (l.second)
        spin_unlock(&l.second->lock);
    spin_unlock_irqrestore(&l.first->lock, l.flags);
}

struct port *port_find(struct domain *d, unsigned port)
{
    struct evtchn_domain *ed = d->evtchn;

    if (port == 0 || port >= ed->nr_ports)
        return NULL;
    return &ed->pages[port / PORTS_PER_PAGE][port % PORTS_PER_PAGE];
}

bool evtchn_port_valid(struct domain *d, unsigned port)
{
    return port != 0 && port < READ_ONCE(d->evtchn->nr_ports);
}

static int find_free(struct domain *d)
{
    struct evtchn_domain *ed = d->evtchn;

    for (unsigned i = ed->first_free; i < ed->nr_ports; i++) {
        struct port *p = port_find(d, i);

        if (p->state == EVTCHNSTAT_closed && !p->reserved)
            return (int)i;
    }
    return -ENOSPC;
}

/*
 * Keep a few ports ahead of those that bind at the same moment: the heap has locks that are taken
 * with interrupts on, so it cannot be asked under ours.
 */
int port_room(struct domain *d)
{
    struct evtchn_domain *ed = d->evtchn;
    unsigned long flags;
    struct port *page;

    if (READ_ONCE(ed->nr_free) >= PORTS_AHEAD || READ_ONCE(ed->nr_ports) >= ed->limit)
        return 0;
    page = heap_alloc_pages(0);
    if (!page)
        return -ENOMEM;
    flags = evtchn_lock(d);
    if (ed->nr_free < PORTS_AHEAD && ed->nr_ports < ed->limit) {
        unsigned more = (unsigned)MIN(PORTS_PER_PAGE, (size_t)(ed->limit - ed->nr_ports));

        ed->pages[ed->nr_ports / PORTS_PER_PAGE] = page;
        ed->nr_free += more;
        __atomic_store_n(&ed->nr_ports, ed->nr_ports + more, __ATOMIC_RELEASE);
        page = NULL;
    }
    evtchn_unlock(d, flags);
    if (page)
        heap_free_pages(page, 0);
    return 0;
}

/* The lowest free port, as Xen gives it. */
int port_alloc(struct domain *d)
{
    int port = find_free(d);

    if (port < 0)
        return port;
    d->evtchn->first_free = (unsigned)port + 1;
    d->evtchn->nr_free--;
    *port_find(d, (unsigned)port) = (struct port){.reserved = true};
    return port;
}

void port_free(struct domain *d, unsigned port)
{
    *port_find(d, port) = (struct port){.state = EVTCHNSTAT_closed};
    d->evtchn->nr_free++;
    if (port < d->evtchn->first_free)
        d->evtchn->first_free = port;
}

void evtchn_polling(struct vcpu *v, bool on)
{
    if (__atomic_exchange_n(&v->polling, on, __ATOMIC_SEQ_CST) == on)
        return;
    if (on)
        v->domain->evtchn->pollers++;
    else
        v->domain->evtchn->pollers--;
}

int evtchn_domain_init(struct domain *d, unsigned max_port)
{
    struct evtchn_domain *ed = hv_alloc(sizeof(*ed));

    if (!ed)
        return -ENOMEM;
    spin_lock_init(&ed->lock);
    ed->limit = max_port >= TWO_LEVEL_PORTS - 1 ? TWO_LEVEL_PORTS : max_port + 1;
    ed->nr_pages_max = (unsigned)((ed->limit + PORTS_PER_PAGE - 1) / PORTS_PER_PAGE);
    ed->first_free = 1; /* port 0 is nobody's */
    ed->pages = hv_alloc(ed->nr_pages_max * sizeof(*ed->pages));
    if (ed->pages)
        ed->pages[0] = heap_alloc_pages(0);
    d->evtchn = ed;
    if (!ed->pages || !ed->pages[0]) {
        evtchn_domain_destroy(d);
        return -ENOMEM;
    }
    ed->nr_ports = (unsigned)MIN(PORTS_PER_PAGE, (size_t)ed->limit);
    ed->nr_free = ed->nr_ports - 1;
    return 0;
}

void evtchn_domain_close_all(struct domain *d)
{
    for (unsigned i = 1; i < d->evtchn->nr_ports; i++)
        port_close(d, i);
}

void evtchn_domain_destroy(struct domain *d)
{
    struct evtchn_domain *ed = d->evtchn;

    for (unsigned i = 0; ed->pages && i < ed->nr_pages_max; i++)
        if (ed->pages[i])
            heap_free_pages(ed->pages[i], 0);
    hv_free(ed->pages);
    hv_free(ed->pirq_port);
    hv_free(ed);
    d->evtchn = NULL;
}
