/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_unmap_grant_ref and unmap_and_replace.
 *
 * A batch at a time: first all PTEs go, then one flush of every TLB that may still hold them, and
 * only then the pins and with them the frames: nobody can reach a frame through a stale translation
 * after its owner got it back. Each step of an operation is claimed (track.c), so that two vCPUs
 * that unmap one handle do not both undo it.
 */
#include <asm/pv.h>
#include "gt.h"

struct pending { /* an operation between its PTE and its pins */
    struct track t;
    uint32_t handle;
};

/* Both operations are read as the larger one and differ in the meaning of the second word. */
union request {
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_unmap_and_replace replace;
};
_Static_assert(sizeof(union request) == sizeof(struct gnttab_unmap_grant_ref) &&
                   sizeof(union request) == sizeof(struct gnttab_unmap_and_replace) &&
                   offsetof(struct gnttab_unmap_grant_ref, host_addr) ==
                       offsetof(struct gnttab_unmap_and_replace, host_addr) &&
                   offsetof(struct gnttab_unmap_grant_ref, handle) ==
                       offsetof(struct gnttab_unmap_and_replace, handle) &&
                   offsetof(struct gnttab_unmap_grant_ref, status) ==
                       offsetof(struct gnttab_unmap_and_replace, status),
               "two operations of one shape");

/* Claim what is asked for and take its PTE away. In p->t.flags: the parts whose pins are to go. */
static int begin(struct vcpu *v, const union request *r, struct pending *p, bool replace)
{
    uint64_t host = r->unmap.host_addr, bus = replace ? 0 : r->unmap.dev_bus_addr;
    uint16_t parts = (host || replace ? GNTMAP_host_map : 0) | (bus ? GNTMAP_device_map : 0);
    int rc = GNTST_okay;

    p->handle = r->unmap.handle;
    if (!track_claim(v->domain, p->handle, parts, &p->t)) {
        p->t.flags = 0;
        return GNTST_bad_handle;
    }
    if ((p->t.flags & GNTMAP_device_map) && bus != mfn_to_maddr(mfn(p->t.frame)))
        rc = GNTST_bad_dev_addr;
    else if (p->t.flags & GNTMAP_host_map)
        rc =
            pv_grant_unmap_pte(v, host, mfn(p->t.frame), p->t.flags & GNTMAP_readonly,
                               p->t.flags & GNTMAP_contains_pte, replace ? r->replace.new_addr : 0);
    if (rc != GNTST_okay) {
        track_unclaim(v->domain, p->handle, p->t.flags);
        p->t.flags = 0;
    }
    return rc;
}

static long unmap(union request *op, unsigned n, bool replace)
{
    struct pending p[GRANT_BATCH];
    struct peer peer = {NULL};
    struct vcpu *v = current;
    uint16_t any = 0;

    for (unsigned i = 0; i < n; i++) {
        op[i].unmap.status = (int16_t)begin(v, &op[i], &p[i], replace);
        any |= p[i].t.flags;
    }
    if (any & GNTMAP_host_map)
        pv_grant_flush(v->domain);
    for (unsigned i = 0; i < n; i++)
        track_unpin(v->domain, p[i].handle, &p[i].t, &peer);
    peer_put(&peer);
    return 0;
}

long gnttab_unmap(void *op, unsigned n)
{
    return unmap(op, n, false);
}

long gnttab_unmap_and_replace(void *op, unsigned n)
{
    return unmap(op, n, true);
}
