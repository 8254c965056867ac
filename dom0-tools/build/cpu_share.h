/* SPDX-License-Identifier: MIT */
/*
 * The "cpu" part of a document, told to the hypervisor: for a domain that is being built and for
 * one that runs.
 */
#ifndef MULLION_BUILD_CPU_SHARE_H
#define MULLION_BUILD_CPU_SHARE_H

#include "domain_config.h"
#include "hyper.h"

/* Affinity, weight, cap and reservation of a domain with `vcpus` vCPUs. 0, or -1 and a failure
 * whose `where` is the key that was refused; some of it may have changed then. */
int cpu_share_set(struct hyper *h, uint32_t domid, uint32_t vcpus, const struct cpu_config *cpu,
                  struct failure *failure);

#endif
