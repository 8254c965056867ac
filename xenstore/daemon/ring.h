/* SPDX-License-Identifier: MIT */
/*
 * ring.h: the transport over a page shared with a domain (xenstore-ring.txt of the Xen project).
 *
 * The domain may write anything into that page at any time. We read from it only: req_prod,
 * rsp_cons, `connection`, each once per use, and the request bytes, copied once. Where we are
 * in both rings is known from the streams alone. More than XENSTORE_RING_SIZE bytes announced,
 * in either ring, ends the connection with XENSTORE_ERROR_RINGIDX.
 */
#ifndef XSD_RING_H
#define XSD_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

struct conn;

/** The peer of a ring connection. */
struct ring {
    struct xenstore_domain_interface *page;
    void (*notify)(struct ring *r); /* kick the domain */
    void (*unmap)(struct ring *r);  /* give page and event channel back, free r */
    void *owner;
    uint32_t port; /* ours */
};

/** Make c serve this ring from where the page says both sides are; or as empty. */
void ring_attach(struct conn *c, struct ring *r, bool empty);

/** Make c, whose streams a predecessor left, go on serving this ring. */
void ring_take_over(struct conn *c, struct ring *r);

/** Both rings are empty from now on, all positions 0 (INTRODUCE again, or a reconnect). */
void ring_empty(struct conn *c);

/** The domain kicked us. */
void ring_event(struct conn *c);

#endif
