/* SPDX-License-Identifier: MIT */
/*
 * memory_op's maps: the domain's e820 as its builder set it, the machine's (dom0), and where the
 * machine-to-physical table is. <xen/memory.h>, <xen/arch-x86/xen.h> xen_foreign_memory_map. Lock:
 * d->lock for a domain's map.
 */
#include <hv/boot_info.h>
#include <hv/memory_op.h>
#include <hv/string.h>
#include <asm/pv_mm.h>

#define MAP_MAX          128
#define M2P_PIECE_FRAMES (1UL << (21 - 3)) /* frames whose entries fill 2 MiB */

long memory_map(struct hypercall *hc)
{
    struct domain *d = current->domain;
    struct e820_entry copy[MAP_MAX];
    struct xen_memory_map m;
    unsigned nr;

    if (copy_in(&m, hc->arg[1]))
        return -EFAULT;
    spin_lock(&d->lock);
    nr = d->arch.nr_e820;
    if (nr)
        memcpy(copy, d->arch.e820, nr * sizeof(*copy));
    spin_unlock(&d->lock);
    if (!nr)
        return -ENOSYS; /* what guests without a map are told since ever */
    m.nr_entries = MIN(m.nr_entries, nr);
    if (copy_to_guest((uint64_t)m.buffer.p, copy, m.nr_entries * sizeof(*copy)))
        return -EFAULT;
    return copy_out(hc->arg[1], &m) ? -EFAULT : 0;
}

long machine_memory_map(struct hypercall *hc)
{
    struct xen_memory_map m;

    if (!current->domain->is_dom0)
        return -EPERM;
    if (copy_in(&m, hc->arg[1]))
        return -EFAULT;
    /* Without a buffer it is a question for the size. */
    if (m.buffer.p && m.nr_entries < boot_info.nr_e820)
        return -EINVAL;
    m.nr_entries = boot_info.nr_e820;
    if (m.buffer.p && copy_to_guest((uint64_t)m.buffer.p, boot_info.e820,
                                    m.nr_entries * sizeof(boot_info.e820[0])))
        return -EFAULT;
    return copy_out(hc->arg[1], &m) ? -EFAULT : 0;
}

long set_memory_map(struct hypercall *hc)
{
    struct xen_foreign_memory_map m;
    struct e820_entry *map;
    struct domain *d;
    long rc;

    if (copy_in(&m, hc->arg[1]))
        return -EFAULT;
    if (m.map.nr_entries > MAP_MAX)
        return -EINVAL;
    rc = domain_managed(m.domid, &d);
    if (rc)
        return rc;
    map = hv_alloc(m.map.nr_entries * sizeof(*map) + 1);
    if (!map) {
        rc = -ENOMEM;
    } else if (copy_from_guest(map, (uint64_t)m.map.buffer.p, m.map.nr_entries * sizeof(*map))) {
        rc = -EFAULT;
    } else {
        spin_lock(&d->lock);
        map = __atomic_exchange_n(&d->arch.e820, map, __ATOMIC_RELAXED);
        d->arch.nr_e820 = m.map.nr_entries;
        spin_unlock(&d->lock);
    }
    hv_free(map); /* ours, or the one before */
    domain_put(d);
    return rc;
}

long machphys_mapping(struct hypercall *hc)
{
    struct xen_machphys_mapping m = {
        .v_start = MACH2PHYS_VIRT_START,
        .v_end = MACH2PHYS_VIRT_END,
        .max_mfn = current->domain->is_dom0 ? max_ram_mfn().m - 1 : MACH2PHYS_NR_ENTRIES - 1,
    };

    return copy_out(hc->arg[1], &m) ? -EFAULT : 0;
}

/* One frame number for each 2 MiB of the table; a hole repeats the one before, as Xen's. */
long machphys_mfn_list(struct hypercall *hc)
{
    struct xen_machphys_mfn_list x;
    xen_pfn_t last = 0;
    unsigned i;

    if (copy_in(&x, hc->arg[1]))
        return -EFAULT;
    for (i = 0; i < x.max_extents && i * M2P_PIECE_FRAMES < max_ram_mfn().m; i++) {
        mfn_t m = m2p_chunk_mfn(i);

        if (!mfn_eq(m, INVALID_MFN))
            last = m.m;
        if (copy_out((uint64_t)x.extent_start.p + i * sizeof(last), &last))
            return -EFAULT;
    }
    x.nr_extents = i;
    return copy_out(hc->arg[1], &x) ? -EFAULT : 0;
}
