/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_unmap_grant_ref and unmap_and_replace.
 *
 * A batch at a time: first all PTEs go, then one flush of every TLB that may still hold them, and
 * only then the pins and with them the frames: nobody can reach a frame through a stale translation
 * after its owner got it back. Each step of an operation is claimed (track.c), so that two vCPUs
 * that unmap one handle do not both undo it.
 */
#include <hv/hypercall.h>
#include <asm/cpu.h>
#include <asm/pv.h>
#include <asm/uaccess.h>
#include "gt.h"

#define BATCH 32

struct pending { /* an operation between its PTE and its pins */
    struct track t;
    uint32_t handle;
    int status;
    bool last; /* the handle has no parts left: free it */
};

/* Both operations in one shape. */
struct request {
    uint64_t host_addr, dev_bus_addr, new_addr;
    uint32_t handle;
};

static void begin(const struct request *r, struct pending *p, bool replace)
{
    struct vcpu *v = current;
    uint16_t parts =
        (r->host_addr || replace ? GNTMAP_host_map : 0) | (r->dev_bus_addr ? GNTMAP_device_map : 0);
    struct domain *owner;
    mfn_t f;
    int rc;

    p->handle = r->handle;
    p->status = GNTST_okay;
    if (!track_claim(v->domain, r->handle, parts ? parts : GNTMAP_host_map | GNTMAP_device_map,
                     &p->t, &p->last)) {
        p->t.flags = 0;
        p->status = GNTST_bad_handle;
        return;
    }
    if (!parts) { /* the handle exists, but nothing was asked for */
        track_unclaim(v->domain, r->handle, p->t.flags);
        p->t.flags = 0;
        return;
    }
    owner = domain_get(p->t.domid); /* it is there: its frame that we pinned keeps it */
    f = owner ? grant_pinned_frame(owner, p->t.ref) : INVALID_MFN;
    if (owner)
        domain_put(owner);
    rc = GNTST_okay;
    if ((p->t.flags & GNTMAP_device_map) && r->dev_bus_addr != mfn_to_maddr(f))
        rc = GNTST_bad_dev_addr;
    else if (p->t.flags & GNTMAP_host_map)
        rc = pv_grant_unmap_pte(v, r->host_addr, f, p->t.flags & GNTMAP_readonly,
                                p->t.flags & GNTMAP_contains_pte, r->new_addr);
    if (rc != GNTST_okay) {
        track_unclaim(v->domain, r->handle, p->t.flags);
        p->t.flags = 0;
        p->status = rc;
    }
}

static void finish(const struct pending *p)
{
    bool readonly = p->t.flags & GNTMAP_readonly;
    struct domain *owner;

    if (!p->t.flags)
        return;
    owner = domain_get(p->t.domid);
    if (owner) { /* it is there: its frame that we pinned keeps it */
        if (p->t.flags & GNTMAP_host_map)
            grant_unpin(owner, p->t.ref, readonly);
        if (p->t.flags & GNTMAP_device_map)
            grant_unpin(owner, p->t.ref, readonly);
        domain_put(owner);
    }
    if (p->last)
        track_free(current->domain, p->handle);
}

static int fetch(uint64_t at, bool replace, struct request *r)
{
    if (replace) {
        struct gnttab_unmap_and_replace op;

        if (copy_in(&op, at))
            return -EFAULT;
        *r = (struct request){op.host_addr, 0, op.new_addr, op.handle};
    } else {
        struct gnttab_unmap_grant_ref op;

        if (copy_in(&op, at))
            return -EFAULT;
        *r = (struct request){op.host_addr, op.dev_bus_addr, 0, op.handle};
    }
    return 0;
}

static int answer(uint64_t at, bool replace, int status)
{
    int16_t s = (int16_t)status;

    return copy_to_guest(at + (replace ? offsetof(struct gnttab_unmap_and_replace, status)
                                       : offsetof(struct gnttab_unmap_grant_ref, status)),
                         &s, sizeof(s));
}

long gnttab_unmap(struct hypercall *hc, uint64_t uop, unsigned count, bool replace)
{
    size_t size =
        replace ? sizeof(struct gnttab_unmap_and_replace) : sizeof(struct gnttab_unmap_grant_ref);
    struct pending batch[BATCH];

    while (hc->progress[0] < count) {
        uint64_t first = hc->progress[0];
        unsigned n = (unsigned)MIN(count - first, (uint64_t)BATCH), done = 0;
        struct request r;
        long rc = 0;

        while (done < n && !rc) {
            rc = fetch(uop + (first + done) * size, replace, &r);
            if (!rc)
                begin(&r, &batch[done++], replace);
        }
        pv_grant_flush(current->domain);
        for (unsigned i = 0; i < done; i++) {
            finish(&batch[i]);
            if (answer(uop + (first + i) * size, replace, batch[i].status))
                rc = -EFAULT;
        }
        if (rc)
            return rc;
        hc->progress[0] += done;
        if (hc->progress[0] < count && preempt_needed())
            return -HC_RESTART;
    }
    return 0;
}
