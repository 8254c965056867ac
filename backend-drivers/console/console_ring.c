/* SPDX-License-Identifier: MIT */
/* The console ring: see console_ring.h. */
#include "console_ring.h"

#include <errno.h>

_Static_assert(sizeof(((struct xencons_interface *)0)->out) == CONSOLE_OUT_BYTES, "console ring");

static uint32_t load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

void console_ring_init(struct console_ring *r, void *page)
{
    r->page = page;
    r->out_cons = load(&r->page->out_cons);
    r->in_prod = load(&r->page->in_prod);
}

int console_ring_peek(const struct console_ring *r, char to[CONSOLE_OUT_BYTES])
{
    uint32_t n = load(&r->page->out_prod) - r->out_cons;

    if (n > CONSOLE_OUT_BYTES)
        return -EPROTO;
    for (uint32_t i = 0; i < n; i++)
        to[i] = r->page->out[MASK_XENCONS_IDX(r->out_cons + i, r->page->out)];
    return (int)n;
}

void console_ring_consume(struct console_ring *r, uint32_t n)
{
    r->out_cons += n;
    __atomic_store_n(&r->page->out_cons, r->out_cons, __ATOMIC_RELEASE);
}

int console_ring_room(const struct console_ring *r)
{
    uint32_t used = r->in_prod - load(&r->page->in_cons);

    if (used > sizeof(r->page->in))
        return -EPROTO;
    return (int)(sizeof(r->page->in) - used);
}

void console_ring_feed(struct console_ring *r, const char *text, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        r->page->in[MASK_XENCONS_IDX(r->in_prod + i, r->page->in)] = text[i];
    r->in_prod += n;
    __atomic_store_n(&r->page->in_prod, r->in_prod, __ATOMIC_RELEASE);
}
