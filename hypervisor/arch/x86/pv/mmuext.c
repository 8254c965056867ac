/* SPDX-License-Identifier: MIT */
/*
 * Hypercall mmuext_op: pin and unpin tables, load new ones, flush TLBs and caches, set the LDT,
 * clear and copy pages. <xen/xen.h>
 *
 * One handler for each operation; they return 0, -errno, or -HC_RESTART (call me again). Operations
 * on the caller's own processor state may not name another domain: -EPERM. Progress: [0] operations
 * done, [1] the result, once it is known but tables are still to be taken apart.
 */
#include <asm/pv_mm.h>
#include <hv/string.h>

#define RESULT_KNOWN (1UL << 32)

typedef long ext_fn(const struct mmuext_op *op, struct domain *d);

int pv_pin_table(struct domain *d, mfn_t m, enum frame_type t)
{
    int rc;

    spin_lock(&d->arch.mmu_lock);
    rc = d->dying ? -EINVAL : table_get(m, d, t); /* a dying domain's pins have been dropped, or will be */
    if (!rc && (__atomic_fetch_or(&frame_of(m)->type, TYPE_PINNED, __ATOMIC_ACQ_REL) & TYPE_PINNED)) {
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

static long flush_local(const struct mmuext_op *op, struct domain *d)
{
    tlb_flush_local();
    return 0;
}

static bool address_ok(uint64_t va)
{
    return guest_range_ok(va, 1);
}

static long invlpg_local(const struct mmuext_op *op, struct domain *d)
{
    if (address_ok(op->arg1.linear_addr))
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
    else if (address_ok(op->arg1.linear_addr))
        tlb_flush_mask_va(&cpus, op->arg1.linear_addr);
    return 0;
}

static void write_back_caches(void *unused)
{
    __asm__ volatile("wbinvd" ::: "memory");
}

/* Only a domain with devices has uncached mappings; for others it is a way to slow the machine
 * down. */
static long flush_cache(const struct mmuext_op *op, struct domain *d)
{
    if (!d->arch.iomem_all)
        return -EACCES;
    write_back_caches(NULL);
    return 0;
}

static long flush_cache_global(const struct mmuext_op *op, struct domain *d)
{
    if (!d->arch.iomem_all)
        return -EINVAL;
    smp_call(&cpus_online, write_back_caches, NULL);
    write_back_caches(NULL);
    return 0;
}

static long set_ldt(const struct mmuext_op *op, struct domain *d)
{
    return pv_set_ldt(current, op->arg1.linear_addr, op->arg2.nr_ents);
}

/* A writable frame of d, mapped; put_page() undoes it. */
static void *get_page(mfn_t m, struct domain *d)
{
    return frame_get_typed(m, d, FT_WRITABLE) ? NULL : map_frame(m);
}

static void put_page(void *p, mfn_t m)
{
    unmap_frame(p);
    frame_put_typed(m);
}

static long clear_page(const struct mmuext_op *op, struct domain *d)
{
    mfn_t m = mfn(op->arg1.mfn);
    void *p = get_page(m, d);

    if (!p)
        return -EINVAL;
    memset(p, 0, PAGE_SIZE);
    put_page(p, m);
    return 0;
}

static long copy_page(const struct mmuext_op *op, struct domain *d)
{
    mfn_t to = mfn(op->arg1.mfn), from = mfn(op->arg2.src_mfn);
    void *src, *dst;

    if (!frame_get(from, d))
        return -EINVAL;
    dst = get_page(to, d);
    if (dst) {
        src = map_frame(from);
        memcpy(dst, src, PAGE_SIZE);
        unmap_frame(src);
        put_page(dst, to);
    }
    frame_put(from);
    return dst ? 0 : -EINVAL;
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
    [MMUEXT_TLB_FLUSH_LOCAL] = {flush_local, false},
    [MMUEXT_INVLPG_LOCAL] = {invlpg_local, false},
    [MMUEXT_TLB_FLUSH_MULTI] = {flush_tlbs, false},
    [MMUEXT_INVLPG_MULTI] = {flush_tlbs, false},
    [MMUEXT_TLB_FLUSH_ALL] = {flush_tlbs, false},
    [MMUEXT_INVLPG_ALL] = {flush_tlbs, false},
    [MMUEXT_FLUSH_CACHE] = {flush_cache, false},
    [MMUEXT_FLUSH_CACHE_GLOBAL] = {flush_cache_global, false},
    [MMUEXT_SET_LDT] = {set_ldt, false},
    [MMUEXT_CLEAR_PAGE] = {clear_page, true},
    [MMUEXT_COPY_PAGE] = {copy_page, true},
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
    uint64_t list = hc->arg[0], pdone = hc->arg[2];
    unsigned count = (unsigned)hc->arg[1] & ~COUNT_PREEMPTED;
    unsigned long *done = &hc->progress[0];
    bool first = true;
    struct domain *d;
    long rc;

    frames_reap();
    if (table_debts_pay())
        return -HC_RESTART;
    if (hc->progress[1] & RESULT_KNOWN)
        return (int)(uint32_t)hc->progress[1];

    if (!guest_range_ok(list, (uint64_t)count * sizeof(struct mmuext_op)))
        return -EFAULT;
    rc = pg_owner_get((uint16_t)hc->arg[3], &d);
    if (rc)
        return rc;
    for (; !rc && *done < count; first = false) {
        struct mmuext_op op;

        if (!first && (preempt_needed() || table_debts_any()))
            rc = -HC_RESTART;
        else if (copy_in(&op, list + *done * sizeof(op)))
            rc = -EFAULT;
        else
            rc = perform(&op, d);
        *done += !rc;
    }
    pg_owner_put(d);
    if (rc == -HC_RESTART)
        return rc;
    if (pdone) {
        unsigned n = *done;
        int ignored = copy_out(pdone, &n); /* as Xen: a bad pdone is the caller's loss */

        (void)ignored;
    }
    if (table_debts_any()) {
        hc->progress[1] = RESULT_KNOWN | (uint32_t)rc;
        return -HC_RESTART;
    }
    return rc;
}
