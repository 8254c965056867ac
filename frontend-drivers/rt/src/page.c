/* SPDX-License-Identifier: MIT */
/*
 * The page pool, frame-number translation and mapping calls; see rt/page.h.
 *
 * The pool and the spare window addresses are part of the image, so that every page has a known
 * address, guest frame and machine frame before anything else works.
 */
#include <rt/page.h>
#include <rt/print.h>
#include <rt/test.h>

#define POOL_PAGES   1536
#define WINDOW_PAGES 32

#define IN_POOL PAGE_ALIGNED __attribute__((section(".pool,\"aw\",@nobits#")))
static char pool[POOL_PAGES][PAGE_SIZE] IN_POOL;
static unsigned int pool_used;
static void *pool_free_list;

static char window[WINDOW_PAGES][PAGE_SIZE] IN_POOL;
static mfn_t window_own_mfn[WINDOW_PAGES];
static bool window_busy[WINDOW_PAGES];

void *page_alloc_many(unsigned int n)
{
    void *first = pool[pool_used];

    if (pool_used + n > POOL_PAGES)
        guest_die("the page pool of %u pages is empty", POOL_PAGES);
    pool_used += n;
    return memset(first, 0, (size_t)n * PAGE_SIZE);
}

void *page_alloc(void)
{
    void *page = pool_free_list;

    if (!page)
        return page_alloc_many(1);
    pool_free_list = *(void **)page;
    return memset(page, 0, PAGE_SIZE);
}

void page_free(void *page)
{
    *(void **)page = pool_free_list;
    pool_free_list = page;
}

pfn_t pfn_of(const void *va)
{
    return ((uint64_t)va - GUEST_VIRT_BASE) >> 12;
}

void *pfn_to_va(pfn_t pfn)
{
    return (void *)(GUEST_VIRT_BASE + (pfn << 12));
}

mfn_t pfn_to_mfn(pfn_t pfn)
{
    return ((const volatile uint64_t *)start_info->mfn_list)[pfn];
}

pfn_t mfn_to_pfn(mfn_t mfn)
{
    return ((const volatile uint64_t *)MACH2PHYS_VIRT_START)[mfn];
}

mfn_t mfn_of(const void *va)
{
    return pfn_to_mfn(pfn_of(va));
}

mfn_t current_l4_mfn(void)
{
    uint64_t cr3;

    /* Emulated by the hypervisor: the page-frame number in the form of xen_cr3_to_pfn(). */
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return xen_cr3_to_pfn(cr3);
}

struct pte_place pte_place_of(const void *va, unsigned int level)
{
    mfn_t table = current_l4_mfn();

    for (unsigned int at = 4;; at--) {
        unsigned int index = ((uint64_t)va >> (12 + 9 * (at - 1))) & 511;
        volatile pte_t *entry = (volatile pte_t *)pfn_to_va(mfn_to_pfn(table)) + index;

        if (at == level)
            return (struct pte_place){(table << 12) + index * sizeof(pte_t), entry};
        if (!(*entry & PTE_P))
            return (struct pte_place){0, NULL};
        table = pte_mfn(*entry);
    }
}

pte_t pte_get(const void *va)
{
    struct pte_place place = pte_place_of(va, 1);

    return place.entry ? *place.entry : 0;
}

long mmu_write(uint64_t ptr, uint64_t val)
{
    mmu_update_t req = {.ptr = ptr, .val = val};

    return hv_mmu_update(&req, 1, NULL, DOMID_SELF);
}

long mmuext(unsigned int cmd, mfn_t mfn)
{
    mmuext_op_t op = {.cmd = cmd, .arg1.mfn = mfn};

    return hv_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

long table_set(void *table, unsigned int slot, pte_t pte)
{
    return mmu_write(maddr_of((pte_t *)table + slot), pte);
}

pte_t table_entry(const void *table)
{
    return pte_make(mfn_of(table), PTE_TABLE_FLAGS);
}

long table_make(void *page, unsigned int level)
{
    long rc = page_set_readonly(page);

    return rc ? rc : mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn_of(page));
}

long table_release(void *table)
{
    long rc = mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table));

    return rc ? rc : page_set_writable(table);
}

long page_set_readonly(void *va)
{
    return hv_update_va_mapping(va, pte_make(mfn_of(va), PTE_RO_FLAGS), UVMF_INVLPG);
}

long page_set_writable(void *va)
{
    return hv_update_va_mapping(va, pte_make(mfn_of(va), PTE_RW_FLAGS), UVMF_INVLPG);
}

void *window_map(pte_t pte, long *rc)
{
    return window_map_of(pte, DOMID_SELF, rc);
}

void *window_map_of(pte_t pte, domid_t owner, long *rc)
{
    for (unsigned int i = 0; i < WINDOW_PAGES; i++) {
        if (window_busy[i])
            continue;
        window_own_mfn[i] = mfn_of(window[i]);
        *rc = hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, window[i], pte, UVMF_INVLPG,
                         owner);
        if (*rc)
            return NULL;
        window_busy[i] = true;
        return window[i];
    }
    guest_die("all %u window pages are in use", WINDOW_PAGES);
}

long window_unmap(void *va)
{
    unsigned int i = ((char *)va - window[0]) / PAGE_SIZE;

    window_busy[i] = false;
    return hv_update_va_mapping(va, pte_make(window_own_mfn[i], PTE_RW_FLAGS), UVMF_INVLPG);
}
