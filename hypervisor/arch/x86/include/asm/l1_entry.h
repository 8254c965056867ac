/* SPDX-License-Identifier: MIT */
/*
 * The references of L1 entries, inlined for the common case: a frame of RAM of the domain that
 * should have it, mapped write-back. Everything else, and the reason of a refusal: pv/l1_entry.c.
 */
#ifndef ASM_L1_ENTRY_H
#define ASM_L1_ENTRY_H

#include <hv/domain.h>
#include <hv/frame_priv.h>
#include <asm/cpufeature.h>
#include <asm/page.h>

/* Device memory, cache attributes, or an error. */
long l1e_get_slow(pte_t e, struct domain *l1_owner, struct domain *pg_owner);

/*
 * Take the references that the present entry e of a table of l1_owner needs, where e names a frame
 * of pg_owner. 0, -errno, or > 0: flags to be flipped in e before it is written (the mapping is
 * allowed in that form). Maps no frame.
 */
static inline long l1e_get(pte_t e, struct domain *l1_owner, struct domain *pg_owner)
{
    mfn_t m = pte_mfn(e);

    if (likely(!(e & (PTE_CACHE_ATTRS | PTE_GRANT)) && frame_described(m) &&
               frame_try_get(frame_of(m), pg_owner->id))) {
        if (!(e & PTE_RW) || likely(!type_get_writable(frame_of(m))))
            return 0;
        frame_drop(frame_of(m));
    }
    return l1e_get_slow(e, l1_owner, pg_owner);
}

static inline void l1e_put(pte_t e)
{
    struct frame *f;

    if ((e & (PTE_P | PTE_GRANT)) != PTE_P || !(f = ram_frame(pte_mfn(e))))
        return;
    if (e & PTE_RW)
        type_put(f);
    frame_drop(f);
}

/*
 * L1TF: an affected CPU that meets an absent entry, of any level, goes on for a moment with the
 * address in it, and loads what its first-level cache has of that frame, whoever owns it. So an
 * absent entry may not name RAM; by gigabytes, as a large page may. Guests that know of it never
 * write one (Linux inverts the address), and others are better refused than crashed.
 */
static inline bool l1tf_unsafe(pte_t e)
{
    uint64_t seen = e & cpu_has.l1tf_bits;

    return unlikely(seen) && seen < ROUND_UP(mfn_to_maddr(max_ram_mfn()), 1UL << 30);
}

/* What the hardware and the guest will see. */
static inline pte_t l1e_adjust(pte_t e)
{
    if (!(e & PTE_P))
        return e;
    if (unlikely(!(e & PTE_USER)))
        e |= PTE_GUEST_KERNEL | PTE_USER;
    if (!(e & PTE_GUEST_KERNEL))
        e |= PTE_G;
    return e;
}

#endif
