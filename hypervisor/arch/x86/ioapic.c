/* SPDX-License-Identifier: MIT */
/*
 * IO-APICs: each pin of each is a GSI. The hypervisor owns the redirection entries; dom0 says how
 * lines are wired. Lock: irq_lock (irq.c) around everything after boot: the select register is
 * shared state.
 */
#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/printk.h>
#include <asm/acpi.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/pv.h>

#define REG_ID         0
#define REG_VERSION    1
#define REG_ENTRY(pin) (0x10 + 2 * (pin))
#define ENTRY_MASKED   (1u << 16)
#define ENTRY_LEVEL    (1u << 15)
#define ENTRY_LOW      (1u << 13)

static struct {
    volatile uint8_t *mmio;
    uint64_t base;
    unsigned gsi_base, pins;
} ioapics[ACPI_MAX_IOAPICS];
static unsigned nr_ioapics;

static uint32_t reg_read(unsigned i, unsigned reg)
{
    mmio_write32(ioapics[i].mmio, reg);
    return mmio_read32(ioapics[i].mmio + 0x10);
}

static void reg_write(unsigned i, unsigned reg, uint32_t v)
{
    mmio_write32(ioapics[i].mmio, reg);
    mmio_write32(ioapics[i].mmio + 0x10, v);
}

/* The IO-APIC of a GSI and its pin there; -1: none. */
static int find(unsigned gsi, unsigned *pin)
{
    for (unsigned i = 0; i < nr_ioapics; i++)
        if (gsi >= ioapics[i].gsi_base && gsi < ioapics[i].gsi_base + ioapics[i].pins) {
            *pin = gsi - ioapics[i].gsi_base;
            return (int)i;
        }
    return -1;
}

bool ioapic_has(unsigned gsi)
{
    unsigned pin;
    return find(gsi, &pin) >= 0;
}

unsigned ioapic_init(void)
{
    unsigned top = 0;

    if (opt.noapic)
        return 0;
    for (unsigned n = 0; n < acpi.nr_ioapics; n++) {
        unsigned i = nr_ioapics;

        ioapics[i].base = acpi.ioapic[n].address;
        ioapics[i].gsi_base = acpi.ioapic[n].gsi_base;
        ioapics[i].mmio = ioremap(ioapics[i].base, PAGE_SIZE);
        if (!ioapics[i].mmio || reg_read(i, REG_VERSION) == 0xffffffff ||
            ioapics[i].gsi_base > 1024) {
            pr_warn("IO-APIC at %lx does not answer; ignored\n", ioapics[i].base);
            continue;
        }
        ioapics[i].pins = (reg_read(i, REG_VERSION) >> 16 & 0xff) + 1;
        for (unsigned pin = 0; pin < ioapics[i].pins; pin++)
            reg_write(i, REG_ENTRY(pin), ENTRY_MASKED);
        top = MAX(top, ioapics[i].gsi_base + ioapics[i].pins);
        nr_ioapics++;
    }
    return top;
}

void ioapic_program(const struct irq_desc *d)
{
    uint32_t low = d->vector | (d->level ? ENTRY_LEVEL : 0) | (d->active_low ? ENTRY_LOW : 0);
    uint32_t to = cpu_data[d->cpu]->apic_id;
    unsigned pin;
    int i = find(d->gsi, &pin);

    if (i < 0)
        return;
    reg_write(i, REG_ENTRY(pin), low | ENTRY_MASKED); /* never half of a new destination */
    reg_write(i, REG_ENTRY(pin) + 1, to << 24);
    if (!d->masked)
        reg_write(i, REG_ENTRY(pin), low);
}

bool ioapic_is_at(uint64_t page_maddr)
{
    for (unsigned i = 0; i < nr_ioapics; i++)
        if ((ioapics[i].base & PAGE_MASK) == page_maddr)
            return true;
    return false;
}

/* --- PHYSDEVOP_apic_read/write
 * ------------------------------------------------------------------------------------------------
 */
static int by_base(uint64_t base)
{
    for (unsigned i = 0; i < nr_ioapics; i++)
        if (ioapics[i].base == base)
            return (int)i;
    return -EINVAL;
}

int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value)
{
    int i = by_base(base);

    if (i < 0)
        return i;
    if (reg > 2 && (reg < 0x10 || reg >= REG_ENTRY(ioapics[i].pins)))
        return -EINVAL;
    *value = reg_read(i, reg);
    return 0;
}

/* An entry written by an old dom0 says how the line is wired; vector and destination stay ours.
 * Other registers do not change. */
int ioapic_guest_write(uint64_t base, uint32_t reg, uint32_t value)
{
    int i = by_base(base);

    if (i < 0)
        return i;
    if (reg < 0x10 || (reg & 1) || reg >= REG_ENTRY(ioapics[i].pins))
        return 0;
    if (value & ENTRY_MASKED)
        return 0;
    return gsi_setup(ioapics[i].gsi_base + (reg - 0x10) / 2, value & ENTRY_LEVEL,
                     value & ENTRY_LOW);
}
