/* SPDX-License-Identifier: MIT */
/*
 * The whole of the block backend against a frontend in this process and a real file: data there and
 * back, and what a frontend may do wrong. (Requests by tables: test_block_requests.c; killed:
 * test_block_kill.c.)
 */
#include "block_rig.h"

#include <errno.h>

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

/* An event without a request is nothing, however many there are. */
static void event_storm(void)
{
    struct rig r = rig_new("w", false);

    rig_connect(&r);
    for (unsigned i = 0; i < 10000; i++) {
        fake_kick(r.f, PORT);
        if (i % 100 == 0)
            backend_run(&r, 0);
    }
    backend_run(&r, 0);
    CU_ASSERT_EQUAL(r.front.sring->rsp_prod, 0);
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "4");
    queue_rw(&r, BLKIF_OP_READ, 1, 0, 0, 1);
    push(&r);
    CU_ASSERT_EQUAL(answer(&r).status, 0);
    rig_free(&r);
}

/* What the guest writes into its own keys: this device says what is wrong, and maps nothing. */
static void bogus_keys(void)
{
    static const struct {
        const char *key, *value;
    } row[] = {
        {"ring-ref", "9999"},          {"ring-ref", "-1"},       {"ring-ref", "4294967296"},
        {"ring-ref", "eight"},         {"ring-ref", ""},         {"event-channel", "0"},
        {"event-channel", "99999999"}, {"event-channel", "x"},   {"protocol", "sparc-abi"},
        {"ring-page-order", "31"},     {"ring-page-order", "2"}, /* and no ring-ref0 */
    };

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
        struct rig r = rig_new("w", false);
        char node[64];

        snprintf(node, sizeof(node), FRONT "/%s", row[i].key);
        fake_set(r.f, node, "%s", row[i].value);
        for (unsigned k = 0; k < 40 && !strcmp(row[i].value, "31"); k++) { /* as many as it takes */
            snprintf(node, sizeof(node), FRONT "/ring-ref%u", k);
            fake_set(r.f, node, "8");
        }
        CU_ASSERT_EQUAL_FATAL(backend_start(&r), 0);
        fake_set(r.f, FRONT "/state", "3");
        backend_run(&r, 0);
        if (!strcmp(fake_get(r.f, BACK "/state"), "4") || !fake_get(r.f, BACK "/error"))
            printf("\n    %s = %s was taken", row[i].key, row[i].value);
        CU_ASSERT_STRING_NOT_EQUAL(fake_get(r.f, BACK "/state"), "4");
        CU_ASSERT_PTR_NOT_NULL(fake_get(r.f, BACK "/error"));
        CU_ASSERT_EQUAL(r.f->shared->mapped, 0);
        rig_free(&r);
    }
}

static const struct test tests[] = {
    {"transfers by copy", transfers_by_copy},
    {"transfers through persistent grants", transfers_persistent},
    {"segments of parts of pages", partial_segments},
    {"indirect requests", indirect},
    {"a slot that changes", slot_that_changes},
    {"bad grants are errors", bad_grants_are_errors},
    {"a read-only disk", read_only_disk},
    {"discard makes zeros", discard_makes_zeros},
    {"a hostile producer ends this device", hostile_producer_ends_this_device},
    {"an event storm", event_storm},
    {"bogus keys", bogus_keys},
    {"a missing image is refused", missing_image},
    {"a full ring, copied", full_ring_copy},
    {"a full ring, persistent", full_ring_persistent},
    {"a ring of four pages", large_ring},
    {"noise", noise},
    {"an image in use", image_in_use},
    {"leftovers", leftovers},
};

int main(void)
{
    return suite_run("block backend", tests, sizeof(tests) / sizeof(*tests));
}
