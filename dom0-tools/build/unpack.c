/* SPDX-License-Identifier: MIT */
/* Take a kernel file apart: setup header, payload, decompression, final check. See unpack.h. */
#include "unpack.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decompress.h"
#include "file.h"
#include "kernel_elf.h"

#define STEP      "unpack-kernel"
#define MAX_INPUT (256u << 20)
#define SECTOR    512u

/* Offsets of Linux's x86 boot protocol, Documentation/x86/boot.rst. */
#define BOOT_SETUP_SECTS    0x1f1
#define BOOT_MAGIC          0x202 /* "HdrS" */
#define BOOT_VERSION        0x206
#define BOOT_PAYLOAD_OFFSET 0x248
#define BOOT_PAYLOAD_LENGTH 0x24c
#define BOOT_HEADER_END     0x250

struct file_sink {
    struct sink sink;
    int fd;
};

static int put_file(struct sink *sink, const void *data, size_t size, struct failure *failure)
{
    struct file_sink *s = (struct file_sink *)sink;
    int error = write_all(s->fd, data, size);

    if (error)
        return fail(failure, FAIL_IO, STEP, NULL, "cannot write the unpacked kernel: %s",
                    strerror(-error));
    return 0;
}

enum kernel_kind kernel_kind(int fd)
{
    uint8_t head[BOOT_HEADER_END];
    ssize_t got = pread(fd, head, sizeof(head), 0);

    if (got >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
        return KERNEL_ELF;
    if (got == sizeof(head) && memcmp(head + BOOT_MAGIC, "HdrS", 4) == 0)
        return KERNEL_BZIMAGE;
    if (got > 0 && compression_name(head, got))
        return KERNEL_PACKED;
    return KERNEL_UNKNOWN;
}

/* The compressed part of a bzImage; every number comes from the file and is checked against its
 * size. */
static int find_payload(const uint8_t *image, size_t size, const uint8_t **payload, size_t *length,
                        struct failure *failure)
{
    uint32_t offset, bytes;
    uint64_t start;
    uint16_t version;

    memcpy(&version, image + BOOT_VERSION, 2);
    if (version < 0x208)
        return fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL,
                    "the bzImage is too old: boot protocol %u.%02u names no payload", version >> 8,
                    version & 0xff);
    memcpy(&offset, image + BOOT_PAYLOAD_OFFSET, 4);
    memcpy(&bytes, image + BOOT_PAYLOAD_LENGTH, 4);
    start =
        (uint64_t)((image[BOOT_SETUP_SECTS] ? image[BOOT_SETUP_SECTS] : 4) + 1) * SECTOR + offset;
    if (start >= size || bytes > size - start || bytes < 8)
        return fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL,
                    "the bzImage's payload lies outside the file: it is damaged or cut short");
    *payload = image + start;
    *length = bytes;
    return 0;
}

static int unpack_image(const uint8_t *image, size_t size, enum kernel_kind kind,
                        struct file_sink *out, struct failure *failure)
{
    const uint8_t *payload = image;
    size_t length = size;

    if (kind == KERNEL_ELF)
        return sink_put(&out->sink, image, size, failure);
    if (kind == KERNEL_BZIMAGE && find_payload(image, size, &payload, &length, failure))
        return -1;
    return decompress(payload, length, &out->sink, failure);
}

int unpack_kernel(int in, int out, struct failure *failure)
{
    struct file_sink sink = {.sink = {.put = put_file}, .fd = out};
    enum kernel_kind kind = kernel_kind(in);
    struct kernel_elf info;
    char *image;
    size_t size;
    int error;

    if (kind == KERNEL_UNKNOWN) {
        fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL, "the file is neither an ELF nor a bzImage");
        return fail_hint(failure,
                         "give the path of a Linux kernel (vmlinuz-…) or another PV kernel");
    }
    error = file_read_fd(in, MAX_INPUT, &image, &size);
    if (error == -EFBIG)
        return fail(failure, FAIL_KERNEL_FORMAT, STEP, NULL, "the file is larger than %u MiB",
                    MAX_INPUT >> 20);
    if (error)
        return fail(failure, FAIL_IO, STEP, NULL, "cannot read the kernel: %s", strerror(-error));
    error = unpack_image((uint8_t *)image, size, kind, &sink, failure);
    free(image);
    if (error)
        return -1;
    return kernel_elf_read(out, &info, failure);
}
