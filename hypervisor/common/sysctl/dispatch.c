/* SPDX-License-Identifier: MIT */
/*
 * XEN_SYSCTL_*: the control domain's questions about the machine. One table: command → handler;
 * the structure is copied out after success. Privilege is in the hypercall table. Source: <xen/sysctl.h>,
 * interface version 0x15. No lock of its own.
 */
#include "sysctl.h"
#include <asm/uaccess.h>

static sysctl_fn *const table[] = {
    [XEN_SYSCTL_readconsole] = sysctl_readconsole,
    [XEN_SYSCTL_physinfo] = sysctl_physinfo,
    [XEN_SYSCTL_pcitopoinfo] = sysctl_pcitopoinfo,
    [XEN_SYSCTL_sched_id] = sysctl_sched_id,
    [XEN_SYSCTL_getdomaininfolist] = sysctl_getdomaininfolist,
    [XEN_SYSCTL_getcpuinfo] = sysctl_getcpuinfo,
    [XEN_SYSCTL_availheap] = sysctl_availheap,
    [XEN_SYSCTL_cputopoinfo] = sysctl_cputopoinfo,
    [XEN_SYSCTL_numainfo] = sysctl_numainfo,
    [XEN_SYSCTL_scheduler_op] = sysctl_scheduler_op,
    [XEN_SYSCTL_cpupool_op] = sysctl_cpupool_op,
    [XEN_SYSCTL_get_cpu_featureset] = sysctl_get_cpu_featureset,
    [XEN_SYSCTL_get_cpu_policy] = sysctl_get_cpu_policy,
};

long do_sysctl(struct hypercall *hc)
{
    struct xen_sysctl op;
    long rc;

    if (copy_in(&op, hc->arg[0]))
        return -EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    if (op.cmd >= ARRAY_SIZE(table) || !table[op.cmd])
        return -ENOSYS;
    rc = table[op.cmd](&op);
    if (rc >= 0 && copy_out(hc->arg[0], &op))
        rc = -EFAULT;
    return rc;
}
