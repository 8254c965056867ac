/* SPDX-License-Identifier: MIT */
/*
 * IO-APICs: each pin of each is a GSI. The hypervisor owns the redirection entries; dom0 says how
 * lines are wired. Lock: irq_lock (irq.c) around everything after boot: the select register is
 * shared state.
 */
#include <hv/printk.h>
#include <asm/acpi.h>
#include <asm/irq.h>
#include <asm/hv_paging.h>

#define REG_VERSION    1
#define REG_ENTRY(pin) (0x10 + 2 * (pin))

static struct ioapic {
    volatile uint32_t *mmio; /* [0]: which register [4] is */
    uint64_t base;
    unsigned gsi_base, pins;
} ioapics[ACPI_MAX_IOAPICS];
static unsigned nr_ioapics;

static uint32_t reg_read(const struct ioapic *a, unsigned reg)
{
    a->mmio[0] = reg;
    return a->mmio[4];
}

static void reg_write(const struct ioapic *a, unsigned reg, uint32_t v)
{
    a->mmio[0] = reg;
    a->mmio[4] = v;
}

const struct ioapic *ioapic_of(unsigned gsi)
{
    for (const struct ioapic *a = ioapics; a < ioapics + nr_ioapics; a++)
        if (gsi >= a->gsi_base && gsi < a->gsi_base + a->pins)
            return a;
    return NULL;
}

unsigned ioapic_init(void)
{
    unsigned top = 0;

    for (unsigned n = 0; n < acpi.nr_ioapics; n++) {
        struct ioapic *a = &ioapics[nr_ioapics];

        a->base = acpi.ioapic[n].address;
        a->gsi_base = acpi.ioapic[n].gsi_base;
        a->mmio = hv_map_window(a->base, PAGE_SIZE, HPTE_DEVICE);
        if (!a->mmio || reg_read(a, REG_VERSION) == 0xffffffff || a->gsi_base > 1024) {
            pr_warn("IO-APIC at %lx does not answer; ignored\n", a->base);
            continue;
        }
        a->pins = (reg_read(a, REG_VERSION) >> 16 & 0xff) + 1;
        for (unsigned pin = 0; pin < a->pins; pin++)
            reg_write(a, REG_ENTRY(pin), IOAPIC_MASKED);
        top = MAX(top, a->gsi_base + a->pins);
        nr_ioapics++;
    }
    return top;
}

void ioapic_program(unsigned gsi, uint32_t apic_id, uint32_t vector_and_flags)
{
    const struct ioapic *a = ioapic_of(gsi);
    unsigned entry = REG_ENTRY(gsi - a->gsi_base);

    reg_write(a, entry, vector_and_flags | IOAPIC_MASKED); /* never half of a new destination */
    reg_write(a, entry + 1, apic_id << 24);
    reg_write(a, entry, vector_and_flags);
}

bool ioapic_is_at(uint64_t page_maddr)
{
    for (unsigned i = 0; i < nr_ioapics; i++)
        if ((ioapics[i].base & PAGE_MASK) == page_maddr)
            return true;
    return false;
}

/* PHYSDEVOP_apic_read: Linux counts pins with it. */
int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value)
{
    for (const struct ioapic *a = ioapics; a < ioapics + nr_ioapics; a++) {
        if (a->base != base || (reg > 2 && (reg < 0x10 || reg >= REG_ENTRY(a->pins))))
            continue;
        *value = reg_read(a, reg);
        return 0;
    }
    return -EINVAL;
}
