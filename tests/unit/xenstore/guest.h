/* SPDX-License-Identifier: MIT */
/*
 * guest.h: the domain's side of a ring, as a kernel's xenbus driver is: for tests.
 *
 * The page is any memory. Functions move what is possible now and say how much; waiting is the
 * caller's. All indices are read and written with care for the other side being another process.
 */
#ifndef XS_GUEST_H
#define XS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

/** Put up to len bytes into the request ring; returns how many fitted. */
size_t guest_put(struct xenstore_domain_interface *page, const char *data, size_t len);

/** Take up to len bytes off the response ring; returns how many there were. */
size_t guest_get(struct xenstore_domain_interface *page, char *data, size_t len);

#endif
