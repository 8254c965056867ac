/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_map_grant_ref: make another domain's granted frame appear in the caller's address space.
 *
 * Decode, pin the entry (active.c), write the PTE (arch/x86/pv/grant_pte.c), then publish the
 * handle. What fails undoes what went before, in the opposite order. Each operation has its own
 * status; the call as a whole is preemptible.
 */
#include <hv/hypercall.h>
#include <asm/cpu.h>
#include <asm/pv.h>
#include <asm/uaccess.h>
#include "gt.h"

/* What the guest may choose of the PTE: three available bits, and whether its user mode sees the
 * page. */
static uint64_t pte_flags(uint32_t flags)
{
    return ((flags >> _GNTMAP_guest_avail0) & 7) << 9 | (flags & GNTMAP_application_map ? 4 : 0);
}

static int map_parts(struct vcpu *v, struct domain *owner, struct gnttab_map_grant_ref *op,
                     uint32_t handle)
{
    bool readonly = op->flags & GNTMAP_readonly, both = (op->flags & GRANT_PARTS) == GRANT_PARTS;
    mfn_t f;
    int rc;

    rc = grant_pin(owner, v->domain->id, op->ref, readonly, &f);
    if (rc != GNTST_okay)
        return rc;
    if (both) {
        rc = grant_repin(owner, op->ref, readonly);
        if (rc != GNTST_okay) {
            grant_unpin(owner, op->ref, readonly);
            return rc;
        }
    }
    if (op->flags & GNTMAP_host_map) {
        rc = pv_grant_map_pte(v, op->host_addr, f, readonly, op->flags & GNTMAP_contains_pte,
                              pte_flags(op->flags));
        if (rc != GNTST_okay) {
            if (both)
                grant_unpin(owner, op->ref, readonly);
            grant_unpin(owner, op->ref, readonly);
            return rc;
        }
    }
    track_set(
        v->domain, handle,
        (struct track){.ref = op->ref,
                       .frame = (uint32_t)f.m,
                       .domid = owner->id,
                       .flags = op->flags & (GRANT_PARTS | GNTMAP_readonly | GNTMAP_contains_pte)});
    op->dev_bus_addr = mfn_to_maddr(f);
    op->handle = handle;
    return GNTST_okay;
}

static int map_one(struct vcpu *v, struct gnttab_map_grant_ref *op, struct peer *peer)
{
    struct domain *d = v->domain, *owner;
    int64_t handle;
    int rc;

    if (!(op->flags & GRANT_PARTS))
        return GNTST_bad_gntref;
    owner = peer_get(peer, op->dom); /* oneself by number: DOMID_SELF is not understood here */
    if (!owner)
        return GNTST_bad_domain;
    handle = track_alloc(d);
    if (handle < 0)
        return GNTST_no_space;
    rc = map_parts(v, owner, op, (uint32_t)handle);
    if (rc != GNTST_okay)
        track_free(d, (uint32_t)handle);
    return rc;
}

static long map_batch(uint64_t at, unsigned n, struct peer *peer)
{
    struct gnttab_map_grant_ref op[GRANT_BATCH];
    struct vcpu *v = current;

    if (copy_from_guest(op, at, n * sizeof(op[0])))
        return -EFAULT;
    for (unsigned i = 0; i < n; i++) {
        op[i].status = (int16_t)map_one(v, &op[i], peer);
        if (!i && n > 1 && copy_out(at, &op[0]))
            return -EFAULT;
    }
    return copy_to_guest(at, op, n * sizeof(op[0]));
}

long gnttab_map(struct hypercall *hc, uint64_t uop, unsigned count)
{
    struct peer peer = {NULL};
    long rc = 0;

    while (hc->progress[0] < count && !rc) {
        uint64_t at = uop + hc->progress[0] * sizeof(struct gnttab_map_grant_ref);
        unsigned n = batch_at(at, sizeof(struct gnttab_map_grant_ref), count - hc->progress[0]);

        rc = map_batch(at, n, &peer);
        if (!rc && (hc->progress[0] += n) < count && preempt_needed())
            rc = -HC_RESTART;
    }
    peer_put(&peer);
    return rc;
}
