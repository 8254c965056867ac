/* SPDX-License-Identifier: MIT */
/*
 * domctl: a domain's memory limit, hypercall page, address size. Called with domctl_lock held.
 */
#include "domctl.h"
#include <asm/pv.h>

long domctl_max_mem(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    uint64_t pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    /* Below what it has is allowed: it cannot get more until it gave back enough. */
    spin_lock(&d->page_lock);
    d->max_pages = MIN(pages, (uint64_t)UINT32_MAX);
    spin_unlock(&d->page_lock);
    return 0;
}

long domctl_hypercall_init(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    return pv_make_hypercall_page(d, mfn(op->u.hypercall_init.gmfn));
}

long domctl_set_address_size(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    return op->u.address_size.size == 64 ? 0 : -EINVAL; /* no 32-bit PV */
}

long domctl_get_address_size(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    op->u.address_size.size = 64;
    return 0;
}

/* Log-dirty comes with migration: off is what it is already. */
long domctl_shadow_op(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    return op->u.shadow_op.op == XEN_DOMCTL_SHADOW_OP_OFF ? 0 : -EOPNOTSUPP;
}
