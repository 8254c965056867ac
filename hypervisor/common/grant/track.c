/* SPDX-License-Identifier: MIT */
/*
 * Handles: what a domain has mapped of others' grants. Pages of struct track, made as they are
 * needed, free ones in a list.
 *
 * Interface: gt.h; grant_release_mappings (hv/grant.h). Invariant: a handle's flags, one atomic
 * word, name the parts that are mapped, and those that somebody claimed and is undoing: so two
 * vCPUs cannot unmap the same thing twice, and who takes the last part away drops the pin and frees
 * the handle. The
 * other fields are constant while any part is there. Lock: gt->track_lock, for the free list only.
 */
#include <asm/pv.h>
#include "gt.h"

#define CLAIMED_SHIFT 8 /* a part that is being undone */
#define LIVE          (GRANT_PARTS | GRANT_PARTS << CLAIMED_SHIFT)
_Static_assert(!((GNTMAP_readonly | GNTMAP_contains_pte | GRANT_PARTS) & ~0xff), "flags in a byte");

static struct track *track_at(struct grant_table *gt, uint32_t handle)
{
    return &gt->tracks[handle / TRACKS_PER_PAGE][handle % TRACKS_PER_PAGE];
}

/* One more page of free handles. */
static bool grow(struct grant_table *gt)
{
    struct track *page = heap_alloc_pages(0);
    uint32_t first, free;

    if (!page)
        return false;
    spin_lock(&gt->track_lock);
    first = gt->nr_tracks;
    free = gt->free_track; /* another vCPU was faster */
    if (free || first + TRACKS_PER_PAGE > gt->max_tracks) {
        spin_unlock(&gt->track_lock);
        heap_free_pages(page, 0);
        return free;
    }
    gt->tracks[first / TRACKS_PER_PAGE] = page;
    for (uint32_t i = 0; i < TRACKS_PER_PAGE; i++)
        page[i].next_free = i + 1 < TRACKS_PER_PAGE ? first + i + 2 : 0;
    gt->free_track = first + 1;
    __atomic_store_n(&gt->nr_tracks, first + (unsigned)TRACKS_PER_PAGE, __ATOMIC_RELEASE);
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
            spin_unlock(&gt->track_lock);
            return handle;
        }
        spin_unlock(&gt->track_lock);
    } while (grow(gt));
    return -1;
}

void track_set(struct domain *d, uint32_t handle, struct track t)
{
    struct track *at = track_at(d->grant, handle);

    at->ref = t.ref;
    at->frame = t.frame;
    at->domid = t.domid;
    __atomic_store_n(&at->flags, t.flags, __ATOMIC_RELEASE);
}

void track_free(struct domain *d, uint32_t handle)
{
    struct grant_table *gt = d->grant;

    spin_lock(&gt->track_lock);
    track_at(gt, handle)->next_free = gt->free_track;
    gt->free_track = handle + 1;
    spin_unlock(&gt->track_lock);
}

bool track_claim(struct domain *d, uint32_t handle, uint16_t parts, struct track *t)
{
    struct grant_table *gt = d->grant;
    uint16_t x, take;
    struct track *at;

    if (handle >= __atomic_load_n(&gt->nr_tracks, __ATOMIC_ACQUIRE))
        return false;
    at = track_at(gt, handle);
    x = __atomic_load_n(&at->flags, __ATOMIC_RELAXED);
    do {
        if (!(x & GRANT_PARTS))
            return false;
        take = x & parts & GRANT_PARTS;
    } while (take &&
             !__atomic_compare_exchange_n(&at->flags, &x, (x & ~take) | take << CLAIMED_SHIFT,
                                          false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (take) /* else it is not ours to read */
        *t = (struct track){.ref = at->ref, .frame = at->frame, .domid = at->domid};
    t->flags = take | (x & (GNTMAP_readonly | GNTMAP_contains_pte));
    return true;
}

void track_unclaim(struct domain *d, uint32_t handle, uint16_t parts)
{
    parts &= GRANT_PARTS;
    /* Each bit is set in one half of the word, and moves. */
    __atomic_fetch_xor(&track_at(d->grant, handle)->flags,
                       (uint16_t)(parts | parts << CLAIMED_SHIFT), __ATOMIC_RELEASE);
}

void track_unpin(struct domain *d, uint32_t handle, const struct track *t, struct peer *peer)
{
    uint16_t gone = (uint16_t)((t->flags & GRANT_PARTS) << CLAIMED_SHIFT), left = LIVE;

    if (gone)
        left = __atomic_and_fetch(&track_at(d->grant, handle)->flags, (uint16_t)~gone,
                                  __ATOMIC_ACQ_REL);
    if (left & LIVE)
        return;
    /* Its owner is there: our pin keeps it. */
    grant_unpin(peer_get(peer, t->domid), t->ref, t->flags & GNTMAP_readonly);
    track_free(d, handle);
}

/* The dying domain's page tables go with it, so only the pins are undone; its PTEs hold no
 * references of their own. */
long grant_release_mappings(struct domain *d)
{
    struct grant_table *gt = d->grant;
    struct peer peer = {NULL};
    long rc = 0;

    while (gt->release_cursor < gt->nr_tracks) {
        struct track t;

        if (track_claim(d, gt->release_cursor, GRANT_PARTS, &t))
            track_unpin(d, gt->release_cursor, &t, &peer);
        gt->release_cursor++;
        if (preempt_needed()) {
            rc = -HC_RESTART;
            break;
        }
    }
    peer_put(&peer);
    return rc;
}
