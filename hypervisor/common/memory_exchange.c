/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange: a domain gives frames and gets as many others, contiguous or below an address
 * (dom0's DMA buffers).
 *
 * By chunks, each the size of the larger extent. A chunk happens or does not: its frames are taken
 * from the domain, others allocated, and only then is anything freed. The first chunk that fails
 * ends the call; nr_exchanged counts input extents. Progress: [0] chunks done. <xen/memory.h>
 */
#include <hv/memory_op.h>
#include <hv/frame_priv.h>
#include <asm/uaccess.h>

struct chunking {
    struct domain *d;
    uint64_t in_list, out_list;   /* guest addresses of xen_pfn_t[] */
    unsigned in_order, out_order; /* of an extent */
    unsigned in_shift, out_shift; /* log2 of the extents of a chunk */
    unsigned alloc_flags;
};

/* Frames in our hands, between owners, are lists: of single frames, or of heads of extents. */
static bool pop(uint32_t *list, mfn_t *m)
{
    *m = mfn(*list);
    if (m->m)
        frame_list_remove(list, m->m);
    return m->m;
}

static int take_inputs(const struct chunking *c, uint64_t chunk, uint32_t *in)
{
    for (uint64_t j = 0; j < 1UL << c->in_shift; j++) {
        xen_pfn_t first;

        if (copy_in(&first, c->in_list + ((chunk << c->in_shift) + j) * sizeof(first)))
            return -EFAULT;
        for (uint64_t k = 0; k < 1UL << c->in_order; k++) {
            if (frame_take(mfn(first + k), c->d))
                return -EINVAL;
            frame_list_push(in, first + k);
        }
    }
    return 0;
}

/* Heads of extents. */
static int alloc_outputs(const struct chunking *c, uint32_t *out)
{
    for (uint64_t j = 0; j < 1UL << c->out_shift; j++) {
        mfn_t m = alloc_frames_unowned(NULL, c->out_order, c->alloc_flags);

        if (mfn_eq(m, INVALID_MFN))
            return -ENOMEM;
        frame_list_push(out, m.m);
    }
    return 0;
}

/* Back to the domain. */
static void undo(const struct chunking *c, uint32_t *in, uint32_t *out)
{
    mfn_t m;

    while (pop(in, &m))
        frames_give(m, 0, c->d);
    while (pop(out, &m))
        free_frames(m, c->out_order);
}

static int give_output(const struct chunking *c, uint64_t i, mfn_t m)
{
    xen_pfn_t pfn, got = m.m;

    if (!frames_give(m, c->out_order, c->d))
        return -EINVAL;
    if (copy_in(&pfn, c->out_list + i * sizeof(pfn)))
        return -EFAULT;
    for (uint64_t k = 0; k < 1UL << c->out_order; k++)
        m2p_set(mfn(m.m + k), pfn + k);
    return copy_out(c->out_list + i * sizeof(got), &got);
}

static int exchange_chunk(const struct chunking *c, uint64_t chunk)
{
    uint32_t in = 0, out = 0;
    int rc = take_inputs(c, chunk, &in);
    uint64_t i = chunk << c->out_shift;
    mfn_t m;

    if (!rc)
        rc = alloc_outputs(c, &out);
    if (rc) {
        undo(c, &in, &out);
        return rc;
    }
    while (pop(&in, &m))
        free_frames(m, 0);
    while (pop(&out, &m)) {
        int one = give_output(c, i++, m);

        if (one)
            rc = one;
    }
    return rc;
}

static int decode(const struct xen_memory_exchange *x, struct chunking *c)
{
    const struct xen_memory_reservation *in = &x->in, *out = &x->out;
    int rc;

    if (MAX(in->extent_order, out->extent_order) > memory_max_order())
        return -EPERM;
    if (x->nr_exchanged > in->nr_extents || in->domid != out->domid ||
        ~0UL >> in->extent_order < in->nr_extents || ~0UL >> out->extent_order < out->nr_extents ||
        in->nr_extents << in->extent_order != out->nr_extents << out->extent_order)
        return -EINVAL;
    *c = (struct chunking){.in_list = (uint64_t)in->extent_start.p,
                           .out_list = (uint64_t)out->extent_start.p,
                           .in_order = in->extent_order,
                           .out_order = out->extent_order};
    if (c->in_order <= c->out_order)
        c->in_shift = c->out_order - c->in_order;
    else
        c->out_shift = c->in_order - c->out_order;
    /* The product cannot overflow: that many frames do not exist, but an address that large is not
     * the guest's. */
    if (in->nr_extents > UINT32_MAX || out->nr_extents > UINT32_MAX ||
        !guest_range_ok(c->in_list, in->nr_extents * sizeof(xen_pfn_t)) ||
        !guest_range_ok(c->out_list, out->nr_extents * sizeof(xen_pfn_t)))
        return -EFAULT;
    rc = domain_managed(in->domid, &c->d);
    if (rc)
        return rc;
    rc = memory_alloc_flags(out->mem_flags, &c->alloc_flags);
    if (rc)
        domain_put(c->d);
    return rc;
}

long memory_exchange(struct hypercall *hc)
{
    uint64_t chunk, chunks,
        result = hc->arg[1] + offsetof(struct xen_memory_exchange, nr_exchanged);
    struct xen_memory_exchange x;
    struct chunking c;
    bool first = true;
    long rc;

    if (copy_in(&x, hc->arg[1]))
        return -EFAULT;
    rc = decode(&x, &c);
    if (rc)
        return rc;
    chunks = x.in.nr_extents >> c.in_shift;
    chunk = MAX(x.nr_exchanged >> c.in_shift, hc->progress[0]);
    for (; !rc && chunk < chunks; first = false) {
        if (!first && preempt_needed()) {
            hc->progress[0] = chunk;
            domain_put(c.d);
            return -HC_RESTART;
        }
        rc = exchange_chunk(&c, chunk);
        chunk += !rc;
    }
    domain_put(c.d);
    x.nr_exchanged = rc ? chunk << c.in_shift : x.in.nr_extents;
    if (copy_out(result, &x.nr_exchanged))
        rc = -EFAULT;
    return rc;
}
