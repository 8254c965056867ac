/* SPDX-License-Identifier: MIT */
/* Marshalling of hyper.h: copy the argument into a safe buffer, call, copy it back. */
#include "hyper.h"

#include <errno.h>
#include <string.h>

int hyper_open(struct hyper *h)
{
    h->call = xencall_open(NULL, 0);
    if (!h->call)
        return -errno;
    h->foreign = xenforeignmemory_open(NULL, 0);
    if (!h->foreign) {
        int error = -errno;

        xencall_close(h->call);
        h->call = NULL;
        return error;
    }
    return 0;
}

void hyper_close(struct hyper *h)
{
    if (h->foreign)
        xenforeignmemory_close(h->foreign);
    if (h->call)
        xencall_close(h->call);
    *h = (struct hyper){0};
}

/* A call with one structure: `number`(argument) or `number`(command, argument). */
static long call_one(struct hyper *h, unsigned number, int command, void *argument, size_t size)
{
    void *safe = xencall_alloc_buffer(h->call, size);
    long result;

    if (!safe)
        return -ENOMEM;
    memcpy(safe, argument, size);
    result = command < 0 ? xencall1(h->call, number, (uintptr_t)safe)
                         : xencall2L(h->call, number, command, (uintptr_t)safe);
    if (result < 0)
        result = -errno;
    memcpy(argument, safe, size);
    xencall_free_buffer(h->call, safe);
    return result;
}

static int domctl(struct hyper *h, uint32_t command, uint32_t domid, struct xen_domctl *op)
{
    op->cmd = command;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domid;
    return call_one(h, __HYPERVISOR_domctl, -1, op, sizeof(*op));
}

static int sysctl(struct hyper *h, uint32_t command, struct xen_sysctl *op)
{
    op->cmd = command;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call_one(h, __HYPERVISOR_sysctl, -1, op, sizeof(*op));
}

int hyper_create(struct hyper *h, const uint8_t handle[16], uint32_t max_vcpus, uint32_t *domid)
{
    struct xen_domctl op = {.u.createdomain = {
                                .max_vcpus = max_vcpus,
                                /* as libxl 4.17 fills them for a PV guest */
                                .max_evtchn_port = 1023,
                                .max_grant_frames = 64,
                                .max_maptrack_frames = 1024,
                                .grant_opts = XEN_DOMCTL_GRANT_version(1),
                            }};
    int error;

    memcpy(op.u.createdomain.handle, handle, 16);
    error = domctl(h, XEN_DOMCTL_createdomain, 0, &op);
    *domid = op.domain;
    return error;
}

int hyper_max_vcpus(struct hyper *h, uint32_t domid, uint32_t max)
{
    struct xen_domctl op = {.u.max_vcpus.max = max};

    return domctl(h, XEN_DOMCTL_max_vcpus, domid, &op);
}

int hyper_max_memory(struct hyper *h, uint32_t domid, uint64_t kib)
{
    struct xen_domctl op = {.u.max_mem.max_memkb = kib};

    return domctl(h, XEN_DOMCTL_max_mem, domid, &op);
}

int hyper_pause(struct hyper *h, uint32_t domid)
{
    struct xen_domctl op = {0};

    return domctl(h, XEN_DOMCTL_pausedomain, domid, &op);
}

int hyper_unpause(struct hyper *h, uint32_t domid)
{
    struct xen_domctl op = {0};

    return domctl(h, XEN_DOMCTL_unpausedomain, domid, &op);
}

int hyper_destroy(struct hyper *h, uint32_t domid)
{
    int error;

    /* The hypervisor hands long destruction back in pieces. */
    do {
        struct xen_domctl op = {0};

        error = domctl(h, XEN_DOMCTL_destroydomain, domid, &op);
    } while (error == -EAGAIN);
    return error;
}

int hyper_hypercall_page(struct hyper *h, uint32_t domid, uint64_t mfn)
{
    struct xen_domctl op = {.u.hypercall_init.gmfn = mfn};

    return domctl(h, XEN_DOMCTL_hypercall_init, domid, &op);
}

int hyper_set_context(struct hyper *h, uint32_t domid, uint32_t vcpu,
                      const struct vcpu_guest_context *context)
{
    vcpu_guest_context_t *safe = xencall_alloc_buffer(h->call, sizeof(*safe));
    struct xen_domctl op = {.u.vcpucontext.vcpu = vcpu};
    int error;

    if (!safe)
        return -ENOMEM;
    *safe = *context;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, safe);
    error = domctl(h, XEN_DOMCTL_setvcpucontext, domid, &op);
    xencall_free_buffer(h->call, safe);
    return error;
}

int hyper_set_share(struct hyper *h, uint32_t domid, uint16_t weight, uint16_t cap)
{
    struct xen_domctl op = {.u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2,
                                               .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
                                               .u.credit2 = {.weight = weight, .cap = cap}}};

    return domctl(h, XEN_DOMCTL_scheduler_op, domid, &op);
}

int hyper_get_share(struct hyper *h, uint32_t domid, uint16_t *weight, uint16_t *cap)
{
    struct xen_domctl op = {
        .u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2, .cmd = XEN_DOMCTL_SCHEDOP_getinfo}};
    int error = domctl(h, XEN_DOMCTL_scheduler_op, domid, &op);

    *weight = op.u.scheduler_op.u.credit2.weight;
    *cap = op.u.scheduler_op.u.credit2.cap;
    return error;
}

/* The structure of Xen's real-time scheduler says what a reservation is (docs/scheduler.md). */
int hyper_set_reservation(struct hyper *h, uint32_t domid, uint32_t period_us, uint32_t budget_us)
{
    struct xen_domctl op = {
        .u.scheduler_op = {.sched_id = XEN_SCHEDULER_RTDS,
                           .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
                           .u.rtds = {.period = period_us, .budget = budget_us}}};

    return domctl(h, XEN_DOMCTL_scheduler_op, domid, &op);
}

int hyper_get_reservation(struct hyper *h, uint32_t domid, uint32_t *period_us, uint32_t *budget_us)
{
    struct xen_domctl op = {
        .u.scheduler_op = {.sched_id = XEN_SCHEDULER_RTDS, .cmd = XEN_DOMCTL_SCHEDOP_getinfo}};
    int error = domctl(h, XEN_DOMCTL_scheduler_op, domid, &op);

    *period_us = op.u.scheduler_op.u.rtds.period;
    *budget_us = op.u.scheduler_op.u.rtds.budget;
    return error;
}

int hyper_set_affinity(struct hyper *h, uint32_t domid, uint32_t vcpu, const struct cpu_set *hard,
                       const struct cpu_set *soft)
{
    struct cpu_set *safe = xencall_alloc_buffer(h->call, 2 * sizeof(*safe));
    struct xen_domctl op = {
        .u.vcpuaffinity = {.vcpu = vcpu, .flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT}};
    int error;

    if (!safe)
        return -ENOMEM;
    safe[0] = *hard;
    safe[1] = *soft;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = op.u.vcpuaffinity.cpumap_soft.nr_bits = DOMAIN_MAX_CPUS;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, safe[0].bits);
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_soft.bitmap, safe[1].bits);
    error = domctl(h, XEN_DOMCTL_setvcpuaffinity, domid, &op);
    xencall_free_buffer(h->call, safe);
    return error;
}

int hyper_info(struct hyper *h, uint32_t domid, domain_info *info)
{
    struct xen_domctl op = {0};
    int error = domctl(h, XEN_DOMCTL_getdomaininfo, domid, &op);

    *info = op.u.getdomaininfo;
    /* For a domain that is gone the hypervisor answers about the next one. */
    return error ? error : info->domain == domid ? 0 : -ESRCH;
}

int hyper_list(struct hyper *h, uint32_t first, domain_info *infos, uint32_t max)
{
    domain_info *safe = xencall_alloc_buffer(h->call, sizeof(*safe) * max);
    struct xen_sysctl op = {.u.getdomaininfolist = {.first_domain = first, .max_domains = max}};
    int result;

    if (!safe)
        return -ENOMEM;
    set_xen_guest_handle(op.u.getdomaininfolist.buffer, safe);
    result = sysctl(h, XEN_SYSCTL_getdomaininfolist, &op);
    if (result >= 0) {
        result = op.u.getdomaininfolist.num_domains;
        memcpy(infos, safe, sizeof(*safe) * result);
    }
    xencall_free_buffer(h->call, safe);
    return result;
}

int hyper_physinfo(struct hyper *h, struct xen_sysctl_physinfo *info)
{
    struct xen_sysctl op = {0};
    int error = sysctl(h, XEN_SYSCTL_physinfo, &op);

    *info = op.u.physinfo;
    return error;
}

int hyper_log(struct hyper *h, uint32_t *index, char *text, size_t size)
{
    char *safe = xencall_alloc_buffer(h->call, size);
    struct xen_sysctl op = {.u.readconsole = {.incremental = 1, .index = *index, .count = size}};
    int result;

    if (!safe)
        return -ENOMEM;
    set_xen_guest_handle(op.u.readconsole.buffer, safe);
    result = sysctl(h, XEN_SYSCTL_readconsole, &op);
    if (result >= 0) {
        result = op.u.readconsole.count <= size ? op.u.readconsole.count : size;
        memcpy(text, safe, result);
        *index = op.u.readconsole.index;
    }
    xencall_free_buffer(h->call, safe);
    return result;
}

long hyper_populate(struct hyper *h, uint32_t domid, unsigned order, xen_pfn_t *frames,
                    unsigned long count)
{
    xen_pfn_t *safe = xencall_alloc_buffer(h->call, count * sizeof(*safe));
    struct xen_memory_reservation op = {.nr_extents = count, .extent_order = order, .domid = domid};
    long result;

    if (!safe)
        return -ENOMEM;
    memcpy(safe, frames, count * sizeof(*safe));
    set_xen_guest_handle(op.extent_start, safe);
    result = call_one(h, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &op, sizeof(op));
    if (result > 0)
        memcpy(frames, safe, result * sizeof(*safe));
    xencall_free_buffer(h->call, safe);
    return result;
}

int hyper_alloc_unbound(struct hyper *h, uint32_t domid, uint32_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = domid, .remote_dom = remote};
    int error = call_one(h, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &op, sizeof(op));

    *port = op.port;
    return error;
}

int hyper_pin_l4(struct hyper *h, uint32_t domid, uint64_t mfn)
{
    struct mmuext_op *op = xencall_alloc_buffer(h->call, sizeof(*op));
    int result;

    if (!op)
        return -ENOMEM;
    *op = (struct mmuext_op){.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = mfn};
    result = xencall4(h->call, __HYPERVISOR_mmuext_op, (uintptr_t)op, 1, 0, domid);
    if (result < 0)
        result = -errno;
    xencall_free_buffer(h->call, op);
    return result;
}
