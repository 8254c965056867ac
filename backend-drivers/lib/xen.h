/* SPDX-License-Identifier: MIT */
/*
 * The seam to the hypervisor: grants and event channels, as a table of functions.
 *
 * xen_open() gives the real thing (libxengnttab, libxenevtchn); the unit tests give a frontend in
 * the same process, so that every line behind this seam runs end to end on any host. Frame and
 * grant references belong to `domid`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xengnttab.h>

#define XEN_PAGE 4096u

struct xen;

struct xen_ops {
    /* Maps `n` grants side by side; NULL (errno) when one of them is refused. */
    void *(*map)(struct xen *x, uint32_t domid, const uint32_t *refs, unsigned n, bool writable);
    void (*unmap)(struct xen *x, void *addr, unsigned n);
    /* Copies; each segment's own status says how it went. Negative errno when the call itself
     * failed. */
    int (*copy)(struct xen *x, xengnttab_grant_copy_segment_t *segs, unsigned n);
    /* Binds to the guest's port; returns the local port or a negative errno. */
    int (*bind)(struct xen *x, uint32_t domid, uint32_t remote_port);
    void (*unbind)(struct xen *x, int port);
    void (*notify)(struct xen *x, int port);
    /* The next port with an event (masked until unmask()), or a negative errno. */
    int (*pending)(struct xen *x);
    void (*unmask)(struct xen *x, int port);
    void (*close)(struct xen *x);
};

struct xen {
    const struct xen_ops *ops;
    int evtchn_fd; /* readable when pending() has something */
    int gnttab_fd; /* what the sandbox must let pass; -1 in tests */
};

/* Opens /dev/xen/gntdev and /dev/xen/evtchn; NULL with errno. */
struct xen *xen_open(void);
