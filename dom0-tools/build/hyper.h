/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls that the control tools make, one C function each, over libxencall and <xen/…>
 * structures.
 *
 * All return 0 or a positive result, or -errno. Arguments live in hypercall-safe buffers for the
 * call only. One handle serves the whole (single-threaded) process.
 */
#ifndef MULLION_BUILD_HYPER_H
#define MULLION_BUILD_HYPER_H

/* The tools' view of the public headers: interface version and control operations. */
#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <stddef.h>
#include <stdint.h>
#include <xencall.h>
#include <xenforeignmemory.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/sysctl.h>

#include "domain_config.h"

struct hyper {
    xencall_handle *call;
    xenforeignmemory_handle *foreign;
};

typedef struct xen_domctl_getdomaininfo domain_info;

int hyper_open(struct hyper *h);
void hyper_close(struct hyper *h);

/* domctl */
int hyper_create(struct hyper *h, const uint8_t handle[16], uint32_t max_vcpus, uint32_t *domid);
int hyper_max_vcpus(struct hyper *h, uint32_t domid, uint32_t max);
int hyper_max_memory(struct hyper *h, uint32_t domid, uint64_t kib);
int hyper_pause(struct hyper *h, uint32_t domid);
int hyper_unpause(struct hyper *h, uint32_t domid);
int hyper_destroy(struct hyper *h, uint32_t domid);
int hyper_hypercall_page(struct hyper *h, uint32_t domid, uint64_t mfn);
int hyper_set_context(struct hyper *h, uint32_t domid, uint32_t vcpu,
                      const struct vcpu_guest_context *context);
/* What share of the CPUs a domain gets (docs/scheduler.md): weight and cap, and a budget in each
 * period for each vCPU (0: none; -ENOSPC when it does not fit). */
int hyper_set_share(struct hyper *h, uint32_t domid, uint16_t weight, uint16_t cap);
int hyper_get_share(struct hyper *h, uint32_t domid, uint16_t *weight, uint16_t *cap);
int hyper_set_reservation(struct hyper *h, uint32_t domid, uint32_t period_us, uint32_t budget_us);
int hyper_get_reservation(struct hyper *h, uint32_t domid, uint32_t *period_us,
                          uint32_t *budget_us);
/* Hard and soft affinity of one vCPU: a bit for each CPU. */
int hyper_set_affinity(struct hyper *h, uint32_t domid, uint32_t vcpu, const struct cpu_set *hard,
                       const struct cpu_set *soft);
/* -ESRCH when there is no such domain. */
int hyper_info(struct hyper *h, uint32_t domid, domain_info *info);

/* sysctl: fills at most `max` from `first` on; returns the number. */
int hyper_list(struct hyper *h, uint32_t first, domain_info *infos, uint32_t max);
int hyper_physinfo(struct hyper *h, struct xen_sysctl_physinfo *info);
/* The log of the hypervisor from *index on into text (not terminated); returns the bytes and moves
 * *index. */
int hyper_log(struct hyper *h, uint32_t *index, char *text, size_t size);

/* memory_op: populate `count` extents of 2^order pages; `frames` holds pfns on entry, machine
 * frames of those done on return. Returns how many were done. */
long hyper_populate(struct hyper *h, uint32_t domid, unsigned order, xen_pfn_t *frames,
                    unsigned long count);

int hyper_alloc_unbound(struct hyper *h, uint32_t domid, uint32_t remote, evtchn_port_t *port);
int hyper_pin_l4(struct hyper *h, uint32_t domid, uint64_t mfn);

#endif
