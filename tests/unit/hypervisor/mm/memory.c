/* SPDX-License-Identifier: MIT */
/*
 * memory_op's reservations and exchanges: exact counts for what is wrong at each place of a list,
 * and nothing done by a call that is wrong as a whole (THREATS 9, 26, 27).
 */
#include "pt.h"
#include <hv/memory_op.h>

#define RAM 4096

static uint64_t free_before;

static struct domain *begin(void)
{
    struct domain *d = fake_mm_domain(1, 64);

    frames_reap();
    free_before = frames_free();
    return d;
}

static void end(struct domain *d)
{
    AUDIT();
    fake_mm_kill(d);
    EQ(frames_free(), free_before);
    EQ(fake_map_users, 0);
}

static long reservation(unsigned op, xen_pfn_t *list, unsigned long n, unsigned order, domid_t id)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = id};

    r.extent_start.p = list;
    return call(do_memory_op, op, (uint64_t)&r, 0, 0);
}

/* 27 [XSA-158, 231] Orders, counts and domains that there are not; the right partial count. */
static void reservations(void)
{
    static const unsigned ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                   XENMEM_populate_physmap};
    static const unsigned orders[] = {10, 18, 19, 31, 32, 63, 64, ~0u};
    static const domid_t nobody[] = {0, 2, 0x7fef, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff};
    struct domain *other = fake_mm_domain(2, 10), *d = begin();
    xen_pfn_t list[8] = {get(d).m, 0, 0, 0, 0, 0, 0, 0};

    d->max_pages = RAM;
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(orders); k++)
            EQ(reservation(ops[i], list, 1, orders[k], SELF), 0);
        for (unsigned k = 0; k < ARRAY_SIZE(nobody); k++)
            EQ(reservation(ops[i], list, 1, 0, nobody[k]), 0);
        EQ(reservation(ops[i], list, 1ul << 32, 0, SELF), 0);
        EQ(reservation(ops[i], (void *)0xffff830000000000, 1, 0, SELF), 0);
        EQ(d->tot_pages, 1);
    }
    d->max_pages = 64;
    for (unsigned i = 0; i < 8; i++)
        list[i] = 100 + 8 * i;
    EQ(reservation(XENMEM_populate_physmap, list, 8, 3, SELF), 7); /* 1 + 7 × 8 ≤ 64 */
    EQ(d->tot_pages, 57);
    EQ(list[7], 156);
    for (unsigned i = 0; i < 7; i++)
        for (unsigned k = 0; k < 8; k++)
            EQ(m2p_get(mfn(list[i] + k)), 100 + 8 * i + k);
    list[3] = list[2]; /* named twice: gone already */
    EQ(reservation(XENMEM_decrease_reservation, list, 7, 3, SELF), 3);
    EQ(d->tot_pages, 33);
    EQ(other->tot_pages, 0);
    end(d);
    fake_mm_kill(other);
}

/* 9: what is pinned, mapped or otherwise held does not change hands before it is let go. */
static void in_use(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t data = get(d);
    xen_pfn_t in[1] = {data.m}, out[1] = {5};
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = SELF},
                                    .out = {.nr_extents = 1, .domid = SELF}};
    uint64_t before;

    x.in.extent_start.p = in;
    x.out.extent_start.p = out;
    raw(t.l1)[0] = pte_make(data, RW);
    EQ(pin(4, t.l4), 0);
    before = frames_free();
    EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), -EINVAL);
    EQ(x.nr_exchanged, 0);
    EQ(reservation(XENMEM_decrease_reservation, in, 1, 0, SELF), 1);
    EQ(reservation(XENMEM_decrease_reservation, &(xen_pfn_t){t.l4.m}, 1, 0, SELF), 1);
    EQ(frames_free(), before); /* both still held */
    AUDIT();
    EQ(set(t.l1, 0, 0), 0);
    EQ(frames_free(), before + 1);
    EQ(unpin(t.l4), 0);
    EQ(frames_free(), before + 2);
    end(d);
}

/* 26 [XSA-212] */
static void exchange(void)
{
    static const uint64_t wild[] = {~0ul, 1ul << 63, 1ul << 61, (1ul << 61) - 1, 1ul << 32, 5};
    struct domain *d = begin();
    xen_pfn_t in[4], out[4] = {7, 8, 9, 10};
    struct xen_memory_exchange x = {.in = {.nr_extents = 4, .domid = SELF},
                                    .out = {.nr_extents = 1, .extent_order = 2, .domid = SELF}};

    for (unsigned i = 0; i < 4; i++)
        in[i] = get(d).m;
    x.in.extent_start.p = in;
    x.out.extent_start.p = out;
    for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
        x.nr_exchanged = wild[i];
        EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), -EINVAL);
        EQ(x.nr_exchanged, wild[i]);
    }
    x.nr_exchanged = 0;
    x.out.nr_extents = 2; /* more than it gives */
    EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), -EINVAL);
    x.out.nr_extents = 1;
    x.out.domid = 1; /* the same domain, named otherwise */
    EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), -EINVAL);
    x.out.domid = SELF;
    x.in.extent_order = x.out.extent_order = 10;
    EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), -EPERM);
    x.in.extent_order = 0;
    x.out.extent_order = 2;
    x.out.extent_start.p = (void *)0xffff82d040200000;
    EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), -EFAULT);
    x.out.extent_start.p = out;
    in[3] = in[0]; /* one of four twice: all four stay */
    EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), -EINVAL);
    EQ(x.nr_exchanged, 0);
    EQ(d->tot_pages, 4);
    in[3] = d->pages;
    for (unsigned i = 0; i < 4; i++)
        if (i != 3 && in[i] == in[3])
            in[3] = frame_of(mfn(in[3]))->next;
    EQ(call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0), 0);
    EQ(x.nr_exchanged, 4);
    EQ(out[0] % 4, 0);
    EQ(m2p_get(mfn(out[0] + 3)), 7 + 3);
    EQ(d->tot_pages, 4);
    end(d);
}

static const struct test tests[] = {
    {"reservations", reservations},
    {"what is in use", in_use},
    {"exchange", exchange},
};

int main(void)
{
    fake_mm_start(RAM);
    return run_suite("memory_op", tests, ARRAY_SIZE(tests));
}
