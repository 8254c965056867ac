/* SPDX-License-Identifier: MIT */
/*
 * sysctl: the domains as a list, and the one CPU pool that they run in.
 */
#include "sysctl.h"
#include "../domctl/domctl.h"
#include <asm/uaccess.h>

long sysctl_sched_id(struct xen_sysctl *op)
{
    op->u.sched_id.sched_id =
        XEN_SCHEDULER_CREDIT2; /* the shape of our parameters, as tools know it */
    return 0;
}

/* What credit2 has for the whole pool is a rate limit; our time slices need none. */
long sysctl_scheduler_op(struct xen_sysctl *op)
{
    struct xen_sysctl_scheduler_op *a = &op->u.scheduler_op;

    if (a->cpupool_id)
        return -ESRCH;
    if (a->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    if (a->cmd != XEN_SYSCTL_SCHEDOP_getinfo)
        return a->cmd == XEN_SYSCTL_SCHEDOP_putinfo ? -EOPNOTSUPP : -EINVAL;
    a->u.sched_credit2.ratelimit_us = 0;
    return 0;
}

long sysctl_getdomaininfolist(struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *a = &op->u.getdomaininfolist;
    domid_t after = a->first_domain ? a->first_domain - 1 : 0xffff;
    struct domain *d;
    uint32_t n = 0;

    while (n < a->max_domains && (d = domain_next(after)) != NULL) {
        struct xen_domctl_getdomaininfo info;

        domain_info(d, &info);
        after = d->id;
        domain_put(d);
        if (copy_to_guest((uint64_t)(a->buffer.p + n), &info, sizeof(info)))
            return -EFAULT;
        n++;
    }
    a->num_domains = n;
    return 0;
}

/* Pool 0 holds every CPU and every domain; there are no others. */
static long pool_info(struct xen_sysctl_cpupool_op *a)
{
    struct domain *d;

    if (a->cpupool_id != 0 && a->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY)
        return -ENOENT;
    a->cpupool_id = 0;
    a->sched_id = XEN_SCHEDULER_CREDIT2;
    a->n_dom = 0;
    for (domid_t id = 0xffff; (d = domain_next(id)) != NULL; a->n_dom++) {
        id = d->id;
        domain_put(d);
    }
    return bitmap_to_tool(&a->cpumap, cpus_online.w, nr_cpus);
}

long sysctl_cpupool_op(struct xen_sysctl *op)
{
    struct xen_sysctl_cpupool_op *a = &op->u.cpupool_op;
    uint64_t none = 0;

    switch (a->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return pool_info(a);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return bitmap_to_tool(&a->cpumap, &none, 1);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return a->cpupool_id == 0 ? 0 : -ENOENT;
    default:
        return -EOPNOTSUPP;
    }
}
