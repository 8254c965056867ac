/* SPDX-License-Identifier: MIT */
/*
 * Buddy blocks over the frame table: the one algorithm under the frame allocator (1 GiB blocks down
 * to frames) and under the heap (2 MiB chunks down to pages).
 *
 * Invariant: a free block's head carries b->free_flag and its order in aux, no frame inside carries
 * it; two free buddies of the same order never exist. Lock: the caller's.
 */
#include <hv/frame_priv.h>

static struct frame *fr(uint64_t n)
{
    return &FRAME_TABLE[n];
}

static void link_block(struct buddy *b, uint64_t n, unsigned order, uint64_t stamp)
{
    struct frame *f = fr(n);

    f->flags |= b->free_flag;
    f->aux = order;
    f->type = stamp;
    f->prev = 0;
    f->next = b->head[order];
    if (f->next)
        fr(f->next)->prev = n;
    b->head[order] = n;
}

static void unlink_block(struct buddy *b, uint64_t n)
{
    struct frame *f = fr(n);

    f->flags &= ~b->free_flag;
    if (f->prev)
        fr(f->prev)->next = f->next;
    else
        b->head[f->aux] = f->next;
    if (f->next)
        fr(f->next)->prev = f->prev;
    f->next = f->prev = 0;
}

void buddy_free(struct buddy *b, uint64_t first, unsigned order, uint64_t stamp)
{
    while (order < ORDER_MAX) {
        uint64_t other = first ^ (1UL << order);
        const struct frame *f;

        /* The other half may be a hole without a descriptor. */
        if (!mfn_is_ram(mfn(other)))
            break;
        f = fr(other);
        if (!(f->flags & b->free_flag) || f->aux != order)
            break;
        stamp = MAX(stamp, (uint64_t)f->type);
        unlink_block(b, other);
        first &= ~(1UL << order);
        order++;
    }
    link_block(b, first, order, stamp);
}

uint64_t buddy_alloc(struct buddy *b, unsigned order, uint64_t *stamp)
{
    unsigned o = order;
    uint64_t n, s;

    while (o <= ORDER_MAX && !b->head[o])
        o++;
    if (o > ORDER_MAX)
        return 0;
    n = b->head[o];
    s = fr(n)->type;
    *stamp = MAX(*stamp, s);
    unlink_block(b, n);
    while (o > order) { /* give back the upper halves */
        o--;
        link_block(b, n + (1UL << o), o, s);
    }
    return n;
}
