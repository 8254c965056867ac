/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: who owns which RAM.
 *
 * Interface: alloc_frames, free_frames, frame_release, frame_take, frames_give, and the counts
 * (hv/frame.h). Invariants: nr_free is exactly the frames in the two zones. d->tot_pages is exactly
 * the frames on d's list. Frames are scrubbed when they are freed; RAM that nobody has used since
 * boot is FF_DIRTY and scrubbed when a domain first gets it. A frame that a guest's TLB may still
 * know carries the clock of its freeing; those CPUs are flushed before its next use. Locks:
 * d->page_lock for a domain's list and counts, alloc_lock (a heap lock) for the zones; never
 * nested.
 */
#include <hv/frame_priv.h>
#include <hv/domain.h>
#include <hv/string.h>
#include <hv/printk.h>
#include <asm/pv.h>

enum { ZONE_DMA32, ZONE_HIGH, NR_ZONES };
#define DMA32_END (1UL << (32 - PAGE_SHIFT))

static spinlock_t alloc_lock = SPINLOCK_INIT;
static struct buddy zone[NR_ZONES] = {{.free_flag = FF_FREE}, {.free_flag = FF_FREE}};
static uint64_t nr_free;
static uint64_t nr_total;   /* of the machine; 0: not started */
static uint64_t nr_claimed; /* of the free ones: only for the domains that claimed them */
unsigned long frames_to_reap;

uint64_t frames_total(void)
{
    return nr_total;
}

uint64_t frames_free(void)
{
    /* What the heap holds in reserve is free too: it comes back to the same number when all is
     * given back. */
    return READ_ONCE(nr_free) + heap_frames_free();
}

void page_alloc_start(uint64_t total)
{
    nr_total = total;
}

static struct buddy *zone_of(uint64_t n)
{
    return &zone[n < DMA32_END ? ZONE_DMA32 : ZONE_HIGH];
}

/* RAM that nobody used yet, FF_DIRTY. Largest aligned blocks first: a gigabyte is one insertion. */
void page_alloc_add(uint64_t first, uint64_t end)
{
    spin_lock(&alloc_lock);
    while (first < end) {
        unsigned order = 0;

        while (order < ORDER_MAX && !(first & (1UL << order)) && first + (2UL << order) <= end)
            order++;
        buddy_free(zone_of(first), first, order, 0);
        nr_free += 1UL << order;
        first += 1UL << order;
    }
    spin_unlock(&alloc_lock);
}

static void scrub(uint64_t n)
{
    void *p = map_frame(mfn(n));

    memset(p, 0, PAGE_SIZE);
    unmap_frame(p);
}

/* Off d's list, or that of the frames that domain_relinquish_frames has seen: which one, only
 * matters for a head. */
static void list_del_frame(struct domain *d, uint64_t n)
{
    spin_lock(&d->page_lock);
    frame_list_remove(d->pages == n ? &d->pages : &d->pages_seen, n);
    spin_unlock(&d->page_lock);
}

/* Count frames into d, or out of it (n < 0). False: over its limit, or it is dying. */
static bool count_pages(struct domain *d, int64_t n)
{
    bool ok;

    spin_lock(&d->page_lock);
    ok = n < 0 || (!d->dying && d->tot_pages + (uint64_t)n <= d->max_pages);
    if (ok)
        d->tot_pages += n;
    if (n < 0 && !d->tot_pages) /* it may be dead; this may be under any lock */
        __atomic_store_n(&frames_to_reap, 1, __ATOMIC_SEQ_CST);
    spin_unlock(&d->page_lock);
    return ok;
}

static void zone_put(uint64_t first, unsigned order, uint64_t stamp)
{
    spin_lock(&alloc_lock);
    for (uint64_t n = first; n < first + (1UL << order); n++)
        FRAME_TABLE[n].flags = FF_RAM;
    buddy_free(zone_of(first), first, order, stamp);
    nr_free += 1UL << order;
    spin_unlock(&alloc_lock);
}

void free_frames(mfn_t f, unsigned order)
{
    for (uint64_t n = f.m; n < f.m + (1UL << order); n++) {
        m2p_set(mfn(n), ~0UL);
        scrub(n);
    }
    zone_put(f.m, order, tlb_clock());
}

/* Onto d's list; they are scrubbed, and counted already. */
bool frames_give(mfn_t m, unsigned order, struct domain *d)
{
    bool ok;

    spin_lock(&d->page_lock);
    ok = !d->dying;
    for (uint64_t n = m.m; ok && n < m.m + (1UL << order); n++) {
        struct frame *f = &FRAME_TABLE[n];

        f->type = TYPE_WORD(FT_NONE);
        WRITE_ONCE(f->owner, d->id);
        f->flags = FF_RAM;
        f->aux = 0;
        frame_list_push(&d->pages, n);
        __atomic_store_n(&f->ref, REF_ALLOCATED | 1, __ATOMIC_RELEASE);
    }
    spin_unlock(&d->page_lock);
    if (!ok) {
        free_frames(m, order);
        count_pages(d, -(1L << order));
    }
    return ok;
}

/* The lock is held. Free frames that others have claimed are not for d. */
static bool may_take(const struct domain *d, uint64_t n)
{
    return nr_claimed + n <= nr_free || (d && d->claimed_pages >= n);
}

/* n frames went to d: so much less is to be kept for it. The lock is held. */
static void claim_used(struct domain *d, uint64_t n)
{
    n = MIN(n, d->claimed_pages);
    d->claimed_pages -= n;
    nr_claimed -= n;
}

uint64_t frames_claimed(void)
{
    return READ_ONCE(nr_claimed);
}

int frames_claim(struct domain *d, uint64_t pages)
{
    uint64_t has = READ_ONCE(d->tot_pages);
    int rc = 0;

    spin_lock(&alloc_lock);
    if (!pages)
        claim_used(d, d->claimed_pages);
    else if (d->claimed_pages || pages <= has || pages > d->max_pages || d->dying)
        rc = -EINVAL;
    else if (nr_claimed + (pages - has) > nr_free)
        rc = -ENOMEM;
    else
        nr_claimed += d->claimed_pages = pages - has;
    spin_unlock(&alloc_lock);
    return rc;
}

/* Out of the zones, flushed from TLBs, scrubbed where needed. */
mfn_t alloc_frames_unowned(struct domain *d, unsigned order, unsigned flags)
{
    uint64_t first = 0, stamp = 0;

    spin_lock(&alloc_lock);
    if (may_take(d, 1UL << order)) {
        if (!(flags & ALLOC_DMA32))
            first = buddy_alloc(&zone[ZONE_HIGH], order, &stamp);
        if (!first)
            first = buddy_alloc(&zone[ZONE_DMA32], order, &stamp);
    }
    if (first) {
        nr_free -= 1UL << order;
        if (d)
            claim_used(d, 1UL << order);
    }
    spin_unlock(&alloc_lock);
    if (!first)
        return INVALID_MFN;
    buddy_flush(stamp);
    for (uint64_t n = first; n < first + (1UL << order); n++) {
        if ((FRAME_TABLE[n].flags & FF_DIRTY) && !(flags & ALLOC_NO_SCRUB))
            scrub(n);
        FRAME_TABLE[n].flags = FF_RAM;
        FRAME_TABLE[n].type = 0;
    }
    return mfn(first);
}

mfn_t alloc_frames(struct domain *d, unsigned order, unsigned flags)
{
    mfn_t m;

    if (!nr_total)
        return boot_alloc_frames(order);
    if (order > ORDER_MAX || (d && !count_pages(d, 1L << order)))
        return INVALID_MFN;
    m = alloc_frames_unowned(d, order, flags);
    if (mfn_eq(m, INVALID_MFN)) {
        if (d)
            count_pages(d, -(1L << order));
    } else if (d) {
        return frames_give(m, order, d) ? m : INVALID_MFN;
    } else {
        for (uint64_t n = m.m; n < m.m + (1UL << order); n++)
            FRAME_TABLE[n].flags |= FF_HV;
    }
    return m;
}

void frames_release_range(uint64_t start, uint64_t end)
{
    /* A loader may put a module below 1 MiB, which is nobody's to use (BIOS data, AP trampoline).
     */
    start = MAX(ROUND_UP(start, PAGE_SIZE), 1UL << 20);
    if (start < end)
        page_alloc_add(start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* --- references --- */

bool frame_get(mfn_t m, const struct domain *d)
{
    return frame_described(m) && frame_try_get(frame_of(m), d->id);
}

/* The last reference is gone: nothing maps the frame, its type count is 0. */
void frame_free_last(struct frame *f)
{
    mfn_t m = frame_mfn(f);
    struct domain *d;

    if (f->flags & FF_HEAP) {
        heap_frame_free(m);
        return;
    }
    if (f->type & (TYPE_COUNT | TYPE_PARTIAL |
                   TYPE_BUSY)) /* every type reference holds a reference: our own mistake */
        panic("frame %#lx of d%u freed with type word %#lx", m.m, f->owner, f->type);
    d = frame_owner(f);
    list_del_frame(d, m.m);
    free_frames(m, 0);
    count_pages(d, -1);
}

void frame_put(mfn_t m)
{
    frame_drop(frame_of(m));
}

bool frame_release(mfn_t m, struct domain *d)
{
    struct frame *f = frame_of(m);

    if (!(__atomic_fetch_and(&f->ref, ~REF_ALLOCATED, __ATOMIC_ACQ_REL) & REF_ALLOCATED))
        return false;
    frame_put(m);
    return true;
}

int frame_take(mfn_t m, struct domain *d)
{
    struct frame *f;
    uint64_t want = REF_ALLOCATED | 1;

    if (!mfn_is_ram(m))
        return -EINVAL;
    f = frame_of(m);
    if (READ_ONCE(f->owner) != d->id || (f->flags & (FF_HEAP | FF_HV)) || !(f->ref & REF_COUNT))
        return -EINVAL;
    if (!__atomic_compare_exchange_n(&f->ref, &want, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return -EBUSY;
    list_del_frame(d, m.m);
    WRITE_ONCE(f->owner, DOMID_INVALID);
    return 0;
}

int frame_adopt(mfn_t m, struct domain *d)
{
    if (!mfn_is_ram(m) || frame_of(m)->ref || (frame_of(m)->flags & (FF_FREE | FF_HV | FF_HEAP)) ||
        !count_pages(d, 1) || !frames_give(m, 0, d))
        return -EINVAL;
    return 0;
}

/* --- destroy --- */

#define RELINQUISH_BATCH 32

long domain_relinquish_frames(struct domain *d)
{
    mfn_t m;

    frames_claim(d, 0);
    for (unsigned i = 1; (m = mfn(READ_ONCE(d->pages))).m; i++) {
        /* A count of 0 means that another CPU is freeing it: then it goes by itself. */
        if (frame_get(m, d)) {
            long rc = frame_drop_types(m, d);

            if (rc) { /* come back to this one first */
                frame_put(m);
                return rc;
            }
            spin_lock(&d->page_lock);
            frame_list_remove(&d->pages, m.m);
            frame_list_push(&d->pages_seen, m.m);
            spin_unlock(&d->page_lock);
            frame_release(m, d);
            frame_put(m);
        }
        if (!(i % RELINQUISH_BATCH) && preempt_needed())
            return -HC_RESTART;
    }
    return 0;
}
