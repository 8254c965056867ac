/* SPDX-License-Identifier: MIT */
/*
 * A guest's frames, filled through short-lived foreign mappings: batches of up to 8 MiB, always
 * unmapped again, because a page that dom0 maps writable cannot become a page table.
 */
#ifndef MULLION_BUILD_GUEST_MEMORY_H
#define MULLION_BUILD_GUEST_MEMORY_H

#include "hyper.h"

struct guest_memory {
    struct hyper *hyper;
    uint32_t domid;
    uint64_t nr_pages;
    uint64_t *p2m; /* machine frame of each pfn */
};

/* Allocate all of the guest's memory: 2 MiB extents while there are any, then pages. 0 or -errno.
 */
int guest_populate(struct guest_memory *g);

/* Copy `size` bytes to (pfn, offset) on. */
int guest_write(struct guest_memory *g, uint64_t pfn, uint64_t offset, const void *data,
                uint64_t size);

/* Copy from a file, straight from the page cache into the frames. -EIO when the file is shorter. */
int guest_write_file(struct guest_memory *g, uint64_t pfn, uint64_t offset, int fd,
                     uint64_t file_offset, uint64_t size);

/* Map one machine frame of the guest; unmap with xenforeignmemory_unmap(…, 1). NULL and errno on
 * failure. */
void *guest_map_frame(struct guest_memory *g, uint64_t mfn);

#endif
