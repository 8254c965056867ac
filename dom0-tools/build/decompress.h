/* SPDX-License-Identifier: MIT */
/*
 * The compressed payload of a kernel image → its bytes, streamed to a sink; nothing is trusted.
 *
 * XZ, LZ4 (legacy frames), ZSTD and GZIP through their libraries, each with a limit on the memory
 * the decoder may take and on the bytes that may come out. BZIP2, LZMA and LZO are recognised, to
 * say so by name.
 */
#ifndef MULLION_BUILD_DECOMPRESS_H
#define MULLION_BUILD_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "failure.h"

#define UNPACK_MAX_OUTPUT (512ULL << 20) /* far above any kernel with debug data stripped */
#define UNPACK_MAX_DECODER \
    (160ULL << 20) /* XZ's and ZSTD's largest windows that kernels use are 128 MiB */

/* Where bytes go. Returns 0, or -1 with the failure set. */
struct sink {
    int (*put)(struct sink *sink, const void *data, size_t size, struct failure *failure);
    uint64_t total; /* maintained by sink_put() */
};

/* Count, check the limit, pass on. */
int sink_put(struct sink *sink, const void *data, size_t size, struct failure *failure);

/* The name of the compression that these bytes begin with, or NULL. */
const char *compression_name(const uint8_t *data, size_t size);

/* Decompress `data` into the sink. A trailer after the stream (the size that kernels append) is
 * ignored. */
int decompress(const uint8_t *data, size_t size, struct sink *sink, struct failure *failure);

#endif
