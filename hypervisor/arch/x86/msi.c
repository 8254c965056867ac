/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts. The hypervisor writes address, data and mask; dom0 switches the
 * capability on in configuration space, as its drivers do. One message for each MSI capability (no
 * multi-message), any number of MSI-X entries.
 *
 * Invariant: pages that hold MSI-X tables are listed before the first entry is programmed, and dom0
 * may map them read-only only (msix_table_page): whoever writes the address can send any vector to
 * any CPU. Lock: irq_lock for programming; table_lock for the list, which only grows.
 */
#include <asm/irq.h>
#include <asm/msr.h>
#include <asm/pci.h>
#include <asm/hv_paging.h>

#define CAP_MSI            0x05
#define CAP_MSIX           0x11
#define MSI_CONTROL        2
#define MSI_IS64           0x80
#define MSI_MASKBIT        0x100
#define MSI_ENABLE         1u
#define MSIX_ENTRY         16u
#define MAX_TABLE_PAGES    256
#define PCI_COMMAND        4
#define PCI_COMMAND_MEMORY 2

static spinlock_t table_lock = SPINLOCK_INIT;
static struct {
    uint64_t frame;
    char *va; /* mapped once, for ever */
} table_pages[MAX_TABLE_PAGES];
static unsigned nr_table_pages;

/* Our mapping of a page with an MSI-X table, NULL: it is not listed. */
static char *table_va(uint64_t frame)
{
    unsigned n = __atomic_load_n(&nr_table_pages, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++)
        if (table_pages[i].frame == frame)
            return table_pages[i].va;
    return NULL;
}

bool msix_table_page(mfn_t f)
{
    return table_va(f.m);
}

bool mmio_is_hypervisors(mfn_t f)
{
    uint64_t maddr = mfn_to_maddr(f);

    /* Local APIC, and the range in which a write is a message to one. */
    if ((maddr >= 0xfee00000 && maddr < 0xfef00000) ||
        maddr == (rdmsr(MSR_APIC_BASE) & 0xffffff000UL))
        return true;
    return ioapic_is_at(maddr);
}

static int note_table_pages(uint64_t first, uint64_t last)
{
    int rc = 0;

    spin_lock(&table_lock);
    for (uint64_t f = first; !rc && f <= last; f++) {
        char *va;

        if (table_va(f))
            continue;
        if (mfn_is_ram(mfn(f)))
            rc = -EINVAL;
        else if (nr_table_pages == MAX_TABLE_PAGES)
            rc = -ENOSPC;
        else if (!(va = (char *)hv_map_window(f << PAGE_SHIFT, PAGE_SIZE, HPTE_DEVICE)))
            rc = -ENOMEM;
        else {
            table_pages[nr_table_pages].frame = f;
            table_pages[nr_table_pages].va = va;
            __atomic_store_n(&nr_table_pages, nr_table_pages + 1, __ATOMIC_RELEASE);
        }
    }
    spin_unlock(&table_lock);
    return rc;
}

/* Machine address in a BAR (memory only); 0: none. */
static uint64_t bar_address(uint16_t bdf, unsigned bir)
{
    uint32_t low = pci_read(bdf, 0x10 + 4 * bir, 4);
    uint64_t address = low & ~0xfu;

    if (bir > 5 || (low & 1))
        return 0;
    if ((low & 6) == 4 && bir < 5)
        address |= (uint64_t)pci_read(bdf, 0x14 + 4 * bir, 4) << 32;
    return address;
}

int msix_find_table(uint16_t bdf, uint64_t *start, unsigned *entries)
{
    unsigned cap = pci_find_cap(bdf, CAP_MSIX);
    uint32_t where;
    uint64_t bar;

    if (!cap)
        return -ENODEV;
    where = pci_read(bdf, cap + 4, 4);
    bar = bar_address(bdf, where & 7);
    if (!bar || !(pci_read(bdf, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;
    *start = bar + (where & ~7u);
    *entries = (pci_read(bdf, cap + MSI_CONTROL, 2) & 0x7ff) + 1;
    return note_table_pages(*start >> PAGE_SHIFT,
                            (*start + *entries * MSIX_ENTRY - 1) >> PAGE_SHIFT);
}

int msix_prepare(uint16_t bdf, unsigned entry, struct msi_source *m)
{
    unsigned entries;
    uint64_t start;
    int rc = msix_find_table(bdf, &start, &entries);

    if (rc)
        return rc;
    if (entry >= entries || (start & (MSIX_ENTRY - 1))) /* no entry crosses a page */
        return -EINVAL;
    start += entry * MSIX_ENTRY;
    *m = (struct msi_source){
        .bdf = bdf,
        .slot = (volatile uint32_t *)(table_va(start >> PAGE_SHIFT) + (start & ~PAGE_MASK))};
    return 0;
}

int msi_prepare(uint16_t bdf, struct msi_source *m)
{
    unsigned cap = pci_find_cap(bdf, CAP_MSI);
    uint32_t control;

    if (!cap)
        return -ENODEV;
    control = pci_read(bdf, cap + MSI_CONTROL, 2);
    *m = (struct msi_source){.bdf = bdf,
                             .cap = (uint16_t)cap,
                             .is64 = control & MSI_IS64,
                             .maskable = control & MSI_MASKBIT};
    /* Off and for one message while it is programmed; dom0 enables it. */
    pci_write(bdf, cap + MSI_CONTROL, 2, control & ~(0x70u | MSI_ENABLE));
    return 0;
}

void msi_program(const struct msi_source *m, uint32_t apic_id, uint32_t data, bool masked)
{
    uint32_t address = 0xfee00000 | apic_id << 12; /* physical, fixed */
    unsigned data_at = m->cap + (m->is64 ? 12 : 8), mask_at = data_at + 4;

    if (m->slot) {
        m->slot[3] = 1; /* masked while it changes */
        m->slot[0] = address;
        m->slot[1] = 0;
        m->slot[2] = data;
        m->slot[3] = masked;
        (void)m->slot[3]; /* posted writes are out before we go on */
        return;
    }
    if (m->maskable)
        pci_write(m->bdf, mask_at, 4, ~0u);
    pci_write(m->bdf, m->cap + 4, 4, address);
    if (m->is64)
        pci_write(m->bdf, m->cap + 8, 4, 0);
    pci_write(m->bdf, data_at, 2, data);
    if (m->maskable)
        pci_write(m->bdf, mask_at, 4, masked ? ~0u : ~1u);
}
