/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space, for the few registers that the hypervisor programs (MSI).
 * Dom0 uses the same address port through our emulation, so the port is saved and put back. Lock:
 * pci_lock, irqsave.
 */
#include <hv/lock.h>
#include <asm/acpi.h>
#include <asm/io.h>
#include <asm/pci.h>
#include <asm/pv.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define PCI_STATUS     0x06
#define PCI_CAP_FIRST  0x34

static spinlock_t pci_lock = SPINLOCK_INIT;
static volatile uint8_t *window[ACPI_MAX_MCFG]; /* mapped when first needed */

static volatile uint8_t *mmcfg(uint16_t segment, uint8_t bus, uint8_t devfn, unsigned offset)
{
    for (unsigned i = 0; i < acpi.nr_mcfg; i++) {
        uint64_t first = acpi.mcfg[i].first_bus;

        if (acpi.mcfg[i].segment != segment || bus < first || bus > acpi.mcfg[i].last_bus)
            continue;
        if (!window[i])
            window[i] = ioremap(acpi.mcfg[i].base + (first << 20),
                                (acpi.mcfg[i].last_bus - first + 1) << 20);
        if (window[i])
            return window[i] + ((bus - first) << 20) + (devfn << 12) + offset;
    }
    return NULL;
}

static bool by_port(uint16_t segment, unsigned offset)
{
    return !segment && offset < 256;
}

uint32_t pci_read(uint16_t segment, uint8_t bus, uint8_t devfn, unsigned offset, unsigned width)
{
    unsigned long flags = spin_lock_irqsave(&pci_lock);
    uint32_t v = ~0u;

    if (by_port(segment, offset)) {
        uint32_t saved = inl(CONFIG_ADDRESS);

        outl(CONFIG_ADDRESS, 0x80000000u | bus << 16 | devfn << 8 | (offset & 0xfc));
        v = inl(CONFIG_DATA) >> 8 * (offset & 3);
        outl(CONFIG_ADDRESS, saved);
    } else {
        volatile uint8_t *p = mmcfg(segment, bus, devfn, offset & ~3u);

        if (p)
            v = mmio_read32(p) >> 8 * (offset & 3);
    }
    spin_unlock_irqrestore(&pci_lock, flags);
    return width == 4 ? v : v & ((1u << 8 * width) - 1);
}

void pci_write(uint16_t segment, uint8_t bus, uint8_t devfn, unsigned offset, unsigned width,
               uint32_t v)
{
    unsigned long flags = spin_lock_irqsave(&pci_lock);

    if (by_port(segment, offset)) {
        uint32_t saved = inl(CONFIG_ADDRESS);
        uint16_t data = CONFIG_DATA + (offset & 3);

        outl(CONFIG_ADDRESS, 0x80000000u | bus << 16 | devfn << 8 | (offset & 0xfc));
        if (width == 1)
            outb(data, (uint8_t)v);
        else if (width == 2)
            outw(data, (uint16_t)v);
        else
            outl(data, v);
        outl(CONFIG_ADDRESS, saved);
    } else {
        volatile uint8_t *p = mmcfg(segment, bus, devfn, offset);

        if (p && width == 1)
            *p = (uint8_t)v;
        else if (p && width == 2)
            *(volatile uint16_t *)p = (uint16_t)v;
        else if (p)
            mmio_write32(p, v);
    }
    spin_unlock_irqrestore(&pci_lock, flags);
}

bool pci_present(uint16_t segment, uint8_t bus, uint8_t devfn)
{
    return pci_read(segment, bus, devfn, 0, 2) != 0xffff;
}

unsigned pci_find_cap(uint16_t segment, uint8_t bus, uint8_t devfn, uint8_t id)
{
    unsigned pos;

    if (!pci_present(segment, bus, devfn) || !(pci_read(segment, bus, devfn, PCI_STATUS, 2) & 0x10))
        return 0;
    pos = pci_read(segment, bus, devfn, PCI_CAP_FIRST, 1) & 0xfc;
    for (unsigned n = 0; pos >= 0x40 && n < 48;
         n++) { /* bounded: a device may chain its list in a ring */
        if (pci_read(segment, bus, devfn, pos, 1) == id)
            return pos;
        pos = pci_read(segment, bus, devfn, pos + 1, 1) & 0xfc;
    }
    return 0;
}

/* --- dom0's accesses by port
 * ------------------------------------------------------------------------------------------ */

#define CF8_ENABLE 0x80000000u

uint32_t pci_cf8_read(uint32_t cf8, unsigned byte_offset, unsigned bytes)
{
    uint16_t port = CONFIG_DATA + byte_offset;
    unsigned long flags;
    uint32_t v;

    if (!(cf8 & CF8_ENABLE))
        return ~0u;
    flags = spin_lock_irqsave(&pci_lock);
    outl(CONFIG_ADDRESS, cf8);
    v = bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
    spin_unlock_irqrestore(&pci_lock, flags);
    return v;
}

void pci_cf8_write(uint32_t cf8, unsigned byte_offset, unsigned bytes, uint32_t value)
{
    uint16_t port = CONFIG_DATA + byte_offset;
    unsigned long flags;

    if (!(cf8 & CF8_ENABLE))
        return;
    flags = spin_lock_irqsave(&pci_lock);
    outl(CONFIG_ADDRESS, cf8);
    if (bytes == 1)
        outb(port, value);
    else if (bytes == 2)
        outw(port, value);
    else
        outl(port, value);
    spin_unlock_irqrestore(&pci_lock, flags);
}
