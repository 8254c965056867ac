/* SPDX-License-Identifier: MIT */
/*
 * XEN_SYSCTL_*: the control domain's questions about the machine. One table: command → handler, and
 * whether the structure is copied out. Privilege is in the hypercall table. Source: <xen/sysctl.h>,
 * interface version 0x15. No lock of its own.
 */
#include "sysctl.h"
#include <asm/uaccess.h>
#include <hv/errno.h>

static const struct sysctl_entry {
    sysctl_fn *fn;
    bool copy_out;
} table[] = {
    [XEN_SYSCTL_readconsole] = {sysctl_readconsole, true},
    [XEN_SYSCTL_physinfo] = {sysctl_physinfo, true},
    [XEN_SYSCTL_pcitopoinfo] = {sysctl_pcitopoinfo, true},
    [XEN_SYSCTL_sched_id] = {sysctl_sched_id, true},
    [XEN_SYSCTL_getdomaininfolist] = {sysctl_getdomaininfolist, true},
    [XEN_SYSCTL_getcpuinfo] = {sysctl_getcpuinfo, true},
    [XEN_SYSCTL_availheap] = {sysctl_availheap, true},
    [XEN_SYSCTL_cputopoinfo] = {sysctl_cputopoinfo, true},
    [XEN_SYSCTL_numainfo] = {sysctl_numainfo, true},
    [XEN_SYSCTL_scheduler_op] = {sysctl_scheduler_op, true},
    [XEN_SYSCTL_cpupool_op] = {sysctl_cpupool_op, true},
    [XEN_SYSCTL_get_cpu_featureset] = {sysctl_get_cpu_featureset, true},
    [XEN_SYSCTL_get_cpu_policy] = {sysctl_get_cpu_policy, true},
};

long do_sysctl(struct hypercall *hc)
{
    const struct sysctl_entry *e;
    struct xen_sysctl op;
    long rc;

    if (copy_in(&op, hc->arg[0]))
        return -EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    e = op.cmd < ARRAY_SIZE(table) ? &table[op.cmd] : NULL;
    if (!e || !e->fn)
        return -ENOSYS;
    rc = e->fn(&op);
    if (rc >= 0 && e->copy_out && copy_out(hc->arg[0], &op))
        rc = -EFAULT;
    return rc;
}
