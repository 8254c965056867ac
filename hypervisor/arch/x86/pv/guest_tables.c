/* SPDX-License-Identifier: MIT */
/*
 * The tables a vCPU runs on, the domain that a memory hypercall names, and how a domain's memory
 * begins and ends.
 *
 * Interface: arch_domain_* (hv/vcpu.h), pv_set_guest_table, pv_set_guest_table_user, pv_drop_tables
 * (asm/pv.h); the rest in asm/pv_mm.h. Invariant: v->arch.guest_table and guest_table_user, where
 * set, are L4 tables of v's domain with a type reference each.
 */
#include <asm/pv_mm.h>

/* Put m (with a new type reference; INVALID_MFN: none) in *slot, drop what was there. The caller
 * holds no lock. */
static inline int set_table(struct vcpu *v, mfn_t *slot, mfn_t m)
{
    struct domain *d = v->domain;
    mfn_t old = *slot;
    bool same = mfn_eq(old, m);
    int rc = 0;

    spin_lock(&d->arch.mmu_lock);
    if (mfn_is_set(m) && !same)
        rc = table_get(m, d, FT_L4);
    if (!rc) {
        *slot = m;
        if (v == current && slot == &v->arch.guest_table)
            pv_load_cr3(v);
        /* Only now does no CPU use the old one: who calls is not in user mode. */
        if (mfn_is_set(old) && !same)
            table_put(old); /* preempted: a debt of the caller's */
    }
    spin_unlock(&d->arch.mmu_lock);
    return rc;
}

int pv_set_guest_table(struct vcpu *v, mfn_t m)
{
    int rc = mfn_is_set(m) ? set_table(v, &v->arch.guest_table, m) : -EINVAL;

    if (!rc && v == current && v->arch.ldt_entries)
        pv_destroy_ldt(v); /* its pages were found through the old table */
    return rc;
}

int pv_set_guest_table_user(struct vcpu *v, mfn_t m)
{
    return set_table(v, &v->arch.guest_table_user, m);
}

void pv_drop_tables(struct vcpu *v)
{
    set_table(v, &v->arch.guest_table_user, INVALID_MFN);
    set_table(v, &v->arch.guest_table, INVALID_MFN);
}

/* --- domains that hypercalls name --- */

int pg_owner_get(unsigned id, struct domain **out)
{
    struct domain *me = current->domain, *d;

    d = id == DOMID_SELF ? me : id == DOMID_IO ? dom_io : id == DOMID_XEN ? dom_xen : NULL;
    if (d)
        domain_hold(d);
    else if (id == me->id || !(d = domain_get(id)))
        return -ESRCH; /* oneself is DOMID_SELF, and nothing else */
    if (d != me && d != dom_io && !me->is_dom0) {
        domain_put(d);
        return -EPERM;
    }
    *out = d;
    return 0;
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
            const struct vcpu *v = domain_vcpu(d, base + __builtin_ctzl(bits));
            unsigned cpu = v ? v->cpu : MAX_CPUS;

            /* Where its translations may be: on the CPU it runs on, or ran on last if that has not
             * flushed them. */
            if (cpu < MAX_CPUS && cpumask_test(&d->arch.dirty_cpus, cpu))
                cpumask_set(out, cpu);
        }
    }
    return 0;
}

/* --- birth and death --- */

int arch_domain_create(struct domain *d)
{
    spin_lock_init(&d->arch.mmu_lock);
    d->arch.iomem_all = d->is_dom0;
    return 0;
}

/* Called again and again until it returns 0; no vCPU of d runs any more. */
long arch_domain_relinquish(struct domain *d)
{
    if (table_debts_pay())
        return -HC_RESTART;
    for_each_vcpu(d, v) {
        pv_destroy_gdt(v);
        pv_destroy_ldt(v);
        pv_drop_tables(v);
        if (preempt_needed())
            return -HC_RESTART;
    }
    return domain_relinquish_frames(d);
}

void arch_domain_destroy(struct domain *d)
{
    hv_free(d->arch.e820);
    hv_free(d->cpuid_leaves);
}
