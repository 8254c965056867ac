/* SPDX-License-Identifier: MIT */
/* The block protocol's request: see blkif.h. Layouts from <xen/io/blkif.h>. */
#include "blkif.h"

#include <string.h>
#include <xen/io/protocols.h>

#define SECTORS_PER_PAGE (4096u / BLK_SECTOR)

_Static_assert(sizeof(blkif_request_t) == BLK_SLOT_BYTES, "native slot");
_Static_assert(offsetof(blkif_request_t, id) == 8 &&
                   offsetof(blkif_request_t, sector_number) == 16 &&
                   offsetof(blkif_request_t, seg) == 24,
               "native read/write");
_Static_assert(offsetof(blkif_request_discard_t, nr_sectors) == 24, "native discard");
_Static_assert(offsetof(blkif_request_indirect_t, id) == 8 &&
                   offsetof(blkif_request_indirect_t, indirect_grefs) == 28,
               "native indirect");
_Static_assert(sizeof(struct blkif_request_segment) == 8, "segment");

static const struct blk_abi abis[] = {
    {XEN_IO_PROTO_ABI_X86_64, 112, 8},
    {XEN_IO_PROTO_ABI_X86_32, 108, 4},
};

const struct blk_abi *blkif_abi(const char *name)
{
    if (!name)
        return &abis[0];
    for (size_t i = 0; i < sizeof(abis) / sizeof(*abis); i++)
        if (!strcmp(abis[i].name, name))
            return &abis[i];
    return NULL;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static void decode_segs(struct blk_request *rq, const uint8_t *p)
{
    struct blkif_request_segment s;

    for (uint32_t i = 0; i < rq->nsegs; i++) {
        memcpy(&s, p + i * sizeof(s), sizeof(s));
        rq->seg[i] = (struct blk_seg){s.gref, s.first_sect, s.last_sect};
    }
}

static int decode_indirect(const struct blk_abi *abi, const uint8_t *slot, struct blk_request *rq)
{
    uint16_t nsegs;

    memcpy(&nsegs, slot + 2, sizeof(nsegs));
    rq->op = slot[1];
    rq->indirect = true;
    memcpy(&rq->indirect_ref, slot + abi->id_at + 20, sizeof(rq->indirect_ref));
    if ((rq->op != BLKIF_OP_READ && rq->op != BLKIF_OP_WRITE) || nsegs == 0 || nsegs > BLK_MAX_SEGS)
        return BLKIF_RSP_ERROR;
    rq->nsegs = nsegs;
    return BLKIF_RSP_OKAY;
}

int blkif_decode(const struct blk_abi *abi, const void *raw, struct blk_request *rq)
{
    const uint8_t *slot = raw;
    const uint8_t *tail = slot + abi->id_at + 16; /* after id and sector number */

    *rq = (struct blk_request){
        .op = slot[0],
        .id = get64(slot + abi->id_at),
        .sector = get64(slot + abi->id_at + 8),
    };
    switch (rq->op) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
    case BLKIF_OP_WRITE_BARRIER:
    case BLKIF_OP_FLUSH_DISKCACHE:
        if (slot[1] > BLKIF_MAX_SEGMENTS_PER_REQUEST)
            return BLKIF_RSP_ERROR;
        rq->nsegs = slot[1];
        decode_segs(rq, tail);
        return BLKIF_RSP_OKAY;
    case BLKIF_OP_DISCARD:
        rq->flags = slot[1];
        rq->sectors = get64(tail);
        return BLKIF_RSP_OKAY;
    case BLKIF_OP_INDIRECT:
        return decode_indirect(abi, slot, rq);
    default:
        return BLKIF_RSP_EOPNOTSUPP;
    }
}

size_t blkif_indirect_bytes(const struct blk_request *rq)
{
    return rq->nsegs * sizeof(struct blkif_request_segment);
}

void blkif_decode_segments(struct blk_request *rq, const void *descriptors)
{
    decode_segs(rq, descriptors);
}

/* The sum of the segments, or 0 when one of them leaves its page or turns backwards. */
static uint64_t segment_sectors(const struct blk_request *rq)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < rq->nsegs; i++) {
        const struct blk_seg *s = &rq->seg[i];

        if (s->first > s->last || s->last >= SECTORS_PER_PAGE)
            return 0;
        sum += s->last - s->first + 1u;
    }
    return sum;
}

int blkif_check(const struct blk_disk *disk, struct blk_request *rq)
{
    uint32_t align = disk->sector_bytes / BLK_SECTOR;

    if (rq->op == BLKIF_OP_DISCARD) {
        if (!disk->discard || (rq->flags & BLKIF_DISCARD_SECURE))
            return BLKIF_RSP_EOPNOTSUPP;
    } else {
        rq->sectors = segment_sectors(rq);
        if (rq->nsegs == 0)
            /* A flush or a barrier may come without data; a read or write of nothing is a mistake.
             */
            return rq->op == BLKIF_OP_READ || rq->op == BLKIF_OP_WRITE ? BLKIF_RSP_ERROR
                                                                       : BLKIF_RSP_OKAY;
    }
    if (disk->read_only && rq->op != BLKIF_OP_READ)
        return BLKIF_RSP_ERROR;
    /* Written so that no sum of the guest's numbers can wrap. */
    if (rq->sectors == 0 || rq->sectors > disk->sectors || rq->sector > disk->sectors - rq->sectors)
        return BLKIF_RSP_ERROR;
    if (rq->sector % align || rq->sectors % align)
        return BLKIF_RSP_ERROR;
    return BLKIF_RSP_OKAY;
}
