/* SPDX-License-Identifier: MIT */
/* The backend's end of a ring: see ring.h. The guest runs on another CPU while this does: hence the
 * barriers. */
#include "ring.h"

#include <errno.h>
#include <string.h>
#include <xen/io/blkif.h>

/* The header that all rings of <xen/io/ring.h> share, whatever their entries. */
struct head {
    uint32_t req_prod, req_event;
    uint32_t rsp_prod, rsp_event;
    uint8_t pad[48];
};

_Static_assert(sizeof(struct head) == offsetof(blkif_sring_t, ring), "ring header");
_Static_assert(offsetof(struct head, rsp_event) == offsetof(blkif_sring_t, rsp_event),
               "ring header");

static struct head *head(const struct ring *r)
{
    return (struct head *)r->page;
}

static uint8_t *slot(const struct ring *r, uint32_t idx)
{
    return r->page + sizeof(struct head) + (size_t)(idx & (r->nr - 1)) * r->entry;
}

static uint32_t shared_read(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

void ring_init(struct ring *r, void *shared, size_t bytes, uint32_t entry)
{
    uint32_t fit = (uint32_t)((bytes - sizeof(struct head)) / entry);

    *r = (struct ring){.page = shared, .entry = entry, .nr = 1};
    while (r->nr * 2 <= fit)
        r->nr *= 2;
}

uint32_t ring_shared_rsp_prod(const struct ring *r)
{
    return shared_read(&head(r)->rsp_prod);
}

void ring_resume(struct ring *r, uint32_t req_cons, uint32_t rsp_prod)
{
    r->req_cons = req_cons;
    r->rsp_prod = rsp_prod;
    r->pushed = rsp_prod;
}

int ring_pending(const struct ring *r)
{
    uint32_t prod = shared_read(&head(r)->req_prod);
    uint32_t ahead = prod - r->req_cons;

    if (prod - r->rsp_prod > r->nr || ahead > r->nr)
        return -EPROTO;
    return (int)ahead;
}

void ring_peek(const struct ring *r, uint32_t ahead, void *to, size_t len)
{
    memcpy(to, slot(r, r->req_cons + ahead), len);
    /* The copy is the request: the compiler must not fetch a field from the slot again. */
    __asm__ volatile("" : : "r"(to) : "memory");
}

void ring_take(struct ring *r, void *to, size_t len)
{
    ring_peek(r, 0, to, len);
    r->req_cons++;
}

void ring_answer(struct ring *r, const void *rsp, size_t len)
{
    memcpy(slot(r, r->rsp_prod), rsp, len);
    r->rsp_prod++;
}

bool ring_push(struct ring *r)
{
    uint32_t old = r->pushed;

    r->pushed = r->rsp_prod;
    __atomic_store_n(&head(r)->rsp_prod, r->rsp_prod, __ATOMIC_RELEASE);
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* the guest sees rsp_prod before we look at rsp_event */
    return r->rsp_prod - shared_read(&head(r)->rsp_event) < r->rsp_prod - old;
}

bool ring_sleep(struct ring *r, uint32_t after)
{
    __atomic_store_n(&head(r)->req_event, r->req_cons + after, __ATOMIC_RELEASE);
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* the guest sees req_event before we look at req_prod */
    return shared_read(&head(r)->req_prod) - r->req_cons >= after;
}
