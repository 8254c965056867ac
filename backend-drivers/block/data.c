/* SPDX-License-Identifier: MIT */
/* Where a request's bytes are: see data.h. */
#include "data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HASH 512u
#define NONE UINT16_MAX

struct persistent {
    void *addr; /* NULL: the entry is free */
    uint32_t ref;
    uint16_t users;
    uint16_t hash_next;
    uint16_t newer, older; /* order of last use */
};

struct data_source {
    struct xen *xen;
    uint32_t domid;
    bool persistent;
    uint8_t *pool;
    uint64_t used[DATA_POOL_PAGES / 64];
    struct persistent *cache; /* DATA_PERSISTENT_MAX entries */
    unsigned cached;
    uint16_t hash[HASH];
    uint16_t newest, oldest;
};

/* --- the buffer: runs of pages, first fit, so that a quiet device touches only its start --- */

static bool page_used(const struct data_source *d, unsigned i)
{
    return d->used[i / 64] >> (i % 64) & 1;
}

static void mark(struct data_source *d, unsigned first, unsigned n, bool used)
{
    for (unsigned i = first; i < first + n; i++) {
        if (used)
            d->used[i / 64] |= 1ull << (i % 64);
        else
            d->used[i / 64] &= ~(1ull << (i % 64));
    }
}

static void *pool_take(struct data_source *d, unsigned pages)
{
    unsigned run = 0;

    for (unsigned i = 0; i < DATA_POOL_PAGES; i++) {
        run = page_used(d, i) ? 0 : run + 1;
        if (run == pages) {
            mark(d, i + 1 - pages, pages, true);
            return d->pool + (size_t)(i + 1 - pages) * XEN_PAGE;
        }
    }
    return NULL;
}

/* --- persistent grants --- */

static void unlink_use(struct data_source *d, uint16_t i)
{
    struct persistent *p = &d->cache[i];

    if (p->newer == NONE)
        d->newest = p->older;
    else
        d->cache[p->newer].older = p->older;
    if (p->older == NONE)
        d->oldest = p->newer;
    else
        d->cache[p->older].newer = p->newer;
}

static void link_newest(struct data_source *d, uint16_t i)
{
    struct persistent *p = &d->cache[i];

    p->newer = NONE;
    p->older = d->newest;
    if (d->newest != NONE)
        d->cache[d->newest].newer = i;
    else
        d->oldest = i;
    d->newest = i;
}

static void forget(struct data_source *d, uint16_t i)
{
    struct persistent *p = &d->cache[i];
    uint16_t *link = &d->hash[p->ref % HASH];

    while (*link != i)
        link = &d->cache[*link].hash_next;
    *link = p->hash_next;
    unlink_use(d, i);
    d->xen->ops->unmap(d->xen, p->addr, 1);
    p->addr = NULL;
}

/* An entry to fill: a fresh one, or the least recently used that no request holds. */
static uint16_t cache_room(struct data_source *d)
{
    uint16_t i;

    if (d->cached < DATA_PERSISTENT_MAX)
        return (uint16_t)d->cached++;
    for (i = d->oldest; i != NONE && d->cache[i].users; i = d->cache[i].newer)
        ;
    if (i != NONE)
        forget(d, i);
    return i;
}

static uint16_t cache_find(const struct data_source *d, uint32_t ref)
{
    uint16_t i = d->hash[ref % HASH];

    while (i != NONE && d->cache[i].ref != ref)
        i = d->cache[i].hash_next;
    return i;
}

/* The mapped page of a grant, held for the caller; NONE when it cannot be mapped (or the cache is
 * held entirely). */
static uint16_t cache_get(struct data_source *d, uint32_t ref)
{
    uint16_t i = cache_find(d, ref);
    void *addr;

    if (i != NONE) {
        unlink_use(d, i);
    } else {
        addr = d->xen->ops->map(d->xen, d->domid, &ref, 1, true);
        if (!addr)
            return NONE;
        i = cache_room(d);
        if (i == NONE) {
            d->xen->ops->unmap(d->xen, addr, 1);
            return NONE;
        }
        d->cache[i] =
            (struct persistent){.addr = addr, .ref = ref, .hash_next = d->hash[ref % HASH]};
        d->hash[ref % HASH] = i;
    }
    link_newest(d, i);
    d->cache[i].users++;
    return i;
}

/* --- one request --- */

static unsigned seg_bytes(const struct blk_seg *s)
{
    return (s->last - s->first + 1u) * BLK_SECTOR;
}

/* Adds a stretch of memory to the iovec, joined to the one before where they touch. */
static void add_iov(struct data *data, void *at, unsigned bytes)
{
    struct iovec *last = data->niov ? &data->iov[data->niov - 1] : NULL;

    if (last && (char *)last->iov_base + last->iov_len == at)
        last->iov_len += bytes;
    else
        data->iov[data->niov++] = (struct iovec){at, bytes};
}

static int attach_persistent(struct data_source *d, const struct blk_request *rq, struct data *data)
{
    for (unsigned i = 0; i < rq->nsegs; i++) {
        uint16_t e = cache_get(d, rq->seg[i].ref);

        if (e == NONE) {
            while (i--)
                d->cache[data->held[i]].users--;
            data->niov = 0;
            return -ENOSPC;
        }
        data->held[i] = e;
        add_iov(data, (char *)d->cache[e].addr + rq->seg[i].first * BLK_SECTOR,
                seg_bytes(&rq->seg[i]));
    }
    data->pages = rq->nsegs;
    data->kind = DATA_PERSISTENT;
    return 0;
}

static int attach_mapped(struct data_source *d, const struct blk_request *rq, struct data *data)
{
    uint32_t refs[BLK_MAX_SEGS];

    for (unsigned i = 0; i < rq->nsegs; i++)
        refs[i] = rq->seg[i].ref;
    data->base = d->xen->ops->map(d->xen, d->domid, refs, rq->nsegs, !blkif_to_disk(rq));
    if (!data->base)
        return -errno;
    for (unsigned i = 0; i < rq->nsegs; i++)
        add_iov(data, (char *)data->base + (size_t)i * XEN_PAGE + rq->seg[i].first * BLK_SECTOR,
                seg_bytes(&rq->seg[i]));
    data->pages = rq->nsegs;
    data->kind = DATA_MAPPED;
    return 0;
}

/* One grant copy for all segments; in the buffer they lie one after the other. */
static int copy(struct data_source *d, const struct blk_request *rq, struct data *data,
                bool from_guest)
{
    xengnttab_grant_copy_segment_t seg[BLK_MAX_SEGS];
    uint8_t *at = data->base;
    int err;

    for (unsigned i = 0; i < rq->nsegs; i++) {
        union xengnttab_copy_ptr ours = {.virt = at};
        union xengnttab_copy_ptr theirs = {.foreign = {
                                               .ref = rq->seg[i].ref,
                                               .offset = (uint16_t)(rq->seg[i].first * BLK_SECTOR),
                                               .domid = (uint16_t)d->domid,
                                           }};

        seg[i] = (xengnttab_grant_copy_segment_t){
            .source = from_guest ? theirs : ours,
            .dest = from_guest ? ours : theirs,
            .len = (uint16_t)seg_bytes(&rq->seg[i]),
            .flags = from_guest ? GNTCOPY_source_gref : GNTCOPY_dest_gref,
        };
        at += seg[i].len;
    }
    err = d->xen->ops->copy(d->xen, seg, rq->nsegs);
    for (unsigned i = 0; i < rq->nsegs && !err; i++)
        if (seg[i].status != GNTST_okay)
            err = -EACCES;
    return err;
}

static int attach_copy(struct data_source *d, const struct blk_request *rq, struct data *data)
{
    unsigned pages = (unsigned)((data->bytes + XEN_PAGE - 1) / XEN_PAGE);

    data->base = pool_take(d, pages);
    if (!data->base)
        return -EAGAIN;
    data->pages = pages;
    data->kind = DATA_COPY;
    add_iov(data, data->base, (unsigned)data->bytes);
    if (blkif_to_disk(rq) && copy(d, rq, data, true)) {
        data_release(d, data);
        return -EACCES;
    }
    return 0;
}

int data_attach(struct data_source *d, const struct blk_request *rq, struct data *data)
{
    data->kind = DATA_NONE;
    data->niov = 0;
    data->bytes = rq->sectors * BLK_SECTOR;
    if (d->persistent && attach_persistent(d, rq, data) == 0)
        return 0;
    if (!d->persistent && rq->nsegs >= DATA_MAP_FROM && attach_mapped(d, rq, data) == 0)
        return 0;
    return attach_copy(d, rq, data);
}

int data_deliver(struct data_source *d, const struct blk_request *rq, struct data *data)
{
    return data->kind == DATA_COPY ? copy(d, rq, data, false) : 0;
}

void data_release(struct data_source *d, struct data *data)
{
    switch (data->kind) {
    case DATA_NONE:
        break;
    case DATA_PERSISTENT:
        for (unsigned i = 0; i < data->pages; i++)
            d->cache[data->held[i]].users--;
        break;
    case DATA_COPY:
        mark(d, (unsigned)(((uint8_t *)data->base - d->pool) / XEN_PAGE), data->pages, false);
        break;
    case DATA_MAPPED:
        d->xen->ops->unmap(d->xen, data->base, data->pages);
        break;
    }
    data->kind = DATA_NONE;
    data->niov = 0;
}

/* --- the device --- */

static void clear_cache(struct data_source *d)
{
    d->cached = 0;
    d->newest = d->oldest = NONE;
    memset(d->hash, 0xff, sizeof(d->hash)); /* NONE */
}

struct data_source *data_source_new(struct xen *xen, uint32_t domid)
{
    struct data_source *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->xen = xen;
    d->domid = domid;
    d->cache = calloc(DATA_PERSISTENT_MAX, sizeof(*d->cache));
    d->pool = mmap(NULL, DATA_POOL_PAGES * XEN_PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!d->cache || d->pool == MAP_FAILED) {
        free(d->cache);
        free(d);
        return NULL;
    }
    clear_cache(d);
    return d;
}

void data_connect(struct data_source *d, bool persistent)
{
    d->persistent = persistent;
}

void data_disconnect(struct data_source *d)
{
    for (unsigned i = 0; i < d->cached; i++)
        if (d->cache[i].addr)
            d->xen->ops->unmap(d->xen, d->cache[i].addr, 1);
    clear_cache(d);
}

void *data_pool(struct data_source *d, size_t *bytes)
{
    *bytes = DATA_POOL_PAGES * XEN_PAGE;
    return d->pool;
}

void data_source_free(struct data_source *d)
{
    if (!d)
        return;
    data_disconnect(d);
    munmap(d->pool, DATA_POOL_PAGES * XEN_PAGE);
    free(d->cache);
    free(d);
}
