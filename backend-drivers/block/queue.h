/* SPDX-License-Identifier: MIT */
/*
 * One connected ring: takes requests, carries them out, answers them; and takes over from a
 * predecessor that was killed.
 *
 *   event → take (slot copied once, into the journal) → decode, check → data → image → answer →
 * notify if asked
 *
 * Invariant: a request that was taken is in the journal until its answer has been pushed. The
 * journal's entry goes FREE → TAKEN (slot copied, before req_cons moves) → ANSWERED (status and
 * ring index known, before the push) → FREE so whatever instant a kill hits, a successor knows of
 * each request whether to carry it out again or to repeat its answer; carrying a read or write out
 * twice is harmless while it has not been answered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "blkif.h"
#include "data.h"
#include "image.h"
#include "journal.h"
#include "ring.h"

#define QUEUE_DEPTH 64u /* requests under way; what is beyond stays in the guest's ring */

enum entry_state { ENTRY_FREE, ENTRY_TAKEN, ENTRY_ANSWERED };

struct queue_entry {
    uint32_t state;
    uint32_t req_idx; /* ring index it was taken from */
    uint32_t rsp_idx; /* ring index of its answer */
    int16_t status;
    uint16_t pad;
    uint8_t slot[BLK_SLOT_BYTES];
};

struct queue_journal {
    struct journal_head head;
    uint32_t req_cons;
    uint32_t pad;
    struct queue_entry entry[QUEUE_DEPTH];
};

struct queue_request {
    struct image_io io;
    struct queue *queue;
    struct queue_entry *entry;
    struct queue_request *next; /* in the line of those that wait for a buffer or a barrier */
    const char *step;           /* what is left to do: see steps_of() */
    int err;
    struct blk_request rq;
    struct data data;
};

struct queue {
    struct ring ring;
    const struct blk_abi *abi;
    struct blk_disk disk;
    struct image *image;
    struct data_source *data;
    struct xen *xen;
    struct queue_journal *journal;
    int port;
    uint32_t domid;
    bool broken; /* the guest's indices are impossible: nothing more is taken or answered */
    struct queue_request *barrier; /* under way, alone */
    unsigned active;               /* requests in the image's hands */
    unsigned answered;             /* entries ANSWERED and not pushed */
    struct queue_request *free, *waiting, **waiting_end;
    struct queue_request request[QUEUE_DEPTH];
};

/* Lays the queue over a mapped ring. The other members must be set: abi, disk, image, data, xen,
 * journal, port, domid. */
void queue_start(struct queue *q, void *shared, size_t bytes);
/*
 * The same for a ring that a predecessor worked on, with its journal (already found valid).
 * -EPROTO: the ring and the journal contradict each other.
 */
int queue_take_over(struct queue *q, void *shared, size_t bytes);
/*
 * Takes and starts what is new, answers what is done; to be called on an event and when the image has
 * finished something. True: call it again, after a look at other events.
 */
bool queue_run(struct queue *q);
/* Waits until all that was taken is answered. Takes nothing new. */
void queue_drain(struct queue *q);
