/* SPDX-License-Identifier: MIT */
/* A disk of the block backend's with a real file behind it and a frontend in this process. */
#pragma once

#include "suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "disk.h"
#include "fake.h"
#include "queue.h"

#define PATH        "backend/vbd/7/51712"
#define BACK        "/local/domain/0/" PATH
#define FRONT       "/local/domain/7/device/vbd/51712"
#define IMAGE_BYTES (4u << 20)
#define PORT        3u
#define DATA_REF    100u /* grant DATA_REF + i is frame DATA_FRAME + i */
#define DATA_FRAME  64u

struct rig {
    struct fake *f;
    struct device *dev;
    blkif_front_ring_t front;
    char dir[64], image[96];
};

static inline void make_image(struct rig *r)
{
    int fd = open(r->image, O_RDWR | O_CREAT | O_TRUNC, 0600);

    for (uint32_t i = 0; i < IMAGE_BYTES / 4; i += 1024) {
        uint32_t page[1024];

        for (uint32_t k = 0; k < 1024; k++)
            page[k] = i + k;
        if (write(fd, page, sizeof(page)) != sizeof(page))
            abort();
    }
    close(fd);
}

static inline struct rig rig_new(const char *mode, bool persistent)
{
    struct rig r = {.f = fake_new()};
    blkif_sring_t *sring = fake_frame(r.f, 1);

    strcpy(r.dir, "/tmp/mullion-block-XXXXXX");
    if (!mkdtemp(r.dir))
        abort();
    snprintf(r.image, sizeof(r.image), "%s/image", r.dir);
    make_image(&r);
    SHARED_RING_INIT(sring);
    FRONT_RING_INIT(&r.front, sring, 4096);
    fake_grant(r.f, 8, 1, false);
    for (unsigned i = 0; i < 256; i++)
        fake_grant(r.f, DATA_REF + i, DATA_FRAME + i, false);

    fake_set(r.f, BACK "/frontend", FRONT);
    fake_set(r.f, BACK "/frontend-id", "7");
    fake_set(r.f, BACK "/online", "1");
    fake_set(r.f, BACK "/state", "1");
    fake_set(r.f, BACK "/params", "raw:%s", r.image);
    fake_set(r.f, BACK "/mode", "%s", mode);
    fake_set(r.f, FRONT "/ring-ref", "8");
    fake_set(r.f, FRONT "/event-channel", "%u", PORT);
    fake_set(r.f, FRONT "/protocol", "x86_64-abi");
    fake_set(r.f, FRONT "/feature-persistent", "%d", persistent);
    fake_set(r.f, FRONT "/state", "1");
    return r;
}

static inline int backend_start(struct rig *r)
{
    r->dev = calloc(1, sizeof(*r->dev));
    r->dev->store = &r->f->store;
    r->dev->xen = &r->f->xen;
    return device_begin(r->dev, &disk_driver, PATH, r->dir, false);
}

static inline void backend_run(struct rig *r, int timeout_ms)
{
    while (loop_once(&r->dev->loop, timeout_ms) > 0)
        timeout_ms = 0;
}

static inline void rig_connect(struct rig *r)
{
    CU_ASSERT_EQUAL_FATAL(backend_start(r), 0);
    CU_ASSERT_STRING_EQUAL_FATAL(fake_get(r->f, BACK "/state"), "2");
    fake_set(r->f, FRONT "/state", "3");
    backend_run(r, 0);
    CU_ASSERT_STRING_EQUAL_FATAL(fake_get(r->f, BACK "/state"), "4");
}

/* Takes the device away and asserts that nothing is left of it. */
static inline void rig_free(struct rig *r)
{
    struct stat st;
    char journal[128];

    fake_rm(r->f, BACK);
    backend_run(r, 0);
    CU_ASSERT(r->dev->xenbus.gone);
    device_end(r->dev, true);
    CU_ASSERT_EQUAL(r->f->shared->misuse, 0);
    CU_ASSERT_EQUAL(r->f->shared->mapped, 0);
    CU_ASSERT_FALSE(r->f->shared->bound[PORT]);
    snprintf(journal, sizeof(journal), "%s/vbd-7-51712", r->dir);
    CU_ASSERT_EQUAL(stat(journal, &st), -1);
    unlink(r->image);
    rmdir(r->dir);
    fake_free(r->f);
    free(r->dev);
}

static inline void push(struct rig *r)
{
    int kick;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&r->front, kick);
    if (kick)
        fake_kick(r->f, PORT);
}

/* A request of `n` whole pages from data page `page` on. */
static inline void queue_rw(struct rig *r, uint8_t op, uint64_t id, uint64_t sector, unsigned page,
                            unsigned n)
{
    blkif_request_t *rq = RING_GET_REQUEST(&r->front, r->front.req_prod_pvt++);

    *rq = (blkif_request_t){
        .operation = op, .nr_segments = (uint8_t)n, .id = id, .sector_number = sector};
    for (unsigned i = 0; i < n; i++)
        rq->seg[i] = (struct blkif_request_segment){.gref = DATA_REF + page + i, .last_sect = 7};
}

/* Runs the backend until an answer is there and takes it. */
static inline blkif_response_t answer(struct rig *r)
{
    blkif_response_t none = {.status = 99};

    for (unsigned tries = 0; tries < 200; tries++) {
        if (r->front.sring->rsp_prod != r->front.rsp_cons) {
            blkif_response_t rsp = *RING_GET_RESPONSE(&r->front, r->front.rsp_cons);

            r->front.rsp_cons++;
            r->front.sring->rsp_event = r->front.rsp_cons + 1;
            return rsp;
        }
        backend_run(r, 50);
    }
    return none;
}

static inline uint32_t *data(struct rig *r, unsigned page)
{
    return fake_frame(r->f, DATA_FRAME + page);
}
