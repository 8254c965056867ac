/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_*: the dispatcher, and the small operations: swapping two entries, cache flushes, and
 * transfers, which are refused.
 *
 * Interface: do_grant_table_op: arg[0] operation, arg[1] array, arg[2] count.
 */
#include <asm/uaccess.h>
#include "gt.h"

/* One more operation of the array is done. True: others wait for this CPU, come back for the next.
 */
static bool one_done(struct hypercall *hc, unsigned count)
{
    return ++hc->progress[0] < count && preempt_needed();
}

static int swap_one(grant_ref_t a, grant_ref_t b)
{
    struct grant_table *gt = current->domain->grant;
    int rc = GNTST_okay;

    spin_lock(&gt->lock);
    if (a >= gt->nr_frames * ENTRIES_PER_FRAME || b >= gt->nr_frames * ENTRIES_PER_FRAME) {
        rc = GNTST_bad_gntref;
    } else if (a != b && (grant_is_pinned(gt, a) || grant_is_pinned(gt, b))) {
        rc = GNTST_eagain;
    } else if (a != b) {
        struct grant_entry_v1 *pa = &gt->shared[a / ENTRIES_PER_FRAME][a % ENTRIES_PER_FRAME];
        struct grant_entry_v1 *pb = &gt->shared[b / ENTRIES_PER_FRAME][b % ENTRIES_PER_FRAME];
        struct grant_entry_v1 t = *pa;

        *pa = *pb;
        *pb = t;
    }
    spin_unlock(&gt->lock);
    return rc;
}

static long swap_refs(struct hypercall *hc, uint64_t uop, unsigned count)
{
    while (hc->progress[0] < count) {
        uint64_t at = uop + hc->progress[0] * sizeof(struct gnttab_swap_grant_ref);
        struct gnttab_swap_grant_ref op;

        if (copy_in(&op, at))
            return -EFAULT;
        op.status = (int16_t)swap_one(op.ref_a, op.ref_b);
        if (copy_out(at, &op))
            return -EFAULT;
        if (one_done(hc, count))
            return -HC_RESTART;
    }
    return 0;
}

/* Page transfer is a thing of the past (no frontend of this century uses it): each is refused,
 * nothing moves. */
static long transfer(struct hypercall *hc, uint64_t uop, unsigned count)
{
    int16_t status = GNTST_general_error;

    while (hc->progress[0] < count) {
        if (copy_out(uop + hc->progress[0] * sizeof(struct gnttab_transfer) +
                         offsetof(struct gnttab_transfer, status),
                     &status))
            return -EFAULT;
        if (one_done(hc, count))
            return -HC_RESTART;
    }
    return 0;
}

/* x86 keeps its caches coherent with devices: only the arguments are checked. */
static long cache_flush(struct hypercall *hc, uint64_t uop, unsigned count)
{
    while (hc->progress[0] < count) {
        struct gnttab_cache_flush op;
        mfn_t f;

        if (copy_in(&op, uop + hc->progress[0] * sizeof(op)))
            return -EFAULT;
        if (op.offset >= PAGE_SIZE || op.length > PAGE_SIZE || op.offset + op.length > PAGE_SIZE ||
            (op.op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)))
            return -EINVAL;
        f = maddr_to_mfn(op.a.dev_bus_addr);
        if (op.length && op.op) {
            if (!mfn_is_ram(f))
                return -EINVAL;
            if (!frame_get(f, current->domain))
                return -EPERM;
            frame_put(f);
        }
        if (one_done(hc, count))
            return -HC_RESTART;
    }
    return 0;
}

long do_grant_table_op(struct hypercall *hc)
{
    uint64_t uop = hc->arg[1];
    unsigned count = (unsigned)hc->arg[2];

    if ((int)count < 0)
        return -EINVAL;
    switch ((unsigned)hc->arg[0]) {
    case GNTTABOP_map_grant_ref:
        return gnttab_map(hc, uop, count);
    case GNTTABOP_unmap_grant_ref:
        return gnttab_unmap(hc, uop, count, false);
    case GNTTABOP_unmap_and_replace:
        return gnttab_unmap(hc, uop, count, true);
    case GNTTABOP_setup_table:
        return gnttab_setup_table(uop, count);
    case GNTTABOP_transfer:
        return transfer(hc, uop, count);
    case GNTTABOP_copy:
        return gnttab_copy(hc, uop, count);
    case GNTTABOP_query_size:
        return gnttab_query_size(uop, count);
    case GNTTABOP_set_version:
        return gnttab_set_version(uop);
    case GNTTABOP_get_status_frames:
        return count == 1 ? gnttab_get_status_frames(uop) : -EINVAL;
    case GNTTABOP_get_version:
        return gnttab_get_version(uop);
    case GNTTABOP_swap_grant_ref:
        return swap_refs(hc, uop, count);
    case GNTTABOP_cache_flush:
        return cache_flush(hc, uop, count);
    }
    return -ENOSYS;
}
