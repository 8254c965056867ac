/* SPDX-License-Identifier: MIT */
/*
 * Frames and page tables of a test guest: a pool of pages in the image, the translation between
 * virtual addresses, guest frames and machine frames, and the calls that change mappings.
 *
 * Invariant: page_free() gives back a page that is mapped writable at its own address and has no
 * other use; page_alloc() hands it out zeroed.
 */
#ifndef RT_PAGE_H
#define RT_PAGE_H

#include <rt/hypercall.h>

#define PTE_RO_FLAGS    (PTE_P | PTE_US | PTE_A)
#define PTE_RW_FLAGS    (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static inline pte_t pte_make(mfn_t mfn, uint64_t flags)
{
    return (mfn << 12) | flags;
}
static inline mfn_t pte_mfn(pte_t pte)
{
    return (pte & PTE_MFN_MASK) >> 12;
}

/** A zeroed, writable page; ends the guest when the pool is empty. */
void *page_alloc(void);
void page_free(void *page);
/** `n` pages at consecutive virtual addresses (never freed). */
void *page_alloc_many(unsigned int n);

pfn_t pfn_of(const void *va);
mfn_t mfn_of(const void *va);
static inline maddr_t maddr_of(const void *va)
{
    return (mfn_of(va) << 12) | ((uint64_t)va & 0xfff);
}
/** The machine-to-guest table's answer; the hypervisor's table, so a guest may only read it. */
pfn_t mfn_to_pfn(mfn_t mfn);
mfn_t pfn_to_mfn(pfn_t pfn);
void *pfn_to_va(pfn_t pfn);

/** One page-table entry found by a walk: where it is, as a machine and as a virtual address. */
struct pte_place {
    maddr_t maddr;
    volatile pte_t *entry; /* a read-only mapping */
};
/** The entry of `level` (1…4) on the walk for `va`; entry is NULL when the walk ends above. */
struct pte_place pte_place_of(const void *va, unsigned int level);
/** The current L1 entry for `va`, 0 when none. */
pte_t pte_get(const void *va);
mfn_t current_l4_mfn(void);

/** One mmu_update request; the hypercall's result. */
long mmu_write(uint64_t ptr, uint64_t val);
/** One mmuext_op; the hypercall's result. */
long mmuext(unsigned int cmd, mfn_t mfn);

/** Writes entry `slot` of the table in the own page at `table` by mmu_update; the call's result. */
long table_set(void *table, unsigned int slot, pte_t pte);
/** What an upper table says of the table in the own page at `table`. */
pte_t table_entry(const void *table);
/** Makes the own page read-only and pins it as a table of `level` (1…4); the first error. */
long table_make(void *page, unsigned int level);
/** Undoes it: the page is writable data again. */
long table_release(void *table);

/** Sets the page at `va` (an own page) read-only or writable; the hypercall's result. */
long page_set_readonly(void *va);
long page_set_writable(void *va);

/** Maps the frame or any PTE at one of a few spare addresses, the hypervisor's errno in *rc. */
void *window_map(pte_t pte, long *rc);
/** The same for a frame of another domain. */
void *window_map_of(pte_t pte, domid_t owner, long *rc);
/** Puts the spare address's own page back; the hypercall's result. */
long window_unmap(void *va);

/** Loads/stores that may fault are wrapped in CATCH by the test; these keep gcc from guessing. */
static inline uint64_t load64(const void *p)
{
    uint64_t v;
    __asm__ volatile("movq %1, %0" : "=r"(v) : "m"(*(const uint64_t *)p) : "memory");
    return v;
}
static inline void store64(void *p, uint64_t v)
{
    __asm__ volatile("movq %1, %0" : "=m"(*(uint64_t *)p) : "r"(v) : "memory");
}
#endif
