/* SPDX-License-Identifier: MIT */
/*
 * One entry of a validated table is changed: by mmu_update, update_va_mapping, or an emulated
 * write. And the walk from an address to its entry.
 *
 * Interface: pt_edit, pt_walk. Order: take the new entry's references, write, drop the old one's;
 * so a refused entry changes nothing. Lock: the table owner's mmu_lock; against it only the
 * processor writes, accessed and dirty bits.
 * What a processor remembers of an old L1 entry is the guest's to flush, as on real hardware; a
 * frame that takes another type or owner meanwhile is flushed then (page_type.c). Only for upper
 * levels the caller flushes, since Xen does.
 */
#include <asm/pv_mm.h>
#include <hv/domain.h>
#include <hv/vcpu.h>
#include <asm/pv.h>

static bool replace(pte_t *p, pte_t *old, pte_t new)
{
    return __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/*
 * Write new over *p. Returns what was there; only A and D can have changed since the checks. With
 * preserve_ad those set by the processor stay.
 */
static pte_t write_entry(pte_t *p, pte_t new, bool preserve_ad)
{
    pte_t old = READ_ONCE(*p);

    if (!preserve_ad)
        return __atomic_exchange_n(p, new, __ATOMIC_SEQ_CST);
    while (!replace(p, &old, new | (old & (PTE_A | PTE_D))))
        ;
    return old;
}

static int edit_l1(struct pt_edit *e, pte_t *p, pte_t new)
{
    pte_t was = READ_ONCE(*p), old;
    bool taken = false;

    if (new &PTE_P) {
        new = l1e_adjust(new);
        if ((was & PTE_P) && !((was ^ new) & ~PTE_FREE_FLAGS)) {
            new = (new & ~PTE_GRANT) |
                  (was & PTE_GRANT); /* whose reference it holds does not change */
            was = 0;                 /* no reference moves */
        } else {
            long rc = l1e_get(new, e->pt_owner, e->pg_owner);

            if (rc < 0)
                return rc;
            new ^= rc;
            taken = true;
        }
    }
    if (e->cmpxchg) {
        old = e->old;
        if (!replace(p, &old, new)) {
            e->old = old;
            if (taken)
                l1e_put(new);
            return -EAGAIN;
        }
    } else {
        write_entry(p, new, e->preserve_ad);
    }
    l1e_put(was);
    return 0;
}

static int edit_upper(struct pt_edit *e, pte_t *p, enum frame_type t, unsigned index, pte_t new)
{
    pte_t was = READ_ONCE(*p);

    if (t == FT_L4 && index >= L4_HV_FIRST && index <= L4_HV_LAST)
        return -EINVAL;
    if (e->pg_owner != e->pt_owner)
        return -EINVAL;
    if (new &PTE_P) {
        int rc;

        if (new & ~(PTE_GUEST_FLAGS | PTE_ADDR_MASK) || new &PTE_GRANT)
            return -EINVAL;
        new = l2plus_adjust(new);
        if ((was & PTE_P) && !((was ^ new) & ~(PTE_FREE_FLAGS | PTE_RW))) {
            write_entry(p, new, e->preserve_ad);
            return 0;
        }
        rc = table_get(pte_mfn(new), e->pt_owner, t - 1);
        if (rc)
            return rc;
    }
    write_entry(p, new, e->preserve_ad);
    e->flush |= was & PTE_P;
    if (was & PTE_P)
        table_put(pte_mfn(was)); /* preempted: a debt, paid before the hypercall ends */
    return 0;
}

int pt_edit(struct pt_edit *e, struct frame *table, enum frame_type t, unsigned index, pte_t new)
{
    pte_t *p = map_frame(frame_mfn(table));
    int rc;

    if (t == FT_L1)
        rc = edit_l1(e, &p[index], new);
    else
        rc = edit_upper(e, &p[index], t, index, new);
    unmap_frame(p);
    return rc;
}

mfn_t pt_walk(const struct vcpu *v, uint64_t va, unsigned *index)
{
    mfn_t m = v->arch.guest_table;
    bool canonical = (uint64_t)((int64_t)(va << 16) >> 16) == va;

    if (!canonical || mfn_eq(m, INVALID_MFN) || !m.m)
        return INVALID_MFN;
    if (va >= HV_VIRT_START && va < HV_VIRT_END)
        return INVALID_MFN;
    for (unsigned level = 4; level > 1; level--) {
        const pte_t *p = map_frame(m);
        pte_t e = READ_ONCE(p[pte_index(va, level)]);

        unmap_frame(p);
        if (!(e & PTE_P))
            return INVALID_MFN;
        m = pte_mfn(e);
    }
    *index = pte_index(va, 1);
    return m;
}
