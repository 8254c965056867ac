/* SPDX-License-Identifier: MIT */
/*
 * sysctl: the machine: memory, CPUs, topology, the console's ring.
 */
#include "sysctl.h"
#include <asm/uaccess.h>
#include <hv/control.h>
#include <hv/frame.h>
#include <hv/sched.h>
#include <hv/string.h>

#define PCI_FUNCTIONS 65536 /* of a segment: longer lists would hold the CPU */

long sysctl_physinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *pi = &op->u.physinfo;

    memset(pi, 0, sizeof(*pi));
    pi->nr_cpus = nr_cpus;
    pi->max_cpu_id = nr_cpus - 1;
    pi->nr_nodes = 1;
    pi->total_pages = frames_total();
    pi->free_pages = frames_free();
    pi->outstanding_pages = frames_claimed();
    pi->max_mfn = max_ram_mfn().m - 1;
    pi->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1;
    arch_physinfo(pi);
    return 0;
}

long sysctl_getcpuinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *a = &op->u.getcpuinfo;
    unsigned n = MIN(a->max_cpus, nr_cpus);

    for (unsigned i = 0; i < n; i++) {
        struct xen_sysctl_cpuinfo info = {.idletime = cpu_idle_time(i)};

        if (copy_to_guest((uint64_t)(a->info.p + i), &info, sizeof(info)))
            return -EFAULT;
    }
    a->nr_cpus = n;
    return 0;
}

long sysctl_availheap(struct xen_sysctl *op)
{
    op->u.availheap.avail_bytes = frames_free() << PAGE_SHIFT;
    return 0;
}

/* With a NULL array: how many CPUs there are. */
long sysctl_cputopoinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_cputopoinfo *a = &op->u.cputopoinfo;
    unsigned n = MIN(a->num_cpus, nr_cpus);

    for (unsigned i = 0; a->cputopo.p && i < n; i++) {
        struct xen_sysctl_cputopo t = {cpu_core_id(i), cpu_socket_id(i), 0};

        if (copy_to_guest((uint64_t)(a->cputopo.p + i), &t, sizeof(t)))
            return -EFAULT;
    }
    a->num_cpus = a->cputopo.p ? n : nr_cpus;
    return 0;
}

/* One node: all of the memory, at distance 10 of itself. */
long sysctl_numainfo(struct xen_sysctl *op)
{
    struct xen_sysctl_numainfo *a = &op->u.numainfo;
    struct xen_sysctl_meminfo mem = {frames_total() << PAGE_SHIFT, frames_free() << PAGE_SHIFT};
    uint32_t distance = 10;

    if (!a->meminfo.p && !a->distance.p) {
        a->num_nodes = 1;
        return 0;
    }
    if (a->num_nodes && a->meminfo.p && copy_out(a->meminfo.p, &mem))
        return -EFAULT;
    if (a->num_nodes && a->distance.p && copy_out(a->distance.p, &distance))
        return -EFAULT;
    a->num_nodes = MIN(a->num_nodes, 1u);
    return 0;
}

/* The one node, for every device of the list: none is further from it. */
long sysctl_pcitopoinfo(struct xen_sysctl *op)
{
    const struct xen_sysctl_pcitopoinfo *a = &op->u.pcitopoinfo;
    uint32_t node = 0;

    if (!a->devs.p || !a->nodes.p || a->num_devs > PCI_FUNCTIONS)
        return -EINVAL;
    for (unsigned i = 0; i < a->num_devs; i++)
        if (copy_out(a->nodes.p + i, &node))
            return -EFAULT;
    return 0;
}
