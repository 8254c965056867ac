/* SPDX-License-Identifier: MIT */
/*
 * Handles: what a domain has mapped of others' grants. Pages of struct track, made as they are
 * needed, free ones in a list.
 *
 * Interface: gt.h; grant_release_mappings (hv/grant.h). Invariant: a handle's flags name the parts
 * that are mapped; who clears a part (track_claim) is the one who undoes it, so two vCPUs cannot
 * unmap the same thing twice. Lock: gt->track_lock.
 */
#include <hv/hypercall.h>
#include <asm/pv.h>
#include "gt.h"

#define PARTS (GNTMAP_host_map | GNTMAP_device_map)

static struct track *track_at(struct grant_table *gt, uint32_t handle)
{
    return &gt->tracks[handle / TRACKS_PER_PAGE][handle % TRACKS_PER_PAGE];
}

/* One more page of free handles. */
static bool grow(struct grant_table *gt)
{
    struct track *page = heap_alloc_pages(0);
    uint32_t first;

    if (!page)
        return false;
    spin_lock(&gt->track_lock);
    first = gt->nr_tracks;
    if (gt->free_track || first + TRACKS_PER_PAGE > gt->max_tracks) {
        spin_unlock(&gt->track_lock);
        heap_free_pages(page, 0);
        return gt->free_track != 0;
    }
    gt->tracks[first / TRACKS_PER_PAGE] = page;
    for (uint32_t i = 0; i < TRACKS_PER_PAGE; i++)
        page[i].next_free = i + 1 < TRACKS_PER_PAGE ? first + i + 2 : 0;
    gt->free_track = first + 1;
    gt->nr_tracks = first + (unsigned)TRACKS_PER_PAGE;
    spin_unlock(&gt->track_lock);
    return true;
}

int64_t track_alloc(struct domain *d)
{
    struct grant_table *gt = d->grant;

    do {
        spin_lock(&gt->track_lock);
        if (gt->free_track) {
            uint32_t handle = gt->free_track - 1;

            gt->free_track = track_at(gt, handle)->next_free;
            *track_at(gt, handle) = (struct track){0};
            spin_unlock(&gt->track_lock);
            return handle;
        }
        spin_unlock(&gt->track_lock);
    } while (grow(gt));
    return -1;
}

void track_set(struct domain *d, uint32_t handle, struct track t)
{
    spin_lock(&d->grant->track_lock);
    *track_at(d->grant, handle) = t;
    spin_unlock(&d->grant->track_lock);
}

void track_free(struct domain *d, uint32_t handle)
{
    struct grant_table *gt = d->grant;

    spin_lock(&gt->track_lock);
    *track_at(gt, handle) = (struct track){.next_free = gt->free_track};
    gt->free_track = handle + 1;
    spin_unlock(&gt->track_lock);
}

bool track_claim(struct domain *d, uint32_t handle, uint16_t parts, struct track *t, bool *last)
{
    struct grant_table *gt = d->grant;
    bool found = false;

    spin_lock(&gt->track_lock);
    if (handle < gt->nr_tracks) {
        struct track *at = track_at(gt, handle);

        parts &= at->flags & PARTS;
        if (parts) {
            *t = *at;
            t->flags = parts | (uint16_t)(at->flags & ~PARTS);
            at->flags &= (uint16_t)~parts;
            *last = !(at->flags & PARTS);
            found = true;
        }
    }
    spin_unlock(&gt->track_lock);
    return found;
}

void track_unclaim(struct domain *d, uint32_t handle, uint16_t parts)
{
    spin_lock(&d->grant->track_lock);
    track_at(d->grant, handle)->flags |= parts & PARTS;
    spin_unlock(&d->grant->track_lock);
}

/* The dying domain's page tables go with it, so only the pins are undone; its PTEs hold no
 * references of their own. */
long grant_release_mappings(struct domain *d)
{
    struct grant_table *gt = d->grant;

    while (gt->release_cursor < gt->nr_tracks) {
        struct track t;
        bool last;

        if (track_claim(d, gt->release_cursor, PARTS, &t, &last)) {
            struct domain *owner = domain_get(t.domid);

            if (owner) { /* it is: its frames that we pinned keep it */
                if (t.flags & GNTMAP_host_map)
                    grant_unpin(owner, t.ref, t.flags & GNTMAP_readonly);
                if (t.flags & GNTMAP_device_map)
                    grant_unpin(owner, t.ref, t.flags & GNTMAP_readonly);
                domain_put(owner);
            }
        }
        gt->release_cursor++;
        if (preempt_needed())
            return -HC_RESTART;
    }
    return 0;
}
