/* SPDX-License-Identifier: MIT */
/* What the block backend makes of a slot: decoding in both layouts, and checking, by tables. */
#include "suite.h"

#include <string.h>
#include <xen/io/blkif.h>

#include "disk.h"
#include "queue.h"

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

static const struct test tests[] = {
    {"checks", checks},
    {"checks without data", check_without_data},
    {"decoding, both ABIs", decoding},
};

int main(void)
{
    return suite_run("block requests", tests, sizeof(tests) / sizeof(*tests));
}
