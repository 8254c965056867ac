/* SPDX-License-Identifier: MIT */
/* The ring end: honest traffic, impossible producers, a slot that changes after it was read, event
 * suppression. */
#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "ring.h"

#define BYTES 4096

static _Alignas(4096) uint8_t page[BYTES];
static blkif_sring_t *sring = (blkif_sring_t *)page;

static struct ring fresh(void)
{
    struct ring r;

    memset(page, 0, sizeof(page));
    sring->req_event = sring->rsp_event = 1;
    ring_init(&r, page, BYTES, sizeof(blkif_request_t));
    return r;
}

static void sizes(void)
{
    struct ring r;

    ring_init(&r, page, 4096, 112);
    CU_ASSERT_EQUAL(r.nr, 32);
    ring_init(&r, page, 8192, 112);
    CU_ASSERT_EQUAL(r.nr, 64);
    ring_init(&r, page, 4096, 108);
    CU_ASSERT_EQUAL(r.nr, 32);
    ring_init(&r, page, 4096, 12); /* netif transmit */
    CU_ASSERT_EQUAL(r.nr, 256);
    ring_init(&r, page, 4096, 8); /* netif receive */
    CU_ASSERT_EQUAL(r.nr, 256);
}

static void round_trip_with_wrap(void)
{
    struct ring r = fresh();
    blkif_front_ring_t front;
    unsigned notified = 0;

    FRONT_RING_INIT(&front, sring, BYTES);
    /* Indices that wrap at 2^32 after a few requests. */
    front.req_prod_pvt = front.rsp_cons = 0xfffffff0u;
    sring->req_prod = sring->rsp_prod = 0xfffffff0u;
    sring->req_event = sring->rsp_event = 0xfffffff1u;
    ring_resume(&r, 0xfffffff0u, 0xfffffff0u);

    for (uint64_t id = 0; id < 1000; id++) {
        blkif_request_t *rq = RING_GET_REQUEST(&front, front.req_prod_pvt), got;
        blkif_response_t rsp = {.id = id, .status = 3};
        int kick;

        rq->id = id;
        front.req_prod_pvt++;
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front, kick);
        CU_ASSERT(kick); /* the ring was asleep: an event is due each time */
        CU_ASSERT_EQUAL_FATAL(ring_pending(&r), 1);
        ring_take(&r, &got, sizeof(got));
        CU_ASSERT_EQUAL(got.id, id);
        CU_ASSERT_EQUAL(ring_pending(&r), 0);
        CU_ASSERT_FALSE(ring_sleep(&r, 1));
        ring_answer(&r, &rsp, sizeof(rsp));
        notified += ring_push(&r);
        CU_ASSERT_EQUAL(RING_GET_RESPONSE(&front, front.rsp_cons)->id, id);
        front.rsp_cons++;
        sring->rsp_event = front.rsp_cons + 1;
    }
    CU_ASSERT_EQUAL(notified, 1000);
}

static void no_event_unasked(void)
{
    struct ring r = fresh();
    blkif_response_t rsp = {0};

    sring->rsp_event = 3;
    sring->req_prod = 4;
    r.req_cons = 4;
    ring_answer(&r, &rsp, sizeof(rsp));
    CU_ASSERT_FALSE(ring_push(&r));
    ring_answer(&r, &rsp, sizeof(rsp));
    CU_ASSERT_FALSE(ring_push(&r));
    /* A guest that rewinds the shared producer does not confuse what was pushed. */
    sring->rsp_prod = 77;
    ring_answer(&r, &rsp, sizeof(rsp));
    CU_ASSERT(ring_push(&r));
    CU_ASSERT_EQUAL(sring->rsp_prod, 3);
    CU_ASSERT_FALSE(ring_push(&r));
}

static void impossible_producers(void)
{
    static const uint32_t bad[] = {33, 34, 100, 0x7fffffff, 0x80000000, 0xffffffff};
    struct ring r = fresh();

    sring->req_prod = 32;
    CU_ASSERT_EQUAL(ring_pending(&r), 32);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        sring->req_prod = bad[i];
        CU_ASSERT_EQUAL(ring_pending(&r), -EPROTO);
    }
    /* Taken but unanswered requests count as well. */
    r.req_cons = 20;
    sring->req_prod = 33;
    CU_ASSERT_EQUAL(ring_pending(&r), -EPROTO);
    r.rsp_prod = 1;
    CU_ASSERT_EQUAL(ring_pending(&r), 13);
    /* A producer behind what was taken. */
    sring->req_prod = 19;
    CU_ASSERT_EQUAL(ring_pending(&r), -EPROTO);
}

static void late_request_is_seen(void)
{
    struct ring r = fresh();

    CU_ASSERT_FALSE(ring_sleep(&r, 1));
    sring->req_prod = 1;
    CU_ASSERT(ring_sleep(&r, 1));
    CU_ASSERT_FALSE(ring_sleep(&r, 2)); /* waiting for two */
    CU_ASSERT_EQUAL(sring->req_event, 2);
}

/* A second CPU rewrites the slot all the time: what was taken stays one of the two values, whole.
 */
static volatile int stop_flipping;

static void *flip(void *arg)
{
    blkif_request_t *slot = arg;

    while (!stop_flipping) {
        memset((void *)slot, 0x11, sizeof(*slot));
        memset((void *)slot, 0xee, sizeof(*slot));
    }
    return NULL;
}

static void private_copy_is_stable(void)
{
    struct ring r = fresh();
    blkif_request_t got;
    pthread_t t;
    bool ok = true;

    sring->req_prod = 1;
    stop_flipping = 0;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, flip, &sring->ring[0].req), 0);
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t first, second;

        ring_peek(&r, 0, &got, sizeof(got));
        first = got.nr_segments;
        __asm__ volatile("" ::: "memory");
        second = got.nr_segments;
        ok &= first == second;
    }
    stop_flipping = 1;
    pthread_join(t, NULL);
    CU_ASSERT(ok);
}

static const struct test tests[] = {
    {"sizes", sizes},
    {"round trip over the wrap of the indices", round_trip_with_wrap},
    {"no event that was not asked for", no_event_unasked},
    {"impossible producers end the ring", impossible_producers},
    {"a late request is seen before sleeping", late_request_is_seen},
    {"the private copy is stable", private_copy_is_stable},
};

int main(void)
{
    return suite_run("backend ring", tests, sizeof(tests) / sizeof(*tests));
}
