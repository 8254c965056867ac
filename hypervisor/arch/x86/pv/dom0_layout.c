/* SPDX-License-Identifier: MIT */
/*
 * What lies where in dom0's first address space, and which machine frames its pfns are.
 *
 * Virtual, as the ABI says (<xen/xen.h>, start-of-day): kernel, [initrd], [P2M list], start_info,
 * page tables, boot stack, then ≥ 512 KiB of room, 4 MiB-aligned. Pfns follow virtual addresses
 * from v_start; then an initrd that the kernel wants unmapped, then the P2M list and its tables if
 * the kernel names an address for it, then the rest of memory.
 */
#include "dom0.h"
#include <hv/string.h>

#define PAGES(bytes) (((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define ROOM         (512UL << 10)
#define END_ALIGN    (4UL << 20)
#define BIG_ORDER    9
#define RUNS_SLACK   4096 /* smaller than that: the rests of the memory map's ranges */

#define TOO_MANY_RUNS "the machine's memory is in too many pieces"

static uint64_t span(uint64_t start, uint64_t end, unsigned shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

uint64_t dom0_tables_for(uint64_t start, uint64_t end)
{
    return span(start, end, 21) + span(start, end, 30) + span(start, end, 39);
}

static uint64_t place(uint64_t *at, uint64_t bytes)
{
    uint64_t here = *at;

    *at += PAGES(bytes) << PAGE_SHIFT;
    return here;
}

const char *dom0_layout(struct dom0_image *im)
{
    const struct elf_kernel *k = &im->elf;
    uint64_t at = k->virt_end, list = im->nr_pages * sizeof(uint64_t), tables, used;

    im->v_start = k->virt_base;
    if (im->v_start & (END_ALIGN - 1))
        return "note VIRT_BASE is not a multiple of 4 MiB";
    im->initrd_mapped = im->initrd_bytes && !k->mod_start_pfn;
    if (im->initrd_mapped)
        im->initrd = place(&at, im->initrd_bytes);
    im->p2m = k->init_p2m == ELF_UNSET ? place(&at, list) : k->init_p2m;
    im->start_info = place(&at, PAGE_SIZE);
    im->page_tables = at;
    /* More tables make the area longer, which may need more tables: the smallest number that maps
     * itself. */
    for (tables = 1;; tables++) {
        im->stack = im->page_tables + tables * PAGE_SIZE;
        im->v_end = ROUND_UP(im->stack + PAGE_SIZE + ROOM, END_ALIGN);
        if (im->v_end <= im->v_start)
            return "the kernel is placed too close to the top of the address space";
        if (1 + dom0_tables_for(im->v_start, im->v_end) <= tables)
            break;
    }
    im->nr_page_tables = tables;
    if (im->v_start < HV_VIRT_END && im->v_end > HV_VIRT_START)
        return "the kernel (note VIRT_BASE) overlaps the hypervisor's addresses";
    if (!guest_range_ok(im->v_start, im->v_end - im->v_start))
        return "the kernel (note VIRT_BASE) is placed at a non-canonical address";

    used = (im->v_end - im->v_start) >> PAGE_SHIFT;
    if (im->initrd_mapped)
        im->initrd_pfn = (im->initrd - im->v_start) >> PAGE_SHIFT;
    else if (im->initrd_pages) {
        im->initrd_pfn = used;
        used += im->initrd_pages;
    }
    if (k->init_p2m != ELF_UNSET) {
        uint64_t end = im->p2m + (PAGES(list) << PAGE_SHIFT);

        if (end < im->p2m || !guest_range_ok(im->p2m, end - im->p2m) ||
            (im->p2m < im->v_end && end > im->v_start))
            return "note INIT_P2M names addresses that are not free";
        im->p2m_pfn = used;
        im->p2m_list_pages = PAGES(list);
        im->p2m_pages = im->p2m_list_pages + dom0_tables_for(im->p2m, end);
        used += im->p2m_pages;
    }
    im->used_pages = used;
    if (used > im->nr_pages)
        return "dom0_mem is too small for the kernel, its initrd and its tables";
    return NULL;
}

/* --- machine frames --- */

static bool add_run(struct dom0_image *im, uint64_t pfn, uint64_t m, uint64_t n)
{
    struct run *last = im->nr_runs ? &im->runs[im->nr_runs - 1] : NULL;

    if (last && last->pfn + last->n == pfn && last->mfn + last->n == m) {
        last->n += n;
        return true;
    }
    if (im->nr_runs == im->max_runs)
        return false;
    im->runs[im->nr_runs++] = (struct run){pfn, m, n};
    return true;
}

static const char *alloc_runs(struct dom0_image *im, uint64_t pfn, uint64_t end, unsigned flags)
{
    while (pfn < end) {
        unsigned order = BIG_ORDER;
        mfn_t m;

        while (1UL << order > end - pfn)
            order--;
        for (;; order--) {
            m = alloc_frames(im->d, order, flags);
            if (!mfn_eq(m, INVALID_MFN) || !order)
                break;
        }
        if (mfn_eq(m, INVALID_MFN))
            return "there is not enough free memory for dom0_mem";
        if (!add_run(im, pfn, m.m, 1UL << order))
            return TOO_MANY_RUNS;
        pfn += 1UL << order;
    }
    return NULL;
}

/* The module's own frames become dom0's: no copy. */
static const char *give_initrd(struct dom0_image *im, uint64_t maddr)
{
    uint64_t m = maddr >> PAGE_SHIFT;

    for (uint64_t i = 0; i < im->initrd_pages; i++)
        if (frame_adopt(mfn(m + i), im->d))
            return "the initrd does not fit in dom0's memory limit";
    return add_run(im, im->initrd_pfn, m, im->initrd_pages) ? NULL : TOO_MANY_RUNS;
}

const char *dom0_populate(struct dom0_image *im, uint64_t initrd_maddr)
{
    uint64_t pfn = im->initrd_pages ? im->initrd_pfn : 0;
    const char *err;

    im->max_runs = (im->nr_pages >> BIG_ORDER) + RUNS_SLACK;
    im->runs = hv_alloc(im->max_runs * sizeof(*im->runs));
    if (!im->runs)
        return "out of hypervisor memory";
    err = alloc_runs(im, 0, pfn, 0); /* zeroed: .bss and tables are in it */

    if (!err && im->initrd_pages)
        err = give_initrd(im, initrd_maddr);
    pfn += im->initrd_pages;
    if (!err)
        err = alloc_runs(im, pfn, im->used_pages, 0);
    return err ? err : alloc_runs(im, im->used_pages, im->nr_pages, ALLOC_NO_SCRUB);
}

mfn_t dom0_mfn(const struct dom0_image *im, uint64_t pfn)
{
    unsigned lo = 0, hi = im->nr_runs;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        const struct run *r = &im->runs[mid];

        if (pfn < r->pfn)
            hi = mid;
        else if (pfn >= r->pfn + r->n)
            lo = mid + 1;
        else
            return mfn(r->mfn + (pfn - r->pfn));
    }
    return INVALID_MFN;
}

void dom0_write(const struct dom0_image *im, uint64_t va, const void *src, uint64_t n)
{
    const char *s = src;

    while (n) {
        uint64_t in_page = va & ~PAGE_MASK, step = MIN(n, PAGE_SIZE - in_page);
        char *p = map_frame(dom0_va_mfn(im, va));

        memcpy(p + in_page, s, step);
        unmap_frame(p);
        s += step;
        va += step;
        n -= step;
    }
}
