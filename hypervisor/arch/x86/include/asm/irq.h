/* SPDX-License-Identifier: MIT */
/*
 * Between irq.c (vectors, PIRQs), ioapic.c, msi.c and their callers. Lock: irq_lock (irq.c) for everything that programs hardware.
 */
#ifndef ASM_IRQ_H
#define ASM_IRQ_H

#include <hv/irq.h>

#define FIRST_DEVICE_VECTOR 0x20
#define LAST_DEVICE_VECTOR  0xef
#define MSI_PIRQS           256

struct msi_source {
    volatile uint32_t *slot; /* MSI-X: the table entry, mapped; NULL: MSI, with these: */
    uint16_t bdf;            /* bus << 8 | devfn */
    uint16_t cap;            /* configuration offset of the capability */
    bool is64, maskable;
};

void irq_init(void);
/* Route an ISA interrupt to the boot CPU and our handler (16550). -EBUSY, -ENODEV, -ENOSPC. */
int irq_own(unsigned isa_irq, void (*handler)(void));

/* For physdev.c, all dom0's: */
int pirq_map_gsi(unsigned gsi, int *pirq);
int pirq_map_msi(const struct msi_source *msi, int *pirq);
int pirq_unmap(unsigned pirq);
int gsi_setup(unsigned gsi, bool level, bool active_low);
int pirq_needs_eoi(unsigned pirq);        /* 1, 0, -EINVAL */
void irq_restore_messages(uint16_t bdf);  /* after a device was reset */

/* ioapic.c */
unsigned ioapic_init(void);               /* returns the number of GSIs */
const struct ioapic *ioapic_of(unsigned gsi); /* whose pin it is; NULL: nobody's */
/* Write the whole entry. Flags are the IO-APIC's. */
#define IOAPIC_MASKED (1u << 16)
#define IOAPIC_LEVEL  (1u << 15)
#define IOAPIC_LOW    (1u << 13)
void ioapic_program(unsigned gsi, uint32_t apic_id, uint32_t vector_and_flags);
int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value);
bool ioapic_is_at(uint64_t page_maddr);

/* msi.c. Prepare: 0 or -errno; nothing is sent yet. */
int msi_prepare(uint16_t bdf, struct msi_source *m);
int msix_prepare(uint16_t bdf, unsigned entry, struct msi_source *m);
/* Where a device's MSI-X table is, read from the device: what dom0 says is not needed. Its pages are dom0's to read only from now on. */
int msix_find_table(uint16_t bdf, uint64_t *start, unsigned *entries);
void msi_program(const struct msi_source *m, uint32_t apic_id, uint32_t data, bool masked); /* message and mask */

#endif
