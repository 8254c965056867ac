/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts: vectors for the hypervisor's own (serial, timer, IPIs) and PIRQs that dom0 binds to event channels.
 * arch/x86/{irq,ioapic,msi}.c. Lock: irq desc lock (irqsave).
 */
#ifndef HV_IRQ_H
#define HV_IRQ_H

#include <hv/types.h>

struct domain;
struct vcpu;

/* EVTCHNOP_bind_pirq: bind and unmask. -EINVAL (unknown), -EBUSY. */
int pirq_bind(struct vcpu *v, unsigned pirq, bool will_share);
void pirq_unbind(struct domain *d, unsigned pirq);
void pirq_eoi(struct domain *d, unsigned pirq);     /* PHYSDEVOP_eoi, and unmask of the port */
void pirq_set_affinity(struct domain *d, unsigned pirq, unsigned cpu); /* follow the vCPU the port is bound to */
unsigned nr_pirqs(void);

#endif
