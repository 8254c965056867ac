/* SPDX-License-Identifier: MIT */
/*
 * What an L1 entry may map, and the references it holds: a general one for a frame of RAM, a
 * writable one besides if it is writable, none for device memory. Rules and errors are those of
 * Xen 4.17.
 *
 * Interface: asm/l1_entry.h, which has the short way; this is the long one.
 */
#include <asm/pv_mm.h>

/* The last frame number that a PTE can hold: what an INVALID_MFN becomes in one. */
#define PTE_MFN_MAX (PTE_ADDR_MASK >> PAGE_SHIFT)

/* Address bits that the processor does not have are reserved in PTEs: setting one faults, in
 * whoever walks the table. */
static bool beyond_the_bus(mfn_t m)
{
    return m.m >> (cpu_has.phys_bits - PAGE_SHIFT);
}

static long device_get(pte_t e, mfn_t m, struct domain *l1_owner, struct domain *pg_owner)
{
    const struct domain *asker = pg_owner == dom_io ? l1_owner : pg_owner;

    if (!asker->arch.iomem_all || !l1_owner->arch.iomem_all || beyond_the_bus(m) ||
        mmio_is_hypervisors(m))
        return m.m == PTE_MFN_MAX ? -EINVAL : -EPERM;
    /* An MSI-X table is the hypervisor's to write: dom0 gets it read-only (ro_fault.c drops its
     * writes). */
    return (e & PTE_RW) && msix_table_page(m) ? PTE_RW : 0;
}

long l1e_get_slow(pte_t e, struct domain *l1_owner, struct domain *pg_owner)
{
    mfn_t m = pte_mfn(e);
    struct frame *f = ram_frame(m);
    uint64_t device_flags = l1_owner->arch.iomem_all ? PTE_CACHE_ATTRS : 0;

    if (e & ~(PTE_GUEST_FLAGS | PTE_G | device_flags | PTE_ADDR_MASK) || e & PTE_GRANT)
        return -EINVAL;
    if (!f)
        return device_get(e, m, l1_owner, pg_owner);
    if (!frame_try_get(f, pg_owner->id))
        return -EBUSY;
    if ((e & PTE_RW) && type_get_writable(f)) {
        frame_drop(f);
        return -EBUSY;
    }
    if ((f->flags & (FF_HEAP | FF_HV)) && (e & PTE_CACHE_ATTRS)) {
        l1e_put(e);
        return -EACCES;
    }
    if ((e & PTE_RW) && (e & PTE_CACHE_ATTRS))
        __atomic_fetch_or(&f->type, TYPE_NONCOHERENT, __ATOMIC_RELAXED);
    return 0;
}
