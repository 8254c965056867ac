/* SPDX-License-Identifier: MIT */
/*
 * The L1 entries of grant mappings, marked PTE_GRANT: they hold no references, the grant handle
 * does. What such an entry replaces is dropped as usual; an entry that the guest moved away is not
 * found again, and the unmap fails.
 *
 * Interface: pv_grant_map_pte, pv_grant_unmap_pte, pv_grant_flush (asm/pv.h). Lock: the mapping
 * domain's mmu_lock, inside.
 */
#include <asm/pv_mm.h>
#include <hv/domain.h>
#include <hv/vcpu.h>
#include <asm/pv.h>
#include <xen/grant_table.h>

/* The L1 table and index of host_addr, with the lock held. False: none. */
static bool find_entry(struct vcpu *v, uint64_t host_addr, bool contains_pte, mfn_t *table,
                       unsigned *index)
{
    if (contains_pte) {
        if (host_addr % sizeof(pte_t))
            return false;
        *table = maddr_to_mfn(host_addr);
        *index = (host_addr & ~PAGE_MASK) / sizeof(pte_t);
    } else {
        *table = pt_walk(v, host_addr, index);
        if (mfn_eq(*table, INVALID_MFN))
            return false;
    }
    if (!frame_get(*table, v->domain))
        return false;
    if ((frame_of(*table)->type & TYPE_VALID) && TYPE_OF(frame_of(*table)->type) == FT_L1)
        return true; /* the lock keeps it an L1 table; so the reference may go when we are done */
    frame_put(*table);
    return false;
}

/* pte_bits: what the guest chooses of the entry: bits 9…11, and whether its user mode may see it.
 */
int pv_grant_map_pte(struct vcpu *v, uint64_t host_addr, mfn_t f, bool readonly, bool contains_pte,
                     uint64_t pte_bits)
{
    uint64_t flags = PTE_P | PTE_A | PTE_D | PTE_NX | (readonly ? 0 : PTE_RW) |
                     (pte_bits & (PTE_AVAIL | PTE_USER));
    pte_t new = l1e_adjust(pte_make(f, flags)) | PTE_GRANT;
    spinlock_t *lock = &v->domain->arch.mmu_lock;
    int rc = GNTST_general_error;
    unsigned index;
    mfn_t table;

    spin_lock(lock);
    if (find_entry(v, host_addr, contains_pte, &table, &index)) {
        pte_t *p = map_frame(table);
        pte_t old = __atomic_exchange_n(&p[index], new, __ATOMIC_SEQ_CST);

        unmap_frame(p);
        l1e_put(old);
        frame_put(table);
        rc = GNTST_okay;
    }
    spin_unlock(lock);
    return rc;
}

/* Take the entry that maps `addr` out of its table, with its references (unmap_and_replace). The
 * lock is held. */
static bool take_entry(struct vcpu *v, uint64_t addr, pte_t *out)
{
    unsigned index;
    mfn_t table;
    pte_t *p;

    if (!find_entry(v, addr, false, &table, &index))
        return false;
    p = map_frame(table);
    *out = __atomic_exchange_n(&p[index], 0, __ATOMIC_SEQ_CST);
    unmap_frame(p);
    frame_put(table);
    return true;
}

int pv_grant_unmap_pte(struct vcpu *v, uint64_t host_addr, mfn_t f, bool readonly,
                       bool contains_pte, uint64_t new_addr)
{
    spinlock_t *lock = &v->domain->arch.mmu_lock;
    int rc = GNTST_general_error;
    unsigned index;
    pte_t new = 0;
    mfn_t table;

    if (new_addr && contains_pte)
        return GNTST_general_error;
    spin_lock(lock);
    if ((!new_addr || take_entry(v, new_addr, &new)) &&
        find_entry(v, host_addr, contains_pte, &table, &index)) {
        pte_t *p = map_frame(table), old = READ_ONCE(p[index]);

        if ((old & PTE_P) && (old & PTE_GRANT) && mfn_eq(pte_mfn(old), f) &&
            !(old & PTE_RW) == readonly) {
            __atomic_exchange_n(&p[index], new, __ATOMIC_SEQ_CST);
            new = 0;
            rc = GNTST_okay;
        }
        unmap_frame(p);
        frame_put(table);
    }
    l1e_put(new); /* taken, and not used */
    spin_unlock(lock);
    return rc;
}

void pv_grant_flush(struct domain *d)
{
    cpumask_t cpus = d->arch.dirty_cpus;

    tlb_flush_mask(&cpus);
}
