/* SPDX-License-Identifier: MIT */
/* Populate and fill, in batches; see guest_memory.h. */
#include "guest_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SUPERPAGE_ORDER 9
#define SUPERPAGE       (1ULL << SUPERPAGE_ORDER)
#define BATCH           512  /* extents per populate call */
#define MAP_BATCH       2048 /* pages per foreign mapping */
#define PAGE            4096ULL

/* Extents of 2^order pages from pfn `*next` on, while whole ones fit and the hypervisor has them.
 */
static int populate_order(struct guest_memory *g, unsigned order, uint64_t *next)
{
    xen_pfn_t frames[BATCH];
    uint64_t step = 1ULL << order;

    while (g->nr_pages - *next >= step) {
        uint64_t count = (g->nr_pages - *next) / step;
        long done;

        if (count > BATCH)
            count = BATCH;
        for (uint64_t i = 0; i < count; i++)
            frames[i] = *next + i * step;
        done = hyper_populate(g->hyper, g->domid, order, frames, count);
        if (done < 0)
            return done;
        for (long i = 0; i < done; i++)
            for (uint64_t j = 0; j < step; j++)
                g->p2m[*next + i * step + j] = frames[i] + j;
        *next += done * step;
        if ((uint64_t)done < count)
            return order ? 0 : -ENOMEM;
    }
    return 0;
}

int guest_populate(struct guest_memory *g)
{
    uint64_t next = 0;
    int error = populate_order(g, SUPERPAGE_ORDER, &next);

    /* Running out of large extents is no error as long as pages are left. */
    if (error && error != -ENOMEM)
        return error;
    return populate_order(g, 0, &next);
}

void *guest_map_frame(struct guest_memory *g, uint64_t mfn)
{
    xen_pfn_t frame = mfn;
    int error;
    void *at = xenforeignmemory_map(g->hyper->foreign, g->domid, PROT_READ | PROT_WRITE, 1, &frame,
                                    &error);

    if (at && error) {
        xenforeignmemory_unmap(g->hyper->foreign, at, 1);
        errno = error < 0 ? -error : error;
        return NULL;
    }
    return at;
}

/* One source for both writers: memory, or a file when data is NULL. */
struct source {
    const char *data;
    int fd;
    uint64_t offset;
};

static int fill(struct source *from, char *to, uint64_t size)
{
    if (from->data) {
        memcpy(to, from->data + from->offset, size);
        from->offset += size;
        return 0;
    }
    while (size) {
        ssize_t got = pread(from->fd, to, size, from->offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        to += got;
        size -= got;
        from->offset += got;
    }
    return 0;
}

static int write_from(struct guest_memory *g, uint64_t pfn, uint64_t offset, struct source *from,
                      uint64_t size)
{
    int error = 0;

    pfn += offset / PAGE;
    offset %= PAGE;
    while (size && !error) {
        uint64_t pages = (offset + size + PAGE - 1) / PAGE, now;
        char *at;

        if (pages > MAP_BATCH)
            pages = MAP_BATCH;
        if (pfn > g->nr_pages || pages > g->nr_pages - pfn)
            return -EINVAL;
        now = pages * PAGE - offset;
        if (now > size)
            now = size;
        at = xenforeignmemory_map(g->hyper->foreign, g->domid, PROT_READ | PROT_WRITE, pages,
                                  (xen_pfn_t *)g->p2m + pfn, NULL);
        if (!at)
            return -errno;
        error = fill(from, at + offset, now);
        xenforeignmemory_unmap(g->hyper->foreign, at, pages);
        pfn += pages;
        size -= now;
        offset = 0;
    }
    return error;
}

int guest_write(struct guest_memory *g, uint64_t pfn, uint64_t offset, const void *data,
                uint64_t size)
{
    struct source from = {.data = data};

    return write_from(g, pfn, offset, &from, size);
}

int guest_write_file(struct guest_memory *g, uint64_t pfn, uint64_t offset, int fd,
                     uint64_t file_offset, uint64_t size)
{
    struct source from = {.fd = fd, .offset = file_offset};

    return write_from(g, pfn, offset, &from, size);
}
