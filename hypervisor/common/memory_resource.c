/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_acquire_resource: frame numbers of a domain's grant table, for dom0 to map while it builds
 * the domain. <xen/memory.h> Progress: [0] frames done.
 */
#include <hv/memory_op.h>
#include <hv/grant.h>
#include <hv/vcpu.h>
#include <asm/uaccess.h>

static int decode(const struct xen_mem_acquire_resource *x, struct domain **d)
{
    if (x->pad || x->frame >> 32 || (x->frame + x->nr_frames) >> 32)
        return -EINVAL;
    if (x->domid == DOMID_SELF || x->domid == current->domain->id || !current->domain->is_dom0)
        return -EPERM;
    *d = domain_get(x->domid);
    if (!*d)
        return -ESRCH;
    if (x->type != XENMEM_resource_grant_table || x->id != XENMEM_resource_grant_table_id_shared) {
        domain_put(*d);
        return x->type == XENMEM_resource_grant_table ? -EINVAL : -EOPNOTSUPP;
    }
    return 0;
}

static long copy_frames(struct hypercall *hc, struct domain *d,
                        const struct xen_mem_acquire_resource *x)
{
    while (hc->progress[0] < x->nr_frames) {
        unsigned i = hc->progress[0];
        mfn_t m;
        int rc = grant_shared_frame(d, x->frame + i, &m);

        if (rc)
            return rc;
        if (copy_out(x->frame_list.p + i, &m.m))
            return -EFAULT;
        hc->progress[0]++;
        if (preempt_needed())
            return -HC_RESTART;
    }
    return 0;
}

long memory_acquire_resource(struct hypercall *hc)
{
    struct xen_mem_acquire_resource x;
    struct domain *d;
    long rc;

    if (copy_in(&x, hc->arg[1]))
        return -EFAULT;
    rc = decode(&x, &d);
    if (rc)
        return rc;
    if (!x.frame_list.p) { /* a question: how many are there */
        uint32_t max = grant_max_frames(d);

        rc = x.nr_frames
                 ? -EINVAL
                 : copy_out(hc->arg[1] + offsetof(struct xen_mem_acquire_resource, nr_frames), &max);
    } else {
        rc = x.nr_frames ? copy_frames(hc, d, &x) : -EINVAL;
    }
    domain_put(d);
    return rc;
}
