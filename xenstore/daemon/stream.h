/* SPDX-License-Identifier: MIT */
/*
 * stream.h: the two byte streams of a connection, in circular buffers.
 *
 * Positions count the bytes of the whole stream and only grow; a byte lies at its position modulo
 * the buffer's size and never moves. That makes a stream survive the daemon when it lies in a
 * file (journal.h): each position is changed by one store, after the bytes it covers are there.
 * `in_start` and `out_end` (what was understood, what was said) belong to struct conn and are
 * kept by the journal together with what the requests did.
 */
#ifndef XSD_STREAM_H
#define XSD_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "xswire/frame.h"

#define STREAM_IN_SIZE  8192
#define STREAM_OUT_SIZE 65536

_Static_assert(STREAM_IN_SIZE >= XSW_MESSAGE_MAX, "a message fits");

/** Plain memory without pointers. */
struct stream {
    uint64_t in_end;    /* bytes received */
    uint64_t out_start; /* bytes sent */
    uint32_t req_delta; /* ring: its req_cons is in_end + req_delta, */
    uint32_t rsp_delta; /*       its rsp_prod is out_start + rsp_delta, modulo 2^32 */
    char in[STREAM_IN_SIZE];
    char out[STREAM_OUT_SIZE];
};

/** The free part of `in` as one or two pieces; returns how many (0: full). */
int stream_in_free(struct stream *st, uint64_t in_start, struct iovec iov[2]);

/** The unsent part of `out` as one or two pieces; returns how many (0: nothing). */
int stream_out_pending(struct stream *st, uint64_t out_end, struct iovec iov[2]);

/** Copy len bytes to position `at` of `out`. */
void stream_out_put(struct stream *st, uint64_t at, const void *data, size_t len);

/** Copy len bytes from position `at` of `out`. */
void stream_out_get(const struct stream *st, uint64_t at, void *data, size_t len);

/**
 * The first message in `in`. If it lies across the buffer's end it is copied to scratch.
 * @return as xsw_frame_next().
 */
int stream_frame(const struct stream *st, uint64_t in_start, char scratch[XSW_MESSAGE_MAX],
                 struct xsw_frame *frame);

#endif
