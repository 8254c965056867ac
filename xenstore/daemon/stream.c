/* SPDX-License-Identifier: MIT */
/* stream.c: circular buffers of a connection; see stream.h. */
#include <string.h>

#include "stream.h"

/* The bytes [from, to) of a circular buffer as one or two pieces. */
static int pieces(char *buf, size_t size, uint64_t from, uint64_t to, struct iovec iov[2])
{
    size_t at = from & (size - 1), len = (size_t)(to - from), first = size - at;

    if (!len)
        return 0;
    if (first > len)
        first = len;
    iov[0] = (struct iovec){buf + at, first};
    iov[1] = (struct iovec){buf, len - first};
    return len > first ? 2 : 1;
}

int stream_in_free(struct stream *st, uint64_t in_start, struct iovec iov[2])
{
    return pieces(st->in, sizeof(st->in), st->in_end, in_start + sizeof(st->in), iov);
}

int stream_out_pending(struct stream *st, uint64_t out_end, struct iovec iov[2])
{
    return pieces(st->out, sizeof(st->out), st->out_start, out_end, iov);
}

void stream_out_put(struct stream *st, uint64_t at, const void *data, size_t len)
{
    struct iovec iov[2];
    int n = pieces(st->out, sizeof(st->out), at, at + len, iov);

    if (n > 0)
        memcpy(iov[0].iov_base, data, iov[0].iov_len);
    if (n > 1)
        memcpy(iov[1].iov_base, (const char *)data + iov[0].iov_len, iov[1].iov_len);
}

void stream_out_get(const struct stream *st, uint64_t at, void *data, size_t len)
{
    struct iovec iov[2];
    int n = pieces((char *)(uintptr_t)st->out, sizeof(st->out), at, at + len, iov);

    if (n > 0)
        memcpy(data, iov[0].iov_base, iov[0].iov_len);
    if (n > 1)
        memcpy((char *)data + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
}

int stream_frame(const struct stream *st, uint64_t in_start, char scratch[XSW_MESSAGE_MAX],
                 struct xsw_frame *frame)
{
    struct iovec iov[2];
    size_t len = (size_t)(st->in_end - in_start), whole;
    int n = pieces((char *)(uintptr_t)st->in, sizeof(st->in), in_start, st->in_end, iov);
    int used;

    if (n < 1)
        return 0;
    used = xsw_frame_next(iov[0].iov_base, iov[0].iov_len, frame);
    if (used || n == 1)
        return used;
    whole = len < XSW_MESSAGE_MAX ? len : XSW_MESSAGE_MAX;
    memcpy(scratch, iov[0].iov_base, iov[0].iov_len < whole ? iov[0].iov_len : whole);
    if (whole > iov[0].iov_len)
        memcpy(scratch + iov[0].iov_len, iov[1].iov_base, whole - iov[0].iov_len);
    return xsw_frame_next(scratch, whole, frame);
}
