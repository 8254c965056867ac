/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_copy: move bytes between two frames, each the caller's own or granted to it, without
 * mapping either for a guest.
 *
 * A side stays pinned and mapped (map_frame) from one operation to the next while it is the same,
 * since backends copy many pieces of one page. Preemptible between operations.
 */
#include <hv/hypercall.h>
#include <hv/string.h>
#include <asm/cpu.h>
#include <asm/uaccess.h>
#include "gt.h"

struct side {
    bool held, is_ref, readonly;
    domid_t domid;
    uint64_t ref_or_frame;
    struct domain *owner;
    mfn_t frame;
    char *page;
};

static void side_release(struct side *s)
{
    if (!s->held)
        return;
    unmap_frame(s->page);
    if (s->is_ref)
        grant_unpin(s->owner, (grant_ref_t)s->ref_or_frame, s->readonly);
    else if (s->readonly)
        frame_put(s->frame);
    else
        frame_put_typed(s->frame);
    domain_put(s->owner);
    s->held = false;
}

static int claim_own_frame(mfn_t f, bool readonly)
{
    struct domain *self = current->domain;

    if (!frame_get(f, self))
        return GNTST_bad_page;
    if (readonly)
        return GNTST_okay;
    /* Its own, but perhaps a page table: then not to be written. The typed reference stands for
     * both. */
    if (frame_get_typed(f, self, FT_WRITABLE)) {
        frame_put(f);
        return GNTST_general_error;
    }
    frame_put(f);
    return GNTST_okay;
}

static int side_claim(struct side *s, const struct gnttab_copy_ptr *ptr, bool is_ref, bool readonly)
{
    struct domain *self = current->domain;
    uint64_t what = is_ref ? ptr->u.ref : ptr->u.gmfn;
    int rc = GNTST_okay;

    if (s->held && s->is_ref == is_ref && s->domid == ptr->domid && s->ref_or_frame == what)
        return GNTST_okay;
    side_release(s);
    *s = (struct side){
        .is_ref = is_ref, .readonly = readonly, .domid = ptr->domid, .ref_or_frame = what};
    s->owner = domain_get(ptr->domid == DOMID_SELF ? self->id : ptr->domid);
    if (!s->owner || !s->owner->grant) {
        rc = GNTST_bad_domain;
    } else if (!is_ref && ptr->domid != DOMID_SELF) {
        rc = GNTST_permission_denied; /* others' frames only by grant */
    } else if (is_ref) {
        rc = grant_pin(s->owner, self->id, (grant_ref_t)what, readonly, &s->frame);
    } else {
        s->frame = mfn(what);
        rc = claim_own_frame(s->frame, readonly);
    }
    if (rc != GNTST_okay) {
        if (s->owner)
            domain_put(s->owner);
        return rc;
    }
    s->page = map_frame(s->frame);
    s->held = true;
    return GNTST_okay;
}

static int copy_one(const struct gnttab_copy *op, struct side *from, struct side *to)
{
    int rc;

    if ((uint32_t)op->source.offset + op->len > PAGE_SIZE ||
        (uint32_t)op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    rc = side_claim(from, &op->source, op->flags & GNTCOPY_source_gref, true);
    if (rc == GNTST_okay)
        rc = side_claim(to, &op->dest, op->flags & GNTCOPY_dest_gref, false);
    if (rc == GNTST_okay)
        memmove(to->page + op->dest.offset, from->page + op->source.offset, op->len);
    return rc;
}

long gnttab_copy(struct hypercall *hc, uint64_t uop, unsigned count)
{
    struct side from = {.held = false}, to = {.held = false};
    long rc = 0;

    while (hc->progress[0] < count && !rc) {
        uint64_t at = uop + hc->progress[0] * sizeof(struct gnttab_copy);
        struct gnttab_copy op;

        if (copy_in(&op, at)) {
            rc = -EFAULT;
        } else {
            op.status = (int16_t)copy_one(&op, &from, &to);
            rc = copy_to_guest(at + offsetof(struct gnttab_copy, status), &op.status,
                               sizeof(op.status));
            if (!rc && ++hc->progress[0] < count && preempt_needed())
                rc = -HC_RESTART;
        }
    }
    side_release(&from);
    side_release(&to);
    return rc;
}
