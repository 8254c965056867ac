/* SPDX-License-Identifier: MIT */
/*
 * domctl: making, pausing, describing and destroying domains. Called with domctl_lock held.
 */
#include "domctl.h"
#include <hv/frame.h>
#include <hv/printk.h>
#include <hv/sched.h>
#include <hv/string.h>
#include <hv/time.h>

#define DEFAULT_GRANT_FRAMES    64
#define DEFAULT_MAPTRACK_FRAMES 1024

/* --- create
 * -------------------------------------------------------------------------------------------------------------------
 */

/* The next free id after the last one given out: ids are not reused at once, so that a late message
 * finds nobody. */
static domid_t free_domid(void)
{
    static domid_t last;

    for (unsigned tries = 0; tries < DOMID_FIRST_RESERVED; tries++) {
        domid_t id = last + 1u < DOMID_FIRST_RESERVED ? last + 1 : 1;
        struct domain *d = domain_get(id);

        last = id;
        if (!d)
            return id;
        domain_put(d);
    }
    return DOMID_INVALID;
}

static unsigned limit(int32_t asked, unsigned by_default, unsigned most)
{
    return asked < 0 ? by_default : MIN((unsigned)asked, most);
}

long domctl_createdomain(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    const struct xen_domctl_createdomain *c = &op->u.createdomain;
    struct domain_config cfg = {
        .ssidref = c->ssidref,
        .max_vcpus = c->max_vcpus,
        .max_evtchn_port = c->max_evtchn_port,
        .max_grant_frames = limit(c->max_grant_frames, DEFAULT_GRANT_FRAMES, 1024),
        .max_maptrack_frames = limit(c->max_maptrack_frames, DEFAULT_MAPTRACK_FRAMES, 4096),
    };
    domid_t id = op->domain;
    long rc;

    memcpy(cfg.handle, c->handle, sizeof(cfg.handle));
    if (c->flags & ~(2u * XEN_DOMCTL_CDF_MAX - 1) ||
        c->flags & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap)) {
        pr_warn("createdomain: flags %#x: only PV guests so far\n", c->flags);
        return -EINVAL;
    }
    if (c->cpupool_id || c->vmtrace_size)
        return -EINVAL;
    /* A PV guest has no emulated devices; grants are of version 1. */
    if (c->arch.emulation_flags || (c->arch.misc_flags & ~XEN_X86_MSR_RELAXED) || c->grant_opts != 1)
        return -EINVAL;
    if (d) /* somebody has that id; 0 (dom0's) means any */
        id = d->id ? id : 0;
    if (d && id)
        return -EEXIST;
    if (id == 0 || id >= DOMID_FIRST_RESERVED)
        id = free_domid();
    if (id == DOMID_INVALID)
        return -ENOMEM;
    rc = domain_create(id, &cfg, &d);
    if (!rc)
        op->domain = id;
    return rc;
}

/* --- destroy
 * ------------------------------------------------------------------------------------------------------------------
 */

long domctl_destroydomain(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    return domain_kill(d);
}

/* --- pause
 * --------------------------------------------------------------------------------------------------------------------
 */

long domctl_pausedomain(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    spin_lock(&d->lock);
    d->controller_pauses++;
    spin_unlock(&d->lock);
    domain_pause(d);
    return 0;
}

long domctl_unpausedomain(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    bool was;

    spin_lock(&d->lock);
    was = d->controller_pauses > 0;
    d->controller_pauses -= was;
    spin_unlock(&d->lock);
    if (!was)
        return -EINVAL;
    domain_unpause(d);
    return 0;
}

long domctl_resumedomain(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    domain_resume(d);
    return 0;
}

/* --- describe
 * -----------------------------------------------------------------------------------------------------------------
 */

void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t run = XEN_DOMINF_blocked;

    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for_each_vcpu(d, v) {
        struct vcpu_runstate_info r;

        vcpu_runstate_get(v, &r);
        info->cpu_time += r.time[RUNSTATE_running];
        info->max_vcpu_id = v->id;
        if (v->down)
            continue;
        info->nr_online_vcpus++;
        if (!v->blocked)
            run &= ~XEN_DOMINF_blocked;
        if (v->is_running)
            run |= XEN_DOMINF_running;
    }
    info->flags = (info->nr_online_vcpus ? run : 0) | (d->dead ? XEN_DOMINF_dying : 0) |
                  (d->controller_pauses > 0 ? XEN_DOMINF_paused : 0);
    if (d->is_shut_down)
        info->flags |= XEN_DOMINF_shutdown;
    if (d->shutdown_code >= 0)
        info->flags |= (d->shutdown_code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
    info->tot_pages = d->tot_pages;
    info->max_pages = d->max_pages;
    info->shared_info_frame = virt_to_mfn(d->shared_info).m;
    info->ssidref = d->ssidref;
    memcpy(info->handle, d->handle, sizeof(info->handle));
}

/* The domain of that id, or the first one after it: tools walk all domains that way. */
long domctl_getdomaininfo(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct domain *found = d;

    if (!d && op->domain >= DOMID_FIRST_RESERVED)
        return -EINVAL;
    if (!d)
        found = domain_next(op->domain);
    if (!found)
        return -ESRCH;
    domain_info(found, &op->u.getdomaininfo);
    op->domain = found->id;
    if (!d)
        domain_put(found);
    return 0;
}

long domctl_setdomainhandle(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

long domctl_settimeoffset(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    d->time_offset_seconds = op->u.settimeoffset.time_offset_seconds;
    wallclock_write(d);
    return 0;
}
