/* SPDX-License-Identifier: MIT */
/*
 * Inside event channels: the table of ports.
 *
 * ops.c        EVTCHNOP_*: bind, close, send, status …
 * port.c       the table: finding, allocating, freeing ports; polling; the end of a domain
 * two_level.c  how a pending port reaches the guest: bits in shared_info, selectors in vcpu_info
 * virq.c, pirq.c  ports bound to virtual and physical interrupts
 *
 * Lock: ed->lock (irqsave), that is d->evtchn_lock of hv/lock.h. A port bound to another domain's
 * is changed only with both locks held, lower domid first; so whoever holds one of them knows that
 * the peer, and the peer's domain, stay.
 */
#ifndef EVTCHN_PORT_H
#define EVTCHN_PORT_H

#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/evtchn.h>
#include <hv/lock.h>
#include <xen/event_channel.h>

#define PORTS_PER_PAGE (PAGE_SIZE / sizeof(struct port))

struct port {
    uint8_t state;         /* EVTCHNSTAT_* */
    bool reserved;         /* being set up or torn down without the lock: not free, not usable */
    uint16_t vcpu;         /* whom it notifies */
    domid_t remote_domid;  /* unbound: who may bind */
    uint32_t number;       /* interdomain: the peer's port; virq: which; pirq: which */
    struct domain *remote; /* interdomain */
};

struct evtchn_domain { /* d->evtchn */
    spinlock_t lock;
    unsigned nr_ports;        /* room in the table */
    unsigned limit;           /* ports are below it */
    unsigned first_free;      /* no port below it is free */
    unsigned nr_free;         /* of the table's room */
    _Atomic unsigned pollers; /* vCPUs in SCHEDOP_poll */
    struct port **pages;
    unsigned nr_pages_max;
    uint32_t *pirq_port; /* [nr_pirqs()]; NULL until one is bound */
};

struct evtchn_locked { /* two domains' locks, or one twice */
    struct evtchn_domain *first, *second;
    unsigned long flags;
};
struct evtchn_locked evtchn_lock_both(struct domain *a, struct domain *b);
void evtchn_unlock_both(struct evtchn_locked l);

static inline unsigned long evtchn_lock(struct domain *d)
{
    return spin_lock_irqsave(&d->evtchn->lock);
}
static inline void evtchn_unlock(struct domain *d, unsigned long flags)
{
    spin_unlock_irqrestore(&d->evtchn->lock, flags);
}

/* With d's lock. NULL: not in the table. */
struct port *port_find(struct domain *d, unsigned port);
/* Without the lock, before port_alloc: make the table longer if it is nearly full. -ENOMEM */
int port_room(struct domain *d);
/* With d's lock. A free port, reserved for the caller; or -ENOSPC. */
int port_alloc(struct domain *d);
void port_free(struct domain *d, unsigned port);

/* two_level.c: mark pending (and notify p->vcpu), with the lock of d or of its peer. */
void port_set_pending(struct domain *d, unsigned port, const struct port *p);
void port_clear_pending(struct domain *d, unsigned port);

/* Close a port of d, whatever it is. No lock held. -EINVAL */
int port_close(struct domain *d, unsigned port);

long evtchn_bind_virq(struct evtchn_bind_virq *op);
long evtchn_bind_pirq(struct evtchn_bind_pirq *op);
bool virq_is_global(unsigned virq);
void pirq_port_set(struct domain *d, unsigned pirq, unsigned port);

#endif
