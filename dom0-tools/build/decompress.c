/* SPDX-License-Identifier: MIT */
/* One decoder per format behind one table; see decompress.h for the limits. */
#include "decompress.h"

#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define STEP      "unpack-kernel"
#define OUT_CHUNK (256 * 1024)
#define LZ4_BLOCK (8 << 20) /* the legacy format's fixed block size */

int sink_put(struct sink *sink, const void *data, size_t size, struct failure *failure)
{
    sink->total += size;
    if (sink->total > UNPACK_MAX_OUTPUT)
        return fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL,
                    "the unpacked kernel is larger than %llu MiB", UNPACK_MAX_OUTPUT >> 20);
    return sink->put(sink, data, size, failure);
}

static int corrupt(struct failure *failure, const char *format)
{
    return fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL, "the %s data is damaged or cut short",
                format);
}

static int out_of_memory(struct failure *failure)
{
    return fail(failure, FAIL_RESOURCES, STEP, NULL, "out of memory");
}

static int decode_gzip(const uint8_t *data, size_t size, uint8_t *out, struct sink *sink,
                       struct failure *failure)
{
    z_stream z = {.next_in = (Bytef *)data, .avail_in = size};
    int status = Z_OK, result = 0;

    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return out_of_memory(failure);
    while (status == Z_OK && result == 0) {
        z.next_out = out;
        z.avail_out = OUT_CHUNK;
        status = inflate(&z, Z_NO_FLUSH);
        result = sink_put(sink, out, OUT_CHUNK - z.avail_out, failure);
    }
    inflateEnd(&z);
    if (result)
        return -1;
    return status == Z_STREAM_END ? 0 : corrupt(failure, "GZIP");
}

static int decode_xz(const uint8_t *data, size_t size, uint8_t *out, struct sink *sink,
                     struct failure *failure)
{
    lzma_stream x = LZMA_STREAM_INIT;
    lzma_ret status;
    int result = 0;

    if (lzma_stream_decoder(&x, UNPACK_MAX_DECODER, 0) != LZMA_OK)
        return out_of_memory(failure);
    x.next_in = data;
    x.avail_in = size;
    do {
        x.next_out = out;
        x.avail_out = OUT_CHUNK;
        status = lzma_code(&x, LZMA_RUN);
        result = sink_put(sink, out, OUT_CHUNK - x.avail_out, failure);
    } while (status == LZMA_OK && result == 0);
    lzma_end(&x);
    if (result)
        return -1;
    if (status == LZMA_MEMLIMIT_ERROR)
        return fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL,
                    "the XZ data asks for a decoder larger than %llu MiB",
                    UNPACK_MAX_DECODER >> 20);
    return status == LZMA_STREAM_END ? 0 : corrupt(failure, "XZ");
}

static int decode_zstd(const uint8_t *data, size_t size, uint8_t *out, struct sink *sink,
                       struct failure *failure)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {data, size, 0};
    size_t left = 1;
    int result = 0;

    if (!context)
        return out_of_memory(failure);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax,
                           27); /* 128 MiB, what kernels are packed with */
    while (left && !ZSTD_isError(left) && result == 0) {
        ZSTD_outBuffer o = {out, OUT_CHUNK, 0};
        size_t before = in.pos;

        left = ZSTD_decompressStream(context, &o, &in);
        result = ZSTD_isError(left) ? 0 : sink_put(sink, out, o.pos, failure);
        if (left && !o.pos && in.pos == before)
            break; /* no progress: cut short */
    }
    ZSTD_freeDCtx(context);
    if (result)
        return -1;
    return left == 0 ? 0 : corrupt(failure, "ZSTD");
}

/* magic, then blocks of (le32 packed size, data), each unpacking to at most 8 MiB. The kernel build
 * appends the total size as a last word, which cannot be told from a block header except by being
 * the last four bytes. */
static int decode_lz4(const uint8_t *data, size_t size, uint8_t *unused, struct sink *sink,
                      struct failure *failure)
{
    char *block = malloc(LZ4_BLOCK);
    size_t at = 4;
    int result = 0;

    if (!block)
        return out_of_memory(failure);
    while (result == 0 && size - at > 4) {
        uint32_t packed;
        int got;

        memcpy(&packed, data + at, 4);
        at += 4;
        if (packed == 0x184c2102) /* a frame may follow a frame */
            continue;
        if (packed == 0 || packed > size - at || packed > LZ4_COMPRESSBOUND(LZ4_BLOCK)) {
            result = corrupt(failure, "LZ4");
            break;
        }
        got = LZ4_decompress_safe((const char *)data + at, block, packed, LZ4_BLOCK);
        result = got < 0 ? corrupt(failure, "LZ4") : sink_put(sink, block, got, failure);
        at += packed;
    }
    free(block);
    if (result == 0 && sink->total == 0)
        return corrupt(failure, "LZ4");
    return result;
}

static const struct format {
    const char *name;
    uint8_t magic[6];
    uint8_t length;
    int (*decode)(const uint8_t *data, size_t size, uint8_t *out, struct sink *sink,
                  struct failure *failure); /* NULL: known, not supported */
} formats[] = {
    {"GZIP", {0x1f, 0x8b}, 2, decode_gzip},
    {"XZ", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, decode_xz},
    {"LZ4", {0x02, 0x21, 0x4c, 0x18}, 4, decode_lz4},
    {"ZSTD", {0x28, 0xb5, 0x2f, 0xfd}, 4, decode_zstd},
    {"BZIP2", {'B', 'Z', 'h'}, 3, NULL},
    {"LZMA", {0x5d, 0, 0}, 3, NULL},
    {"LZO", {0x89, 'L', 'Z', 'O'}, 4, NULL},
};

static const struct format *find_format(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (size >= formats[i].length && memcmp(data, formats[i].magic, formats[i].length) == 0)
            return &formats[i];
    return NULL;
}

const char *compression_name(const uint8_t *data, size_t size)
{
    const struct format *f = find_format(data, size);

    return f ? f->name : NULL;
}

int decompress(const uint8_t *data, size_t size, struct sink *sink, struct failure *failure)
{
    const struct format *f = find_format(data, size);
    uint8_t *out;
    int result;

    if (!f)
        return fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL,
                    "the payload is in no compression format that is known");
    if (!f->decode) {
        fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL, "%s compression is not supported", f->name);
        return fail_hint(failure, "use a kernel packed with XZ, LZ4, ZSTD or GZIP");
    }
    out = malloc(OUT_CHUNK);
    if (!out)
        return out_of_memory(failure);
    result = f->decode(data, size, out, sink, failure);
    free(out);
    return result;
}
