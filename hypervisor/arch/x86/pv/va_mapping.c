/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls update_va_mapping and update_va_mapping_otherdomain: write the L1 entry that maps an
 * address of the caller's, and flush it from TLBs. <xen/xen.h> UVMF_*
 */
#include <asm/pv_mm.h>

static long flush(uint64_t va, unsigned long flags)
{
    uint64_t who = flags & ~UVMF_FLUSHTYPE_MASK;
    unsigned long what = flags & UVMF_FLUSHTYPE_MASK;
    cpumask_t cpus;

    if (what != UVMF_TLB_FLUSH && what != UVMF_INVLPG)
        return 0;
    if (who == UVMF_LOCAL) {
        if (what == UVMF_INVLPG)
            tlb_flush_local_va(va);
        else
            tlb_flush_local();
        return 0;
    }
    if (who == UVMF_ALL)
        cpus = current->domain->arch.dirty_cpus;
    else if (vcpumask_to_cpus(who, &cpus))
        return -EFAULT;
    if (what == UVMF_INVLPG)
        tlb_flush_mask_va(&cpus, va);
    else
        tlb_flush_mask(&cpus);
    return 0;
}

static long update(uint64_t va, pte_t val, unsigned long flags, struct domain *pg_owner)
{
    struct domain *d = current->domain;
    struct pt_edit edit = {.pt_owner = d, .pg_owner = pg_owner};
    int rc = -EINVAL;
    pte_t *p;

    spin_lock(&d->arch.mmu_lock);
    p = pt_walk(current, va);
    if (p)
        rc = pt_edit_l1(&edit, p, val);
    spin_unlock(&d->arch.mmu_lock);
    return rc ? rc : flush(va, flags);
}

long do_update_va_mapping(struct hypercall *hc)
{
    return update(hc->arg[0], hc->arg[1], hc->arg[2], current->domain);
}

long do_update_va_mapping_otherdomain(struct hypercall *hc)
{
    struct domain *pg_owner;
    long rc = pg_owner_get((uint16_t)hc->arg[3], &pg_owner);

    if (rc)
        return rc;
    rc = update(hc->arg[0], hc->arg[1], hc->arg[2], pg_owner);
    domain_put(pg_owner);
    return rc;
}
