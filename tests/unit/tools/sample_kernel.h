/* SPDX-License-Identifier: MIT */
/* A small PV kernel, laid out as Linux is, made byte by byte for the tests. */
#ifndef MULLION_TESTS_SAMPLE_KERNEL_H
#define MULLION_TESTS_SAMPLE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLE_BASE  0xffffffff80000000ULL
#define SAMPLE_ENTRY (SAMPLE_BASE + 0x1000040)

struct image {
    uint8_t data[64 * 1024];
    size_t size;
};

/* One segment at 16 MiB, notes inside it, every note that the reader knows. */
void make_kernel(struct image *i);

/* An anonymous file with this content, at its start. */
int file_of(const void *data, size_t size);

#endif
