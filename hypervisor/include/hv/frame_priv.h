/* SPDX-License-Identifier: MIT */
/*
 * The inside of struct frame, for the rooms that keep it: page_alloc, heap, frame_table, page_type,
 * validate, memory_op. Everyone else uses hv/frame.h.
 *
 * Three lives of a descriptor:
 *   free       ref 0, FF_FREE on the head of a block: next/prev its free list, aux its order, type
 * the TLB stamp hypervisor ref 0, FF_HV; a heap page besides has FF_HEAP… and, when it is cut into
 * objects, the slab word in type guest's    ref > 0: owner, type word and list links as the essay
 * in arch/x86/pv/page_type.c says
 */
#ifndef HV_FRAME_PRIV_H
#define HV_FRAME_PRIV_H

#include <hv/frame.h>
#include <hv/lock.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <asm/layout.h>

/* ref */
#define REF_ALLOCATED (1UL << 63) /* one of the counted references is the owner's own */
#define REF_COUNT     ((1UL << 56) - 1)

/* type */
#define TYPE_SHIFT  60
#define TYPE_PINNED (1UL << 59) /* one of the counted type references is a pin */
#define TYPE_PARTIAL \
    (1UL << 58) /* entries [0, aux) hold references, nobody uses the table; holds a reference */
#define TYPE_VALID (1UL << 57)
#define TYPE_BUSY  (1UL << 56) /* one CPU is changing it */
#define TYPE_NONCOHERENT                                                                          \
    (1UL << 55) /* was mapped writable and not write-back: flush caches before it becomes a table \
                 */
#define TYPE_STAMP_SHIFT 23 /* tlb_clock() when a reference last went */
#define TYPE_STAMP       (0xffffffffUL << TYPE_STAMP_SHIFT)
#define TYPE_FULL        (1UL << 22) /* a count that has come so far takes no more */
#define TYPE_COUNT       ((1UL << 23) - 1)
#define TYPE_KIND        (7UL << TYPE_SHIFT)
#define TYPE_OF(x)       ((enum frame_type)((x) >> TYPE_SHIFT & 7))
#define TYPE_WORD(t)     ((uint64_t)(t) << TYPE_SHIFT)

/* flags */
#define FF_RAM       1u   /* the descriptor describes RAM */
#define FF_FREE      2u   /* head of a free block */
#define FF_DIRTY     4u   /* contents not scrubbed since boot */
#define FF_HV        8u   /* the hypervisor's */
#define FF_HEAP      16u  /* in a heap chunk */
#define FF_HEAP_FREE 32u  /* head of a free block inside the heap */
#define FF_SLAB      64u  /* cut into objects */

#define ORDER_MAX 18

/* Lists through next and prev (frame numbers; 0: none), with the caller's lock. */
void frame_list_push(uint32_t *head, uint64_t n);
void frame_list_remove(uint32_t *head, uint64_t n);

/* A set of free blocks of 2^order frames, aligned to their size; heads are linked through the
 * descriptors. */
struct buddy {
    uint32_t head[ORDER_MAX + 1]; /* 0: none */
    uint16_t free_flag; /* FF_FREE or FF_HEAP_FREE: keeps neighbours of different kinds apart */
};
void buddy_free(struct buddy *b, uint64_t first, unsigned order, uint64_t stamp);
/* The first frame of a block, 0: none. *stamp is raised to the block's. */
uint64_t buddy_alloc(struct buddy *b, unsigned order, uint64_t *stamp);
/* Before its frames are used: flush the TLBs that may still know them. */
void buddy_flush(uint64_t stamp);

/* page_alloc.c, for frame_table.c and heap.c */
void page_alloc_start(uint64_t total);             /* frames of RAM; the free ranges come next */
void page_alloc_add(uint64_t first, uint64_t end); /* frames [first, end) become free */
uint64_t heap_frames_free(void); /* frames inside the heap that nothing uses */
void heap_frame_free(mfn_t f);   /* last reference of an unshared page went */
/* frame_table.c: before the allocator runs */
mfn_t boot_alloc_frames(unsigned order);
struct domain *frame_owner(const struct frame *f); /* valid while f has a reference */
/*
 * Frames that change hands (memory_exchange): taken from their owner (-EINVAL: not its; -EBUSY:
 * referenced elsewhere), allocated for a domain or NULL but nobody's yet, given to a domain. None of
 * these counts, but what cannot be given (false: d is dying) is freed and is counted no more.
 */
int frame_take(mfn_t f, struct domain *d);
mfn_t alloc_frames_unowned(struct domain *d, unsigned order, unsigned flags);
bool frames_give(mfn_t f, unsigned order, struct domain *d);
/* A frame that nobody ever had (a boot module's) becomes d's, with its contents: 0, -EINVAL. */
int frame_adopt(mfn_t f, struct domain *d);

static inline uint64_t frame_index(const struct frame *f)
{
    return (uint64_t)(f - FRAME_TABLE);
}
static inline mfn_t frame_mfn(const struct frame *f)
{
    return mfn(frame_index(f));
}
static inline struct frame *frame_of(mfn_t m) /* only if it has a descriptor */
{
    return &FRAME_TABLE[m.m];
}
/* The descriptor of a frame of RAM; NULL: it is none. */
static inline struct frame *ram_frame(mfn_t m)
{
    return frame_described(m) && (frame_of(m)->flags & FF_RAM) ? frame_of(m) : NULL;
}

/* --- references, the short way: what frame_get() and frame_put() do ------------------------------
 */
void frame_free_last(struct frame *f); /* page_alloc.c: the last reference went */

static inline void frame_drop(struct frame *f)
{
    if (unlikely((__atomic_fetch_sub(&f->ref, 1, __ATOMIC_ACQ_REL) & REF_COUNT) == 1))
        frame_free_last(f);
}
/* f has a descriptor; holes and free frames have no references and fail. */
static inline bool frame_try_get(struct frame *f, domid_t owner)
{
    uint64_t x = __atomic_load_n(&f->ref, __ATOMIC_RELAXED);

    do {
        /* None: it is nobody's. A count that overflows would free a frame in use: refuse before. */
        if (((x + 1) & REF_COUNT) <= 1 || READ_ONCE(f->owner) != owner)
            return false;
    } while (!__atomic_compare_exchange_n(&f->ref, &x, x + 1, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    /* It may have changed hands between the look and the reference. */
    if (likely(READ_ONCE(f->owner) == owner))
        return true;
    frame_drop(f);
    return false;
}

/* --- arch/x86/pv/page_type.c, validate.c
 * -------------------------------------------------------------------------- */
/* Tables that an operation left half done, to be finished by the same vCPU before it does anything
 * else. */
#define TABLE_DEBTS 4
/*
 * Type references to page tables. The owner's mmu_lock is held. 0, -EINVAL, -EBUSY, or -HC_RESTART:
 * call again with the same arguments (get), or the rest is a debt of this vCPU (put).
 */
int table_get(mfn_t f, const struct domain *d, enum frame_type t);
long table_put(mfn_t f);
/* Go on taking apart a table with TYPE_PARTIAL. 0 or -HC_RESTART. */
long table_finish(struct frame *f);
/* A dying domain's frame: drop its pin, finish what is half done. 0 or -HC_RESTART. */
long frame_drop_types(mfn_t f, struct domain *d);
int type_get(struct frame *f, enum frame_type t); /* the caller has a general reference */

static inline bool type_swap(struct frame *f, uint64_t *x, uint64_t new)
{
    return __atomic_compare_exchange_n(&f->type, x, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline uint64_t type_stamp_now(void)
{
    return (uint64_t)tlb_clock() << TYPE_STAMP_SHIFT;
}
/* type_get(f, FT_WRITABLE): mostly it is writable already, or was last. */
static inline int type_get_writable(struct frame *f)
{
    uint64_t x = __atomic_load_n(&f->type, __ATOMIC_RELAXED);

    while (likely((x & (TYPE_KIND | TYPE_VALID | TYPE_BUSY | TYPE_FULL)) ==
                  (TYPE_WORD(FT_WRITABLE) | TYPE_VALID)))
        if (likely(type_swap(f, &x, x + 1)))
            return 0;
    return type_get(f, FT_WRITABLE);
}
/*
 * Drop a type reference that is not a table's. Each put leaves the time in the word, also when it
 * is not the last: so no stale time can be written by one that was overtaken.
 */
static inline void type_put(struct frame *f)
{
    uint64_t x = __atomic_load_n(&f->type, __ATOMIC_RELAXED), new;

    do {
        new = ((x & ~TYPE_STAMP) | type_stamp_now()) - 1;
        if (!(new &TYPE_COUNT) && (x & TYPE_KIND) == TYPE_WORD(FT_SEGDESC))
            new &= ~TYPE_VALID; /* descriptors are looked at again next time */
    } while (unlikely(!type_swap(f, &x, new)));
}

#endif
