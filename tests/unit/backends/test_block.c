/* SPDX-License-Identifier: MIT */
/*
 * The block backend: request checking by tables, then the whole of it against a frontend in this
 * process and a real file, and killed at random instants under load.
 */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* --- request checking --- */

static const struct blk_disk disk_rw = {.sectors = 1000, .sector_bytes = 512, .discard = true};
static const struct blk_disk disk_ro = {.sectors = 1000, .sector_bytes = 512, .read_only = true};
static const struct blk_disk disk_4k = {.sectors = 1000, .sector_bytes = 4096, .discard = true};

static int check_one(const struct blk_disk *disk, uint8_t op, uint64_t sector, unsigned first,
                     unsigned last)
{
    struct blk_request rq = {
        .op = op, .sector = sector, .nsegs = 1, .seg = {{1, (uint8_t)first, (uint8_t)last}}};

    return blkif_check(disk, &rq);
}

static void checks(void)
{
    static const struct {
        const struct blk_disk *disk;
        uint8_t op;
        uint64_t sector;
        unsigned first, last;
        int status;
    } row[] = {
        {&disk_rw, BLKIF_OP_READ, 0, 0, 7, 0},
        {&disk_rw, BLKIF_OP_READ, 992, 0, 7, 0},
        {&disk_rw, BLKIF_OP_READ, 993, 0, 7, BLKIF_RSP_ERROR},        /* one past the end */
        {&disk_rw, BLKIF_OP_READ, 1000, 0, 0, BLKIF_RSP_ERROR},       /* at the end */
        {&disk_rw, BLKIF_OP_READ, UINT64_MAX, 0, 0, BLKIF_RSP_ERROR}, /* sum wraps to 0 */
        {&disk_rw, BLKIF_OP_READ, UINT64_MAX - 6, 0, 7, BLKIF_RSP_ERROR},
        {&disk_rw, BLKIF_OP_READ, 0, 5, 4, BLKIF_RSP_ERROR}, /* backwards */
        {&disk_rw, BLKIF_OP_READ, 0, 0, 8, BLKIF_RSP_ERROR}, /* leaves the page */
        {&disk_rw, BLKIF_OP_READ, 0, 255, 255, BLKIF_RSP_ERROR},
        {&disk_ro, BLKIF_OP_READ, 0, 0, 7, 0},
        {&disk_ro, BLKIF_OP_WRITE, 0, 0, 7, BLKIF_RSP_ERROR},
        {&disk_ro, BLKIF_OP_WRITE_BARRIER, 0, 0, 7, BLKIF_RSP_ERROR},
        {&disk_ro, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 7, BLKIF_RSP_ERROR},
        {&disk_4k, BLKIF_OP_WRITE, 8, 0, 7, 0},
        {&disk_4k, BLKIF_OP_WRITE, 4, 0, 7, BLKIF_RSP_ERROR}, /* not a whole sector */
        {&disk_4k, BLKIF_OP_WRITE, 8, 0, 3, BLKIF_RSP_ERROR},
    };

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++)
        CU_ASSERT_EQUAL(check_one(row[i].disk, row[i].op, row[i].sector, row[i].first, row[i].last),
                        row[i].status);
}

static int discard_one(const struct blk_disk *disk, uint64_t sector, uint64_t n, uint8_t flags)
{
    struct blk_request rq = {
        .op = BLKIF_OP_DISCARD, .sector = sector, .sectors = n, .flags = flags};

    return blkif_check(disk, &rq);
}

static void check_without_data(void)
{
    struct blk_request read = {.op = BLKIF_OP_READ}, flush = {.op = BLKIF_OP_FLUSH_DISKCACHE};

    CU_ASSERT_EQUAL(blkif_check(&disk_rw, &read), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(blkif_check(&disk_rw, &flush), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(discard_one(&disk_rw, 0, 1000, 0), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(discard_one(&disk_rw, 1, 1000, 0), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(discard_one(&disk_rw, 2, UINT64_MAX, 0), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(discard_one(&disk_rw, 0, 0, 0), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(discard_one(&disk_rw, 0, 8, BLKIF_DISCARD_SECURE), BLKIF_RSP_EOPNOTSUPP);
    CU_ASSERT_EQUAL(discard_one(&disk_ro, 0, 8, 0), BLKIF_RSP_EOPNOTSUPP);
}

static void decoding(void)
{
    blkif_request_t rq = {.operation = BLKIF_OP_WRITE,
                          .nr_segments = 2,
                          .id = 0x1122334455667788,
                          .sector_number = 99};
    blkif_request_indirect_t ind = {.operation = BLKIF_OP_INDIRECT,
                                    .indirect_op = BLKIF_OP_READ,
                                    .nr_segments = 32,
                                    .id = 5,
                                    .sector_number = 6};
    uint8_t slot[BLK_SLOT_BYTES] = {0}, narrow[BLK_SLOT_BYTES] = {0};
    struct blk_request got;

    rq.seg[1] = (struct blkif_request_segment){.gref = 77, .first_sect = 1, .last_sect = 6};
    memcpy(slot, &rq, sizeof(rq));
    CU_ASSERT_EQUAL(blkif_decode(blkif_abi(NULL), slot, &got), BLKIF_RSP_OKAY);
    CU_ASSERT(got.op == BLKIF_OP_WRITE && got.nsegs == 2 && got.id == rq.id && got.sector == 99);
    CU_ASSERT(got.seg[1].ref == 77 && got.seg[1].first == 1 && got.seg[1].last == 6);
    /* The 32-bit layout: the same after the first four bytes, four bytes earlier. */
    memcpy(narrow, slot, 4);
    memcpy(narrow + 4, slot + 8, 104);
    CU_ASSERT_EQUAL(blkif_decode(blkif_abi("x86_32-abi"), narrow, &got), BLKIF_RSP_OKAY);
    CU_ASSERT(got.id == rq.id && got.sector == 99 && got.seg[1].ref == 77);
    CU_ASSERT_PTR_NULL(blkif_abi("sparc-abi"));

    slot[1] = 12;
    CU_ASSERT_EQUAL(blkif_decode(blkif_abi(NULL), slot, &got), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(got.id, rq.id);
    slot[0] = 200;
    CU_ASSERT_EQUAL(blkif_decode(blkif_abi(NULL), slot, &got), BLKIF_RSP_EOPNOTSUPP);

    ind.indirect_grefs[0] = 1234;
    memcpy(slot, &ind, sizeof(ind));
    CU_ASSERT_EQUAL(blkif_decode(blkif_abi(NULL), slot, &got), BLKIF_RSP_OKAY);
    CU_ASSERT(got.indirect && got.op == BLKIF_OP_READ && got.nsegs == 32 &&
              got.indirect_ref == 1234);
    ind.nr_segments = BLK_MAX_SEGS + 1;
    memcpy(slot, &ind, sizeof(ind));
    CU_ASSERT_EQUAL(blkif_decode(blkif_abi(NULL), slot, &got), BLKIF_RSP_ERROR);
    ind.nr_segments = 1;
    ind.indirect_op = BLKIF_OP_INDIRECT;
    memcpy(slot, &ind, sizeof(ind));
    CU_ASSERT_EQUAL(blkif_decode(blkif_abi(NULL), slot, &got), BLKIF_RSP_ERROR);
}

/* --- a device with a frontend --- */

struct rig {
    struct fake *f;
    struct device *dev;
    blkif_front_ring_t front;
    char dir[64], image[96];
};

static void make_image(struct rig *r)
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

static struct rig rig_new(const char *mode, bool persistent)
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

static int backend_start(struct rig *r)
{
    r->dev = calloc(1, sizeof(*r->dev));
    r->dev->store = &r->f->store;
    r->dev->xen = &r->f->xen;
    return device_begin(r->dev, &disk_driver, PATH, r->dir, false);
}

static void backend_run(struct rig *r, int timeout_ms)
{
    while (loop_once(&r->dev->loop, timeout_ms) > 0)
        timeout_ms = 0;
}

static void rig_connect(struct rig *r)
{
    CU_ASSERT_EQUAL_FATAL(backend_start(r), 0);
    CU_ASSERT_STRING_EQUAL_FATAL(fake_get(r->f, BACK "/state"), "2");
    fake_set(r->f, FRONT "/state", "3");
    backend_run(r, 0);
    CU_ASSERT_STRING_EQUAL_FATAL(fake_get(r->f, BACK "/state"), "4");
}

/* Takes the device away and asserts that nothing is left of it. */
static void rig_free(struct rig *r)
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

static void push(struct rig *r)
{
    int kick;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&r->front, kick);
    if (kick)
        fake_kick(r->f, PORT);
}

/* A request of `n` whole pages from data page `page` on. */
static void queue_rw(struct rig *r, uint8_t op, uint64_t id, uint64_t sector, unsigned page,
                     unsigned n)
{
    blkif_request_t *rq = RING_GET_REQUEST(&r->front, r->front.req_prod_pvt++);

    *rq = (blkif_request_t){
        .operation = op, .nr_segments = (uint8_t)n, .id = id, .sector_number = sector};
    for (unsigned i = 0; i < n; i++)
        rq->seg[i] = (struct blkif_request_segment){.gref = DATA_REF + page + i, .last_sect = 7};
}

/* Runs the backend until an answer is there and takes it. */
static blkif_response_t answer(struct rig *r)
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

static uint32_t *data(struct rig *r, unsigned page)
{
    return fake_frame(r->f, DATA_FRAME + page);
}

static void transfers(const char *mode, bool persistent)
{
    struct rig r = rig_new(mode, persistent);
    blkif_response_t rsp;
    uint32_t back[1024];
    int fd;

    rig_connect(&r);
    /* Read two pages from sector 80. */
    queue_rw(&r, BLKIF_OP_READ, 1, 80, 0, 2);
    push(&r);
    rsp = answer(&r);
    CU_ASSERT(rsp.id == 1 && rsp.status == 0 && rsp.operation == BLKIF_OP_READ);
    CU_ASSERT_EQUAL(data(&r, 0)[0], 80 * 128);
    CU_ASSERT_EQUAL(data(&r, 1)[1023], 80 * 128 + 2047);
    /* Write eleven pages, flush, and look at the file. */
    for (unsigned i = 0; i < 11; i++)
        memset(data(&r, i), 0x40 + (int)i, 4096);
    queue_rw(&r, BLKIF_OP_WRITE, 2, 800, 0, 11);
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, 0);
    queue_rw(&r, BLKIF_OP_FLUSH_DISKCACHE, 3, 0, 0, 0);
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, 0);
    fd = open(r.image, O_RDONLY);
    CU_ASSERT_EQUAL(pread(fd, back, 4096, 800 * 512 + 10 * 4096), 4096);
    CU_ASSERT_EQUAL(back[0], 0x4a4a4a4a);
    /* A barrier with data between two writes of the same place: the last one wins. */
    memset(data(&r, 0), 1, 4096);
    memset(data(&r, 1), 2, 4096);
    memset(data(&r, 2), 3, 4096);
    queue_rw(&r, BLKIF_OP_WRITE, 4, 0, 0, 1);
    queue_rw(&r, BLKIF_OP_WRITE_BARRIER, 5, 0, 1, 1);
    queue_rw(&r, BLKIF_OP_WRITE, 6, 0, 2, 1);
    push(&r);
    for (uint64_t id = 4; id <= 6; id++) {
        rsp = answer(&r);
        CU_ASSERT(rsp.id == id && rsp.status == 0);
    }
    CU_ASSERT_EQUAL(pread(fd, back, 4096, 0), 4096);
    CU_ASSERT_EQUAL(back[7], 0x03030303);
    close(fd);
    rig_free(&r);
}

static void transfers_by_copy(void)
{
    transfers("w", false);
}

static void transfers_persistent(void)
{
    transfers("w", true);
}

static void partial_segments(void)
{
    struct rig r = rig_new("w", false);
    blkif_request_t *rq;

    rig_connect(&r);
    memset(data(&r, 0), 0xaa, 8192);
    rq = RING_GET_REQUEST(&r.front, r.front.req_prod_pvt++);
    *rq = (blkif_request_t){
        .operation = BLKIF_OP_READ, .nr_segments = 2, .id = 1, .sector_number = 8};
    rq->seg[0] = (struct blkif_request_segment){.gref = DATA_REF, .first_sect = 2, .last_sect = 3};
    rq->seg[1] =
        (struct blkif_request_segment){.gref = DATA_REF + 1, .first_sect = 7, .last_sect = 7};
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, 0);
    CU_ASSERT_EQUAL(data(&r, 0)[255], 0xaaaaaaaa);
    CU_ASSERT_EQUAL(data(&r, 0)[256], 8 * 128);
    CU_ASSERT_EQUAL(data(&r, 0)[511], 10 * 128 - 1);
    CU_ASSERT_EQUAL(data(&r, 0)[512], 0xaaaaaaaa);
    CU_ASSERT_EQUAL(data(&r, 1)[895], 0xaaaaaaaa);
    CU_ASSERT_EQUAL(data(&r, 1)[896], 10 * 128);
    rig_free(&r);
}

/* 38 (XSA-155): the guest rewrites its slot while the request is looked at. What was taken is what
 * is checked and done. */
static void scribble(void *arg)
{
    blkif_request_indirect_t *slot = arg;

    slot->indirect_op = BLKIF_OP_WRITE;
    slot->id = 99;
    slot->sector_number = 1ul << 60;
    slot->nr_segments = BLK_MAX_SEGS + 1;
}

static void slot_that_changes(void)
{
    struct rig r = rig_new("w", false);
    struct blkif_request_segment *seg = fake_frame(r.f, 2);
    blkif_request_indirect_t *rq;
    blkif_response_t rsp;

    rig_connect(&r);
    fake_grant(r.f, 9, 2, true);
    for (unsigned i = 0; i < 4; i++)
        seg[i] = (struct blkif_request_segment){.gref = DATA_REF + i, .last_sect = 7};
    rq = (void *)RING_GET_REQUEST(&r.front, r.front.req_prod_pvt++);
    *rq = (blkif_request_indirect_t){.operation = BLKIF_OP_INDIRECT,
                                     .indirect_op = BLKIF_OP_READ,
                                     .nr_segments = 4,
                                     .id = 77,
                                     .sector_number = 16};
    rq->indirect_grefs[0] = 9;
    r.f->on_copy = scribble;
    r.f->on_copy_arg = rq;
    push(&r);
    rsp = answer(&r);
    r.f->on_copy = NULL;
    CU_ASSERT(rsp.status == 0 && rsp.id == 77);
    CU_ASSERT_EQUAL(data(&r, 3)[0], 16 * 128 + 3 * 1024);
    rig_free(&r);
}

/* 32 pages through an indirect request: large, so it is mapped when nothing is persistent. */
static void indirect(void)
{
    for (int persistent = 0; persistent < 2; persistent++) {
        struct rig r = rig_new("w", persistent);
        struct blkif_request_segment *seg = fake_frame(r.f, 2);
        blkif_request_indirect_t *rq;

        rig_connect(&r);
        fake_grant(r.f, 9, 2, true);
        for (unsigned i = 0; i < 32; i++)
            seg[i] = (struct blkif_request_segment){.gref = DATA_REF + i, .last_sect = 7};
        rq = (void *)RING_GET_REQUEST(&r.front, r.front.req_prod_pvt++);
        *rq = (blkif_request_indirect_t){.operation = BLKIF_OP_INDIRECT,
                                         .indirect_op = BLKIF_OP_READ,
                                         .nr_segments = 32,
                                         .id = 77,
                                         .sector_number = 16};
        rq->indirect_grefs[0] = 9;
        push(&r);
        CU_ASSERT_EQUAL(answer(&r).status, 0);
        CU_ASSERT_EQUAL(data(&r, 31)[0], 16 * 128 + 31 * 1024);
        /* The descriptor page is not granted: an error, and the device lives. */
        fake_revoke(r.f, 9);
        rq = (void *)RING_GET_REQUEST(&r.front, r.front.req_prod_pvt++);
        *rq = (blkif_request_indirect_t){.operation = BLKIF_OP_INDIRECT,
                                         .indirect_op = BLKIF_OP_READ,
                                         .nr_segments = 32,
                                         .id = 78,
                                         .sector_number = 16};
        rq->indirect_grefs[0] = 9;
        push(&r);
        CU_ASSERT_EQUAL(answer(&r).status, BLKIF_RSP_ERROR);
        rig_free(&r);
    }
}

static void bad_grants_are_errors(void)
{
    struct rig r = rig_new("w", false);

    rig_connect(&r);
    fake_revoke(r.f, DATA_REF + 5);
    queue_rw(&r, BLKIF_OP_WRITE, 1, 0, 5, 1);
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, BLKIF_RSP_ERROR);
    fake_grant(r.f, DATA_REF + 5, DATA_FRAME + 5,
               true); /* read-only: good for a write, not for a read */
    queue_rw(&r, BLKIF_OP_READ, 2, 0, 5, 1);
    queue_rw(&r, BLKIF_OP_WRITE, 3, 0, 5, 1);
    push(&r);
    for (unsigned i = 0; i < 2; i++) {
        blkif_response_t rsp = answer(&r);

        CU_ASSERT_EQUAL(rsp.status, rsp.id == 2 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
    }
    rig_free(&r);
}

static void read_only_disk(void)
{
    struct rig r = rig_new("r", true);

    rig_connect(&r);
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/info"), "4");
    queue_rw(&r, BLKIF_OP_WRITE, 1, 0, 0, 1);
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, BLKIF_RSP_ERROR);
    queue_rw(&r, BLKIF_OP_READ, 2, 0, 0, 1);
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, BLKIF_RSP_OKAY);
    rig_free(&r);
}

static void discard_makes_zeros(void)
{
    struct rig r = rig_new("w", false);
    blkif_request_discard_t *rq;

    rig_connect(&r);
    rq = (void *)RING_GET_REQUEST(&r.front, r.front.req_prod_pvt++);
    *rq = (blkif_request_discard_t){
        .operation = BLKIF_OP_DISCARD, .id = 1, .sector_number = 8, .nr_sectors = 8};
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, 0);
    queue_rw(&r, BLKIF_OP_READ, 2, 8, 0, 2);
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, 0);
    CU_ASSERT_EQUAL(data(&r, 0)[5], 0);
    CU_ASSERT_EQUAL(data(&r, 1)[0], 16 * 128);
    rig_free(&r);
}

static void hostile_producer_ends_this_device(void)
{
    struct rig r = rig_new("w", false);

    rig_connect(&r);
    r.front.sring->req_prod = 1000;
    fake_kick(r.f, PORT);
    backend_run(&r, 0);
    backend_run(&r, 0);
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "5");
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_get(r.f, BACK "/error"), "impossible request producer"));
    rig_free(&r);
}

static void missing_image(void)
{
    struct rig r = rig_new("w", false);

    fake_set(r.f, BACK "/params", "/nowhere/disk.img");
    CU_ASSERT_EQUAL(backend_start(&r), DEVICE_MISCONFIGURED);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_get(r.f, BACK "/error"), "/nowhere/disk.img"));
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/hotplug-status"), "error");
    device_end(r.dev, true);
    free(r.dev);
    CU_ASSERT_EQUAL(backend_start(&r), DEVICE_MISCONFIGURED);
    fake_rm(r.f, BACK);
    device_end(r.dev, true);
    unlink(r.image);
    rmdir(r.dir);
    free(r.dev);
    fake_free(r.f);
}

/* More data under way than there is buffer, and every persistent page at once: nothing is lost,
 * order of pages kept. */
static void full_ring(bool persistent)
{
    struct rig r = rig_new("w", persistent);
    uint32_t seen = 0;

    rig_connect(&r);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 32; i++)
            queue_rw(&r, BLKIF_OP_READ, i, i * 8, i * 8 % 240, 8);
        push(&r);
        for (unsigned i = 0; i < 32; i++) {
            blkif_response_t rsp = answer(&r);

            CU_ASSERT_EQUAL(rsp.status, 0);
            seen ^= 1u << (rsp.id & 31);
        }
    }
    CU_ASSERT_EQUAL(seen, 0);
    rig_free(&r);
}

static void full_ring_copy(void)
{
    full_ring(false);
}

static void full_ring_persistent(void)
{
    full_ring(true);
}

/* A ring of four pages: 128 requests in flight. */
static void large_ring(void)
{
    struct rig r = rig_new("w", false);
    uint64_t seen[2] = {0};

    for (unsigned i = 0; i < 4; i++) {
        char node[64];

        fake_grant(r.f, 20 + i, 30 + i, false);
        snprintf(node, sizeof(node), FRONT "/ring-ref%u", i);
        fake_set(r.f, node, "%u", 20 + i);
    }
    fake_set(r.f, FRONT "/ring-page-order", "2");
    SHARED_RING_INIT((blkif_sring_t *)fake_frame(r.f, 30));
    FRONT_RING_INIT(&r.front, (blkif_sring_t *)fake_frame(r.f, 30), 4 * 4096);
    CU_ASSERT_EQUAL(RING_SIZE(&r.front), 128);
    rig_connect(&r);
    for (unsigned i = 0; i < 128; i++)
        queue_rw(&r, BLKIF_OP_READ, i, i * 8, i, 1);
    push(&r);
    for (unsigned i = 0; i < 128; i++) {
        blkif_response_t rsp = answer(&r);

        CU_ASSERT(rsp.status == 0 && rsp.id < 128);
        seen[rsp.id / 64 % 2] |= 1ull << rsp.id % 64;
    }
    CU_ASSERT(seen[0] == UINT64_MAX && seen[1] == UINT64_MAX);
    for (unsigned i = 0; i < 128; i++)
        CU_ASSERT_EQUAL(data(&r, i)[0], i * 1024);
    fake_set(r.f, FRONT "/state", "5");
    backend_run(&r, 0);
    rig_free(&r);
}

/* Rings full of noise, now with good grants, now without: every request is answered once, nothing
 * else happens. */
static void noise(void)
{
    struct rig r = rig_new("w", false);

    srand(7);
    rig_connect(&r);
    for (unsigned round = 0; round < 300; round++) {
        unsigned n = 1 + (unsigned)rand() % 32;
        uint32_t before = r.front.sring->rsp_prod;

        for (unsigned i = 0; i < n; i++) {
            blkif_request_t *rq = RING_GET_REQUEST(&r.front, r.front.req_prod_pvt++);
            uint8_t *p = (uint8_t *)rq;

            for (unsigned k = 0; k < sizeof(*rq); k++)
                p[k] = (uint8_t)rand();
            rq->operation = (uint8_t)(rand() % 8);
            if (rand() % 2) { /* nearly right */
                rq->nr_segments = (uint8_t)(rand() % 13);
                rq->sector_number = (uint64_t)(rand() % 9000);
                for (unsigned k = 0; k < 11; k++)
                    rq->seg[k] = (struct blkif_request_segment){.gref = (uint32_t)(rand() % 400),
                                                                .first_sect = (uint8_t)(rand() % 3),
                                                                .last_sect = (uint8_t)(rand() % 9)};
            }
        }
        push(&r);
        for (unsigned tries = 0; tries < 100 && r.front.sring->rsp_prod != before + n; tries++)
            backend_run(&r, 20);
        CU_ASSERT_EQUAL_FATAL(r.front.sring->rsp_prod, before + n);
        r.front.rsp_cons = before + n;
        r.front.sring->rsp_event = r.front.rsp_cons + 1;
    }
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "4");
    rig_free(&r);
}

/* One writer at a time: the second backend on the image is told so, at once for a person's
 * patience. */
static void image_in_use(void)
{
    struct rig r = rig_new("w", false);
    struct reason why = {""};
    struct image *reader;

    rig_connect(&r);
    reader = image_raw_open(r.image, true, IMAGE_EXCLUSIVE, &why);
    CU_ASSERT_PTR_NULL(reader);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "in use"));
    rig_free(&r);
}

/* What a killed backend left of a device that was removed meanwhile goes; what belongs to others
 * stays. */
static void leftovers(void)
{
    static const char *const name[] = {"vbd-7-99", "vbd-8-51712", "vif-8-0", "vbd-9-x"};
    struct rig r = rig_new("w", false);
    char path[4][128];
    struct stat st;

    for (unsigned i = 0; i < 4; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%s", r.dir, name[i]);
        close(open(path[i], O_CREAT | O_RDWR, 0600));
    }
    fake_set(r.f, "/local/domain/0/backend/vbd/8/51712/state", "4");
    rig_connect(&r);
    CU_ASSERT_EQUAL(stat(path[0], &st), -1); /* gone */
    for (unsigned i = 1; i < 4; i++) {
        CU_ASSERT_EQUAL(stat(path[i], &st), 0); /* in use, another class, not a journal */
        unlink(path[i]);
    }
    rig_free(&r);
}

/* --- killed at chosen instants --- */

/*
 * One request, and what its predecessor had got to: whatever it was, the guest sees exactly one
 * answer, and the next request is served.
 */
struct instant {
    const char *name;
    uint32_t state, req_cons; /* of the journal */
    bool in_ring;   /* the request still stands in its slot; else an answer has overwritten it */
    uint32_t shown; /* answers that the guest was shown */
    bool contradiction; /* not a state that a kill can leave */
};

static struct queue_journal *open_journal(struct rig *r)
{
    char path[128];
    void *j;
    int fd;

    snprintf(path, sizeof(path), "%s/vbd-7-51712", r->dir);
    fd = open(path, O_RDWR);
    j = mmap(NULL, sizeof(struct queue_journal), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    CU_ASSERT_FATAL(j != MAP_FAILED);
    return j;
}

static void leave_as(struct rig *r, const struct instant *at)
{
    struct queue_journal *j = open_journal(r);
    blkif_response_t rsp = {.id = 1, .operation = BLKIF_OP_WRITE};
    blkif_request_t *rq = RING_GET_REQUEST(&r->front, 0);

    queue_rw(r, BLKIF_OP_WRITE, 1, 8, 0, 1);
    memcpy(j->entry[3].slot, rq, BLK_SLOT_BYTES);
    j->entry[3].state = at->state;
    j->req_cons = at->req_cons;
    if (!at->in_ring)
        memcpy(rq, &rsp, sizeof(rsp));
    r->front.sring->req_prod = r->front.req_prod_pvt;
    r->front.sring->rsp_prod = at->shown;
    munmap(j, sizeof(*j));
}

static void killed_at(const struct instant *at)
{
    struct rig r = rig_new("w", false);
    blkif_response_t rsp;

    rig_connect(&r);
    device_end(r.dev, false);
    free(r.dev);
    r.f->shared->mapped = 0; /* the dead have no mappings, and no ports */
    r.f->shared->bound[PORT] = false;
    leave_as(&r, at);
    CU_ASSERT_EQUAL_FATAL(backend_start(&r), 0);
    backend_run(&r, 0);
    if (at->contradiction) {
        CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "5");
        CU_ASSERT_PTR_NOT_NULL(strstr(fake_get(r.f, BACK "/error"), "contradict"));
        rig_free(&r);
        return;
    }
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "4");
    rsp = answer(&r);
    CU_ASSERT(rsp.id == 1 && rsp.status == 0);
    queue_rw(&r, BLKIF_OP_READ, 2, 8, 1, 1);
    push(&r);
    rsp = answer(&r);
    CU_ASSERT(rsp.id == 2 && rsp.status == 0 && rsp.operation == BLKIF_OP_READ);
    backend_run(&r, 20);
    CU_ASSERT_EQUAL(r.front.sring->rsp_prod, 2);
    rig_free(&r);
}

static void killed_at_each_instant(void)
{
    static const struct instant instants[] = {
        {"nothing taken", ENTRY_FREE, 0, true, 0, false},
        {"in the journal, index not moved", ENTRY_TAKEN, 0, true, 0, false},
        {"taken", ENTRY_TAKEN, 1, true, 0, false},
        {"answer written, not in the journal", ENTRY_TAKEN, 1, false, 0, false},
        {"answer written, not shown", ENTRY_ANSWERED, 1, false, 0, false},
        {"answer shown, entry not free", ENTRY_ANSWERED, 1, false, 1, false},
        {"all done", ENTRY_FREE, 1, false, 1, false},
        {"taken and nowhere", ENTRY_FREE, 1, true, 0, true},
        {"answered and yet to do", ENTRY_TAKEN, 1, false, 1, true},
    };

    for (unsigned i = 0; i < sizeof(instants) / sizeof(*instants); i++)
        killed_at(&instants[i]);
}

/* --- killed at random instants --- */

static pid_t spawn(struct rig *r)
{
    pid_t pid = fork();

    if (pid == 0) {
        int status = backend_start(r);

        _exit(status ? status : loop_run(&r->dev->loop));
    }
    return pid;
}

static void reap_and_check(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFSIGNALED(status)); /* it had not ended by itself */
}

/*
 * Each request writes a page with its own generation to one of 200 places, never two to one place
 * at once. Whatever is answered must be in the file, each request is answered exactly once and
 * without error.
 */
static void killed_under_load(void)
{
    struct rig r = rig_new("w", false);
    uint32_t generation[200] = {0}, issued = 0, answered = 0;
    bool busy[200] = {false};
    unsigned wrong = 0;
    pid_t pid = spawn(&r);
    uint32_t page[1024];
    int fd;

    for (unsigned i = 0; i < 100 && strcmp(fake_get(r.f, BACK "/state"), "2"); i++)
        usleep(10000); /* the child's own start; there is no event for a test to wait on */
    fake_set(r.f, FRONT "/state", "3");
    srand(42);
    while (answered < 6000 && !wrong) {
        while (issued < 6000 && !RING_FULL(&r.front)) {
            unsigned place = (unsigned)rand() % 200;

            if (busy[place])
                break;
            busy[place] = true;
            generation[place] = ++issued;
            for (unsigned k = 0; k < 1024; k++)
                data(&r, place)[k] = issued;
            queue_rw(&r, BLKIF_OP_WRITE, place, place * 8, place, 1);
        }
        push(&r);
        if (rand() % 40 == 0) {
            reap_and_check(pid);
            for (unsigned i = 0; i < FAKE_PORTS; i++)
                r.f->shared->bound[i] = false;
            pid = spawn(&r);
        }
        if (r.front.sring->rsp_prod == r.front.rsp_cons && !fake_wait(r.f, 5000))
            wrong += 1;
        while (r.front.rsp_cons != r.front.sring->rsp_prod) {
            blkif_response_t rsp = *RING_GET_RESPONSE(&r.front, r.front.rsp_cons++);

            if (rsp.id >= 200 || !busy[rsp.id] || rsp.status)
                wrong += 1;
            else
                busy[rsp.id] = false;
            answered++;
        }
        r.front.sring->rsp_event = r.front.rsp_cons + 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(answered, issued);
    reap_and_check(pid);
    fd = open(r.image, O_RDONLY);
    for (unsigned place = 0; place < 200; place++) {
        if (!generation[place])
            continue;
        CU_ASSERT_EQUAL(pread(fd, page, 4096, place * 4096), 4096);
        CU_ASSERT(page[0] == generation[place] && page[1023] == generation[place]);
    }
    close(fd);
    r.f->shared->mapped = 0; /* the dead could not count */
    CU_ASSERT_EQUAL_FATAL(backend_start(&r), 0);
    rig_free(&r);
}

static const struct test tests[] = {
    {"checks", checks},
    {"checks without data", check_without_data},
    {"decoding, both ABIs", decoding},
    {"transfers by copy", transfers_by_copy},
    {"transfers through persistent grants", transfers_persistent},
    {"segments of parts of pages", partial_segments},
    {"indirect requests", indirect},
    {"a slot that changes", slot_that_changes},
    {"bad grants are errors", bad_grants_are_errors},
    {"a read-only disk", read_only_disk},
    {"discard makes zeros", discard_makes_zeros},
    {"a hostile producer ends this device", hostile_producer_ends_this_device},
    {"a missing image is refused", missing_image},
    {"a full ring, copied", full_ring_copy},
    {"a full ring, persistent", full_ring_persistent},
    {"a ring of four pages", large_ring},
    {"noise", noise},
    {"an image in use", image_in_use},
    {"leftovers", leftovers},
    {"killed at each instant", killed_at_each_instant},
    {"killed under load", killed_under_load},
};

int main(void)
{
    return suite_run("block backend", tests, sizeof(tests) / sizeof(*tests));
}
