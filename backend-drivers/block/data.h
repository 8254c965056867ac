/* SPDX-License-Identifier: MIT */
/*
 * Where a request's bytes are: in the guest's own pages, or in a buffer of ours that is copied to
 * and from them.
 *
 *   persistent  the frontend keeps using the same grants: each is mapped once and kept (least
 * recently used goes first); copy        everything else that is small: one grant copy, one
 * contiguous run of the registered buffer; map         large requests: mapped for the duration of
 * the request. Whatever cannot be had by mapping is copied; what cannot be copied yet, for want of
 * buffer, waits (-EAGAIN). Invariant: a persistent page is never unmapped while a request holds it;
 * the buffer can always take the largest request when no other holds a part of it, so waiting ends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "blkif.h"
#include "xen.h"

#define DATA_POOL_PAGES     256u
#define DATA_PERSISTENT_MAX 1056u
#define DATA_MAP_FROM \
    24u /* segments; below, a copy costs less than two mapping calls and a TLB flush */

enum data_kind { DATA_NONE, DATA_PERSISTENT, DATA_COPY, DATA_MAPPED };

/* A request's bytes; embedded in its slot. */
struct data {
    enum data_kind kind;
    struct iovec iov[BLK_MAX_SEGS];
    unsigned niov;
    uint64_t bytes;
    void *base;     /* of a copy or a mapping */
    unsigned pages; /* of it */
    uint16_t held[BLK_MAX_SEGS];
};

struct data_source; /* one per device */

struct data_source *data_source_new(struct xen *xen, uint32_t domid);
void data_source_free(struct data_source *d);
/* For this connection. Persistent grants of an earlier one are unmapped by data_disconnect(). */
void data_connect(struct data_source *d, bool persistent);
void data_disconnect(struct data_source *d);
/* The buffer that copies go through, for the image to register. */
void *data_pool(struct data_source *d, size_t *bytes);

/*
 * Finds the bytes of `rq` (checked, with segments) and fills data->iov; for a request that goes to
 * the disk they hold the guest's data on return. 0; -EAGAIN: again when another request has been
 * released; any other negative errno: the guest's grants are bad.
 */
int data_attach(struct data_source *d, const struct blk_request *rq, struct data *data);
/* After a read: brings the bytes to the guest. 0 or a negative errno. */
int data_deliver(struct data_source *d, const struct blk_request *rq, struct data *data);
void data_release(struct data_source *d, struct data *data);
