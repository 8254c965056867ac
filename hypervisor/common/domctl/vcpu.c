/* SPDX-License-Identifier: MIT */
/*
 * domctl: a domain's vCPUs: number, registers, placement, share of the machine, TSC. Called with
 * domctl_lock held.
 */
#include "domctl.h"
#include <asm/uaccess.h>
#include <hv/frame.h>
#include <hv/sched.h>
#include <hv/time.h>

/* The vCPU that an operation names: 0, -EINVAL or -ESRCH. */
static long find_vcpu(struct domain *d, uint32_t id, struct vcpu **v)
{
    *v = domain_vcpu(d, id);
    return id >= d->max_vcpus ? -EINVAL : *v ? 0 : -ESRCH;
}

long domctl_max_vcpus(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    return domain_make_vcpus(d, op->u.max_vcpus.max);
}

/* --- registers
 * ---------------------------------------------------------------------------------------------------------------
 */

long domctl_setvcpucontext(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_vcpucontext *a = &op->u.vcpucontext;
    struct vcpu_guest_context *c;
    struct vcpu *v;
    long rc = find_vcpu(d, a->vcpu, &v);

    if (rc)
        return rc;
    if (!a->ctxt.p) /* "reset" is for HVM */
        return -EINVAL;
    c = hv_alloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    rc = copy_in(c, a->ctxt.p);
    if (!rc) {
        domain_pause(d);
        rc = arch_vcpu_set_context(v, c);
        domain_unpause(d);
    }
    hv_free(c);
    return rc;
}

long domctl_getvcpucontext(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_vcpucontext *a = &op->u.vcpucontext;
    struct vcpu_guest_context *c;
    struct vcpu *v;
    long rc = find_vcpu(d, a->vcpu, &v);

    if (rc)
        return rc;
    if (!v->initialised)
        return -ENODATA;
    c = hv_alloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    vcpu_pause(v);
    arch_vcpu_get_context(v, c);
    vcpu_unpause(v);
    rc = copy_out(a->ctxt.p, c);
    hv_free(c);
    return rc;
}

long domctl_getvcpuinfo(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_getvcpuinfo *a = &op->u.getvcpuinfo;
    struct vcpu_runstate_info run;
    struct vcpu *v;
    long rc = find_vcpu(d, a->vcpu, &v);

    if (rc)
        return rc;
    vcpu_runstate_get(v, &run);
    a->online = !v->down;
    a->blocked = v->blocked;
    a->running = v->is_running;
    a->cpu_time = run.time[RUNSTATE_running];
    a->cpu = v->cpu;
    return 0;
}

/* --- placement
 * ---------------------------------------------------------------------------------------------------------------
 */

/* What a tool is told of a mask: online CPUs only. */
static long mask_to_tool(struct xenctl_bitmap *to, cpumask_t mask)
{
    for (unsigned i = 0; i < ARRAY_SIZE(mask.w); i++)
        mask.w[i] &= cpus_online.w[i];
    return bitmap_to_tool(to, mask.w, nr_cpus);
}

long domctl_setvcpuaffinity(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    cpumask_t hard = {{0}}, soft = {{0}};
    struct vcpu *v;
    long rc = find_vcpu(d, a->vcpu, &v);

    if (rc)
        return rc;
    if (!a->flags ||
        a->flags & ~(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE))
        return -EINVAL;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = bitmap_from_tool(hard.w, nr_cpus, &a->cpumap_hard);
    if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = bitmap_from_tool(soft.w, nr_cpus, &a->cpumap_soft);
    if (!rc && a->flags & XEN_VCPUAFFINITY_HARD)
        rc = sched_set_affinity(v, &hard);
    if (rc)
        return rc;
    if (a->flags & XEN_VCPUAFFINITY_SOFT)
        sched_set_soft_affinity(v, &soft);
    return domctl_getvcpuaffinity(d, op, hc);
}

long domctl_getvcpuaffinity(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    cpumask_t hard, soft;
    struct vcpu *v;
    long rc = find_vcpu(d, a->vcpu, &v);

    if (rc)
        return rc;
    sched_get_affinity(v, &hard, &soft);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = mask_to_tool(&a->cpumap_hard, hard);
    if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = mask_to_tool(&a->cpumap_soft, soft);
    return rc;
}

long domctl_setnodeaffinity(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    uint64_t nodes;

    if (bitmap_from_tool(&nodes, 64, &op->u.nodeaffinity.nodemap))
        return -EFAULT;
    return nodes & 1 ? 0 : -EINVAL; /* one node so far */
}

long domctl_getnodeaffinity(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    uint64_t nodes = 1;

    return bitmap_to_tool(&op->u.nodeaffinity.nodemap, &nodes, 1);
}

/* --- scheduling
 * ---------------------------------------------------------------------------------------------------------------
 */

static long credit2_params(struct domain *d, struct xen_domctl_scheduler_op *a)
{
    struct sched_params p = d->sched.set;

    if (a->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
        a->u.credit2.weight = (uint16_t)p.weight;
        a->u.credit2.cap = (uint16_t)p.cap;
        return 0;
    }
    if (a->u.credit2.weight)
        p.weight = a->u.credit2.weight;
    if (a->u.credit2.cap != (uint16_t)~0)
        p.cap = a->u.credit2.cap;
    return sched_set_params(d, &p);
}

/* A reservation, in the words of Xen's real-time scheduler: each vCPU has budget in each period
 * (us). So `xl sched-rtds` shows and sets it, too. */
static long reservation(struct domain *d, struct xen_domctl_scheduler_op *a)
{
    uint64_t period, budget;

    if (a->cmd == XEN_DOMCTL_SCHEDOP_putinfo)
        return sched_set_reservation(d, a->u.rtds.period * 1000UL, a->u.rtds.budget * 1000UL);
    sched_get_reservation(d, &period, &budget);
    a->u.rtds.period = (uint32_t)(period / 1000);
    a->u.rtds.budget = (uint32_t)(budget / 1000);
    return 0;
}

long domctl_scheduler_op(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_scheduler_op *a = &op->u.scheduler_op;

    if (a->cmd != XEN_DOMCTL_SCHEDOP_putinfo && a->cmd != XEN_DOMCTL_SCHEDOP_getinfo)
        return -EINVAL;
    if (a->sched_id == XEN_SCHEDULER_CREDIT2)
        return credit2_params(d, a);
    if (a->sched_id == XEN_SCHEDULER_RTDS)
        return reservation(d, a);
    return -EINVAL;
}

long domctl_settscinfo(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_tsc_info *a = &op->u.tsc_info;

    /* The TSC is the machine's own: the modes that promise no more than that, at this machine's
     * frequency. */
    if (a->tsc_mode > 2 || (a->gtsc_khz && a->gtsc_khz != tsc_khz()))
        return -EOPNOTSUPP;
    d->tsc_mode = a->tsc_mode;
    d->tsc_incarnation = a->incarnation;
    return 0;
}

long domctl_gettscinfo(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    op->u.tsc_info = (struct xen_domctl_tsc_info){
        .tsc_mode = d->tsc_mode,
        .gtsc_khz = tsc_khz(),
        .incarnation = d->tsc_incarnation,
        .elapsed_nsec = now(),
    };
    return 0;
}
