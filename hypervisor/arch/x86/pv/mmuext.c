/* SPDX-License-Identifier: MIT */
/*
 * Hypercall mmuext_op: pin and unpin tables, load new ones, flush TLBs and caches, set the LDT,
 * clear and copy pages. <xen/xen.h>
 *
 * One handler for each operation; they return 0, -errno, or -HC_RESTART (call me again). Operations
 * on the caller's own processor state may not name another domain: -EPERM.
 */
#include <asm/pv_mm.h>
#include <hv/string.h>

typedef long ext_fn(const struct mmuext_op *op, struct domain *d);

int pv_pin_table(struct domain *d, mfn_t m, enum frame_type t)
{
    int rc;

    spin_lock(&d->arch.mmu_lock);
    rc = d->dying ? -EINVAL
                  : table_get(m, d, t); /* a dying domain's pins have been dropped, or will be */
    if (!rc &&
        (__atomic_fetch_or(&frame_of(m)->type, TYPE_PINNED, __ATOMIC_ACQ_REL) & TYPE_PINNED)) {
        table_put(m);
        rc = -EINVAL;
    }
    spin_unlock(&d->arch.mmu_lock);
    return rc;
}

static long pin(const struct mmuext_op *op, struct domain *d)
{
    return pv_pin_table(d, mfn(op->arg1.mfn), FT_L1 + (op->cmd - MMUEXT_PIN_L1_TABLE));
}

static long unpin(const struct mmuext_op *op, struct domain *d)
{
    mfn_t m = mfn(op->arg1.mfn);
    long rc = -EINVAL;

    if (!frame_get(m, d))
        return -EINVAL;
    spin_lock(&d->arch.mmu_lock);
    if (__atomic_fetch_and(&frame_of(m)->type, ~TYPE_PINNED, __ATOMIC_ACQ_REL) & TYPE_PINNED) {
        table_put(m); /* preempted: a debt */
        rc = 0;
    }
    spin_unlock(&d->arch.mmu_lock);
    frame_put(m);
    return rc;
}

static long new_baseptr(const struct mmuext_op *op, struct domain *d)
{
    return pv_set_guest_table(current, mfn(op->arg1.mfn));
}

static long new_user_baseptr(const struct mmuext_op *op, struct domain *d)
{
    return pv_set_guest_table_user(current, op->arg1.mfn ? mfn(op->arg1.mfn) : INVALID_MFN);
}

static long flush_here(const struct mmuext_op *op, struct domain *d)
{
    if (op->cmd == MMUEXT_TLB_FLUSH_LOCAL)
        tlb_flush_local();
    else if (guest_range_ok(op->arg1.linear_addr, 1))
        tlb_flush_local_va(op->arg1.linear_addr);
    return 0;
}

/* Of the vCPUs that it names, or of all: one page, or everything. */
static long flush_tlbs(const struct mmuext_op *op, struct domain *d)
{
    bool named = op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_INVLPG_MULTI;
    cpumask_t cpus = d->arch.dirty_cpus;

    if (named && vcpumask_to_cpus((uint64_t)op->arg2.vcpumask.p, &cpus))
        return -EINVAL;
    if (op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_TLB_FLUSH_ALL)
        tlb_flush_mask(&cpus);
    else if (guest_range_ok(op->arg1.linear_addr, 1))
        tlb_flush_mask_va(&cpus, op->arg1.linear_addr);
    return 0;
}

static void write_back_caches(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
}

/* Only a domain with devices has uncached mappings; for others it is a way to slow the machine
 * down. */
static long flush_cache(const struct mmuext_op *op, struct domain *d)
{
    bool everywhere = op->cmd == MMUEXT_FLUSH_CACHE_GLOBAL;

    if (!d->arch.iomem_all)
        return everywhere ? -EINVAL : -EACCES;
    if (everywhere)
        smp_call(write_back_caches);
    write_back_caches();
    return 0;
}

static long set_ldt(const struct mmuext_op *op, struct domain *d)
{
    return pv_set_ldt(current, op->arg1.linear_addr, op->arg2.nr_ents);
}

/* Clear a page, or copy another to it. */
static long fill_page(const struct mmuext_op *op, struct domain *d)
{
    mfn_t to = mfn(op->arg1.mfn), from = mfn(op->arg2.src_mfn);
    void *src, *dst;
    long rc = 0;

    if (frame_get_typed(to, d, FT_WRITABLE))
        return -EINVAL;
    dst = map_frame(to);
    if (op->cmd == MMUEXT_CLEAR_PAGE) {
        memset(dst, 0, PAGE_SIZE);
    } else if (frame_get(from, d)) {
        src = map_frame(from);
        memcpy(dst, src, PAGE_SIZE);
        unmap_frame(src);
        frame_put(from);
    } else {
        rc = -EINVAL;
    }
    unmap_frame(dst);
    frame_put_typed(to);
    return rc;
}

static long no_superpages(const struct mmuext_op *op, struct domain *d)
{
    return -EOPNOTSUPP;
}

static const struct {
    ext_fn *fn;
    bool foreign; /* may work on another domain */
} ops[] = {
    [MMUEXT_PIN_L1_TABLE] = {pin, true},
    [MMUEXT_PIN_L2_TABLE] = {pin, true},
    [MMUEXT_PIN_L3_TABLE] = {pin, true},
    [MMUEXT_PIN_L4_TABLE] = {pin, true},
    [MMUEXT_UNPIN_TABLE] = {unpin, true},
    [MMUEXT_NEW_BASEPTR] = {new_baseptr, false},
    [MMUEXT_NEW_USER_BASEPTR] = {new_user_baseptr, false},
    [MMUEXT_TLB_FLUSH_LOCAL] = {flush_here, false},
    [MMUEXT_INVLPG_LOCAL] = {flush_here, false},
    [MMUEXT_TLB_FLUSH_MULTI] = {flush_tlbs, false},
    [MMUEXT_INVLPG_MULTI] = {flush_tlbs, false},
    [MMUEXT_TLB_FLUSH_ALL] = {flush_tlbs, false},
    [MMUEXT_INVLPG_ALL] = {flush_tlbs, false},
    [MMUEXT_FLUSH_CACHE] = {flush_cache, false},
    [MMUEXT_FLUSH_CACHE_GLOBAL] = {flush_cache, false},
    [MMUEXT_SET_LDT] = {set_ldt, false},
    [MMUEXT_CLEAR_PAGE] = {fill_page, true},
    [MMUEXT_COPY_PAGE] = {fill_page, true},
    [MMUEXT_MARK_SUPER] = {no_superpages, true},
    [MMUEXT_UNMARK_SUPER] = {no_superpages, true},
};

static long perform(const struct mmuext_op *op, struct domain *d)
{
    if (op->cmd >= ARRAY_SIZE(ops) || !ops[op->cmd].fn)
        return -ENOSYS;
    if (!ops[op->cmd].foreign && d != current->domain)
        return -EPERM;
    return ops[op->cmd].fn(op, d);
}

long do_mmuext_op(struct hypercall *hc)
{
    unsigned long *done = &hc->progress[0];
    unsigned count = table_list_count(hc);
    bool first = true;
    struct domain *d;
    long rc;

    if (!table_list_begin(hc, sizeof(struct mmuext_op), &rc))
        return rc;
    rc = pg_owner_get((uint16_t)hc->arg[3], &d);
    if (rc)
        return rc;
    for (; !rc && *done < count; first = false) {
        struct mmuext_op op;

        if (!first && (preempt_needed() || table_debts_any()))
            rc = -HC_RESTART;
        else if (copy_in(&op, hc->arg[0] + *done * sizeof(op)))
            rc = -EFAULT;
        else
            rc = perform(&op, d);
        *done += !rc;
    }
    domain_put(d);
    return table_list_end(hc, rc);
}
