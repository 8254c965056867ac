/* SPDX-License-Identifier: MIT */
/*
 * xen.h: the hypervisor's side of the daemon: event channels, rings, dying domains.
 *
 * Uses libxenevtchn, libxengnttab and libxencall (one domctl: getdomaininfo) only.
 */
#ifndef XSD_XEN_H
#define XSD_XEN_H

#include "domain.h"

struct loop;
struct store;
struct xen;

/** Open the hypervisor's devices. @return 0 or an errno; why is on stderr. */
int xen_open(struct store *s, struct loop *l, struct platform **platform);

/**
 * Begin to serve: take over the rings of domains that the journal knew, else connect dom0's;
 * then listen for events. @return 0 or an errno; why is on stderr.
 */
int xen_start(struct platform *platform);

#endif
