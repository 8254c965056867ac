/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_*: the dispatcher, and the small operations: swapping two entries, cache flushes, and
 * transfers, which are refused.
 *
 * Interface: do_grant_table_op: arg[0] operation, arg[1] array, arg[2] count. Progress: [0]
 * operations done; between them, or between batches, a call is preemptible.
 */
#include <asm/uaccess.h>
#include "gt.h"

static long swap_refs(void *arg, unsigned n)
{
    struct gnttab_swap_grant_ref *op = arg;
    struct grant_table *gt = current->domain->grant;
    grant_ref_t a = op->ref_a, b = op->ref_b;

    op->status = GNTST_okay;
    spin_lock(&gt->lock);
    if (a >= gt->nr_frames * ENTRIES_PER_FRAME || b >= gt->nr_frames * ENTRIES_PER_FRAME) {
        op->status = GNTST_bad_gntref;
    } else if (a != b && (grant_is_pinned(gt, a) || grant_is_pinned(gt, b))) {
        op->status = GNTST_eagain;
    } else if (a != b) {
        struct grant_entry_v1 *pa = &gt->shared[a / ENTRIES_PER_FRAME][a % ENTRIES_PER_FRAME];
        struct grant_entry_v1 *pb = &gt->shared[b / ENTRIES_PER_FRAME][b % ENTRIES_PER_FRAME];
        struct grant_entry_v1 t = *pa;

        *pa = *pb;
        *pb = t;
    }
    spin_unlock(&gt->lock);
    return 0;
}

/* Page transfer is a thing of the past (no frontend of this century uses it): each is refused,
 * nothing moves. */
static long transfer(void *arg, unsigned n)
{
    struct gnttab_transfer *op = arg;

    op->status = GNTST_general_error;
    return 0;
}

/* x86 keeps its caches coherent with devices: only the arguments are checked. */
static long cache_flush(void *arg, unsigned n)
{
    const struct gnttab_cache_flush *op = arg;
    mfn_t f = maddr_to_mfn(op->a.dev_bus_addr);

    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE ||
        (op->op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)))
        return -EINVAL;
    if (!op->length || !op->op)
        return 0;
    if (!mfn_is_ram(f))
        return -EINVAL;
    if (!frame_get(f, current->domain))
        return -EPERM;
    frame_put(f);
    return 0;
}

static const struct grant_op {
    gnttab_op_fn *fn;
    uint8_t size;
    enum { BATCH, ARRAY, ALONE, ONE } count; /* ALONE: one, whatever the count; ONE: that must be 1 */
    bool only_in;                            /* it does not go back to the guest */
} ops[] = {
    [GNTTABOP_map_grant_ref] = {gnttab_map, sizeof(struct gnttab_map_grant_ref)},
    [GNTTABOP_unmap_grant_ref] = {gnttab_unmap, sizeof(struct gnttab_unmap_grant_ref)},
    [GNTTABOP_unmap_and_replace] = {gnttab_unmap_and_replace,
                                    sizeof(struct gnttab_unmap_and_replace)},
    [GNTTABOP_copy] = {gnttab_copy, sizeof(struct gnttab_copy)},
    [GNTTABOP_setup_table] = {gnttab_setup_table, sizeof(struct gnttab_setup_table), ONE},
    [GNTTABOP_transfer] = {transfer, sizeof(struct gnttab_transfer), ARRAY},
    [GNTTABOP_query_size] = {gnttab_query_size, sizeof(struct gnttab_query_size), ONE},
    [GNTTABOP_set_version] = {gnttab_set_version, sizeof(struct gnttab_set_version), ALONE},
    [GNTTABOP_get_status_frames] = {gnttab_get_status_frames,
                                    sizeof(struct gnttab_get_status_frames), ONE},
    [GNTTABOP_get_version] = {gnttab_get_version, sizeof(struct gnttab_get_version), ALONE},
    [GNTTABOP_swap_grant_ref] = {swap_refs, sizeof(struct gnttab_swap_grant_ref), ARRAY},
    [GNTTABOP_cache_flush] = {cache_flush, sizeof(struct gnttab_cache_flush), ARRAY, true},
};

/* Whoever could not be answered is told before anything is done for more than one operation. */
static long run(const struct grant_op *e, uint64_t at, unsigned n)
{
    struct gnttab_copy op[GRANT_BATCH]; /* the largest that come in batches, or at all */
    long rc;

    if (copy_from_guest(op, at, n * e->size) || (n > 1 && copy_to_guest(at, op, e->size)))
        return -EFAULT;
    rc = e->fn(op, n);
    return rc || e->only_in ? rc : copy_to_guest(at, op, n * e->size);
}

/*
 * How many operations at guest address `at` are copied in at once: those in its page. So whoever
 * can answer the first can answer them all, and a bad page fails at its first.
 */
static unsigned batch_at(uint64_t at, size_t size, uint64_t left)
{
    uint64_t n = (PAGE_SIZE - at % PAGE_SIZE) / size;

    n = MIN(n, (uint64_t)GRANT_BATCH);
    return (unsigned)(n ? MIN(n, left) : 1);
}

long do_grant_table_op(struct hypercall *hc)
{
    unsigned op = (unsigned)hc->arg[0], count = (unsigned)hc->arg[2];
    const struct grant_op *e;
    long rc = 0;

    if ((int)count < 0)
        return -EINVAL;
    if (op >= ARRAY_SIZE(ops) || !ops[op].size)
        return -ENOSYS;
    e = &ops[op];
    if (e->count == ONE && count != 1)
        return -EINVAL;
    if (e->count >= ALONE)
        count = 1;
    while (!rc && hc->progress[0] < count) {
        uint64_t at = hc->arg[1] + hc->progress[0] * e->size;
        unsigned n = e->count == BATCH ? batch_at(at, e->size, count - hc->progress[0]) : 1;

        rc = run(e, at, n);
        hc->progress[0] += n;
        if (!rc && hc->progress[0] < count && preempt_needed())
            rc = -HC_RESTART;
    }
    return rc;
}
