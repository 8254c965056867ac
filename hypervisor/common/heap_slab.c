/* SPDX-License-Identifier: MIT */
/*
 * Objects of 16 … 2048 bytes: a page of the heap is cut into objects of one power-of-two size, so
 * that an object is aligned to its size. The page's word in the frame table (type) says which size,
 * how many are in use, and where its free list starts; free objects are linked through their first
 * two bytes. Larger objects are whole pages.
 *
 * Interface: hv_alloc, hv_free (hv/frame.h).
 * Invariant: a page with room is on its size's list (next, prev); a full one is on none; an empty
 * one goes back to the heap. Lock: slab_lock.
 */
#include <hv/frame_priv.h>
#include <hv/string.h>

#define MIN_SHIFT 4
#define MAX_SHIFT 11
#define NO_OBJECT 0xffff

/* The slab word. */
struct slab {
    uint16_t free; /* offset of the first free object */
    uint16_t in_use;
    uint16_t shift;
    uint16_t spare;
};
_Static_assert(sizeof(struct slab) == sizeof(uint64_t), "the slab word is the frame's type word");

static spinlock_t slab_lock = SPINLOCK_INIT;
static uint32_t partial[MAX_SHIFT + 1];

static struct slab *slab_of(uint64_t n)
{
    return (struct slab *)(uintptr_t)&FRAME_TABLE[n].type;
}

/* A page cut into objects of 1 << shift, not on the list yet. */
static uint64_t new_slab(unsigned shift)
{
    char *page = heap_alloc_pages(0);
    uint64_t n;

    if (!page)
        return 0;
    n = virt_to_mfn(page).m;
    for (unsigned off = 0; off < PAGE_SIZE; off += 1u << shift)
        *(uint16_t *)(page + off) =
            off + (1u << shift) < PAGE_SIZE ? off + (1u << shift) : NO_OBJECT;
    FRAME_TABLE[n].flags |= FF_SLAB;
    *slab_of(n) = (struct slab){.shift = shift};
    return n;
}

static void *take_object(unsigned shift)
{
    uint64_t n = partial[shift];
    struct slab *s = slab_of(n);
    char *page = heap_mfn_to_virt(mfn(n)), *obj = page + s->free;

    s->free = *(uint16_t *)obj;
    s->in_use++;
    if (s->free == NO_OBJECT)
        frame_list_remove(&partial[shift], n);
    return obj;
}

void *hv_alloc(size_t size)
{
    unsigned shift = MIN_SHIFT;
    void *obj;

    if (size > 1u << MAX_SHIFT) {
        unsigned order = 0;

        if (size > PAGE_SIZE << ORDER_MAX)
            return NULL;
        while (PAGE_SIZE << order < size)
            order++;
        obj = heap_alloc_pages(order);
        if (obj)
            frame_of(virt_to_mfn(obj))->aux = order;
        return obj;
    }
    while (1u << shift < size)
        shift++;
    spin_lock(&slab_lock);
    while (!partial[shift]) {
        uint64_t n;

        spin_unlock(&slab_lock); /* the heap may have to grow */
        n = new_slab(shift);
        if (!n)
            return NULL;
        spin_lock(&slab_lock);
        frame_list_push(&partial[shift], n);
    }
    obj = take_object(shift);
    spin_unlock(&slab_lock);
    return memset(obj, 0, 1u << shift);
}

void hv_free(void *p)
{
    uint64_t n = 0;
    struct slab *s;
    struct frame *f;
    bool empty;

    if (!p)
        return;
    n = virt_to_mfn(p).m;
    f = &FRAME_TABLE[n];
    if (!(f->flags & FF_SLAB)) {
        heap_free_pages(p, f->aux);
        return;
    }
    s = slab_of(n);
    spin_lock(&slab_lock);
    if (s->free == NO_OBJECT)
        frame_list_push(&partial[s->shift], n);
    *(uint16_t *)p = s->free;
    s->free = (uintptr_t)p % PAGE_SIZE;
    empty = !--s->in_use;
    if (empty) {
        frame_list_remove(&partial[s->shift], n);
        f->flags &= ~FF_SLAB;
        f->type = 0;
    }
    spin_unlock(&slab_lock);
    if (empty)
        heap_free_pages(heap_mfn_to_virt(mfn(n)), 0);
}
