/* SPDX-License-Identifier: MIT */
/* Every way that writes an L1 entry, and the proofs that none of them did. */
#include "tables.h"

typedef long way_fn(void *va, pte_t e);

maddr_t entry_of(void *va)
{
    return pte_place_of(va, 1).maddr;
}

static long by_mmu_update(void *va, pte_t e)
{
    return mmu_write(entry_of(va), e);
}

static long by_preserving(void *va, pte_t e)
{
    return mmu_write(entry_of(va) | MMU_PT_UPDATE_PRESERVE_AD, e);
}

static long by_no_translate(void *va, pte_t e)
{
    return mmu_write(entry_of(va) | MMU_PT_UPDATE_NO_TRANSLATE, e);
}

static long by_va_mapping(void *va, pte_t e)
{
    return hv_update_va_mapping(va, e, UVMF_TLB_FLUSH | UVMF_ALL);
}

static long by_otherdomain(void *va, pte_t e)
{
    return hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, e, UVMF_INVLPG, DOMID_SELF);
}

/* Two calls, one after the other without the guest in between: nothing, then the entry. */
static long by_multicall(void *va, pte_t e)
{
    multicall_entry_t list[2] = {
        {.op = __HYPERVISOR_update_va_mapping, .args = {(uint64_t)va, 0, 0}},
        {.op = __HYPERVISOR_update_va_mapping, .args = {(uint64_t)va, e, UVMF_INVLPG}},
    };
    pte_t was = pte_get(va);
    long rc = hv_multicall(list, 2);

    if (!rc && (long)list[1].result < 0)
        CHECK_RC(hv_update_va_mapping(va, was, UVMF_INVLPG), 0);
    return rc ? rc : (long)list[1].result;
}

static long by_store(void *va, pte_t e)
{
    volatile pte_t *p = pte_place_of(va, 1).entry;

    return CATCH(__asm__ volatile("movq %1, %0" : "=m"(*p) : "r"(e) : "memory")) ? -XEN_EFAULT : 0;
}

static long by_cmpxchg(void *va, pte_t e)
{
    volatile pte_t *p = pte_place_of(va, 1).entry;
    pte_t was = *p;

    return CATCH(__asm__ volatile("lock cmpxchgq %2, %0"
                                  : "+m"(*p), "+a"(was)
                                  : "r"(e)
                                  : "memory", "cc"))
               ? -XEN_EFAULT
               : 0;
}

/* In parts, while the entry is not present, which last becomes so: by bits, and by halves. Not on
 * the entry that maps its own table: it would vanish from under the next store. */
static long in_parts(void *va, pte_t e, bool bits)
{
    volatile pte_t *p = pte_place_of(va, 1).entry;
    volatile uint32_t *half = (volatile uint32_t *)p;
    pte_t was = *p;
    bool caught;

    if (pte_mfn(was) == entry_of(va) >> 12)
        return -XEN_EFAULT;
    if (bits)
        caught = NULL != CATCH(__asm__ volatile("lock btrq $0, %0; movq %1, %0; lock orq %2, %0"
                                                : "+m"(*p)
                                                : "r"(e & ~(pte_t)(PTE_P | PTE_RW)),
                                                  "r"((pte_t)(PTE_P | PTE_RW) & e)
                                                : "memory", "cc"));
    else
        caught = NULL != CATCH(half[0] = 0; half[1] = e >> 32; half[0] = (uint32_t)e);
    if (caught)
        CHECK_RC(hv_update_va_mapping(va, was, UVMF_INVLPG), 0);
    return caught ? -XEN_EFAULT : 0;
}

static long by_bits(void *va, pte_t e)
{
    return in_parts(va, e, true);
}

static long by_halves(void *va, pte_t e)
{
    return in_parts(va, e, false);
}

/* A table that holds it already, at its begin, in the middle, and at its end. */
static long by_pin(void *va, pte_t e)
{
    static const unsigned int slots[] = {0, 255, 511};
    uint64_t *table = child_page(15);
    long rc = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
        memset(table, 0, PAGE_SIZE);
        table[slots[i]] = e;
        rc = table_make(table, 1);
        CHECK_RC(rc ? page_set_writable(table) : table_release(table), 0);
        if (!rc)
            break;
    }
    return rc;
}

static const struct {
    const char *name;
    way_fn *write;
} ways[] = {
    {"mmu_update", by_mmu_update},
    {"mmu_update, preserving A and D", by_preserving},
    {"mmu_update, not translating", by_no_translate},
    {"update_va_mapping", by_va_mapping},
    {"update_va_mapping_otherdomain", by_otherdomain},
    {"multicall", by_multicall},
    {"a store", by_store},
    {"cmpxchg", by_cmpxchg},
    {"bits", by_bits},
    {"halves", by_halves},
    {"pinning a table", by_pin},
};

/* The entry for `va` stays what it was, whatever writes e over it. `rc`: what hypercalls say; 0:
 * any error. */
void refused(void *va, pte_t e, long rc, const char *what)
{
    pte_t was = pte_get(va);

    for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
        long got = ways[i].write(va, e);
        bool ok = got == -XEN_EFAULT || !rc || ways[i].write == by_pin ? CHECK(got < 0)
                                                                       : CHECK_RC(got, rc);

        if (!ok || !CHECK_EQ(pte_get(va) & (PTE_MFN_MASK | PTE_P | PTE_RW),
                             was & (PTE_MFN_MASK | PTE_P | PTE_RW)))
            printf("  %s: entry %#lx, by %s\n", what, e, ways[i].name);
    }
}

/* The proof that nothing refers to an own page: it can be made a table, and data again. */
void unreferenced(void *page)
{
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(table_make(page, 1), 0);
    CHECK_RC(table_release(page), 0);
}
