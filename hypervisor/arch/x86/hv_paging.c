/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables: slots 256…271 of every L4.
 *
 * Invariant: the L3 pages of all slots we use exist from boot on, so a guest L4 filled once
 * (hv_fill_guest_l4) never goes stale; the tables below them only grow. No mapping is both writable
 * and executable. A present entry is never changed to another frame here (windows are, by their
 * users, on their own CPU); removing one flushes every CPU. Lock: paging_lock, over growth of the
 * tables. Each CPU has two windows through which it reaches tables outside the image.
 */
#include <hv/boot_info.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <asm/hv_paging.h>
#include <asm/msr.h>

#define SLOTS      (L4_HV_LAST - L4_HV_FIRST + 1)
#define POOL_PAGES 96

extern char _image_start[], _stub_start[], _etext[], _erodata[], _edata[], _end[];

uint64_t hv_root[512] __aligned_page;                /* the idle L4; head.S */
static uint64_t l3_table[SLOTS][512] __aligned_page; /* of every slot used */
static uint64_t percpu_l2[512] __aligned_page;       /* 1 GiB at VA_PERCPU */
uint64_t *percpu_l1[MAX_CPUS];
static uint8_t pool[POOL_PAGES][PAGE_SIZE] __aligned_page;
static uint8_t zero_page[PAGE_SIZE] __aligned_page;
static unsigned pool_used;
static uint64_t ioremap_next = VA_IOREMAP;
static spinlock_t paging_lock = SPINLOCK_INIT;

uint64_t image_va_to_maddr(const void *p)
{
    return (uint64_t)p - VA_IMAGE;
}

mfn_t idle_l4(void)
{
    return maddr_to_mfn(image_va_to_maddr(hv_root));
}

void hv_fill_guest_l4(uint64_t *l4)
{
    memcpy(l4 + L4_HV_FIRST, hv_root + L4_HV_FIRST, SLOTS * sizeof(*l4));
}

void *hv_boot_page(void)
{
    if (pool_used < POOL_PAGES)
        return pool[pool_used++];
    return heap_alloc_pages(0);
}

/* A page for a table: from the pool, later any frame (it needs no address of its own). ~0: none. */
static uint64_t table_alloc(void)
{
    mfn_t f;

    if (pool_used < POOL_PAGES)
        return image_va_to_maddr(pool[pool_used++]);
    f = alloc_frames(NULL, 0, 0);
    return mfn_eq(f, INVALID_MFN) ? ~0UL : mfn_to_maddr(f);
}

static void slot_set(unsigned page, uint64_t e)
{
    unsigned cpu = this_cpu_id();

    if (percpu_l1[cpu][page] == e)
        return;
    WRITE_ONCE(percpu_l1[cpu][page], e);
    invlpg(percpu_va(cpu, page));
}

/* Reach a table: inside the image directly, else through window `w` of this CPU. */
static uint64_t *table_reach(uint64_t maddr, unsigned w)
{
    if (maddr < boot_info.image_end && maddr >= boot_info.image_start)
        return (uint64_t *)(VA_IMAGE + maddr);
    slot_set(PERCPU_TABLE_PAGE + w, maddr | HPTE_RW);
    return (uint64_t *)percpu_va(this_cpu_id(), PERCPU_TABLE_PAGE + w);
}

/* The table below entry e, made if it is not there. NULL: no memory, or a large page is there. */
static uint64_t *table_below(uint64_t *e, unsigned w, uint64_t user)
{
    bool fresh = !(*e & PTE_P);
    uint64_t maddr = fresh ? table_alloc() : *e & PTE_ADDR_MASK, *t;

    if ((*e & PTE_PSE) || maddr == ~0UL)
        return NULL;
    t = table_reach(maddr, w);
    if (fresh) {
        memset(t, 0, PAGE_SIZE);
        __atomic_store_n(e, maddr | HPTE_TABLE | user, __ATOMIC_RELEASE);
    }
    return t;
}

/* One step of hv_map_range: a 2 MiB page if it fits, else one 4 KiB page. Returns the number of
 * frames, 0: failed. */
static uint64_t map_step(uint64_t va, uint64_t maddr, uint64_t nr, uint64_t flags)
{
    unsigned slot = (va >> 39 & 511) - L4_HV_FIRST;
    uint64_t user = flags & PTE_USER, *l2, *l1, *e;
    bool large = nr >= 512 && !((va | maddr) & 0x1fffff);

    l2 = table_below(&l3_table[slot][va >> 30 & 511], 0, user);
    if (!l2)
        return 0;
    e = &l2[va >> 21 & 511];
    if (large && (!(*e & PTE_P) || (!flags && (*e & PTE_PSE)))) {
        WRITE_ONCE(*e, flags ? maddr | flags | PTE_PSE : 0);
        return 512;
    }
    l1 = table_below(e, 1, user);
    if (!l1)
        return 0;
    WRITE_ONCE(l1[va >> 12 & 511], flags ? maddr | flags : 0);
    return 1;
}

/* flags 0: unmap. -EINVAL: not in our slots, or would split a large page or run out of memory for
 * tables. */
int hv_map_range(uint64_t va, mfn_t first, uint64_t nr_frames, uint64_t pte_flags)
{
    uint64_t maddr = mfn_to_maddr(first), done = 1;
    unsigned slot = va >> 39 & 511;

    if (slot < L4_HV_FIRST || slot >= L4_HV_FIRST + SLOTS)
        return -EINVAL;
    spin_lock(&paging_lock);
    for (; nr_frames && done; nr_frames -= done) {
        done = map_step(va, maddr, nr_frames, pte_flags);
        va += done << PAGE_SHIFT;
        maddr += done << PAGE_SHIFT;
    }
    spin_unlock(&paging_lock);
    if (!pte_flags)
        tlb_flush_mask(&cpus_online);
    return done ? 0 : -ENOMEM;
}

void *hv_map_window(uint64_t maddr, size_t size, uint64_t flags)
{
    uint64_t first = maddr & PAGE_MASK,
             pages = (ROUND_UP(maddr + size, PAGE_SIZE) - first) >> PAGE_SHIFT, va;

    if (!size || maddr + size < maddr || pages > IOREMAP_SIZE >> PAGE_SHIFT)
        return NULL;
    spin_lock(&paging_lock);
    va = ioremap_next;
    if (va + (pages << PAGE_SHIFT) > VA_IOREMAP + IOREMAP_SIZE)
        va = 0;
    else
        ioremap_next += pages << PAGE_SHIFT;
    spin_unlock(&paging_lock);
    if (!va || hv_map_range(va, maddr_to_mfn(first), pages, flags))
        return NULL;
    return (void *)(va + (maddr - first));
}

/* --- per-CPU regions --- */

uint64_t hv_page_maddr(const void *p)
{
    return (uint64_t)p >= VA_HEAP ? mfn_to_maddr(virt_to_mfn(p)) : image_va_to_maddr(p);
}

void gdt_slot_set(unsigned i, mfn_t f)
{
    slot_set(PERCPU_GDT_PAGE + i, mfn_eq(f, INVALID_MFN) ? image_va_to_maddr(zero_page) | HPTE_RO
                                                         : mfn_to_maddr(f) | HPTE_RW);
}

/* An LDT page that is not there stays not present: the fault is how it gets mapped. */
void ldt_slot_set(unsigned i, mfn_t f)
{
    slot_set(PERCPU_LDT_PAGE + i, mfn_eq(f, INVALID_MFN) ? 0 : mfn_to_maddr(f) | HPTE_RW);
}

void *vcpu_info_window(mfn_t f)
{
    slot_set(PERCPU_INFO_PAGE, mfn_eq(f, INVALID_MFN) ? 0 : mfn_to_maddr(f) | HPTE_RW);
    return (void *)percpu_va(this_cpu_id(), PERCPU_INFO_PAGE);
}

int hv_paging_cpu_init(unsigned cpu)
{
    uint64_t *l1 = hv_boot_page();

    if (!l1)
        return -ENOMEM;
    l1[PERCPU_STUB_PAGE] = image_va_to_maddr(_stub_start) | HPTE_RX;
    for (unsigned i = 0; i < PERCPU_STACK_PAGES; i++) {
        void *page;

        if (i == 4) /* guard: below the main stack, above the IST ones */
            continue;
        page = hv_boot_page();
        if (!page)
            return -ENOMEM;
        l1[PERCPU_STACK_PAGE + i] = hv_page_maddr(page) | HPTE_RW;
    }
    for (unsigned i = 0; i < 16; i++)
        l1[PERCPU_GDT_PAGE + i] = image_va_to_maddr(zero_page) | HPTE_RO;
    percpu_l1[cpu] = l1;
    WRITE_ONCE(percpu_l2[cpu], hv_page_maddr(l1) | HPTE_TABLE);
    return 0;
}

/* --- boot --- */

static void map_image_part(const char *start, const char *end, uint64_t flags)
{
    for (const char *p = start; p < end; p += PAGE_SIZE)
        if (!map_step((uint64_t)p, image_va_to_maddr(p), 1, flags))
            panic("no page table for the image"); /* boot: the pool is sized for it */
}

void hv_paging_init(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        hv_root[L4_HV_FIRST + i] = image_va_to_maddr(l3_table[i]) | HPTE_TABLE | (i ? 0 : PTE_USER);
    map_image_part(_image_start, _etext, HPTE_RX);
    map_image_part(_etext, _erodata, HPTE_RO);
    map_image_part(_erodata, _end, HPTE_RW);

    l3_table[3][VA_PERCPU >> 30 & 511] = image_va_to_maddr(percpu_l2) | HPTE_TABLE;
    if (hv_paging_cpu_init(0))
        panic("no memory for the boot CPU's stack"); /* boot: the pool is sized for it */
    write_cr(3, image_va_to_maddr(hv_root));
}
