/* SPDX-License-Identifier: MIT */
/*
 * Pins: each use of a grant entry by another domain (a mapping, a side of a copy) is one
 * pin, with one reference to the frame and one to its owner: the frame alone does not keep it when
 * it is a page of ours that we share with it. The entry cannot change its meaning while it is pinned,
 * whatever its owner writes into it.
 *
 * Interface: grant_pin, grant_unpin (gt.h). The owner's entry is read once, as one
 * 8-byte value, and committed by a compare-and-swap of that value: so the domain, the flags and the
 * frame that were checked are those that hold. An owner that keeps changing it makes the use fail
 * after a few rounds. Lock: the owner's gt->lock.
 */
#include "gt.h"

#define RETRIES  8
#define PINS_MAX (1U << 30)

union entry { /* struct grant_entry_v1 as one value */
    struct grant_entry_v1 e;
    uint64_t raw;
};
_Static_assert(sizeof(union entry) == 8, "an entry is read and swapped at once");

static union entry *shared_entry(struct grant_table *gt, grant_ref_t ref)
{
    return (union entry *)&gt->shared[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

static struct active *active_entry(struct grant_table *gt, grant_ref_t ref)
{
    return &gt->active[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

bool grant_is_pinned(struct grant_table *gt, grant_ref_t ref)
{
    struct active *a = active_entry(gt, ref);

    return a->readers || a->writers;
}

/* Check the entry and set its reading and writing bits: *frame is the frame of that very moment. */
static int commit_flags(struct grant_table *gt, grant_ref_t ref, domid_t user, bool readonly,
                        mfn_t *frame)
{
    union entry *shared = shared_entry(gt, ref), seen, want;

    for (unsigned i = 0; i < RETRIES; i++) {
        seen.raw = __atomic_load_n(&shared->raw, __ATOMIC_ACQUIRE);
        if ((seen.e.flags & GTF_type_mask) != GTF_permit_access || seen.e.domid != user)
            return GNTST_general_error;
        if (!readonly && (seen.e.flags & GTF_readonly))
            return GNTST_general_error;
        want = seen;
        want.e.flags |= GTF_reading | (readonly ? 0 : GTF_writing);
        if (__atomic_compare_exchange_n(&shared->raw, &seen.raw, want.raw, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            *frame = mfn(want.e.frame);
            return GNTST_okay;
        }
    }
    return GNTST_general_error; /* its owner does not let it stand still */
}

/* Tell the owner which uses have ended. */
static void retract_flags(struct grant_table *gt, grant_ref_t ref, const struct active *a)
{
    uint16_t gone = 0;

    if (!a->writers)
        gone |= GTF_writing;
    if (!a->writers && !a->readers)
        gone |= GTF_reading;
    if (gone)
        __atomic_fetch_and(&shared_entry(gt, ref)->e.flags, (uint16_t)~gone, __ATOMIC_RELEASE);
}

static int take_frame(struct domain *owner, mfn_t f, bool readonly)
{
    if (readonly ? frame_get(f, owner) : !frame_get_typed(f, owner, FT_WRITABLE))
        return GNTST_okay;
    return mfn_is_ram(f) ? GNTST_general_error : GNTST_bad_page;
}

static void drop_frame(mfn_t f, bool readonly)
{
    if (readonly)
        frame_put(f);
    else
        frame_put_typed(f);
}

static int pin_locked(struct domain *owner, domid_t user, grant_ref_t ref, bool readonly, mfn_t *f)
{
    struct grant_table *gt = owner->grant;
    struct active *a;
    bool pinned, announced;
    int rc;

    if (ref >= gt->nr_frames * ENTRIES_PER_FRAME)
        return GNTST_bad_gntref;
    a = active_entry(gt, ref);
    pinned = a->readers || a->writers;
    if (pinned && (a->domid != user || a->readers + a->writers >= PINS_MAX))
        return GNTST_general_error;
    announced = readonly ? pinned : a->writers != 0;
    if (!announced) {
        mfn_t frame;

        rc = commit_flags(gt, ref, user, readonly, &frame);
        if (rc != GNTST_okay)
            return rc;
        if (!pinned) {
            a->frame = (uint32_t)frame.m;
            a->domid = user;
        }
    }
    rc = take_frame(owner, mfn(a->frame), readonly);
    if (rc != GNTST_okay) {
        retract_flags(gt, ref, a);
        return rc;
    }
    if (readonly)
        a->readers++;
    else
        a->writers++;
    *f = mfn(a->frame);
    return GNTST_okay;
}

int grant_pin(struct domain *owner, domid_t user, grant_ref_t ref, bool readonly, mfn_t *f)
{
    int rc;

    spin_lock(&owner->grant->lock);
    rc = owner->dying ? GNTST_bad_domain : pin_locked(owner, user, ref, readonly, f);
    spin_unlock(&owner->grant->lock);
    if (rc == GNTST_okay)
        domain_hold(owner);
    return rc;
}

void grant_unpin(struct domain *owner, grant_ref_t ref, bool readonly)
{
    struct active *a;
    mfn_t f;

    spin_lock(&owner->grant->lock);
    a = active_entry(owner->grant, ref);
    f = mfn(a->frame);
    if (readonly)
        a->readers--;
    else
        a->writers--;
    /* The reference goes first: an owner that sees the flag cleared may use the frame for anything,
     * e.g. a page table. */
    drop_frame(f, readonly);
    retract_flags(owner->grant, ref, a);
    spin_unlock(&owner->grant->lock);
    domain_put(owner);
}
