/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries of 4-level x86-64 tables: bits, indices, and which bits a guest may set. The
 * bits a guest reads back are those that Xen gives: PTE_USER is forced on every level (guest
 * kernels run in ring 3), PTE_GUEST_KERNEL marks an L1 entry that the guest made without PTE_USER.
 */
#ifndef ASM_PAGE_H
#define ASM_PAGE_H

#include <hv/types.h>

typedef uint64_t pte_t;

#define PTE_P            (1UL << 0)
#define PTE_RW           (1UL << 1)
#define PTE_USER         (1UL << 2)
#define PTE_PWT          (1UL << 3)
#define PTE_PCD          (1UL << 4)
#define PTE_A            (1UL << 5)
#define PTE_D            (1UL << 6)
#define PTE_PSE          (1UL << 7) /* L2, L3 */
#define PTE_PAT          (1UL << 7) /* L1 */
#define PTE_G            (1UL << 8)
#define PTE_AVAIL        (7UL << 9)
#define PTE_AVAIL_HIGH   (0x7ffUL << 52)
#define PTE_GUEST_KERNEL (1UL << 52)
#define PTE_GRANT        (1UL << 62) /* installed by a grant map: owns no references (grant_pte.c) */
#define PTE_NX           (1UL << 63)
#define PTE_ADDR_MASK    0x000ffffffffff000UL
#define PTE_CACHE_ATTRS  (PTE_PWT | PTE_PCD | PTE_PAT)

/* What any guest may set at any level; L1 adds G, and the cache bits for a domain with devices. */
#define PTE_GUEST_FLAGS \
    (PTE_P | PTE_RW | PTE_USER | PTE_A | PTE_D | PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX)
/* Changing only these in a present entry touches no count. */
#define PTE_FREE_FLAGS (PTE_NX | PTE_AVAIL_HIGH | PTE_AVAIL | PTE_G | PTE_D | PTE_A | PTE_USER)

#define PTES_PER_TABLE 512
#define L4_HV_FIRST    256
#define L4_HV_LAST     271

static inline mfn_t pte_mfn(pte_t e)
{
    return mfn((e & PTE_ADDR_MASK) >> PAGE_SHIFT);
}
static inline pte_t pte_make(mfn_t f, uint64_t flags)
{
    return mfn_to_maddr(f) | flags;
}
/* Index into the table of this level (1…4) for an address. */
static inline unsigned pte_index(uint64_t va, unsigned level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) & 511;
}

#endif
