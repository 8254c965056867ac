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
#include <asm/map_slots.h>
#include <xen/grant_table.h>

/*
 * The entry that host_addr names: by its own machine address, or by what it maps. NULL: none. The
 * lock is held, which keeps the table one. Good until the next frame is mapped.
 */
static pte_t *find_entry(struct vcpu *v, uint64_t host_addr, bool contains_pte)
{
    struct frame *f;
    bool ok;

    if (!contains_pte)
        return pt_walk(v, host_addr);
    if (host_addr % sizeof(pte_t) || !frame_described(maddr_to_mfn(host_addr)))
        return NULL;
    f = frame_of(maddr_to_mfn(host_addr));
    if (!frame_try_get(f, v->domain->id))
        return NULL;
    ok = (f->type & (TYPE_KIND | TYPE_VALID)) == (TYPE_WORD(FT_L1) | TYPE_VALID);
    frame_drop(f);
    return ok ? (pte_t *)((char *)frame_peek(frame_mfn(f)) + (host_addr & ~PAGE_MASK)) : NULL;
}

/* pte_bits: what the guest chooses of the entry: bits 9…11, and whether its user mode may see it.
 */
int pv_grant_map_pte(struct vcpu *v, uint64_t host_addr, mfn_t f, bool readonly, bool contains_pte,
                     uint64_t pte_bits)
{
    uint64_t flags = PTE_P | PTE_A | PTE_D | PTE_NX | (readonly ? 0 : PTE_RW) |
                     (pte_bits & (PTE_AVAIL | PTE_USER));
    pte_t new = l1e_adjust(pte_make(f, flags)) | PTE_GRANT, *p;
    spinlock_t *lock = &v->domain->arch.mmu_lock;

    spin_lock(lock);
    p = find_entry(v, host_addr, contains_pte);
    if (p)
        l1e_put(__atomic_exchange_n(p, new, __ATOMIC_SEQ_CST));
    spin_unlock(lock);
    return p ? GNTST_okay : GNTST_general_error;
}

/* new_addr (unmap_and_replace): the entry that maps it moves here, with its references. */
int pv_grant_unmap_pte(struct vcpu *v, uint64_t host_addr, mfn_t f, bool readonly,
                       bool contains_pte, uint64_t new_addr)
{
    spinlock_t *lock = &v->domain->arch.mmu_lock;
    int rc = GNTST_general_error;
    pte_t new = 0, old, *p;

    if (new_addr && contains_pte)
        return GNTST_general_error;
    spin_lock(lock);
    p = new_addr ? pt_walk(v, new_addr) : NULL;
    if (p)
        new = __atomic_exchange_n(p, 0, __ATOMIC_SEQ_CST);
    p = p || !new_addr ? find_entry(v, host_addr, contains_pte) : NULL;
    if (p) {
        old = READ_ONCE(*p);
        if ((old & (PTE_P | PTE_GRANT)) == (PTE_P | PTE_GRANT) && mfn_eq(pte_mfn(old), f) &&
            !(old & PTE_RW) == readonly) {
            __atomic_exchange_n(p, new, __ATOMIC_SEQ_CST);
            new = 0;
            rc = GNTST_okay;
        }
    }
    l1e_put(new); /* taken, and not used */
    spin_unlock(lock);
    return rc;
}

void pv_grant_flush(struct domain *d)
{
    tlb_flush_mask(&d->arch.dirty_cpus);
}
