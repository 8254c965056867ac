/* SPDX-License-Identifier: MIT */
/*
 * Event channels: ports of a domain, bound to another domain's port, a VIRQ, an IPI or a physical interrupt.
 *
 * Lock: d->evtchn_lock of the port's owner; two domains: lower domid first. Sending takes no lock (common/evtchn/port.h
 * says why that is right), so that PIRQs and VIRQs may be sent by interrupt handlers.
 */
#ifndef HV_EVTCHN_H
#define HV_EVTCHN_H

#include <hv/types.h>
#include <hv/vcpu.h>

int evtchn_domain_init(struct domain *d, unsigned max_port); /* max_port: inclusive */
long evtchn_domain_close_all(struct domain *d);  /* on dying; -HC_RESTART */
/* EVTCHNOP_reset. -EINVAL: another's that is not paused; -EBUSY: one is (or, goes_on, none is) under way; -HC_RESTART. */
long evtchn_reset(struct domain *d, bool goes_on);
void evtchn_domain_destroy(struct domain *d);    /* last reference gone */

void send_guest_vcpu_virq(struct vcpu *v, unsigned virq);
void send_dom0_virq(unsigned virq);              /* VIRQ_DOM_EXC, VIRQ_CONSOLE, VIRQ_CON_RING … */
void send_guest_pirq(struct domain *d, unsigned pirq); /* from the IRQ path */

/* True if v's vcpu_info says that an upcall is due (pending and not masked). Own vCPU. */
bool vcpu_event_pending(struct vcpu *v);
/* A port is unmasked on the guest's behalf (PHYSDEVOP_eoi, EVTCHNOP_unmask). -EINVAL: no such port. */
int evtchn_unmask(struct domain *d, unsigned port);
/* The port that a PIRQ of d is bound to; 0: none. */
unsigned evtchn_pirq_port(struct domain *d, unsigned pirq);
/* The vCPU starts or stops polling: senders look at every port only for domains that have a poller. */
void evtchn_polling(struct vcpu *v, bool on);
/* SCHEDOP_poll, own domain: 1: the port is pending; 0; -EINVAL: no port in use. */
int evtchn_port_poll(struct domain *d, unsigned port);

#endif
