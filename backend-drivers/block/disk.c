/* SPDX-License-Identifier: MIT */
/* The disk device: see disk.h. Node names from <xen/io/blkif.h>. */
#include "disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "queue.h"

struct disk {
    struct device *dev;
    struct image *image;
    struct data_source *data;
    struct source image_source;
    bool cdrom;
    void *shared;
    unsigned pages;
    bool more; /* the queue wants to be run again */
    struct queue queue;
};

static void run(struct disk *d)
{
    d->more = queue_run(&d->queue);
    if (d->queue.broken)
        device_break(d->dev,
                     "domain %u: impossible request producer in the ring of disk %u (a fault in "
                     "its driver); "
                     "the disk is disconnected",
                     d->dev->domid, d->dev->devid);
}

static void on_event(struct device *dev, int port)
{
    run(dev->priv);
}

static bool on_idle(struct device *dev)
{
    struct disk *d = dev->priv;

    if (d->more)
        run(d);
    return d->more;
}

static void on_image(void *ctx, uint32_t events)
{
    struct disk *d = ctx;

    if (d->shared && !d->dev->broken)
        run(d);
}

/* `params` without the prefixes that toolstacks put before a path. */
static const char *plain_path(const char *params)
{
    static const char *const prefix[] = {"raw:", "aio:", "file:", "phy:"};

    for (size_t i = 0; i < sizeof(prefix) / sizeof(*prefix); i++)
        if (!strncmp(params, prefix[i], strlen(prefix[i])))
            return params + strlen(prefix[i]);
    return params;
}

static int open_image(struct disk *d, struct reason *why)
{
    struct device *dev = d->dev;
    char *params = store_text(dev->store, dev->xenbus.dir, "params");
    char *mode = store_text(dev->store, dev->xenbus.dir, "mode");
    char *type = store_text(dev->store, dev->xenbus.dir, "device-type");
    bool writable = mode && mode[0] == 'w';
    enum image_share share = mode && !strcmp(mode, "w!") ? IMAGE_SHARED : IMAGE_EXCLUSIVE;
    int err = 0;

    d->cdrom = type && !strcmp(type, "cdrom");
    if (!params || !*params)
        err = because(why, -EINVAL, "%s has no `params` node: which image is the disk?",
                      dev->xenbus.dir);
    else if (!mode || (strcmp(mode, "r") && strcmp(mode, "w") && strcmp(mode, "w!")))
        err = because(why, -EINVAL, "%s/mode is `%s`: expected r, w or w!", dev->xenbus.dir,
                      mode ? mode : "");
    if (!err) {
        d->image = image_raw_open(plain_path(params), !writable || d->cdrom, share, why);
        err = d->image ? 0 : -EINVAL;
    }
    free(params);
    free(mode);
    free(type);
    return err;
}

static int disk_open(struct device *dev, struct reason *why)
{
    struct disk *d = calloc(1, sizeof(*d));
    int err;

    dev->priv = d;
    if (!d)
        return because(why, -ENOMEM, "out of memory");
    d->dev = dev;
    d->image_source.fd = -1;
    d->data = data_source_new(dev->xen, dev->domid);
    if (!d->data)
        return because(why, -ENOMEM, "out of memory");
    err = open_image(d, why);
    if (err)
        return err;
    err = loop_add(&dev->loop, &d->image_source, d->image->fd, EPOLLIN, on_image, d);
    return err ? because(why, err, "cannot wait for the disk image: %s", strerror(-err)) : 0;
}

static void disk_offer(void *ctx, struct store_kv *kv, unsigned *n)
{
    struct disk *d = ((struct device *)ctx)->priv;
    bool writable = !d->image->read_only;

    store_put(kv, n, "feature-flush-cache", "%d", writable);
    store_put(kv, n, "feature-barrier", "%d", writable);
    store_put(kv, n, "feature-persistent", "1");
    store_put(kv, n, "feature-max-indirect-segments", "%u", BLK_MAX_SEGS);
    store_put(kv, n, "max-ring-page-order", "%u", BLK_MAX_RING_ORDER);
    store_put(kv, n, "feature-discard", "%d", writable && d->image->discard);
    if (writable && d->image->discard) {
        store_put(kv, n, "discard-granularity", "%u", d->image->discard_bytes);
        store_put(kv, n, "discard-alignment", "0");
        store_put(kv, n, "discard-secure", "0");
    }
}

static void describe(const struct disk *d, struct store_kv *kv, unsigned *n)
{
    unsigned info = (d->cdrom ? VDISK_CDROM : 0) | (d->image->read_only ? VDISK_READONLY : 0);

    store_put(kv, n, "sectors", "%" PRIu64, d->image->bytes / BLK_SECTOR);
    store_put(kv, n, "sector-size", "%u", d->image->sector_bytes);
    store_put(kv, n, "physical-sector-size", "%u", d->image->physical_bytes);
    store_put(kv, n, "info", "%u", info);
}

static int read_abi(struct disk *d, struct reason *why)
{
    char *name = store_text(d->dev->store, d->dev->xenbus.front, "protocol");
    int err = 0;

    d->queue.abi = blkif_abi(name);
    if (!d->queue.abi)
        err =
            because(why, -EPROTONOSUPPORT, "%s/protocol is `%s`: expected x86_64-abi or x86_32-abi",
                    d->dev->xenbus.front, name);
    free(name);
    return err;
}

static int map_ring(struct disk *d, struct reason *why)
{
    struct device *dev = d->dev;
    uint32_t refs[1u << BLK_MAX_RING_ORDER];
    uint64_t order = 0;
    int err =
        store_number(dev->store, dev->xenbus.front, "ring-page-order", BLK_MAX_RING_ORDER, &order);

    if (err && err != -ENOENT)
        return because(why, err, "%s/ring-page-order is above %u", dev->xenbus.front,
                       BLK_MAX_RING_ORDER);
    err = device_ring_refs(dev, "ring-ref", (unsigned)order, refs, why);
    if (err)
        return err;
    d->pages = 1u << order;
    d->shared = device_map_ring(dev, refs, d->pages, why);
    return d->shared ? 0 : -EINVAL;
}

static void unmap(struct disk *d)
{
    data_disconnect(d->data);
    if (d->queue.port >= 0)
        d->dev->xen->ops->unbind(d->dev->xen, d->queue.port);
    if (d->shared)
        d->dev->xen->ops->unmap(d->dev->xen, d->shared, d->pages);
    d->shared = NULL;
    d->queue.port = -1;
}

/* After a predecessor: its journal says what is under way; without one only a ring at rest can be
 * taken over. */
static int take_over(struct disk *d, struct reason *why)
{
    struct ring probe;
    uint32_t at;

    if (device_journal_valid(d->dev)) {
        if (queue_take_over(&d->queue, d->shared, d->pages * XEN_PAGE))
            return because(why, -EPROTO,
                           "the journal %s and the guest's ring contradict each other; the disk is "
                           "disconnected: start the guest again",
                           d->dev->journal.path);
        return 0;
    }
    ring_init(&probe, d->shared, d->pages * XEN_PAGE, d->queue.abi->slot_bytes);
    at = ring_shared_rsp_prod(&probe);
    ring_resume(&probe, at, at);
    if (ring_pending(&probe) != 0)
        return because(
            why, -ENODATA,
            "requests were under way and their journal %s is lost; the disk is disconnected: "
            "start the guest again",
            d->dev->journal.path);
    journal_begin(&d->dev->journal);
    queue_start(&d->queue, d->shared, d->pages * XEN_PAGE);
    ring_resume(&d->queue.ring, at, at);
    return 0;
}

static int disk_connect(void *ctx, bool takeover, struct store_kv *kv, unsigned *n,
                        struct reason *why)
{
    struct device *dev = ctx;
    struct disk *d = dev->priv;
    struct queue *q = &d->queue;
    bool persistent = store_number_or(dev->store, dev->xenbus.front, "feature-persistent", 1, 0);
    int err;

    d->more = false;
    q->port = -1;
    q->disk = (struct blk_disk){
        .sectors = d->image->bytes / BLK_SECTOR,
        .sector_bytes = d->image->sector_bytes,
        .read_only = d->image->read_only,
        .discard = d->image->discard && !d->image->read_only,
    };
    q->image = d->image;
    q->data = d->data;
    q->xen = dev->xen;
    q->domid = dev->domid;
    q->journal = (struct queue_journal *)dev->journal.head;
    err = read_abi(d, why);
    if (!err)
        err = map_ring(d, why);
    if (!err) {
        q->port = device_bind(dev, "event-channel", why);
        err = q->port < 0 ? q->port : 0;
    }
    if (err) {
        unmap(d);
        return err;
    }
    data_connect(d->data, persistent);
    if (!persistent) {
        size_t bytes;
        void *pool = data_pool(d->data, &bytes);

        d->image->ops->use_memory(d->image, pool, bytes);
    }
    if (takeover) {
        err = take_over(d, why);
    } else {
        journal_begin(&dev->journal);
        queue_start(q, d->shared, d->pages * XEN_PAGE);
    }
    if (err) {
        unmap(d);
        return err;
    }
    describe(d, kv, n);
    store_put(kv, n, "connection", "%016" PRIx64, dev->journal.head->epoch);
    if (takeover) {
        report("took over the connected disk; %u requests were under way", q->active);
        /* Our predecessor may have died between its answers and the notification. */
        dev->xen->ops->notify(dev->xen, q->port);
    }
    run(d); /* the frontend may have been faster */
    return 0;
}

static void disk_disconnect(void *ctx)
{
    struct device *dev = ctx;
    struct disk *d = dev->priv;

    queue_drain(&d->queue);
    journal_end(&dev->journal);
    unmap(d);
}

static void disk_close(struct device *dev, bool gone)
{
    struct disk *d = dev->priv;

    if (!d)
        return;
    loop_del(&dev->loop, &d->image_source);
    if (d->image)
        d->image->ops->close(d->image);
    data_source_free(d->data);
    free(d);
    dev->priv = NULL;
}

const struct device_driver disk_driver = {
    .program = "mullion-block",
    .class = "vbd",
    .journal_bytes = sizeof(struct queue_journal),
    .open = disk_open,
    .offer = disk_offer,
    .connect = disk_connect,
    .disconnect = disk_disconnect,
    .event = on_event,
    .idle = on_idle,
    .close = disk_close,
};
