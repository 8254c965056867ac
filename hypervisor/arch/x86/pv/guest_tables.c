/* SPDX-License-Identifier: MIT */
/*
 * The tables a vCPU runs on, the domain that a memory hypercall names, and how a domain's memory
 * begins and ends.
 *
 * Interface: pv_set_guest_table, pv_set_guest_table_user, pv_drop_tables (asm/pv.h); the rest in
 * asm/pv_mm.h. Invariant: v->arch.guest_table and guest_table_user, where set, are L4 tables of v's
 * domain with a type reference each.
 */
#include <asm/pv_mm.h>

static bool is_set(mfn_t m)
{
    return m.m && !mfn_eq(m, INVALID_MFN);
}

/* Put m (with a new type reference; INVALID_MFN: none) in *slot, drop what was there. The caller
 * holds no lock. */
static int replace_table(struct domain *d, mfn_t *slot, mfn_t m)
{
    mfn_t old = *slot;
    int rc = 0;

    if (mfn_eq(old, m))
        return 0;
    spin_lock(&d->arch.mmu_lock);
    if (is_set(m))
        rc = table_get(m, d, FT_L4);
    if (!rc)
        *slot = m;
    spin_unlock(&d->arch.mmu_lock);
    return rc;
}

static void drop_table(struct domain *d, mfn_t old)
{
    if (!is_set(old))
        return;
    spin_lock(&d->arch.mmu_lock);
    table_put(old); /* preempted: a debt of the caller's */
    spin_unlock(&d->arch.mmu_lock);
}

int pv_set_guest_table(struct vcpu *v, mfn_t m)
{
    struct domain *d = v->domain;
    mfn_t old = v->arch.guest_table;
    bool same = mfn_eq(old, m);
    int rc = 0;

    if (!is_set(m))
        return -EINVAL;
    spin_lock(&d->arch.mmu_lock);
    if (!same)
        rc = table_get(m, d, FT_L4);
    if (!rc) {
        v->arch.guest_table = m;
        if (v == current)
            pv_load_cr3(v);
        /* Only now does no CPU use the old one. */
        if (!same && is_set(old))
            table_put(old); /* preempted: a debt of the caller's */
    }
    spin_unlock(&d->arch.mmu_lock);
    if (!rc && v == current && v->arch.ldt_entries)
        pv_destroy_ldt(v); /* its pages were found through the old table */
    return rc;
}

int pv_set_guest_table_user(struct vcpu *v, mfn_t m)
{
    mfn_t old = v->arch.guest_table_user;
    int rc = replace_table(v->domain, &v->arch.guest_table_user, m);

    /* A hypercall comes from the guest's kernel, so nobody runs on it now. */
    if (!rc && !mfn_eq(old, m))
        drop_table(v->domain, old);
    return rc;
}

void pv_drop_tables(struct vcpu *v)
{
    mfn_t kernel = v->arch.guest_table, user = v->arch.guest_table_user;

    v->arch.guest_table = v->arch.guest_table_user = INVALID_MFN;
    drop_table(v->domain, user);
    drop_table(v->domain, kernel);
}

/* --- domains that hypercalls name --- */

int pg_owner_get(unsigned id, struct domain **out)
{
    struct domain *me = current->domain, *d;

    if (id == DOMID_SELF)
        d = me;
    else if (id == me->id)
        return -ESRCH; /* oneself is DOMID_SELF, and nothing else */
    else if (id == DOMID_IO)
        d = dom_io;
    else if (id == DOMID_XEN)
        d = dom_xen;
    else if ((d = domain_get(id))) {
        if (me->is_dom0) {
            *out = d;
            return 0;
        }
        domain_put(d);
        return -EPERM;
    } else {
        return -ESRCH;
    }
    if (d == dom_xen && !me->is_dom0)
        return -EPERM;
    domain_hold(d);
    *out = d;
    return 0;
}

void pg_owner_put(struct domain *d)
{
    domain_put(d);
}

int vcpumask_to_cpus(uint64_t bitmap, cpumask_t *out)
{
    const struct domain *d = current->domain;

    *out = (cpumask_t){{0}};
    for (unsigned base = 0; base < d->max_vcpus; base += 64) {
        uint64_t bits;

        if (copy_in(&bits, bitmap + base / 8))
            return -EFAULT;
        for (; bits; bits &= bits - 1) {
            unsigned id = base + __builtin_ctzl(bits);
            unsigned cpu;

            if (id >= d->max_vcpus)
                return 0;
            if (!d->vcpu[id])
                continue;
            cpu = d->vcpu[id]->cpu;
            /* Where its translations may be: on the CPU it runs on, or ran on last if that has not
             * flushed them. */
            if (cpu < MAX_CPUS && cpumask_test(&d->arch.dirty_cpus, cpu))
                cpumask_set(out, cpu);
        }
    }
    return 0;
}

/* --- birth and death --- */

int pv_domain_init(struct domain *d)
{
    spin_lock_init(&d->arch.mmu_lock);
    d->arch.iomem_all = d->is_dom0;
    return 0;
}

/* Called again and again until it returns 0; no vCPU of d runs any more. */
long pv_relinquish_memory(struct domain *d)
{
    frames_reap();
    if (table_debts_pay())
        return -HC_RESTART;
    for (unsigned i = 0; d->vcpu && i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (!v)
            continue;
        pv_destroy_gdt(v);
        pv_destroy_ldt(v);
        pv_drop_tables(v);
        if (preempt_needed())
            return -HC_RESTART;
    }
    return domain_relinquish_frames(d);
}

void pv_domain_destroy(struct domain *d)
{
    hv_free(d->arch.e820);
    d->arch.e820 = NULL;
    d->arch.nr_e820 = 0;
}
