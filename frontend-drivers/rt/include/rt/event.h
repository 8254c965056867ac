/* SPDX-License-Identifier: MIT */
/*
 * Event channels of the 2-level ABI, as a guest sees them. All ports start masked. The upcall
 * acknowledges what is pending and unmasked, counts it per port, and calls the port's handler.
 */
#ifndef RT_EVENT_H
#define RT_EVENT_H

#include <rt/hypercall.h>

#define EVENT_PORTS 4096

extern volatile uint32_t event_count[EVENT_PORTS];
/** The vCPU (plus 1) on which the port's last event was delivered. */
extern volatile uint8_t event_last_vcpu[EVENT_PORTS];

void events_init(void);
/** Runs in the upcall; called by the trap dispatcher only. */
void events_dispatch(void);

/** Called in the upcall, events masked. NULL: only count. */
void event_set_handler(evtchn_port_t port, void (*handler)(evtchn_port_t port));

bool event_is_pending(evtchn_port_t port);
bool event_is_masked(evtchn_port_t port);
void event_clear(evtchn_port_t port);
/** Masks in the shared page, no hypercall. */
void event_mask(evtchn_port_t port);
/** Unmasks through the hypercall, so that a pending event is delivered. */
void event_unmask(evtchn_port_t port);

struct vcpu_info *my_vcpu_info(void);
/** Delivery on this vCPU; enabling delivers at once what waits. enable answers the old state. */
void events_enable(void);
void events_disable(void);

/** Shorthands; each answers the hypercall's result. */
long event_alloc_unbound(domid_t dom, domid_t remote, evtchn_port_t *port);
long event_bind_interdomain(domid_t remote, evtchn_port_t remote_port, evtchn_port_t *port);
long event_bind_virq(uint32_t virq, uint32_t vcpu, evtchn_port_t *port);
long event_bind_ipi(uint32_t vcpu, evtchn_port_t *port);
long event_bind_vcpu(evtchn_port_t port, uint32_t vcpu);
long event_send(evtchn_port_t port);
long event_close(evtchn_port_t port);
long event_status(domid_t dom, evtchn_port_t port, struct evtchn_status *status);

/** A pair of ports of this domain connected to each other; false after a failed check. */
bool event_loop(evtchn_port_t *a, evtchn_port_t *b);

/** Blocks with events enabled until any is delivered. */
void sched_block(void);
void sched_yield(void);
/** Waits for one of the ports or the deadline (system time in ns, 0: none); the call's result. */
long sched_poll(const evtchn_port_t *ports, unsigned int n, uint64_t deadline_ns);
#endif
