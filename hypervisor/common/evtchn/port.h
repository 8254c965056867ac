/* SPDX-License-Identifier: MIT */
/*
 * Inside event channels: the table of ports.
 *
 * bind.c       making and closing ports: alloc_unbound, bind_interdomain, bind_ipi, close
 * ops.c        the table of EVTCHNOP_*; send, status, bind_vcpu, reset …
 * port.c       the table: finding, allocating, freeing ports; polling; the end of a domain
 * two_level.c  how a pending port reaches the guest: bits in shared_info, selectors in vcpu_info
 * fifo.c       the same in the FIFO ABI: words and queues in frames of the guest's
 * virq.c, pirq.c  ports bound to virtual and physical interrupts
 *
 * Lock: ed->lock, that is d->evtchn_lock of hv/lock.h, guards every change of a domain's ports. A
 * port bound to another domain's is changed only with both locks held, lower domid first.
 *
 * Senders take no lock, for they are many and some are interrupt handlers. They stand in a
 * *section* (events_enter … events_leave, counted on their CPU), which holds no port still but
 * keeps alive what they saw. The rule for whoever changes a port that senders may look at:
 *   1. write `state` (or virq_port, pirq_port, ed->fifo: whatever led senders there) so that no
 *      sender that comes now goes on;
 *   2. events_quiesce(): wait until every CPU has been outside of a section;
 *   3. only then clear the pending bit, change the other fields, free the memory, or give the port
 *      to somebody else.
 * To bind, the fields are written first and `state` last. A sender's full barrier in events_enter
 * and the changer's in events_quiesce make that one of them sees the other. No section waits for
 * ed->lock and nobody waits for sections while holding a lock that is taken inside one (fifo->lock,
 * runqueue locks), so the wait ends.
 */
#ifndef EVTCHN_PORT_H
#define EVTCHN_PORT_H

#include <hv/evtchn.h>
#include <hv/sched.h>
#include <xen/event_channel.h>

#define PORTS_PER_BUCKET 64 /* as Xen's: it shows in which ports have a status */

struct port {
    uint8_t state;        /* EVTCHNSTAT_* */
    bool reserved;        /* being set up or torn down without the lock: not free, not usable */
    uint16_t vcpu;        /* whom it notifies */
    domid_t remote_domid; /* unbound: who may bind */
    /* FIFO (fifo.c) */
    uint8_t priority;
    uint8_t last_priority; /* the queue that it was last put into; fifo->lock */
    uint16_t last_vcpu;
    _Atomic bool raised;   /* sent, and its word in the array does not say so yet */
    _Atomic bool waiting;  /* on a vCPU's list: `next` is in use */
    uint32_t next;         /* the next port on that list */
    uint32_t number;       /* interdomain: the peer's port; virq: which; pirq: which */
    struct domain *remote; /* interdomain */
};
_Static_assert(sizeof(struct port) == 32, "a bucket is 2 KiB");

struct fifo;

struct evtchn_domain { /* d->evtchn */
    spinlock_t lock;
    unsigned nr_ports;          /* there are ports below it; grows by buckets */
    unsigned limit;             /* ports may be below it: max_evtchn_port + 1 */
    unsigned first_free;        /* no port below it is free */
    _Atomic unsigned nr_active; /* neither closed nor port 0 */
    _Atomic unsigned pollers;   /* vCPUs in SCHEDOP_poll */
    unsigned reset_next;        /* EVTCHNOP_reset under way goes on here; 0: none */
    unsigned kill_next;         /* evtchn_domain_close_all goes on here */
    struct port **buckets; /* room for all that `limit` allows */
    struct fifo *fifo;   /* NULL: the 2-level ABI */
    uint32_t *pirq_port; /* [nr_pirqs()]; NULL until one is bound */
};

/* --- locks and sections ---------------------------------------------------------------------- */

/* Two domains' locks, or one. */
void evtchn_lock_both(struct domain *a, struct domain *b);
void evtchn_unlock_both(struct domain *a, struct domain *b);

static inline void evtchn_lock(struct domain *d)
{
    spin_lock(&d->evtchn->lock);
}
static inline void evtchn_unlock(struct domain *d)
{
    spin_unlock(&d->evtchn->lock);
}

static inline struct cpu *events_enter(void)
{
    struct cpu *c = this_cpu();

    __atomic_fetch_add(&c->in_events, 1, __ATOMIC_SEQ_CST);
    return c;
}
static inline void events_leave(struct cpu *c)
{
    /* Interrupt handlers on this CPU leave it as they found it, so no atomic addition is needed. */
    __atomic_store_n(&c->in_events, c->in_events - 1, __ATOMIC_RELEASE);
}
void events_quiesce(void);

/* --- the table ------------------------------------------------------------------------------- */

/* With d's lock, or in a section. NULL: not in the table. */
static inline struct port *port_find(struct domain *d, unsigned port)
{
    struct evtchn_domain *ed = d->evtchn;

    if (port >= __atomic_load_n(&ed->nr_ports, __ATOMIC_ACQUIRE))
        return NULL;
    return &READ_ONCE(ed->buckets)[port / PORTS_PER_BUCKET][port % PORTS_PER_BUCKET];
}
/* With d's lock. The lowest free port becomes what `as` says (state, vcpu, remote …), or is only
 * reserved: 0, -EINVAL (dying), -ENOSPC, -ENOMEM. */
long port_make(struct domain *d, struct port as, evtchn_port_t *out);
/* With d's lock: what senders no longer find is free again. Quiesces. */
void port_free(struct domain *d, unsigned port);
/* Close a port of d, whatever it is. No lock held. -EINVAL */
int port_close(struct domain *d, unsigned port);

/* --- pending (two_level.c) ------------------------------------------------------------------- */

/*
 * Make a port pending and notify p->vcpu; in a section, or with the port's lock held. `here`: by
 * the domain itself in a hypercall of its own, so its frames may be touched.
 */
void port_set_pending(struct domain *d, unsigned port, struct port *p, bool here);
/* With d's lock, not from an interrupt. */
void port_clear_pending(struct domain *d, unsigned port, struct port *p);
/* Leave v something to find on its way to the guest (event_selectors), and make it look. */
static inline void port_notify(struct vcpu *v, uint64_t selectors)
{
    __atomic_fetch_or(&v->event_selectors, selectors, __ATOMIC_SEQ_CST);
    /* This CPU's own vCPU looks when it leaves; only while it goes to sleep it must be told. */
    if (v != current || v->blocked)
        vcpu_kick(v);
}
void wake_pollers(struct domain *d, unsigned port);

/* --- FIFO (fifo.c) --------------------------------------------------------------------------- */

/* v->event_selectors, while the domain uses FIFO events */
#define FIFO_UPCALL  1UL /* a queue became ready */
#define FIFO_WAITING 2UL /* ports wait on v->event_list */

/* Put what waits for v into the queues. v's domain is current's. */
void fifo_fold(struct vcpu *v);
/* In a section; f: d's, read once by the caller, for a reset may take it away at any moment. */
void fifo_notify(struct fifo *f, struct domain *d, unsigned port, struct port *p, bool raise,
                 bool here); /* raise: it was sent; here: queue it, else leave that to its vCPU */
bool fifo_pending(struct fifo *f, struct domain *d, unsigned port, struct port *p);
void fifo_unmask(struct fifo *f, struct domain *d, unsigned port, struct port *p);
void fifo_clear_pending(struct domain *d, unsigned port, struct port *p);
/* Is the port's word still in one of the guest's queues? With d's lock. */
bool fifo_busy(struct domain *d, unsigned port);
/* Back to 2-level; with d's lock. */
void fifo_destroy(struct domain *d);

/* Operations that are not in ops.c; op: the public structure of that name, copied in. */
typedef long evtchn_op_fn(void *op);
evtchn_op_fn evtchn_alloc_unbound, evtchn_bind_interdomain, evtchn_bind_ipi, evtchn_bind_virq,
    evtchn_bind_pirq, fifo_init_control, fifo_expand_array;

bool virq_is_global(unsigned virq);
void pirq_port_set(struct domain *d, unsigned pirq, unsigned port);

#endif
