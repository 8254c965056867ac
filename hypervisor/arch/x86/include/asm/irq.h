/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices: one descriptor each, which ties a vector, where it comes from (an IO-APIC
 * pin or an MSI) and who gets it (a function of ours, or a PIRQ of dom0's). irq.c owns them;
 * ioapic.c and msi.c program the hardware.
 */
#ifndef ASM_IRQ_H
#define ASM_IRQ_H

#include <hv/types.h>

#define FIRST_DEVICE_VECTOR 0x20
#define LAST_DEVICE_VECTOR  0xef
#define MSI_PIRQS           256

struct msi_source;
struct irq_desc {
    enum { IRQ_UNUSED, IRQ_GSI, IRQ_MSI } kind;
    uint8_t vector;         /* 0: none yet */
    bool level, active_low; /* GSI: how the line is wired */
    bool wiring_known;      /* dom0 (or the MADT) has said so */
    bool masked;
    bool awaits_eoi; /* level: masked until the guest is done */
    bool bound;      /* dom0 has a port for it */
    unsigned gsi, pirq;
    unsigned cpu;      /* where it is sent */
    void (*own)(void); /* the hypervisor's; NULL: dom0's */
    struct msi_source *msi;
};

void irq_init(void); /* after ioapic_init() */
unsigned nr_gsis(void);
/* Route a GSI of ours (16550) to the boot CPU. -EBUSY, -ENODEV, -ENOSPC. */
int irq_own_gsi(unsigned isa_irq, void (*handler)(void));
void irq_handle(unsigned vector); /* from entry */

/* For physdev.c, all dom0's: */
int pirq_map_gsi(unsigned gsi, int *pirq);
int pirq_map_msi(struct msi_source *msi, int *pirq);
int pirq_unmap(unsigned pirq);
int pirq_allocate(bool msi); /* a free number, reserved */
int gsi_setup(unsigned gsi, bool level, bool active_low);
int pirq_needs_eoi(unsigned pirq); /* 1, 0, -EINVAL */

/* ioapic.c. All but init under irq_lock. */
unsigned ioapic_init(void); /* returns the number of GSIs */
void ioapic_program(
    const struct irq_desc *d); /* write the whole entry, masked or not as d->masked says */
bool ioapic_has(unsigned gsi);
int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value);
int ioapic_guest_write(uint64_t base, uint32_t reg, uint32_t value);
bool ioapic_is_at(uint64_t page_maddr);

/* msi.c */
struct msi_source {
    uint16_t segment;
    uint8_t bus, devfn;
    uint16_t cap; /* configuration offset of the capability */
    bool msix, is64, maskable;
    unsigned entry;          /* MSI-X */
    volatile uint32_t *slot; /* MSI-X: the table entry, mapped */
};
int msi_prepare(uint16_t segment, uint8_t bus, uint8_t devfn, unsigned entry, uint64_t table_base,
                struct msi_source **out);
void msi_program(const struct irq_desc *d); /* message and mask */
void msi_release(struct msi_source *m);
int msi_restore(uint16_t segment, uint8_t bus, uint8_t devfn);
/* Every MSI interrupt that is mapped, under irq_lock. */
void irq_for_each_msi(void (*fn)(const struct irq_desc *d, void *data), void *data);
int msix_register_table(uint16_t segment, uint8_t bus, uint8_t devfn); /* PHYSDEVOP_prepare_msix */

#endif
