/* SPDX-License-Identifier: MIT */
/*
 * The console ring (<xen/io/console.h>): a page that the guest can rewrite at any instant.
 *
 * Our two indices (out_cons, in_prod) are kept privately and only ever written to the page; the
 * guest's two are read once per call and refused (-EPROTO) when they claim more than the ring
 * holds.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <xen/io/console.h>

#define CONSOLE_OUT_BYTES 2048u

struct console_ring {
    struct xencons_interface *page;
    uint32_t out_cons, in_prod;
};

/* Adopts a page, and with it where a predecessor had stopped. */
void console_ring_init(struct console_ring *r, void *page);
/* Copies what the guest has written to `to`; the number of bytes, or -EPROTO. Not yet consumed. */
int console_ring_peek(const struct console_ring *r, char to[CONSOLE_OUT_BYTES]);
void console_ring_consume(struct console_ring *r, uint32_t n);
/* How many bytes of input the guest has room for, or -EPROTO. */
int console_ring_room(const struct console_ring *r);
/* Gives the guest `n` bytes of input; at most console_ring_room(). */
void console_ring_feed(struct console_ring *r, const char *text, uint32_t n);
