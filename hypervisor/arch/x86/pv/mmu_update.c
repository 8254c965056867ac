/* SPDX-License-Identifier: MIT */
/*
 * Hypercall mmu_update: a list of page-table entries to write, or of machine-to-physical entries.
 * <xen/xen.h>
 *
 * Requests are copied in by batches, then performed with the table owner's mmu_lock held. The first
 * that fails ends the call; the count of those done is written to *pdone.
 */
#include <asm/pv_mm.h>

#define BATCH        32
#define PREEMPT_STEP 8

struct update {
    struct pt_edit edit; /* owners, flush */
    struct frame *table; /* of the last request, with a reference; NULL: none */
    pte_t *entries;      /* mapped */
    bool upper;          /* an entry of L2…L4 was changed: there may be debts */
};

static void drop_table(struct update *u)
{
    if (!u->table)
        return;
    unmap_frame(u->entries);
    frame_drop(u->table);
    u->table = NULL;
}

static bool find_table(struct update *u, mfn_t m)
{
    drop_table(u);
    if (!frame_described(m) || !frame_try_get(frame_of(m), u->edit.pt_owner->id))
        return false;
    u->table = frame_of(m);
    u->entries = map_frame(m);
    return true;
}

/* The lock is held. What the frame is may change with each request. */
static int update_entry(struct update *u, uint64_t ptr, uint64_t val)
{
    unsigned index = (ptr & ~PAGE_MASK) / sizeof(pte_t);
    uint64_t x;

    if (unlikely(u->table != frame_of(maddr_to_mfn(ptr))) && !find_table(u, maddr_to_mfn(ptr)))
        return -EINVAL;
    x = u->table->type;
    if (likely((x & (TYPE_KIND | TYPE_VALID)) == (TYPE_WORD(FT_L1) | TYPE_VALID)))
        return pt_edit_l1(&u->edit, &u->entries[index], val);
    if (!(x & TYPE_VALID) || TYPE_OF(x) < FT_L2 ||
        TYPE_OF(x) > FT_L4) { /* no table: a plain write */
        if (type_get_writable(u->table))
            return -EINVAL;
        WRITE_ONCE(u->entries[index], val);
        type_put(u->table);
        return 0;
    }
    u->upper = true;
    return pt_edit_upper(&u->edit, &u->entries[index], TYPE_OF(x), val);
}

static int update_m2p(const struct update *u, mfn_t m, uint64_t pfn)
{
    if (u->edit.pt_owner != current->domain)
        return -EPERM;
    if (!frame_get(m, u->edit.pg_owner))
        return -EINVAL;
    m2p_set(m, pfn);
    frame_put(m);
    return 0;
}

static int perform(struct update *u, const struct mmu_update *req)
{
    unsigned command = req->ptr % sizeof(pte_t);

    if (command == MMU_MACHPHYS_UPDATE)
        return update_m2p(u, maddr_to_mfn(req->ptr), req->val);
    if (command > MMU_PT_UPDATE_NO_TRANSLATE)
        return -ENOSYS;
    u->edit.preserve_ad = command == MMU_PT_UPDATE_PRESERVE_AD;
    return update_entry(u, req->ptr, req->val);
}

/* Others wait for this CPU, or tables are to be taken apart first. Looked at now and then. */
static bool must_stop(const struct update *u, unsigned long done)
{
    return (u->upper && table_debts_any()) || (done % PREEMPT_STEP == 0 && preempt_needed());
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
        spin_lock(&u->edit.pt_owner->arch.mmu_lock);
        for (i = 0; i < n; i++) {
            rc = perform(u, &batch[i]);
            if (rc)
                break;
            ++*done;
            if (must_stop(u, *done) && *done < count) {
                rc = -HC_RESTART;
                break;
            }
        }
        spin_unlock(&u->edit.pt_owner->arch.mmu_lock);
    }
    return rc;
}

static int find_owners(struct update *u, unsigned foreign)
{
    struct domain *d;
    int rc;

    rc = pg_owner_get(foreign >> 16 ? (foreign >> 16) - 1 : DOMID_SELF, &u->edit.pt_owner);
    if (rc)
        return rc;
    d = u->edit.pt_owner;
    if (d != current->domain && (!d->vcpu || !d->vcpu[0])) {
        domain_put(d);
        return -EINVAL;
    }
    rc = pg_owner_get(foreign & 0xffff, &u->edit.pg_owner);
    if (rc)
        domain_put(d);
    return rc;
}

long do_mmu_update(struct hypercall *hc)
{
    struct update u = {.table = NULL};
    long rc;

    if (!table_list_begin(hc, sizeof(struct mmu_update), &rc))
        return rc;
    rc = find_owners(&u, hc->arg[3]);
    if (rc)
        return rc;
    rc = perform_all(&u, hc->arg[0], &hc->progress[0], table_list_count(hc));
    drop_table(&u);
    if (u.edit.flush)
        tlb_flush_mask(&u.edit.pt_owner->arch.dirty_cpus);
    domain_put(u.edit.pt_owner);
    domain_put(u.edit.pg_owner);
    return table_list_end(hc, rc);
}
