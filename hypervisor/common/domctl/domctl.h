/* SPDX-License-Identifier: MIT */
/* What the files of domctl/ (and sysctl/) share: the shape of a handler, and bitmaps of tools. */
#ifndef COMMON_DOMCTL_H
#define COMMON_DOMCTL_H

#include <hv/cpumask.h>
#include <hv/vcpu.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

/*
 * d is referenced, NULL only for calls that are listed so; op was copied in once. The dispatcher
 * copies op->u out again after success if the table says so. -HC_RESTART only with state in
 * hc->progress[1…3].
 */
typedef long domctl_fn(struct domain *d, struct xen_domctl *op, struct hypercall *hc);

domctl_fn domctl_createdomain, domctl_destroydomain, domctl_pausedomain, domctl_unpausedomain,
    domctl_resumedomain, domctl_getdomaininfo, domctl_setdomainhandle,
    domctl_settimeoffset; /* lifecycle.c */
domctl_fn domctl_max_mem, domctl_hypercall_init, domctl_set_address_size, domctl_get_address_size,
    domctl_shadow_op; /* memory.c */
domctl_fn domctl_max_vcpus, domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo,
    domctl_setvcpuaffinity, domctl_getvcpuaffinity, domctl_setnodeaffinity, domctl_getnodeaffinity,
    domctl_scheduler_op, domctl_settscinfo, domctl_gettscinfo; /* vcpu.c */

domctl_fn domctl_get_cpu_policy, domctl_set_cpu_policy; /* arch/x86/pv/cpuid_leaves.c */
domctl_fn domctl_get_ext_vcpucontext, domctl_set_ext_vcpucontext, domctl_getvcpuextstate,
    domctl_setvcpuextstate, domctl_vcpu_msrs, domctl_getpageframeinfo3; /* arch/x86/pv/domctl_state.c */

void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* Bits [0, nr) of a mask, all it has, to or from a tool's bitmap, whichever is shorter; the rest of
 * the tool's bytes read as zero. -EFAULT. */
long bitmap_to_tool(const struct xenctl_bitmap *to, const uint64_t *words, unsigned nr);
long bitmap_from_tool(uint64_t *words, unsigned nr, const struct xenctl_bitmap *from);

#endif
