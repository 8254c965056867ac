/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_physdev_op: how a domain deals with real interrupts and PCI devices. See
 * <xen/physdev.h>.
 *
 * One table: sub-operation → size of its argument, whether others than dom0 may, whether the
 * argument goes back. The dispatcher copies the argument in once and out once; a handler sees only
 * the copy.
 */
#include <hv/string.h>
#include <hv/vcpu.h>
#include <asm/irq.h>
#include <asm/pci.h>
#include <asm/uaccess.h>
#include <xen/physdev.h>

union physdev_arg {
    struct physdev_eoi eoi;
    struct physdev_irq_status_query status;
    struct physdev_set_iopl iopl;
    struct physdev_set_iobitmap iobitmap;
    struct physdev_apic apic;
    struct physdev_irq irq;
    struct physdev_map_pirq map;
    struct physdev_unmap_pirq unmap;
    struct physdev_setup_gsi gsi;
    struct physdev_pci_device_add pci_add;
    struct physdev_pci_device pci;
};

static long op_eoi(union physdev_arg *a)
{
    if (!current->domain->is_dom0 || a->eoi.irq >= nr_pirqs())
        return -EINVAL;
    pirq_eoi(current->domain, a->eoi.irq);
    return 0;
}

static long op_irq_status(union physdev_arg *a)
{
    int needs = current->domain->is_dom0 ? pirq_needs_eoi(a->status.irq) : -EINVAL;

    if (needs < 0)
        return needs;
    /* Only a level line waits for the guest: for the others it is spared a hypercall at each
     * interrupt. */
    a->status.flags = needs ? XENIRQSTAT_needs_eoi : 0;
    return 0;
}

static long op_set_iopl(union physdev_arg *a)
{
    if (a->iopl.iopl > 3)
        return -EINVAL;
    current->arch.iopl = a->iopl.iopl;
    return 0;
}

static long op_set_iobitmap(union physdev_arg *a)
{
    uint64_t at = (uint64_t)a->iobitmap.bitmap.p;

    if (a->iobitmap.nr_ports > 65536 || !guest_range_ok(at, 65536 / 8))
        return -EINVAL;
    current->arch.iobmp = at;
    current->arch.iobmp_limit = a->iobitmap.nr_ports;
    return 0;
}

static long op_apic_read(union physdev_arg *a)
{
    return ioapic_guest_read(a->apic.apic_physbase, a->apic.reg, &a->apic.value);
}

/* Vectors are ours; the answer is a number that means nothing, as on Xen. */
static long op_alloc_vector(union physdev_arg *a)
{
    a->irq.vector = a->irq.irq;
    return 0;
}

/* The function at seg:bus:devfn as bus << 8 | devfn; -ENODEV. Only segment 0 is reached (pci.c),
 * and what is there. */
static int find_device(unsigned seg, uint8_t bus, uint8_t devfn)
{
    uint16_t bdf = (uint16_t)(bus << 8 | devfn);

    return seg || !pci_present(bdf) ? -ENODEV : bdf;
}

static long map_msi(struct physdev_map_pirq *m)
{
    unsigned segment = m->type == MAP_PIRQ_TYPE_MSI ? 0 : (unsigned)m->bus >> 16;
    int bdf = find_device(segment, (uint8_t)m->bus, (uint8_t)m->devfn), rc;
    struct msi_source msi;

    if (bdf < 0)
        return bdf;
    rc = m->table_base ? msix_prepare(bdf, (unsigned)m->entry_nr, &msi) : msi_prepare(bdf, &msi);
    return rc ? rc : pirq_map_msi(&msi, &m->pirq);
}

static long op_map_pirq(union physdev_arg *a)
{
    struct physdev_map_pirq *m = &a->map;

    if (m->domid != DOMID_SELF && m->domid != current->domain->id)
        return -EOPNOTSUPP; /* no devices for guests yet */
    switch (m->type) {
    case MAP_PIRQ_TYPE_GSI:
        return pirq_map_gsi((unsigned)m->index, &m->pirq);
    case MAP_PIRQ_TYPE_MULTI_MSI:
        if (m->table_base || m->entry_nr <= 0)
            return -EINVAL;
        if (m->entry_nr > 1) { /* a positive answer: how many could be had */
            m->entry_nr = 1;
            return 1;
        }
        /* fallthrough */
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
        return map_msi(m);
    default:
        return -EINVAL;
    }
}

static long op_unmap_pirq(union physdev_arg *a)
{
    if (a->unmap.domid != DOMID_SELF && a->unmap.domid != current->domain->id)
        return -ESRCH;
    return pirq_unmap((unsigned)a->unmap.pirq);
}

static long op_setup_gsi(union physdev_arg *a)
{
    return gsi_setup((unsigned)a->gsi.gsi, a->gsi.triggering, a->gsi.polarity);
}

/* Devices are looked up when they are used: being told of one only checks that it is there. */
static long op_pci_add(union physdev_arg *a)
{
    if (a->pci_add.flags & XEN_PCI_DEV_VIRTFN)
        return 0; /* a virtual function reads as absent */
    return MIN(find_device(a->pci_add.seg, a->pci_add.bus, a->pci_add.devfn), 0);
}

static long op_nothing(union physdev_arg *a)
{
    return 0;
}

static long op_prepare_msix(union physdev_arg *a)
{
    int bdf = find_device(a->pci.seg, a->pci.bus, a->pci.devfn);
    unsigned entries;
    uint64_t start;

    return bdf < 0 ? bdf : msix_find_table(bdf, &start, &entries);
}

static long op_restore_msi(union physdev_arg *a)
{
    int bdf = find_device(a->pci.seg, a->pci.bus, a->pci.devfn);

    if (bdf < 0)
        return bdf;
    irq_restore_messages(bdf);
    return 0;
}

enum { ANYBODY = 1, COPY_BACK = 2 };
struct physdev_entry {
    long (*fn)(union physdev_arg *a);
    uint8_t size, flags;
};

static const struct physdev_entry physdev_table[] = {
    [PHYSDEVOP_irq_status_query] = {op_irq_status, sizeof(struct physdev_irq_status_query),
                                    ANYBODY | COPY_BACK},
    [PHYSDEVOP_set_iopl] = {op_set_iopl, sizeof(struct physdev_set_iopl), ANYBODY},
    [PHYSDEVOP_set_iobitmap] = {op_set_iobitmap, sizeof(struct physdev_set_iobitmap), ANYBODY},
    [PHYSDEVOP_apic_read] = {op_apic_read, sizeof(struct physdev_apic), COPY_BACK},
    [PHYSDEVOP_alloc_irq_vector] = {op_alloc_vector, sizeof(struct physdev_irq), COPY_BACK},
    [PHYSDEVOP_free_irq_vector] = {op_nothing, sizeof(struct physdev_irq), 0},
    [PHYSDEVOP_eoi] = {op_eoi, sizeof(struct physdev_eoi), ANYBODY},
    [PHYSDEVOP_map_pirq] = {op_map_pirq, sizeof(struct physdev_map_pirq), COPY_BACK},
    [PHYSDEVOP_unmap_pirq] = {op_unmap_pirq, sizeof(struct physdev_unmap_pirq), 0},
    [PHYSDEVOP_setup_gsi] = {op_setup_gsi, sizeof(struct physdev_setup_gsi), 0},
    [PHYSDEVOP_pci_device_add] = {op_pci_add, offsetof(struct physdev_pci_device_add, optarr), 0},
    [PHYSDEVOP_pci_device_remove] = {op_nothing, sizeof(struct physdev_pci_device), 0},
    [PHYSDEVOP_restore_msi_ext] = {op_restore_msi, sizeof(struct physdev_pci_device), 0},
    [PHYSDEVOP_dbgp_op] = {op_nothing, sizeof(struct physdev_dbgp_op), 0},
    [PHYSDEVOP_prepare_msix] = {op_prepare_msix, sizeof(struct physdev_pci_device), 0},
    [PHYSDEVOP_release_msix] = {op_nothing, sizeof(struct physdev_pci_device), 0},
};

/*
 * HYPERVISOR_physdev_op(cmd, arg). -ENOSYS: unknown; the forms that newer ones replaced, which
 * Linux tries after those only (manage_pci_*, restore_msi), or does not use as a PV dom0
 * (apic_write, get_free_pirq); pci_mmcfg_reserved, whose window we do not use; and pirq_eoi_gmfn,
 * without which Linux asks PHYSDEVOP_irq_status_query and gets by with fewer calls than a shared
 * bitmap would need here.
 */
long do_physdev_op(struct hypercall *hc)
{
    const struct physdev_entry *e;
    union physdev_arg arg;
    long rc;

    if (hc->arg[0] >= ARRAY_SIZE(physdev_table) || !physdev_table[hc->arg[0]].fn)
        return -ENOSYS;
    e = &physdev_table[hc->arg[0]];
    if (!(e->flags & ANYBODY) && !current->domain->is_dom0)
        return -EPERM;
    memset(&arg, 0, sizeof(arg));
    if (copy_from_guest(&arg, hc->arg[1], e->size))
        return -EFAULT;
    rc = e->fn(&arg);
    if ((e->flags & COPY_BACK) && copy_to_guest(hc->arg[1], &arg, e->size))
        return -EFAULT;
    return rc;
}
