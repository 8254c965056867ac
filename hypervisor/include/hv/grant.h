/* SPDX-License-Identifier: MIT */
/*
 * Grants, version 1: a domain's table of frames that others may map or copy, and the handles of what it mapped itself.
 * Lock: gt->lock (the table and its pins), maptrack lock of the mapper; two tables: lower domid first.
 */
#ifndef HV_GRANT_H
#define HV_GRANT_H

#include <hv/types.h>
#include <hv/domain.h>

int grant_domain_init(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames);
/* Release every mapping the dying domain holds. -HC_RESTART when preempted. */
long grant_release_mappings(struct domain *d);
void grant_domain_destroy(struct domain *d);
/* The limit it was created with. */
unsigned grant_max_frames(const struct domain *d);
/* Its frame i, for XENMEM_acquire_resource; the table grows up to its limit: -EINVAL, -ENOMEM. */
int grant_shared_frame(struct domain *d, unsigned i, mfn_t *out);

#endif
