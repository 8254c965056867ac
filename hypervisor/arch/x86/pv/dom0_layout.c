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

#define ROOM      (512UL << 10)
#define END_ALIGN (4UL << 20)
#define BIG_ORDER 9
#define PER_PAGE  (PAGE_SIZE / sizeof(uint64_t))

#define NO_MEMORY "there is not enough free memory for dom0_mem"

static uint64_t span(uint64_t start, uint64_t end, unsigned shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

/* Tables needed to map [start, end), all four levels but the L4. */
static uint64_t tables_for(uint64_t start, uint64_t end)
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
    uint64_t at = k->virt_end, list = im->nr_pages * sizeof(uint64_t), tables;

    im->v_start = k->virt_base;
    if (im->v_start & (END_ALIGN - 1))
        return "note VIRT_BASE is not a multiple of 4 MiB";
    im->initrd_mapped = im->initrd_bytes && !k->mod_start_pfn;
    if (im->initrd_mapped)
        im->initrd_pfn = (place(&at, im->initrd_bytes) - im->v_start) >> PAGE_SHIFT;
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
        if (1 + tables_for(im->v_start, im->v_end) <= tables)
            break;
    }
    im->nr_page_tables = tables;
    if (im->v_start < HV_VIRT_END && im->v_end > HV_VIRT_START)
        return "the kernel (note VIRT_BASE) overlaps the hypervisor's addresses";
    if (!guest_range_ok(im->v_start, im->v_end - im->v_start))
        return "the kernel (note VIRT_BASE) is placed at a non-canonical address";

    im->used_pages = (im->v_end - im->v_start) >> PAGE_SHIFT;
    im->list_pfn = (im->p2m - im->v_start) >> PAGE_SHIFT;
    im->list_pages = PAGES(list);
    if (!im->initrd_mapped) {
        im->initrd_pfn = im->used_pages;
        im->used_pages += im->initrd_pages;
    }
    if (k->init_p2m != ELF_UNSET) {
        uint64_t end = im->p2m + (im->list_pages << PAGE_SHIFT);

        if (end < im->p2m || !guest_range_ok(im->p2m, end - im->p2m) ||
            (im->p2m < im->v_end && end > im->v_start))
            return "note INIT_P2M names addresses that are not free";
        im->list_pfn = im->used_pages;
        im->list_tables = tables_for(im->p2m, end);
        im->used_pages += im->list_pages + im->list_tables;
    }
    if (im->used_pages > im->nr_pages)
        return "dom0_mem is too small for the kernel, its initrd and its tables";
    return NULL;
}

/* --- machine frames --- */

mfn_t dom0_mfn(const struct dom0_image *im, uint64_t pfn)
{
    uint64_t *list = map_frame(im->list[pfn / PER_PAGE]);
    mfn_t m = mfn(list[pfn % PER_PAGE]);

    unmap_frame(list);
    return m;
}

/* Pfns [pfn, pfn + n) are the frames from m on. */
static void set_frames(struct dom0_image *im, uint64_t pfn, mfn_t m, uint64_t n)
{
    for (; n; n--, pfn++, m.m++) {
        uint64_t *list = map_frame(im->list[pfn / PER_PAGE]);

        list[pfn % PER_PAGE] = m.m;
        unmap_frame(list);
        m2p_set(m, pfn);
    }
}

static bool add_block(struct dom0_image *im, uint64_t pfn, unsigned order, unsigned flags)
{
    mfn_t m = alloc_frames(im->d, order, flags);

    if (!mfn_is_set(m))
        return false;
    set_frames(im, pfn, m, 1UL << order);
    return true;
}

static const char *make_list(struct dom0_image *im)
{
    im->list = hv_alloc(im->list_pages * sizeof(*im->list));
    if (!im->list)
        return "out of hypervisor memory";
    for (uint64_t i = 0; i < im->list_pages; i++) {
        im->list[i] = alloc_frames(im->d, 0, 0);
        if (!mfn_is_set(im->list[i]))
            return NO_MEMORY;
    }
    for (uint64_t i = 0; i < im->list_pages; i++)
        set_frames(im, im->list_pfn + i, im->list[i], 1);
    return NULL;
}

const char *dom0_populate(struct dom0_image *im, uint64_t initrd_maddr)
{
    mfn_t initrd = maddr_to_mfn(initrd_maddr);
    const char *err = make_list(im);
    uint64_t pfn = 0;

    if (err)
        return err;
    /* The module's own frames become dom0's: no copy. */
    for (uint64_t i = 0; i < im->initrd_pages; i++)
        if (frame_adopt(mfn(initrd.m + i), im->d))
            return "the initrd does not fit in dom0's memory limit";
    set_frames(im, im->initrd_pfn, initrd, im->initrd_pages);
    for (; pfn < im->used_pages; pfn++) /* zeroed: .bss and tables are among them */
        if (!mfn_is_set(dom0_mfn(im, pfn)) && !add_block(im, pfn, 0, 0))
            return NO_MEMORY;
    for (unsigned order = BIG_ORDER; pfn < im->nr_pages;) {
        if (1UL << order <= im->nr_pages - pfn && add_block(im, pfn, order, ALLOC_NO_SCRUB))
            pfn += 1UL << order;
        else if (!order--)
            return NO_MEMORY;
    }
    return NULL;
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
