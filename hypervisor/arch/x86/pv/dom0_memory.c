/* SPDX-License-Identifier: MIT */
/*
 * dom0's memory while it is being built: allocated in 2 MiB extents (its page tables and ours stay
 * small, allocation is quick), known as runs that are contiguous in pfn and mfn, reached a frame at
 * a time. Boot CPU only; no lock.
 */
#include "dom0.h"
#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/frame.h>
#include <hv/printk.h>
#include <hv/string.h>

#define EXTENT_ORDER 9
#define RESERVE_MAX \
    (128UL << 20) /* kept free for the first guests and our heap when no dom0_mem is given */

static bool add_run(struct dom0_memory *m, uint64_t pfn, mfn_t f, uint64_t count)
{
    struct dom0_run *last = m->nr_runs ? &m->run[m->nr_runs - 1] : NULL;

    if (last && last->mfn + last->count == f.m) {
        last->count += count;
        return true;
    }
    if (m->nr_runs == m->max_runs)
        return false;
    m->run[m->nr_runs++] = (struct dom0_run){pfn, f.m, count};
    return true;
}

static uint64_t wanted_pages(void)
{
    uint64_t free = frames_free();
    uint64_t reserve = MIN(free / 16, RESERVE_MAX >> PAGE_SHIFT);
    uint64_t want = opt.dom0_mem ? opt.dom0_mem >> PAGE_SHIFT : free - reserve;

    if (want > free - free / 64) {
        pr_warn("dom0_mem: %lu MiB asked for, %lu MiB free; dom0 gets less\n", want >> 8,
                free >> 8);
        want = free - free / 64;
    }
    return want;
}

int dom0_memory_alloc(struct dom0_memory *m, struct domain *d)
{
    unsigned order = EXTENT_ORDER;

    *m = (struct dom0_memory){.d = d, .nr_pages = wanted_pages()};
    d->max_pages = opt.dom0_mem_max ? MAX(opt.dom0_mem_max >> PAGE_SHIFT, m->nr_pages) : UINT32_MAX;
    m->max_runs = (m->nr_pages >> EXTENT_ORDER) + 1024;
    m->run = hv_alloc(m->max_runs * sizeof(*m->run));
    if (!m->run)
        return -ENOMEM;
    for (uint64_t pfn = 0; pfn < m->nr_pages;) {
        mfn_t f;

        while ((1UL << order) > m->nr_pages - pfn)
            order--;
        f = alloc_frames(d, order, ALLOC_NO_SCRUB);
        if (mfn_eq(f, INVALID_MFN) && order--)
            continue;
        if (mfn_eq(f, INVALID_MFN) || !add_run(m, pfn, f, 1UL << order))
            return -ENOMEM;
        pfn += 1UL << order;
    }
    return 0;
}

void dom0_memory_done(struct dom0_memory *m)
{
    hv_free(m->run);
    m->run = NULL;
}

mfn_t dom0_pfn_to_mfn(const struct dom0_memory *m, uint64_t pfn)
{
    unsigned lo = 0, hi = m->nr_runs;

    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;

        if (m->run[mid].pfn <= pfn)
            lo = mid;
        else
            hi = mid;
    }
    return mfn(m->run[lo].mfn + (pfn - m->run[lo].pfn));
}

/* One piece of a copy: never crosses a frame of dom0's. */
static size_t piece(uint64_t paddr, uint64_t n)
{
    return MIN(n, PAGE_SIZE - (paddr & (PAGE_SIZE - 1)));
}

static char *map_paddr(const struct dom0_memory *m, uint64_t paddr)
{
    return (char *)map_frame(dom0_pfn_to_mfn(m, paddr >> PAGE_SHIFT)) + (paddr & (PAGE_SIZE - 1));
}

void dom0_write(const struct dom0_memory *m, uint64_t paddr, const void *src, size_t n)
{
    for (size_t part; n; n -= part, paddr += part, src = (const char *)src + part) {
        char *dst = map_paddr(m, paddr);

        part = piece(paddr, n);
        memcpy(dst, src, part);
        unmap_frame(dst);
    }
}

void dom0_clear(const struct dom0_memory *m, uint64_t paddr, uint64_t n)
{
    for (size_t part; n; n -= part, paddr += part) {
        char *dst = map_paddr(m, paddr);

        part = piece(paddr, n);
        memset(dst, 0, part);
        unmap_frame(dst);
    }
}

void dom0_copy_module(const struct dom0_memory *m, uint64_t paddr, uint64_t maddr, uint64_t n)
{
    for (size_t part; n; n -= part, paddr += part, maddr += part) {
        size_t left = PAGE_SIZE - (maddr & (PAGE_SIZE - 1));
        char *src = (char *)map_frame(maddr_to_mfn(maddr)) + (maddr & (PAGE_SIZE - 1));

        part = MIN(MIN(n, PAGE_SIZE), left);
        dom0_write(m, paddr, src, part);
        unmap_frame(src);
    }
}
