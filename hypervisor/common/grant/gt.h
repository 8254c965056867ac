/* SPDX-License-Identifier: MIT */
/*
 * Inside grants: the table of a domain, what is pinned of it, and the mappings a domain holds.
 *
 * table.c   the shared frames and their growth; setup_table, query_size, version
 * active.c  pins: who uses which entry how, and the guest's flags that tell it so
 * track.c   handles of mappings
 * map.c, unmap.c, copy.c, op.c   GNTTABOP_*
 *
 * Each pin (a mapping, or one side of a copy) holds exactly one reference to the frame,
 * typed if it may write. The first pin of an entry sets GTF_reading in the guest's entry, the first
 * that may write GTF_writing; the last ones clear them. Lock: gt->lock for the table and its pins,
 * gt->track_lock for the handles; never both of two tables at once.
 */
#ifndef GRANT_GT_H
#define GRANT_GT_H

#include <hv/frame.h>
#include <hv/grant.h>
#include <hv/vcpu.h>
#include <xen/grant_table.h>

#define ENTRIES_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define TRACKS_PER_PAGE   (PAGE_SIZE / sizeof(struct track))

struct active {                /* of one entry, while it is pinned */
    uint32_t readers, writers; /* pins */
    uint32_t frame;
    domid_t domid; /* whose the pins are */
};

struct track { /* a handle of a domain's */
    grant_ref_t ref;
    uint32_t frame;
    uint32_t next_free;
    domid_t domid;  /* whose grant */
    uint16_t flags; /* atomic; track.c */
};
_Static_assert(sizeof(struct active) == 16 && sizeof(struct track) == 16, "found by shifts");
#define ACTIVE_ORDER 1 /* pages for the entries of a frame */

struct grant_table { /* d->grant */
    spinlock_t lock;
    unsigned nr_frames, max_frames;
    struct grant_entry_v1 **shared; /* [max_frames], heap pages shared with the guest */
    struct active **active;         /* [max_frames], of the entries in each frame */

    spinlock_t track_lock;
    struct track **tracks; /* pages */
    unsigned nr_tracks, max_tracks;
    uint32_t free_track;     /* handle + 1; 0: none */
    uint32_t release_cursor; /* grant_release_mappings */
};

/*
 * Operations of table.c, map.c, unmap.c, copy.c; op: n structures of the public one of that name,
 * copied in, one or, for the last four, at most GRANT_BATCH. 0: they go back to the guest.
 */
typedef long gnttab_op_fn(void *op, unsigned n);
gnttab_op_fn gnttab_setup_table, gnttab_query_size, gnttab_get_version, gnttab_set_version,
    gnttab_get_status_frames, gnttab_map, gnttab_unmap, gnttab_unmap_and_replace, gnttab_copy;
#define GRANT_BATCH 32u

/*
 * active.c. Pin entry ref of owner for user: *f is its frame, with a reference (typed FT_WRITABLE
 * unless readonly). GNTST_*. A user that has it pinned already gets the same frame again.
 */
int grant_pin(struct domain *owner, domid_t user, grant_ref_t ref, bool readonly, mfn_t *f);
void grant_unpin(struct domain *owner, grant_ref_t ref, bool readonly);
/* Is the entry pinned? gt->lock held. */
bool grant_is_pinned(struct grant_table *gt, grant_ref_t ref);

/* track.c. -1: no room. A new handle has no parts mapped until track_set. */
#define GRANT_PARTS (GNTMAP_host_map | GNTMAP_device_map)
int64_t track_alloc(struct domain *d);
void track_set(struct domain *d, uint32_t handle, struct track t);
void track_free(struct domain *d, uint32_t handle);
/*
 * Claim the parts (GNTMAP_*) of a handle for unmapping: nobody else can until they are given back
 * (track_unclaim) or gone (track_unpin). False: nothing is mapped by such a handle. *t is the handle, in flags the parts that were claimed, perhaps none,
 * readonly and contains_pte.
 */
bool track_claim(struct domain *d, uint32_t handle, uint16_t parts, struct track *t);
void track_unclaim(struct domain *d, uint32_t handle, uint16_t parts);

/*
 * The domain that operations name, held from one to the next: it is mostly the same one. Start with
 * {NULL}, end with peer_put.
 */
struct peer {
    struct domain *d;
};
static inline void peer_put(struct peer *p)
{
    if (p->d)
        domain_put(p->d);
    p->d = NULL;
}
static inline struct domain *peer_get(struct peer *p, domid_t id)
{
    if (unlikely(!p->d || p->d->id != id)) {
        peer_put(p);
        p->d = domain_get(id);
    }
    return p->d;
}

/*
 * The parts in t->flags, which are claimed and mapped no more, go: after an unmap, and when d dies.
 * With the last of a handle go its pin and the handle itself.
 */
void track_unpin(struct domain *d, uint32_t handle, const struct track *t, struct peer *peer);

#endif
