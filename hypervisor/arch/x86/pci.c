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
#define CF8_ENABLE    0x80000000u

static spinlock_t pci_lock = SPINLOCK_INIT;

uint32_t pci_cf8_read(uint32_t cf8, unsigned byte_offset, unsigned bytes)
{
    unsigned long flags;
    uint32_t v;

    if (!(cf8 & CF8_ENABLE))
        return ~0u;
    flags = spin_lock_irqsave(&pci_lock);
    port_write(PCI_ADDRESS_PORT, 4, cf8);
    v = port_read(PCI_DATA_PORT + byte_offset, bytes);
    spin_unlock_irqrestore(&pci_lock, flags);
    return v;
}

void pci_cf8_write(uint32_t cf8, unsigned byte_offset, unsigned bytes, uint32_t value)
{
    unsigned long flags;

    if (!(cf8 & CF8_ENABLE))
        return;
    flags = spin_lock_irqsave(&pci_lock);
    port_write(PCI_ADDRESS_PORT, 4, cf8);
    port_write(PCI_DATA_PORT + byte_offset, bytes, value);
    spin_unlock_irqrestore(&pci_lock, flags);
}

static uint32_t cf8(uint16_t bdf, unsigned offset)
{
    return CF8_ENABLE | (uint32_t)bdf << 8 | (offset & 0xfc);
}

uint32_t pci_read(uint16_t bdf, unsigned offset, unsigned bytes)
{
    return pci_cf8_read(cf8(bdf, offset), offset & 3, bytes);
}

void pci_write(uint16_t bdf, unsigned offset, unsigned bytes, uint32_t value)
{
    pci_cf8_write(cf8(bdf, offset), offset & 3, bytes, value);
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
