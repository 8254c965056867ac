/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_physdev_op: how a domain deals with real interrupts and PCI devices. See
 * <xen/physdev.h>.
 *
 * One table: sub-operation → size of its argument, whether only dom0 may, whether the argument goes
 * back. The dispatcher copies the argument in once and out once; a handler sees only the copy.
 */
#include <hv/domain.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/string.h>
#include <hv/vcpu.h>
#include <asm/acpi.h>
#include <asm/cpu.h>
#include <asm/irq.h>
#include <asm/pci.h>
#include <asm/pv.h>
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
    struct physdev_manage_pci pci_old;
    struct physdev_manage_pci_ext pci_ext;
    struct physdev_setup_gsi gsi;
    struct physdev_get_free_pirq free_pirq;
    struct physdev_pci_mmcfg_reserved mmcfg;
    struct physdev_pci_device_add pci_add;
    struct physdev_pci_device pci;
    struct physdev_restore_msi restore;
    struct physdev_dbgp_op dbgp;
};

static long op_eoi(union physdev_arg *a)
{
    if (a->eoi.irq >= nr_pirqs())
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

static long op_apic_write(union physdev_arg *a)
{
    return ioapic_guest_write(a->apic.apic_physbase, a->apic.reg, a->apic.value);
}

/* Vectors are ours; the answer is a number that means nothing, as on Xen. */
static long op_alloc_vector(union physdev_arg *a)
{
    a->irq.vector = a->irq.irq;
    return 0;
}

static long map_msi(struct physdev_map_pirq *m, uint16_t segment)
{
    struct msi_source *msi;
    long rc = msi_prepare(segment, (uint8_t)m->bus, (uint8_t)m->devfn, (unsigned)m->entry_nr,
                          m->table_base, &msi);

    if (rc)
        return rc;
    rc = pirq_map_msi(msi, &m->pirq);
    if (rc)
        msi_release(msi);
    return rc;
}

static long op_map_pirq(union physdev_arg *a)
{
    struct physdev_map_pirq *m = &a->map;

    if (m->domid != DOMID_SELF && m->domid != current->domain->id)
        return domain_get_self_or(m->domid) ? -EOPNOTSUPP : -ESRCH; /* no devices for guests yet */
    switch (m->type) {
    case MAP_PIRQ_TYPE_GSI:
        return m->index < 0 ? -EINVAL : pirq_map_gsi((unsigned)m->index, &m->pirq);
    case MAP_PIRQ_TYPE_MSI:
        return map_msi(m, 0);
    case MAP_PIRQ_TYPE_MSI_SEG:
        return map_msi(m, (uint16_t)((unsigned)m->bus >> 16));
    case MAP_PIRQ_TYPE_MULTI_MSI:
        if (m->table_base || m->entry_nr <= 0)
            return -EINVAL;
        if (m->entry_nr > 1) { /* a positive answer: how many could be had */
            m->entry_nr = 1;
            return 1;
        }
        return map_msi(m, (uint16_t)((unsigned)m->bus >> 16));
    default:
        return -EINVAL;
    }
}

static long op_unmap_pirq(union physdev_arg *a)
{
    if (a->unmap.domid != DOMID_SELF && a->unmap.domid != current->domain->id)
        return -ESRCH;
    return a->unmap.pirq < 0 ? -EINVAL : pirq_unmap((unsigned)a->unmap.pirq);
}

static long op_setup_gsi(union physdev_arg *a)
{
    if (a->gsi.gsi < 0)
        return -EINVAL;
    return gsi_setup((unsigned)a->gsi.gsi, a->gsi.triggering, a->gsi.polarity);
}

static long op_get_free_pirq(union physdev_arg *a)
{
    int p;

    if (a->free_pirq.type != MAP_PIRQ_TYPE_MSI && a->free_pirq.type != MAP_PIRQ_TYPE_GSI)
        return -EINVAL;
    p = pirq_allocate(a->free_pirq.type == MAP_PIRQ_TYPE_MSI);
    if (p < 0)
        return p;
    a->free_pirq.pirq = (uint32_t)p;
    return 0;
}

/* Devices are looked up when they are used: being told of one only checks that it is there. */
static long device_exists(uint16_t segment, uint8_t bus, uint8_t devfn)
{
    return pci_present(segment, bus, devfn) ? 0 : -ENODEV;
}

static long op_pci_add_old(union physdev_arg *a)
{
    return device_exists(0, a->pci_old.bus, a->pci_old.devfn);
}

static long op_pci_add_ext(union physdev_arg *a)
{
    if (a->pci_ext.is_extfn > 1 || a->pci_ext.is_virtfn > 1)
        return -EINVAL;
    return a->pci_ext.is_virtfn ? 0 : device_exists(0, a->pci_ext.bus, a->pci_ext.devfn);
}

static long op_pci_add(union physdev_arg *a)
{
    if (a->pci_add.flags & XEN_PCI_DEV_VIRTFN)
        return 0; /* a virtual function reads as absent */
    return device_exists(a->pci_add.seg, a->pci_add.bus, a->pci_add.devfn);
}

static long op_nothing(union physdev_arg *a)
{
    return 0;
}

static long op_prepare_msix(union physdev_arg *a)
{
    return msix_register_table(a->pci.seg, a->pci.bus, a->pci.devfn);
}

static long op_restore_msi(union physdev_arg *a)
{
    return msi_restore(0, a->restore.bus, a->restore.devfn);
}

static long op_restore_msi_ext(union physdev_arg *a)
{
    return msi_restore(a->pci.seg, a->pci.bus, a->pci.devfn);
}

/* The tables told of this window at boot, or we do not use it; either way dom0 may go on. */
static long op_mmcfg_reserved(union physdev_arg *a)
{
    for (unsigned i = 0; i < acpi.nr_mcfg; i++)
        if (acpi.mcfg[i].base == a->mmcfg.address && acpi.mcfg[i].segment == a->mmcfg.segment)
            return 0;
    return -ENODEV;
}

struct physdev_entry {
    long (*fn)(union physdev_arg *a);
    uint8_t size;
    bool dom0_only, copy_back;
};

static const struct physdev_entry physdev_table[] = {
    [PHYSDEVOP_irq_status_query] = {op_irq_status, sizeof(struct physdev_irq_status_query), false,
                                    true},
    [PHYSDEVOP_set_iopl] = {op_set_iopl, sizeof(struct physdev_set_iopl), false, false},
    [PHYSDEVOP_set_iobitmap] = {op_set_iobitmap, sizeof(struct physdev_set_iobitmap), false, false},
    [PHYSDEVOP_apic_read] = {op_apic_read, sizeof(struct physdev_apic), true, true},
    [PHYSDEVOP_apic_write] = {op_apic_write, sizeof(struct physdev_apic), true, false},
    [PHYSDEVOP_alloc_irq_vector] = {op_alloc_vector, sizeof(struct physdev_irq), true, true},
    [PHYSDEVOP_free_irq_vector] = {op_nothing, sizeof(struct physdev_irq), true, false},
    [PHYSDEVOP_eoi] = {op_eoi, sizeof(struct physdev_eoi), false, false},
    [PHYSDEVOP_map_pirq] = {op_map_pirq, sizeof(struct physdev_map_pirq), true, true},
    [PHYSDEVOP_unmap_pirq] = {op_unmap_pirq, sizeof(struct physdev_unmap_pirq), true, false},
    [PHYSDEVOP_manage_pci_add] = {op_pci_add_old, sizeof(struct physdev_manage_pci), true, false},
    [PHYSDEVOP_manage_pci_remove] = {op_nothing, sizeof(struct physdev_manage_pci), true, false},
    [PHYSDEVOP_restore_msi] = {op_restore_msi, sizeof(struct physdev_restore_msi), true, false},
    [PHYSDEVOP_manage_pci_add_ext] = {op_pci_add_ext, sizeof(struct physdev_manage_pci_ext), true,
                                      false},
    [PHYSDEVOP_setup_gsi] = {op_setup_gsi, sizeof(struct physdev_setup_gsi), true, false},
    [PHYSDEVOP_get_free_pirq] = {op_get_free_pirq, sizeof(struct physdev_get_free_pirq), true,
                                 true},
    [PHYSDEVOP_pci_mmcfg_reserved] = {op_mmcfg_reserved, sizeof(struct physdev_pci_mmcfg_reserved),
                                      true, false},
    [PHYSDEVOP_pci_device_add] = {op_pci_add, offsetof(struct physdev_pci_device_add, optarr), true,
                                  false},
    [PHYSDEVOP_pci_device_remove] = {op_nothing, sizeof(struct physdev_pci_device), true, false},
    [PHYSDEVOP_restore_msi_ext] = {op_restore_msi_ext, sizeof(struct physdev_pci_device), true,
                                   false},
    [PHYSDEVOP_dbgp_op] = {op_nothing, sizeof(struct physdev_dbgp_op), true, false},
    [PHYSDEVOP_prepare_msix] = {op_prepare_msix, sizeof(struct physdev_pci_device), true, false},
    [PHYSDEVOP_release_msix] = {op_nothing, sizeof(struct physdev_pci_device), true, false},
};

/*
 * HYPERVISOR_physdev_op(cmd, arg). -ENOSYS: unknown, or pirq_eoi_gmfn, without which Linux asks
 * PHYSDEVOP_irq_status_query and gets by with fewer calls than a shared bitmap would need here.
 */
long do_physdev_op(struct hypercall *hc)
{
    const struct physdev_entry *e;
    union physdev_arg arg;
    long rc;

    if (hc->arg[0] >= ARRAY_SIZE(physdev_table) || !physdev_table[hc->arg[0]].fn)
        return -ENOSYS;
    e = &physdev_table[hc->arg[0]];
    if (e->dom0_only && !current->domain->is_dom0)
        return -EPERM;
    memset(&arg, 0, sizeof(arg));
    if (copy_from_guest(&arg, hc->arg[1], e->size))
        return -EFAULT;
    rc = e->fn(&arg);
    if (e->copy_back && copy_to_guest(hc->arg[1], &arg, e->size))
        return -EFAULT;
    return rc;
}
