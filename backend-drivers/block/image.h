/* SPDX-License-Identifier: MIT */
/*
 * A disk image, whatever its format: asynchronous reads, writes, flushes and discards on a range of
 * bytes.
 *
 * The caller owns struct image_io until its done(). submit() only queues; kick() starts what is
 * queued, reap() calls the done() of what has finished, without waiting; wait() waits for one at
 * least. Offsets and lengths are multiples of `sector_bytes` and inside the image: the caller has
 * checked. Promise: a write whose done() said 0 before a flush was submitted is on stable storage
 * when that flush's done() says 0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "report.h"

enum image_op { IMAGE_READ, IMAGE_WRITE, IMAGE_FLUSH, IMAGE_DISCARD };

struct image;

struct image_io {
    enum image_op op;
    uint64_t offset, length; /* bytes */
    struct iovec *iov;       /* of reads and writes; consumed */
    unsigned niov;
    bool fixed; /* iov[0] is inside the registered memory */
    void (*done)(struct image_io *io, int err);
};

struct image_ops {
    void (*submit)(struct image *img, struct image_io *io);
    void (*kick)(struct image *img);
    unsigned (*reap)(struct image *img);
    void (*wait)(struct image *img);
    /* Memory that most I/O will use; false when the format has no use for it. */
    bool (*use_memory)(struct image *img, void *base, size_t bytes);
    void (*close)(struct image *img);
};

struct image {
    const struct image_ops *ops;
    int fd; /* readable when reap() has something */
    uint64_t bytes;
    uint32_t sector_bytes, physical_bytes;
    bool read_only;
    bool discard;
    uint32_t discard_bytes; /* granularity */
};

enum image_share {
    IMAGE_EXCLUSIVE, /* one writer and nobody else */
    IMAGE_SHARED,    /* readers, or writers that the guests coordinate themselves (mode `w!`) */
};

/*
 * Opens a raw file or block device. Waits (up to five seconds) while a predecessor's last requests
 * are still on their way to the disk: the lock on the file is held by them too, so that a successor
 * can never be overtaken by an old write.
 */
struct image *image_raw_open(const char *path, bool read_only, enum image_share share,
                             struct reason *why);
