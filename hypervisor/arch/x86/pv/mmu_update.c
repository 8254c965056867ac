/* SPDX-License-Identifier: MIT */
/*
 * Hypercall mmu_update: a list of page-table entries to write, or of machine-to-physical entries.
 * <xen/xen.h>
 *
 * Requests are copied in by batches, then performed with the table owner's mmu_lock held. The first
 * that fails ends the call; the count of those done is written to *pdone. Progress: [0] requests
 * done, [1] the result, once it is known but tables are still to be taken apart.
 */
#include <asm/pv_mm.h>
#include <hv/domain.h>
#include <hv/vcpu.h>
#include <asm/pv.h>

#define BATCH        32
#define RESULT_KNOWN (1UL << 32)

struct update {
    struct domain *pt_owner, *pg_owner;
    bool
        flush; /* an upper-level entry went: the owner's CPUs are flushed before the call returns */
};

/* An 8-byte write to a frame of the guest's that is no table. */
static int write_plain(struct frame *f, unsigned offset, uint64_t val)
{
    char *p;

    if (type_get(f, FT_WRITABLE))
        return -EINVAL;
    p = map_frame(frame_mfn(f));
    WRITE_ONCE(*(uint64_t *)(p + offset), val);
    unmap_frame(p);
    type_put(f);
    return 0;
}

/* The lock is held. */
static int update_entry(struct update *u, const struct mmu_update *req, unsigned cmd)
{
    mfn_t m = maddr_to_mfn(req->ptr);
    unsigned offset = (req->ptr & ~PAGE_MASK) - cmd;
    struct pt_edit edit = {.pt_owner = u->pt_owner,
                           .pg_owner = u->pg_owner,
                           .preserve_ad = cmd == MMU_PT_UPDATE_PRESERVE_AD};
    struct frame *f;
    uint64_t x;
    int rc;

    if (!frame_get(m, u->pt_owner))
        return -EINVAL;
    f = frame_of(m);
    x = f->type;
    if ((x & TYPE_VALID) && TYPE_OF(x) >= FT_L1 && TYPE_OF(x) <= FT_L4)
        rc = pt_edit(&edit, f, TYPE_OF(x), offset / sizeof(pte_t), req->val);
    else
        rc = write_plain(f, offset, req->val);
    u->flush |= edit.flush;
    frame_put(m);
    return rc;
}

static int update_m2p(const struct update *u, const struct mmu_update *req)
{
    mfn_t m = maddr_to_mfn(req->ptr);

    if (u->pt_owner != current->domain)
        return -EPERM;
    if (!frame_get(m, u->pg_owner))
        return -EINVAL;
    m2p_set(m, req->val);
    frame_put(m);
    return 0;
}

static int perform(struct update *u, const struct mmu_update *req)
{
    unsigned cmd = req->ptr & (sizeof(pte_t) - 1);

    switch (cmd) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_PRESERVE_AD:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return update_entry(u, req, cmd);
    case MMU_MACHPHYS_UPDATE:
        return update_m2p(u, &(struct mmu_update){req->ptr - cmd, req->val});
    default:
        return -ENOSYS;
    }
}

/* Perform requests from *done on. *done is left at the first that was not. */
static int perform_all(struct update *u, uint64_t list, unsigned long *done, unsigned count)
{
    struct mmu_update batch[BATCH];
    int rc = 0;

    while (!rc && *done < count) {
        unsigned n = MIN(count - *done, (unsigned long)BATCH), i;

        /* At the end of a mapping fewer may be readable: then one by one, so that the good ones are
         * done. */
        if (copy_from_guest(batch, list + *done * sizeof(batch[0]), n * sizeof(batch[0]))) {
            n = 1;
            if (copy_in(&batch[0], list + *done * sizeof(batch[0])))
                return -EFAULT;
        }
        spin_lock(&u->pt_owner->arch.mmu_lock);
        for (i = 0; i < n && !rc; i++) {
            if (i && (preempt_needed() || table_debts_any()))
                rc = -HC_RESTART;
            else
                rc = perform(u, &batch[i]);
            *done += !rc;
        }
        spin_unlock(&u->pt_owner->arch.mmu_lock);
        if (!rc && *done < count && (preempt_needed() || table_debts_any()))
            rc = -HC_RESTART;
    }
    return rc;
}

static int find_owners(struct update *u, unsigned foreign)
{
    int rc;

    u->pt_owner = current->domain;
    if (foreign >> 16) {
        rc = pg_owner_get((foreign >> 16) - 1, &u->pt_owner);
        if (rc)
            return rc;
        if (u->pt_owner != current->domain && (!u->pt_owner->vcpu || !u->pt_owner->vcpu[0])) {
            pg_owner_put(u->pt_owner);
            return -EINVAL;
        }
    } else {
        domain_hold(u->pt_owner);
    }
    rc = pg_owner_get(foreign & 0xffff, &u->pg_owner);
    if (rc)
        pg_owner_put(u->pt_owner);
    return rc;
}

long do_mmu_update(struct hypercall *hc)
{
    uint64_t list = hc->arg[0], pdone = hc->arg[2];
    unsigned count = (unsigned)hc->arg[1] & ~COUNT_PREEMPTED;
    struct update u = {.flush = false};
    int rc;

    frames_reap();
    if (table_debts_pay())
        return -HC_RESTART;
    if (hc->progress[1] & RESULT_KNOWN)
        return (int)(uint32_t)hc->progress[1];

    if (!guest_range_ok(list, (uint64_t)count * sizeof(struct mmu_update)))
        return -EFAULT;
    rc = find_owners(&u, hc->arg[3]);
    if (rc)
        return rc;
    rc = perform_all(&u, list, &hc->progress[0], count);
    if (u.flush) {
        cpumask_t cpus = u.pt_owner->arch.dirty_cpus;

        tlb_flush_mask(&cpus);
    }
    pg_owner_put(u.pt_owner);
    pg_owner_put(u.pg_owner);
    if (rc == -HC_RESTART)
        return rc;
    if (pdone) {
        unsigned done = hc->progress[0];
        int ignored = copy_out(pdone, &done); /* as Xen: a bad pdone is the caller's loss */

        (void)ignored;
    }
    if (table_debts_any()) {
        hc->progress[1] = RESULT_KNOWN | (uint32_t)rc;
        return -HC_RESTART;
    }
    return rc;
}
