/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by the ports 0xcf8 and 0xcfc: dom0's accesses, which priv_op_io.c
 * emulates, and the few registers that the hypervisor programs itself (MSI). All of them pass here,
 * so that two never mix. Lock: pci_lock, irqsave.
 *
 * The ports reach segment 0 and the first 256 bytes of a function, where all that we program lies;
 * physdev.c refuses other segments.
 */
#include <hv/lock.h>
#include <asm/io.h>
#include <asm/pci.h>

#define PCI_STATUS    0x06
#define PCI_CAP_FIRST 0x34

static spinlock_t pci_lock = SPINLOCK_INIT;

/* Under pci_lock: point the data port at a register. Which of its four ports has the bytes. */
static uint16_t select(uint32_t bdf, unsigned offset)
{
    port_write(PCI_ADDRESS_PORT, 4, PCI_ADDRESS_ENABLE | bdf << 8 | (offset & 0xfc));
    return PCI_DATA_PORT + (offset & 3);
}

uint32_t pci_read(uint32_t bdf, unsigned offset, unsigned bytes)
{
    unsigned long flags = spin_lock_irqsave(&pci_lock);
    uint32_t v = port_read(select(bdf, offset), bytes);

    spin_unlock_irqrestore(&pci_lock, flags);
    return v;
}

void pci_write(uint32_t bdf, unsigned offset, unsigned bytes, uint32_t value)
{
    unsigned long flags = spin_lock_irqsave(&pci_lock);

    port_write(select(bdf, offset), bytes, value);
    spin_unlock_irqrestore(&pci_lock, flags);
}

bool pci_present(uint16_t bdf)
{
    return pci_read(bdf, 0, 2) != 0xffff;
}

unsigned pci_find_cap(uint16_t bdf, uint8_t id)
{
    unsigned pos;

    if (!pci_present(bdf) || !(pci_read(bdf, PCI_STATUS, 2) & 0x10))
        return 0;
    pos = pci_read(bdf, PCI_CAP_FIRST, 1) & 0xfc;
    /* bounded: a device may chain its list in a ring */
    for (unsigned n = 0; pos >= 0x40 && n < 48; n++) {
        if (pci_read(bdf, pos, 1) == id)
            return pos;
        pos = pci_read(bdf, pos + 1, 1) & 0xfc;
    }
    return 0;
}
