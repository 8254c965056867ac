/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_map_grant_ref: make another domain's granted frame appear in the caller's address space.
 *
 * Decode, pin the entry (active.c), write the PTE (arch/x86/pv/grant_pte.c), then publish the
 * handle. What fails undoes what went before, in the opposite order. Each operation has its own
 * status; the call as a whole is preemptible.
 */
#include <asm/pv.h>
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
    bool readonly = op->flags & GNTMAP_readonly;
    mfn_t f;
    int rc = grant_pin(owner, v->domain->id, op->ref, readonly, &f);

    if (rc != GNTST_okay)
        return rc;
    if (op->flags & GNTMAP_host_map) {
        rc = pv_grant_map_pte(v, op->host_addr, f, readonly, op->flags & GNTMAP_contains_pte,
                              pte_flags(op->flags));
        if (rc != GNTST_okay) {
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

long gnttab_map(void *arg, unsigned n)
{
    struct gnttab_map_grant_ref *op = arg;
    struct peer peer = {NULL};
    struct vcpu *v = current;

    for (unsigned i = 0; i < n; i++)
        op[i].status = (int16_t)map_one(v, &op[i], &peer);
    peer_put(&peer);
    return 0;
}
