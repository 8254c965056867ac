/* SPDX-License-Identifier: MIT */
/*
 * The shared frames of a grant table: made, grown up to the domain's limit, shown to the guest, and
 * freed.
 *
 * Interface: hv/grant.h; GNTTABOP setup_table, query_size, get/set_version, get_status_frames.
 * Version 1 only; to a guest that asks for version 2 we look as Xen does with gnttab=max-ver:1.
 * Invariant: frames are only added while the domain lives. Lock: gt->lock.
 */
#include <asm/uaccess.h>
#include "gt.h"

/* Memory first, outside of the lock; then only what is still missing is put in. */
static int gt_grow(struct domain *d, unsigned nr_frames)
{
    struct grant_table *gt = d->grant;

    if (nr_frames > gt->max_frames)
        return -EINVAL;
    while (__atomic_load_n(&gt->nr_frames, __ATOMIC_ACQUIRE) < nr_frames) {
        void *page = heap_alloc_pages(0), *pins = heap_alloc_pages(ACTIVE_ORDER);
        bool enough = page && pins;

        spin_lock(&gt->lock);
        if (enough && gt->nr_frames < nr_frames) {
            share_page(d, page, true);
            gt->shared[gt->nr_frames] = page;
            gt->active[gt->nr_frames] = pins;
            __atomic_store_n(&gt->nr_frames, gt->nr_frames + 1, __ATOMIC_RELEASE);
            page = pins = NULL;
        }
        spin_unlock(&gt->lock);
        heap_free_pages(page, 0);
        heap_free_pages(pins, ACTIVE_ORDER);
        if (!enough)
            return -ENOMEM;
    }
    return 0;
}

int grant_domain_init(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames)
{
    struct grant_table *gt = hv_alloc(sizeof(*gt));
    uint64_t tracks = (uint64_t)max_maptrack_frames * (PAGE_SIZE / 16); /* as many as Xen's */

    if (!gt)
        return -ENOMEM;
    d->grant = gt;
    spin_lock_init(&gt->lock);
    spin_lock_init(&gt->track_lock);
    gt->max_frames = max_frames;
    gt->max_tracks = (unsigned)MIN(tracks, 1U << 24);
    gt->shared = hv_alloc(max_frames * sizeof(*gt->shared) + 1);
    gt->active = hv_alloc(max_frames * sizeof(*gt->active) + 1);
    gt->tracks = hv_alloc((gt->max_tracks / TRACKS_PER_PAGE + 1) * sizeof(*gt->tracks));
    if (!gt->shared || !gt->active || !gt->tracks)
        return -ENOMEM;
    return max_frames ? gt_grow(d, 1) : 0;
}

void grant_domain_destroy(struct domain *d)
{
    struct grant_table *gt = d->grant;

    for (unsigned i = 0; i < gt->nr_frames; i++) {
        unshare_page(gt->shared[i]);
        heap_free_pages(gt->active[i], ACTIVE_ORDER);
    }
    for (unsigned i = 0; i < gt->nr_tracks / TRACKS_PER_PAGE; i++)
        heap_free_pages(gt->tracks[i], 0);
    hv_free(gt->shared);
    hv_free(gt->active);
    hv_free(gt->tracks);
    hv_free(gt);
}

int grant_shared_frame(struct domain *d, unsigned i, mfn_t *out)
{
    int rc = gt_grow(d, i + 1);

    if (!rc)
        *out = virt_to_mfn(d->grant->shared[i]);
    return rc;
}

/* --- operations: one structure each ---------------------------------------------------------- */

/* The domain an operation is about. NULL: *status says why. */
static struct domain *target(domid_t id, int16_t *status)
{
    struct domain *d = NULL;
    int rc = domain_managed(id, &d);

    *status = rc == -EPERM ? GNTST_permission_denied : rc ? GNTST_bad_domain : GNTST_okay;
    return d;
}

long gnttab_setup_table(void *arg, unsigned n)
{
    struct gnttab_setup_table *op = arg;
    struct domain *d;

    if (!guest_range_ok((uint64_t)op->frame_list.p, 1))
        return -EFAULT;
    d = target(op->dom, &op->status);
    if (!d)
        return 0;
    if (gt_grow(d, op->nr_frames))
        op->status = GNTST_general_error;
    for (unsigned i = 0; i < op->nr_frames && op->status == GNTST_okay; i++) {
        xen_pfn_t frame = virt_to_mfn(d->grant->shared[i]).m;

        if (copy_out((uint64_t)op->frame_list.p + i * sizeof(frame), &frame))
            op->status = GNTST_bad_virt_addr;
    }
    domain_put(d);
    return 0;
}

long gnttab_query_size(void *arg, unsigned n)
{
    struct gnttab_query_size *op = arg;
    struct domain *d = target(op->dom, &op->status);

    if (d) {
        op->nr_frames = READ_ONCE(d->grant->nr_frames);
        op->max_nr_frames = d->grant->max_frames;
        domain_put(d);
    }
    return 0;
}

long gnttab_get_version(void *arg, unsigned n)
{
    struct gnttab_get_version *op = arg;
    struct domain *d;
    int rc = domain_managed(op->dom, &d);

    if (!rc) {
        op->version = 1;
        domain_put(d);
    }
    return rc;
}

long gnttab_set_version(void *arg, unsigned n)
{
    const struct gnttab_set_version *op = arg;

    return op->version == 1 ? 0 : op->version == 2 ? -ENOSYS : -EINVAL;
}

/* Status frames belong to version 2. */
long gnttab_get_status_frames(void *arg, unsigned n)
{
    struct gnttab_get_status_frames *op = arg;
    struct domain *d = target(op->dom, &op->status);

    if (d) {
        op->status = GNTST_general_error;
        domain_put(d);
    }
    return 0;
}

unsigned grant_max_frames(const struct domain *d)
{
    return d->grant->max_frames;
}
