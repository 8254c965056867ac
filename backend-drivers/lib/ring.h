/* SPDX-License-Identifier: MIT */
/*
 * The backend's end of a Xen I/O ring (<xen/io/ring.h>), whatever the size of its entries.
 *
 * Invariant: a slot is read exactly once, by ring_take(), into memory that the guest cannot reach;
 * indices that the guest wrote are used only after ring_pending() found them possible: a producer
 * that runs more than the ring's size ahead of the answers ends the ring (-EPROTO), since nothing
 * after it can be trusted. req_cons, rsp_prod and pushed are ours, never read back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *page;     /* the shared page or pages; NULL while not mapped */
    uint32_t nr;       /* entries, a power of two */
    uint32_t entry;    /* bytes of one entry */
    uint32_t req_cons; /* the next request to take */
    uint32_t rsp_prod; /* the next response to write */
    uint32_t pushed;   /* what the guest was last shown of rsp_prod */
};

/* Lays a ring over `bytes` of shared memory. Its indices start at 0; a successor sets them with
 * ring_resume(). */
void ring_init(struct ring *r, void *shared, size_t bytes, uint32_t entry);

/* What a predecessor had pushed, as the guest sees it now. */
uint32_t ring_shared_rsp_prod(const struct ring *r);
void ring_resume(struct ring *r, uint32_t req_cons, uint32_t rsp_prod);

/* Number of requests ready to be taken, or -EPROTO. */
int ring_pending(const struct ring *r);

/*
 * Copies the next request's first `len` bytes to private memory and steps over it. Only after
 * ring_pending() > 0.
 */
void ring_take(struct ring *r, void *to, size_t len);
/* The copy alone; ring_take() without the step. `ahead` requests are left out. */
void ring_peek(const struct ring *r, uint32_t ahead, void *to, size_t len);

/* Writes one response, not visible to the guest before ring_push(). */
void ring_answer(struct ring *r, const void *rsp, size_t len);
/* Shows all written responses to the guest; true when it asked to be notified. */
bool ring_push(struct ring *r);
/*
 * Asks for an event for the next request; true when one slipped in meanwhile (look again). `after`
 * is the number of further requests to wait for, normally 1.
 */
bool ring_sleep(struct ring *r, uint32_t after);
