/* SPDX-License-Identifier: MIT */
/* What the files of sysctl/ share: the shape of a handler. op was copied in once; no output byte is
 * left uninitialised. */
#ifndef COMMON_SYSCTL_H
#define COMMON_SYSCTL_H

#include <hv/hypercall.h>
#include <xen/sysctl.h>

typedef long sysctl_fn(struct xen_sysctl *op);

sysctl_fn sysctl_readconsole; /* ../console.c */
sysctl_fn sysctl_physinfo, sysctl_getcpuinfo, sysctl_availheap, sysctl_cputopoinfo,
    sysctl_numainfo, sysctl_pcitopoinfo; /* machine.c */
sysctl_fn sysctl_sched_id, sysctl_getdomaininfolist, sysctl_cpupool_op,
    sysctl_scheduler_op; /* domains.c */

sysctl_fn sysctl_get_cpu_policy, sysctl_get_cpu_featureset; /* arch/x86/pv/cpuid_leaves.c */

#endif
