/* SPDX-License-Identifier: MIT */
/*
 * The block protocol's request: decoded from a private copy of its ring slot, then checked against
 * the disk.
 *
 * Pure functions on private memory; nothing here touches the ring or the guest.
 * Invariant: a request that blkif_check() passed stays inside the disk, its segments stay inside
 * their pages, and its bytes are exactly `sectors` * 512.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/blkif.h>

#define BLK_SECTOR         512u
#define BLK_SLOT_BYTES     112u /* of the larger ABI */
#define BLK_MAX_SEGS       32u  /* of an indirect request; what stock frontends ask for */
#define BLK_MAX_RING_ORDER 2u

/* The layout of ring slots: the 32-bit one packs what follows the first four bytes four bytes
 * tighter. */
struct blk_abi {
    const char *name;    /* as in the frontend's `protocol` node */
    unsigned slot_bytes; /* of one ring entry */
    unsigned id_at;      /* where `id` is; the sector number follows it */
};

/* By its name; NULL for one that this machine does not have. A frontend that names none is native.
 */
const struct blk_abi *blkif_abi(const char *name);

struct blk_seg {
    uint32_t ref;
    uint8_t first, last; /* sectors of the page, inclusive */
};

struct blk_request {
    uint8_t op; /* BLKIF_OP_*, never INDIRECT: what the data is for, echoed in the response */
    bool indirect;
    uint8_t flags;         /* of a discard */
    uint32_t nsegs;        /* 0…BLK_MAX_SEGS */
    uint32_t indirect_ref; /* the page that holds the segments, if indirect */
    uint64_t id;
    uint64_t sector;
    uint64_t sectors; /* length: of all segments, or of a discard */
    struct blk_seg seg[BLK_MAX_SEGS];
};

/* What a request is checked against. */
struct blk_disk {
    uint64_t sectors;      /* of 512 bytes */
    uint32_t sector_bytes; /* the logical sector: starts and lengths are multiples of it */
    bool read_only, discard;
};

/*
 * Decodes a slot of BLK_SLOT_BYTES. Fills `op` and `id` always, since even a refused request is
 * answered. Returns BLKIF_RSP_OKAY, or the status to answer with. An indirect request has no
 * segments yet.
 */
int blkif_decode(const struct blk_abi *abi, const void *slot, struct blk_request *rq);
/* The bytes of an indirect request's descriptors, and their decoding. */
size_t blkif_indirect_bytes(const struct blk_request *rq);
void blkif_decode_segments(struct blk_request *rq, const void *descriptors);
/* BLKIF_RSP_OKAY or the status to answer with; computes `sectors`. */
int blkif_check(const struct blk_disk *disk, struct blk_request *rq);

static inline bool blkif_has_data(const struct blk_request *rq)
{
    return rq->nsegs != 0;
}

/* Does the request read the guest's pages (true) or fill them? */
static inline bool blkif_to_disk(const struct blk_request *rq)
{
    return rq->op != BLKIF_OP_READ;
}
