/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_copy: move bytes between two frames, each the caller's own or granted to it, without
 * mapping either for a guest.
 *
 * A side stays pinned and mapped (map_frame) from one operation of a batch to the next while it is
 * the same, since backends copy many pieces of one page.
 */
#include <hv/string.h>
#include "gt.h"

struct side {
    bool held, is_ref, readonly;
    domid_t domid;
    uint64_t ref_or_frame;
    struct domain *owner; /* current's, or peer's */
    struct peer peer;
    mfn_t frame;
    char *page;
};

static void side_release(struct side *s)
{
    if (!s->held)
        return;
    s->held = false;
    unmap_frame(s->page);
    if (s->is_ref)
        grant_unpin(s->owner, (grant_ref_t)s->ref_or_frame, s->readonly);
    else if (s->readonly)
        frame_put(s->frame);
    else
        frame_put_typed(s->frame);
}

static int claim_own_frame(mfn_t f, bool readonly)
{
    struct domain *self = current->domain;

    if (readonly ? frame_get(f, self) : !frame_get_typed(f, self, FT_WRITABLE))
        return GNTST_okay;
    /* Its own, but perhaps a page table: then not to be written. */
    if (readonly || !frame_get(f, self))
        return GNTST_bad_page;
    frame_put(f);
    return GNTST_general_error;
}

static uint64_t named(const struct gnttab_copy_ptr *ptr, bool is_ref)
{
    return is_ref ? ptr->u.ref : ptr->u.gmfn;
}

static inline bool side_is(const struct side *s, const struct gnttab_copy_ptr *ptr, bool is_ref)
{
    return s->held && s->domid == ptr->domid && s->ref_or_frame == named(ptr, is_ref) &&
           s->is_ref == is_ref;
}

/* The side's next domain; what it held before goes. */
static int side_domain(struct side *s, const struct gnttab_copy_ptr *ptr, bool is_ref)
{
    side_release(s);
    s->owner = ptr->domid == DOMID_SELF ? current->domain : peer_get(&s->peer, ptr->domid);
    if (!s->owner)
        return GNTST_bad_domain;
    /* Others' frames only by grant. */
    return is_ref || ptr->domid == DOMID_SELF ? GNTST_okay : GNTST_permission_denied;
}

static int side_claim(struct side *s, const struct gnttab_copy_ptr *ptr, bool is_ref)
{
    uint64_t what = named(ptr, is_ref);
    int rc;

    s->frame = mfn(what);
    if (is_ref)
        rc = grant_pin(s->owner, current->domain->id, (grant_ref_t)what, s->readonly, &s->frame);
    else
        rc = claim_own_frame(s->frame, s->readonly);
    if (rc != GNTST_okay)
        return rc;
    s->page = map_frame(s->frame);
    s->domid = ptr->domid;
    s->ref_or_frame = what;
    s->is_ref = is_ref;
    s->held = true;
    return GNTST_okay;
}

/* What is checked first is as in Xen: the domains, then the frames, then the ranges. */
static int copy_one(const struct gnttab_copy *op, struct side *from, struct side *to)
{
    bool from_ref = op->flags & GNTCOPY_source_gref, to_ref = op->flags & GNTCOPY_dest_gref;
    bool same_from = side_is(from, &op->source, from_ref), same_to = side_is(to, &op->dest, to_ref);
    int rc = GNTST_okay;

    if (!same_from)
        rc = side_domain(from, &op->source, from_ref);
    if (rc == GNTST_okay && !same_to)
        rc = side_domain(to, &op->dest, to_ref);
    if (rc == GNTST_okay && !same_from)
        rc = side_claim(from, &op->source, from_ref);
    if (rc == GNTST_okay && !same_to)
        rc = side_claim(to, &op->dest, to_ref);
    if (rc != GNTST_okay)
        return rc;
    if ((uint32_t)op->source.offset + op->len > PAGE_SIZE ||
        (uint32_t)op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    if (likely(!mfn_eq(to->frame, from->frame)))
        memcpy(to->page + op->dest.offset, from->page + op->source.offset, op->len);
    else
        memmove(to->page + op->dest.offset, from->page + op->source.offset, op->len);
    return GNTST_okay;
}

long gnttab_copy(void *arg, unsigned n)
{
    struct side from = {.readonly = true}, to = {.readonly = false};
    struct gnttab_copy *op = arg;

    for (unsigned i = 0; i < n; i++)
        op[i].status = (int16_t)copy_one(&op[i], &from, &to);
    side_release(&from);
    side_release(&to);
    peer_put(&from.peer);
    peer_put(&to.peer);
    return 0;
}
