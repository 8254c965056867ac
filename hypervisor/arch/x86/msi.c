/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts. The hypervisor writes address, data and mask; dom0 switches the
 * capability on in configuration space, as its drivers do. One message for each MSI capability (no
 * multi-message), any number of MSI-X entries.
 *
 * Invariant: pages that hold MSI-X tables are listed before the first entry is programmed, and dom0
 * may map them read-only only (msix_table_page): whoever writes the address can send any vector to
 * any CPU. Lock: irq_lock for programming; table_lock for the list.
 */
#include <hv/cpumask.h>
#include <hv/errno.h>
#include <hv/frame.h>
#include <hv/lock.h>
#include <asm/acpi.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/pci.h>
#include <asm/pv.h>
#include <asm/apic.h>
#include <asm/msr.h>

#define CAP_MSI            0x05
#define CAP_MSIX           0x11
#define MSI_CONTROL        2
#define MSI_IS64           0x80
#define MSI_MASKBIT        0x100
#define MSI_ENABLE         1u
#define MAX_TABLE_PAGES    256
#define PCI_COMMAND        4
#define PCI_COMMAND_MEMORY 2

static spinlock_t table_lock = SPINLOCK_INIT;
static uint64_t table_page[MAX_TABLE_PAGES];
static volatile uint8_t *table_va[MAX_TABLE_PAGES]; /* mapped once, for ever */
static unsigned nr_table_pages;

bool msix_table_page(mfn_t f)
{
    for (unsigned i = 0; i < READ_ONCE(nr_table_pages); i++)
        if (table_page[i] == f.m)
            return true;
    return false;
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

static int note_table_pages(uint64_t start, uint64_t size)
{
    int rc = 0;

    spin_lock(&table_lock);
    for (uint64_t f = start >> PAGE_SHIFT; !rc && f <= (start + size - 1) >> PAGE_SHIFT; f++) {
        if (msix_table_page(mfn(f)))
            continue;
        if (nr_table_pages == MAX_TABLE_PAGES) {
            rc = -ENOSPC;
        } else if (!(table_va[nr_table_pages] = ioremap(f << PAGE_SHIFT, PAGE_SIZE))) {
            rc = -ENOMEM;
        } else {
            table_page[nr_table_pages] = f;
            __atomic_store_n(&nr_table_pages, nr_table_pages + 1, __ATOMIC_RELEASE);
        }
    }
    spin_unlock(&table_lock);
    return rc;
}

static volatile uint32_t *table_slot(uint64_t maddr)
{
    if ((maddr & 15))
        return NULL;
    for (unsigned i = 0; i < READ_ONCE(nr_table_pages); i++)
        if (table_page[i] == maddr >> PAGE_SHIFT)
            return (volatile uint32_t *)(table_va[i] + (maddr & ~PAGE_MASK));
    return NULL;
}

/* Machine address in a BAR (memory only); 0: none. */
static uint64_t bar_address(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bir)
{
    uint32_t low = pci_read(seg, bus, devfn, 0x10 + 4 * bir, 4);
    uint64_t address = low & ~0xfu;

    if (bir > 5 || (low & 1))
        return 0;
    if ((low & 6) == 4 && bir < 5)
        address |= (uint64_t)pci_read(seg, bus, devfn, 0x14 + 4 * bir, 4) << 32;
    return address;
}

/* Where a device's MSI-X table is, read from the device: what dom0 says is not needed. */
static int msix_table(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned cap, uint64_t *start,
                      unsigned *entries)
{
    uint32_t where = pci_read(seg, bus, devfn, cap + 4, 4);
    uint64_t bar = bar_address(seg, bus, devfn, where & 7);

    if (!bar || !(pci_read(seg, bus, devfn, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;
    *start = bar + (where & ~7u);
    *entries = (pci_read(seg, bus, devfn, cap + MSI_CONTROL, 2) & 0x7ff) + 1;
    return mfn_is_ram(maddr_to_mfn(*start)) ? -EINVAL : 0;
}

int msix_register_table(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    unsigned cap = pci_find_cap(seg, bus, devfn, CAP_MSIX), entries;
    uint64_t start;
    int rc;

    if (!cap)
        return -ENODEV;
    rc = msix_table(seg, bus, devfn, cap, &start, &entries);
    return rc ? rc : note_table_pages(start, entries * 16UL);
}

static int prepare_msix(struct msi_source *m, unsigned entry)
{
    unsigned entries;
    uint64_t start;
    int rc;

    m->cap = (uint16_t)pci_find_cap(m->segment, m->bus, m->devfn, CAP_MSIX);
    if (!m->cap)
        return -ENODEV;
    rc = msix_table(m->segment, m->bus, m->devfn, m->cap, &start, &entries);
    if (rc)
        return rc;
    if (entry >= entries)
        return -EINVAL;
    rc = note_table_pages(start, entries * 16UL);
    if (rc)
        return rc;
    m->msix = true;
    m->entry = entry;
    m->slot = table_slot(start + entry * 16UL);
    return m->slot ? 0 : -EINVAL; /* an entry that crosses a page: no such device */
}

static int prepare_msi(struct msi_source *m)
{
    uint32_t control;

    m->cap = (uint16_t)pci_find_cap(m->segment, m->bus, m->devfn, CAP_MSI);
    if (!m->cap)
        return -ENODEV;
    control = pci_read(m->segment, m->bus, m->devfn, m->cap + MSI_CONTROL, 2);
    m->is64 = control & MSI_IS64;
    m->maskable = control & MSI_MASKBIT;
    /* Off and for one message while it is programmed; dom0 enables it. */
    pci_write(m->segment, m->bus, m->devfn, m->cap + MSI_CONTROL, 2,
              control & ~(0x70u | MSI_ENABLE));
    return 0;
}

int msi_prepare(uint16_t segment, uint8_t bus, uint8_t devfn, unsigned entry, uint64_t table_base,
                struct msi_source **out)
{
    struct msi_source *m = hv_alloc(sizeof(*m));
    int rc;

    if (!m)
        return -ENOMEM;
    *m = (struct msi_source){.segment = segment, .bus = bus, .devfn = devfn};
    rc = table_base ? prepare_msix(m, entry) : prepare_msi(m);
    if (rc)
        hv_free(m);
    else
        *out = m;
    return rc;
}

void msi_release(struct msi_source *m)
{
    hv_free(m);
}

static void program_msix(const struct msi_source *m, uint32_t address, uint32_t data, bool masked)
{
    volatile uint32_t *s = m->slot;

    s[3] = 1; /* masked while it changes */
    s[0] = address;
    s[1] = 0;
    s[2] = data;
    s[3] = masked;
    (void)s[3]; /* posted writes are out before we go on */
}

static void program_msi(const struct msi_source *m, uint32_t address, uint32_t data, bool masked)
{
    unsigned data_at = m->cap + (m->is64 ? 12 : 8), mask_at = data_at + 4;

    if (m->maskable)
        pci_write(m->segment, m->bus, m->devfn, mask_at, 4, ~0u);
    pci_write(m->segment, m->bus, m->devfn, m->cap + 4, 4, address);
    if (m->is64)
        pci_write(m->segment, m->bus, m->devfn, m->cap + 8, 4, 0);
    pci_write(m->segment, m->bus, m->devfn, data_at, 2, data);
    if (m->maskable)
        pci_write(m->segment, m->bus, m->devfn, mask_at, 4, masked ? ~0u : ~1u);
}

void msi_program(const struct irq_desc *d)
{
    uint32_t address = 0xfee00000 | cpu_data[d->cpu]->apic_id << 12; /* physical, fixed */

    if (d->msi->msix)
        program_msix(d->msi, address, d->vector, d->masked);
    else
        program_msi(d->msi, address, d->vector, d->masked);
}

struct restore {
    uint16_t segment;
    uint8_t bus, devfn;
};

static void restore_one(const struct irq_desc *d, void *data)
{
    const struct restore *r = data;

    if (d->msi->segment == r->segment && d->msi->bus == r->bus && d->msi->devfn == r->devfn)
        msi_program(d);
}

/* After a device was reset: write its messages again. */
int msi_restore(uint16_t segment, uint8_t bus, uint8_t devfn)
{
    struct restore r = {segment, bus, devfn};

    if (!pci_present(segment, bus, devfn))
        return -ENODEV;
    irq_for_each_msi(restore_one, &r);
    return 0;
}
