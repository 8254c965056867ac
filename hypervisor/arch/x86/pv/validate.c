/* SPDX-License-Identifier: MIT */
/*
 * The contents of a page table: check every entry and take its references, or drop them all.
 *
 * Interface: validate_table, devalidate_table. Invariant: entries [0, f->aux) hold references, the
 * others none. L1 tables are done in one go; L2…L4 look for preemption after each entry that made
 * them do work below. Lock: the owner's mmu_lock.
 */
#include <asm/pv_mm.h>

static bool is_hv_slot(enum frame_type t, unsigned i)
{
    return t == FT_L4 && i >= L4_HV_FIRST && i <= L4_HV_LAST;
}

#define STRIDE 16 /* entries looked at together: most tables are mostly empty */

static inline bool none_has(const pte_t *e, uint64_t bits)
{
    pte_t any = 0;

#pragma GCC unroll 16
    for (unsigned i = 0; i < STRIDE; i++)
        any |= e[i];
    return !(any & bits);
}

static void put_l1_entries(pte_t *e, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        while (i % STRIDE == 0 && i + STRIDE <= n && none_has(&e[i], PTE_P))
            i += STRIDE;
        if (i == n)
            return;
        if ((e[i] & (PTE_P | PTE_GRANT)) == (PTE_P | PTE_GRANT))
            e[i] = 0; /* its handle's reference does not cover a page that is no table */
        else
            l1e_put(e[i]);
    }
}

static int validate_l1(struct frame *f, pte_t *e, struct domain *d)
{
    for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
        long rc;

        while (i % STRIDE == 0 && i < PTES_PER_TABLE && none_has(&e[i], ~0UL))
            i += STRIDE;
        if (i == PTES_PER_TABLE)
            break;
        rc = likely(e[i] & PTE_P) ? l1e_get(e[i], d, d) : l1tf_unsafe(e[i]) ? -EINVAL : 0;
        if (rc < 0) {
            put_l1_entries(e, i);
            return rc;
        }
        e[i] = l1e_adjust(e[i] ^ rc);
    }
    f->aux = PTES_PER_TABLE;
    return 0;
}

static int validate_upper(struct frame *f, pte_t *e, enum frame_type t, struct domain *d)
{
    bool worked =
        false; /* each call makes some progress, however urgent the rest of the world is */

    d->arch.upper_edits++;
    for (unsigned i = f->aux; i < PTES_PER_TABLE; i++) {
        int rc;

        f->aux = i;
        if (is_hv_slot(t, i) || (!(e[i] & PTE_P) && !l1tf_unsafe(e[i])))
            continue;
        if (!(e[i] & PTE_P) || e[i] & ~(PTE_GUEST_FLAGS | PTE_ADDR_MASK) || e[i] & PTE_GRANT)
            return -EINVAL;
        if (worked && preempt_needed())
            return -HC_RESTART;
        worked = true;
        rc = table_get(pte_mfn(e[i]), d, t - 1);
        if (rc)
            return rc;
        e[i] = l2plus_adjust(e[i]);
    }
    f->aux = PTES_PER_TABLE;
    if (t == FT_L4)
        hv_fill_guest_l4(e);
    return 0;
}

int validate_table(struct frame *f, enum frame_type t, struct domain *d)
{
    pte_t *e = map_frame(frame_mfn(f));
    int rc = t == FT_L1 ? validate_l1(f, e, d) : validate_upper(f, e, t, d);

    unmap_frame(e);
    return rc;
}

long devalidate_table(struct frame *f, enum frame_type t)
{
    pte_t *e = map_frame(frame_mfn(f));
    bool worked = false;
    long rc = 0;

    if (t == FT_L1) {
        put_l1_entries(e, f->aux);
        f->aux = 0;
    } else if (t == FT_L4 && f->aux == PTES_PER_TABLE) {
        for (unsigned i = L4_HV_FIRST; i <= L4_HV_LAST; i++)
            e[i] = 0;
    }
    while (f->aux && !rc) {
        unsigned i = f->aux - 1;

        if (!is_hv_slot(t, i) && (e[i] & PTE_P)) {
            if (worked && preempt_needed()) {
                rc = -HC_RESTART;
                break;
            }
            worked = true;
            /* Preempted below: that table is a debt of its own, this entry is done. */
            rc = table_put(pte_mfn(e[i]));
        }
        f->aux = i;
    }
    if (rc && !f->aux)
        rc = 0;
    unmap_frame(e);
    return rc;
}
