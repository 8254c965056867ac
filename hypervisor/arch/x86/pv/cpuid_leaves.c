/* SPDX-License-Identifier: MIT */
/*
 * CPUID policy as tools see it: a list of leaves, read for the machine or for a domain, and written
 * for a domain that has not run yet. What a tool writes can only take features away: cpuid_policy()
 * keeps a bit if the machine, our own policy and the written leaf have it.
 *
 * Interface: domctl get/set_cpu_policy, sysctl get_cpu_policy, get_cpu_featureset; cpuid_limit.
 * Sizes are those of Xen 4.17, since its tools check them. Invariant: a domain's list is set while
 * it does not run, and not changed after.
 */
#include "../../../common/domctl/domctl.h"
#include "../../../common/sysctl/sysctl.h"
#include <asm/msr.h>
#include <asm/pv.h>
#include <asm/uaccess.h>
#include <hv/string.h>

#define MAX_LEAVES      120
#define MAX_MSRS        2
#define NR_FEATURES     19
#define LEAF1_C_OSXSAVE (1u << 27)
#define LEAF1_C_HV      (1u << 31)
#define LEAF1_B_APIC_ID 0xff000000u

#define MSR_PLATFORM_INFO 0xce

/* The leaves that have sub-leaves, and how many of them Xen's tools know. */
static const struct {
    uint32_t leaf, subs;
} with_subs[] = {{4, 6}, {7, 3}, {0xb, 2}, {0xd, 63}};

static uint32_t nr_subs(uint32_t leaf)
{
    for (unsigned i = 0; i < ARRAY_SIZE(with_subs); i++)
        if (with_subs[i].leaf == leaf)
            return with_subs[i].subs;
    return 0;
}

/* Where each word of a featureset comes from; the words that are missing are of MSRs and read as
 * zero. */
static const struct {
    uint8_t word, reg;
    uint32_t leaf, sub;
} feature_words[] = {
    {0, 3, 1, 0},           {1, 2, 1, 0},  {2, 3, 0x80000001, 0}, {3, 2, 0x80000001, 0},
    {4, 0, 0xd, 1},         {5, 1, 7, 0},  {6, 2, 7, 0},          {7, 3, 0x80000007, 0},
    {8, 1, 0x80000008, 0},  {9, 3, 7, 0},  {10, 0, 7, 1},         {11, 0, 0x80000021, 0},
    {12, 1, 7, 1},          {13, 3, 7, 2}, {14, 2, 7, 1},         {15, 3, 7, 1},
    {18, 2, 0x80000021, 0},
};

/* EAX … EDX by number */
static uint32_t *reg(struct cpuid_regs *r, unsigned n)
{
    return &r->eax + n;
}

/* Where features are, a written leaf takes bits away. */
void cpuid_limit(const struct domain *d, uint32_t leaf, uint32_t sub, struct cpuid_regs *r)
{
    uint32_t any = nr_subs(leaf) ? sub : XEN_CPUID_NO_SUBLEAF,
             feature_sub = nr_subs(leaf) ? sub : 0;

    for (unsigned i = 0; i < d->nr_cpuid_leaves; i++) {
        const xen_cpuid_leaf_t *l = &d->cpuid_leaves[i];
        const uint32_t regs[4] = {l->a, l->b, l->c, l->d};

        if (l->leaf != leaf || l->subleaf != any)
            continue;
        if (leaf == 0 || leaf == 0x80000000)
            r->eax = MIN(r->eax, l->a);
        for (unsigned k = 0; k < ARRAY_SIZE(feature_words); k++) {
            unsigned n = feature_words[k].reg;

            if (feature_words[k].leaf == leaf && feature_words[k].sub == feature_sub)
                /* what follows the vCPU's own state is not in the list */
                *reg(r, n) &= regs[n] | (leaf == 1 && n == 2 ? LEAF1_C_OSXSAVE | LEAF1_C_HV : 0);
        }
        return;
    }
}

/* --- the list -------------------------------------------------------------------------------- */

struct list_out {
    uint64_t guest;
    unsigned room, n;
    bool raw; /* the machine's own answers */
    const struct domain *d;
};

static struct cpuid_regs answer(bool raw, uint32_t leaf, uint32_t sub)
{
    return raw ? cpuid_count(leaf, sub) : cpuid_policy(current, leaf, sub);
}

static long put(struct list_out *o, uint32_t leaf, uint32_t sub)
{
    uint32_t s = sub == XEN_CPUID_NO_SUBLEAF ? 0 : sub;
    struct cpuid_regs r = answer(o->raw, leaf, s);
    xen_cpuid_leaf_t l;

    if (o->d)
        cpuid_limit(o->d, leaf, s, &r);
    if (leaf == 1) {
        r.ebx &= ~LEAF1_B_APIC_ID;
        r.ecx &= ~LEAF1_C_OSXSAVE;
    }
    if (o->n >= o->room)
        return -ENOBUFS;
    l = (xen_cpuid_leaf_t){leaf, sub, r.eax, r.ebx, r.ecx, r.edx};
    return copy_out(o->guest + o->n++ * sizeof(l), &l);
}

static long put_all(struct list_out *o)
{
    uint32_t top = cpuid_policy(current, 0, 0).eax;
    long rc = 0;

    for (uint32_t leaf = 0; leaf <= top && !rc; leaf++) {
        if (!nr_subs(leaf))
            rc = put(o, leaf, XEN_CPUID_NO_SUBLEAF);
        for (uint32_t sub = 0; sub < nr_subs(leaf) && !rc; sub++)
            rc = put(o, leaf, sub);
    }
    if (!rc)
        rc = put(o, 0x40000000, XEN_CPUID_NO_SUBLEAF);
    top = cpuid_policy(current, 0x80000000, 0).eax;
    for (uint32_t leaf = 0x80000000; leaf <= top && !rc; leaf++)
        rc = put(o, leaf, XEN_CPUID_NO_SUBLEAF);
    return rc;
}

/* Both lists of a policy, as far as the tool has a place for them; and how long they are. */
static long put_policy(struct list_out *o, uint32_t *nr_leaves, uint64_t msrs, uint32_t *nr_msrs)
{
    static const xen_msr_entry_t values[MAX_MSRS] = {{.idx = MSR_PLATFORM_INFO},
                                                     {.idx = MSR_ARCH_CAPS}};
    long rc = o->guest ? put_all(o) : 0;

    if (!rc && msrs)
        rc = *nr_msrs < MAX_MSRS ? -ENOBUFS : copy_to_guest(msrs, values, sizeof(values));
    *nr_leaves = o->guest ? o->n : MAX_LEAVES;
    *nr_msrs = MAX_MSRS;
    return rc;
}

/* --- domctl ---------------------------------------------------------------------------------- */

long domctl_get_cpu_policy(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
    struct list_out o = {.guest = (uint64_t)p->leaves.p, .room = p->nr_leaves, .d = d};

    return put_policy(&o, &p->nr_leaves, (uint64_t)p->msrs.p, &p->nr_msrs);
}

static bool leaf_known(const xen_cpuid_leaf_t *l)
{
    uint32_t subs = nr_subs(l->leaf);

    if (subs)
        return l->subleaf < subs;
    return l->subleaf == XEN_CPUID_NO_SUBLEAF &&
           (l->leaf <= 0xd || l->leaf == 0x40000000 || l->leaf == 0x40000100 ||
            (l->leaf >= 0x80000000 && l->leaf <= 0x80000021));
}

static long read_msrs(struct xen_domctl_cpu_policy *p)
{
    for (uint32_t i = 0; i < p->nr_msrs; i++) {
        xen_msr_entry_t m;

        if (copy_in(&m, (uint64_t)p->msrs.p + i * sizeof(m)))
            return -EFAULT;
        p->err_msr = m.idx;
        /* The values are CPUID faulting, and protections that we do not claim. */
        if (m.flags || m.val || (m.idx != MSR_PLATFORM_INFO && m.idx != MSR_ARCH_CAPS))
            return -EINVAL;
    }
    return 0;
}

static bool has_run(const struct domain *d)
{
    for_each_vcpu(d, v)
        if (v->runstate.time[RUNSTATE_running])
            return true;
    return false;
}

long domctl_set_cpu_policy(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
    xen_cpuid_leaf_t *leaves;
    long rc;

    p->err_leaf = p->err_subleaf = p->err_msr = ~0u;
    if (d == current->domain)
        return -EINVAL;
    if (has_run(d))
        return -EEXIST; /* it has looked already */
    if (p->nr_leaves > MAX_LEAVES || p->nr_msrs > MAX_MSRS)
        return -E2BIG;
    rc = read_msrs(p);
    if (rc)
        return rc;
    p->err_msr = ~0u;
    leaves = hv_alloc(p->nr_leaves * sizeof(*leaves) + 1);
    if (!leaves)
        return -ENOMEM;
    rc = copy_from_guest(leaves, (uint64_t)p->leaves.p, p->nr_leaves * sizeof(*leaves));
    for (uint32_t i = 0; i < p->nr_leaves && !rc; i++)
        if (!leaf_known(&leaves[i])) {
            p->err_leaf = leaves[i].leaf;
            p->err_subleaf = leaves[i].subleaf;
            rc = -ERANGE;
        }
    if (rc) {
        hv_free(leaves);
        return rc;
    }
    d->nr_cpuid_leaves = 0;
    hv_free(d->cpuid_leaves);
    d->cpuid_leaves = leaves;
    d->nr_cpuid_leaves = p->nr_leaves;
    return 0;
}

/* --- sysctl ---------------------------------------------------------------------------------- */

long sysctl_get_cpu_policy(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_policy *p = &op->u.cpu_policy;
    struct list_out o = {.guest = (uint64_t)p->leaves.p, .room = p->nr_leaves};

    if (p->_rsvd || p->index > XEN_SYSCTL_cpu_policy_hvm_default)
        return -EINVAL;
    if (p->index == XEN_SYSCTL_cpu_policy_hvm_max || p->index == XEN_SYSCTL_cpu_policy_hvm_default)
        return -EOPNOTSUPP;
    o.raw = p->index <= XEN_SYSCTL_cpu_policy_host;
    return put_policy(&o, &p->nr_leaves, (uint64_t)p->msrs.p, &p->nr_msrs);
}

static void featureset(bool raw, uint32_t words[NR_FEATURES])
{
    memset(words, 0, NR_FEATURES * sizeof(*words));
    for (unsigned i = 0; i < ARRAY_SIZE(feature_words); i++) {
        uint32_t leaf = feature_words[i].leaf;
        struct cpuid_regs r = answer(raw, leaf, feature_words[i].sub);

        if (!raw || cpuid_count(leaf & 0x80000000, 0).eax >= leaf)
            words[feature_words[i].word] = *reg(&r, feature_words[i].reg);
    }
    words[1] &= ~LEAF1_C_OSXSAVE;
}

long sysctl_get_cpu_featureset(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
    uint32_t words[NR_FEATURES], nr = MIN(f->nr_features, (uint32_t)NR_FEATURES);

    if (!f->features.p) {
        f->nr_features = NR_FEATURES;
        return 0;
    }
    if (f->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EINVAL;
    if (f->index == XEN_SYSCTL_cpu_featureset_hvm || f->index == XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EOPNOTSUPP;
    featureset(f->index <= XEN_SYSCTL_cpu_featureset_host, words);
    if (copy_to_guest((uint64_t)f->features.p, words, nr * sizeof(words[0])))
        return -EFAULT;
    f->nr_features = nr;
    return nr < NR_FEATURES ? -ENOBUFS : 0;
}
