/* SPDX-License-Identifier: MIT */
/*
 * One entry of a validated table is changed: by mmu_update, update_va_mapping, or an emulated
 * write. And the walk from an address to its entry.
 *
 * Interface: pt_edit_l1, pt_edit_upper, pt_walk, pt_lookup. Order: take the new entry's references,
 * write, drop the old one's; so a refused entry changes nothing. Lock: the table owner's mmu_lock;
 * against it only the processor writes, accessed and dirty bits. What a processor remembers of an
 * old L1 entry is the guest's to flush, as on real hardware; a frame that takes another type or
 * owner meanwhile is flushed then (page_type.c). Only for upper levels the caller flushes, since
 * Xen does.
 */
#include <asm/pv_mm.h>
#include <asm/map_slots.h>

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

/* The bits of an L1 entry that may change while the frame stays and its references, but for RW's.
 */
#define PTE_LIGHT (PTE_FREE_FLAGS | PTE_RW)

/*
 * was and new map the same frame of RAM, of the owner that new should have. Then at most its
 * writable reference comes or goes. False: it is no such case, or refused: do it the long way.
 */
static bool take_same_frame(const struct pt_edit *e, pte_t was, pte_t new)
{
    struct frame *f;

    if (((was ^ new) & ~PTE_LIGHT) || (was & PTE_CACHE_ATTRS) || ((was | new) & PTE_GRANT) ||
        !(f = ram_frame(pte_mfn(new))) || f->owner != e->pg_owner->id)
        return false;
    return (was & PTE_RW) || !type_get_writable(f);
}

int pt_edit_l1(struct pt_edit *e, pte_t *p, pte_t new)
{
    pte_t was = READ_ONCE(*p), old, put = was, undo = 0;
    bool drop_writable = false;

    if (new &PTE_P) {
        new = l1e_adjust(new);
        if ((was & PTE_P) && !((was ^ new) & ~PTE_FREE_FLAGS)) {
            new = (new & ~PTE_GRANT) |
                  (was & PTE_GRANT); /* whose reference it holds does not change */
            put = 0;                 /* no reference moves */
        } else if ((was & PTE_P) && !e->cmpxchg && take_same_frame(e, was, new)) {
            drop_writable = was & PTE_RW;
            put = 0;
        } else {
            long rc = l1e_get(new, e->pt_owner, e->pg_owner);

            if (rc < 0)
                return rc;
            new ^= rc;
            undo = new;
        }
    } else if (l1tf_unsafe(new)) {
        return -EINVAL;
    }
    if (e->cmpxchg) {
        old = e->old;
        if (!replace(p, &old, new)) {
            e->old = old;
            l1e_put(undo);
            return -EAGAIN;
        }
    } else {
        write_entry(p, new, e->preserve_ad);
    }
    if (drop_writable)
        type_put(frame_of(pte_mfn(was)));
    l1e_put(put);
    return 0;
}

int pt_edit_upper(struct pt_edit *e, pte_t *p, enum frame_type t, pte_t new)
{
    unsigned index = (uint64_t)p % PAGE_SIZE / sizeof(*p);
    pte_t was = READ_ONCE(*p);

    e->pt_owner->arch.upper_edits++;

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
    } else if (l1tf_unsafe(new)) {
        return -EINVAL;
    }
    write_entry(p, new, e->preserve_ad);
    e->flush |= was & PTE_P;
    if (was & PTE_P)
        table_put(pte_mfn(was)); /* preempted: a debt, paid before the hypercall ends */
    return 0;
}

/* From L4 table m down: the L1 table of va; frame 0: none. *all: what the entries on the way share.
 */
static mfn_t find_l1(mfn_t m, uint64_t va, pte_t *all)
{
    if (!guest_range_ok(va & PAGE_MASK, 1) || !mfn_is_set(m))
        return mfn(0);
    for (unsigned level = 4; level > 1; level--) {
        pte_t e = ram_frame(m) ? READ_ONCE(((pte_t *)frame_peek(m))[pte_index(va, level)]) : 0;

        if (!(e & PTE_P))
            return mfn(0);
        *all &= e;
        m = pte_mfn(e);
    }
    return ram_frame(m) ? m : mfn(0);
}

/*
 * The last walk is remembered. What it found holds until an upper entry changes or a frame becomes
 * an upper table, which count d->arch.upper_edits: tables that are reached stay what they are.
 */
pte_t *pt_walk(struct vcpu *v, uint64_t va)
{
    uint64_t edits = v->domain->arch.upper_edits;
    mfn_t l4 = v->arch.guest_table;
    pte_t all = ~0UL;

    if (unlikely(v->arch.walk.region != va >> 21 || v->arch.walk.edits != edits ||
                 !mfn_eq(v->arch.walk.l4, l4))) {
        v->arch.walk.region = va >> 21;
        v->arch.walk.edits = edits;
        v->arch.walk.l4 = l4;
        v->arch.walk.l1 = find_l1(l4, va, &all);
    }
    if (!v->arch.walk.l1.m)
        return NULL;
    return (pte_t *)frame_peek(v->arch.walk.l1) + pte_index(va, 1);
}

pte_t pt_lookup(mfn_t m, uint64_t va, bool *writable)
{
    pte_t all = PTE_RW, e;

    m = find_l1(m, va, &all);
    e = m.m ? READ_ONCE(((pte_t *)frame_peek(m))[pte_index(va, 1)]) : 0;
    *writable = all & e;
    return e & PTE_P ? e : 0;
}
