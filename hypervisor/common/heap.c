/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's heap: 2 MiB chunks taken from the frame allocator when it runs out, mapped for
 * ever at HEAP_BASE + machine address, cut into blocks of pages. Objects smaller than a page are in
 * heap_slab.c.
 *
 * Interface: heap_alloc_pages, heap_free_pages, share_page, unshare_page (hv/frame.h).
 * Invariant: free pages of the heap hold nothing; pages are zeroed when they are allocated. Lock:
 * heap_lock (a heap lock).
 */
#include <hv/frame_priv.h>
#include <hv/string.h>
#include <hv/printk.h>
#include <asm/page.h>

#define CHUNK_ORDER 9u

static spinlock_t heap_lock = SPINLOCK_INIT;
static struct buddy pages = {.free_flag = FF_HEAP_FREE};
static uint64_t nr_chunk_frames, nr_free;

uint64_t heap_frames_free(void)
{
    return READ_ONCE(nr_free);
}

uint64_t heap_bytes_used(void)
{
    return (READ_ONCE(nr_chunk_frames) - READ_ONCE(nr_free)) << PAGE_SHIFT;
}

mfn_t virt_to_mfn(const void *p)
{
    return maddr_to_mfn((uint64_t)((const char *)p - HEAP_BASE));
}

void *heap_mfn_to_virt(mfn_t f)
{
    return HEAP_BASE + mfn_to_maddr(f);
}

/* Take and map 2^order frames. False: no memory. */
static bool grow(unsigned order)
{
    mfn_t m = alloc_frames(NULL, order, ALLOC_NO_SCRUB);

    if (mfn_eq(m, INVALID_MFN))
        return false;
    if (hv_map_range((uint64_t)heap_mfn_to_virt(m), m, 1UL << order, PTE_P | PTE_RW | PTE_NX)) {
        free_frames(m, order);
        return false;
    }
    spin_lock(&heap_lock);
    for (uint64_t i = 0; i < 1UL << order; i++)
        FRAME_TABLE[m.m + i].flags |= FF_HEAP;
    buddy_free(&pages, m.m, order, 0);
    nr_chunk_frames += 1UL << order;
    nr_free += 1UL << order;
    spin_unlock(&heap_lock);
    return true;
}

void heap_init(void)
{
    if (!grow(CHUNK_ORDER)) /* boot: no guest exists */
        panic("no 2 MiB of contiguous free RAM for the hypervisor's heap");
}

void *heap_alloc_pages(unsigned order)
{
    uint64_t n, stamp = 0;

    for (;;) {
        spin_lock(&heap_lock);
        n = buddy_alloc(&pages, order, &stamp);
        if (n)
            nr_free -= 1UL << order;
        spin_unlock(&heap_lock);
        if (n)
            break;
        /* With fragmented RAM less than a chunk will do. */
        if (!grow(MAX(order, CHUNK_ORDER)) && !grow(order))
            return NULL;
    }
    buddy_flush(stamp); /* pages that were shared with a guest may be in its TLB still */
    for (uint64_t i = 0; i < 1UL << order; i++)
        FRAME_TABLE[n + i].type = 0;
    return memset(heap_mfn_to_virt(mfn(n)), 0, PAGE_SIZE << order);
}

static void put_pages(uint64_t first, unsigned order, uint64_t stamp)
{
    spin_lock(&heap_lock);
    buddy_free(&pages, first, order, stamp);
    nr_free += 1UL << order;
    spin_unlock(&heap_lock);
}

void heap_free_pages(void *p, unsigned order)
{
    if (p)
        put_pages(virt_to_mfn(p).m, order, 0);
}

/* --- pages shared with a guest
 * --------------------------------------------------------------------------------------- */

void share_page(struct domain *d, void *p, bool writable)
{
    mfn_t m = virt_to_mfn(p);
    struct frame *f = frame_of(m);

    /*
     * The type reference is ours and lasts as long as the sharing: FT_SHARED stands for writable
     * mappings, a valid FT_NONE makes every other type impossible, so that the guest can only read.
     */
    f->type = TYPE_WORD(writable ? FT_SHARED : FT_NONE) | TYPE_VALID | 1;
    f->owner = d->id;
    m2p_set(m, ~0UL);
    __atomic_store_n(&f->ref, REF_ALLOCATED | 1, __ATOMIC_RELEASE);
}

void unshare_page(void *p)
{
    struct frame *f = frame_of(virt_to_mfn(p));

    f->owner = DOMID_INVALID; /* no new mappings */
    __atomic_fetch_and(&f->ref, ~REF_ALLOCATED, __ATOMIC_ACQ_REL);
    frame_put(frame_mfn(f));
}

void heap_frame_free(mfn_t m)
{
    struct frame *f = frame_of(m);

    memset(heap_mfn_to_virt(m), 0, PAGE_SIZE);
    f->type = 0;
    f->owner = 0;
    put_pages(m.m, 0, tlb_clock());
}
