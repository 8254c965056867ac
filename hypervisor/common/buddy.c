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

void frame_list_push(uint32_t *head, uint64_t n)
{
    fr(n)->prev = 0;
    fr(n)->next = *head;
    if (*head)
        fr(*head)->prev = n;
    *head = n;
}

void frame_list_remove(uint32_t *head, uint64_t n)
{
    struct frame *f = fr(n);

    if (f->prev)
        fr(f->prev)->next = f->next;
    else
        *head = f->next;
    if (f->next)
        fr(f->next)->prev = f->prev;
    f->next = f->prev = 0;
}

static void link_block(struct buddy *b, uint64_t n, unsigned order, uint64_t stamp)
{
    fr(n)->flags |= b->free_flag;
    fr(n)->aux = order;
    fr(n)->type = stamp;
    frame_list_push(&b->head[order], n);
}

static void unlink_block(struct buddy *b, uint64_t n)
{
    fr(n)->flags &= ~b->free_flag;
    frame_list_remove(&b->head[fr(n)->aux], n);
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

void buddy_flush(uint64_t stamp)
{
    cpumask_t cpus = cpus_online;

    if (!stamp)
        return;
    tlb_filter(&cpus, stamp);
    if (!cpumask_empty(&cpus))
        tlb_flush_mask(&cpus);
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
