/* SPDX-License-Identifier: MIT */
/* One backend process: see device.h. Everything runs on the one thread of the main loop. */
#include "device.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define MAX_DOMID 0x7fef

void device_break(struct device *dev, const char *fmt, ...)
{
    va_list ap;

    if (dev->broken)
        return;
    dev->broken = true;
    va_start(ap, fmt);
    vsnprintf(dev->why.text, sizeof(dev->why.text), fmt, ap);
    va_end(ap);
}

int device_ring_refs(struct device *dev, const char *key, unsigned order, uint32_t *refs,
                     struct reason *why)
{
    uint64_t ref;
    char node[32];

    for (unsigned i = 0; i < 1u << order; i++) {
        if (order)
            snprintf(node, sizeof(node), "%s%u", key, i);
        else
            snprintf(node, sizeof(node), "%s", key);
        if (store_number(dev->store, dev->xenbus.front, node, UINT32_MAX, &ref))
            return because(why, -EINVAL, "%s/%s is not a grant reference", dev->xenbus.front, node);
        refs[i] = (uint32_t)ref;
    }
    return 0;
}

void *device_map_ring(struct device *dev, const uint32_t *refs, unsigned n, struct reason *why)
{
    void *ring = dev->xen->ops->map(dev->xen, dev->domid, refs, n, true);

    if (!ring)
        because(why, -errno, "cannot map the ring (%u pages from grant %u) of domain %u: %s", n,
                refs[0], dev->domid, strerror(errno));
    return ring;
}

int device_bind(struct device *dev, const char *key, struct reason *why)
{
    uint64_t remote;
    int port;

    if (store_number(dev->store, dev->xenbus.front, key, INT32_MAX, &remote))
        return because(why, -EINVAL, "%s/%s is not an event channel", dev->xenbus.front, key);
    port = dev->xen->ops->bind(dev->xen, dev->domid, (uint32_t)remote);
    if (port < 0)
        return because(why, port, "cannot bind event channel %" PRIu64 " of domain %u: %s", remote,
                       dev->domid, strerror(-port));
    return port;
}

bool device_journal_valid(struct device *dev)
{
    char *text = store_text(dev->store, dev->xenbus.dir, "connection");
    bool same = text && dev->journal.head->epoch != 0 &&
                strtoull(text, NULL, 16) == dev->journal.head->epoch;

    free(text);
    return same;
}

static void on_store(void *ctx, uint32_t events)
{
    struct device *dev = ctx;
    char path[STORE_PATH], token[STORE_PATH];
    bool fired = false;
    int r;

    while ((r = dev->store->ops->next(dev->store, path, token)) > 0)
        fired = true;
    if (r < 0) {
        /* A successor connects to the new store and takes the device over; the guest does not
         * notice. */
        report("lost xenstore: %s; starting again", strerror(-r));
        loop_stop(&dev->loop, DEVICE_CRASHED);
        return;
    }
    if (fired)
        xenbus_step(&dev->xenbus);
    if (dev->xenbus.gone)
        loop_stop(&dev->loop, DEVICE_GONE);
}

static void on_event(void *ctx, uint32_t events)
{
    struct device *dev = ctx;
    int port = dev->xen->ops->pending(dev->xen);

    if (port < 0)
        return;
    /* Unmasked first: an event that comes while the ring is read is a new one. */
    dev->xen->ops->unmask(dev->xen, port);
    if (dev->xenbus.mine == XenbusStateConnected && !dev->broken)
        dev->driver->event(dev, port);
}

static void on_signal(void *ctx, uint32_t events)
{
    struct device *dev = ctx;
    struct signalfd_siginfo info;

    if (read(dev->signal_source.fd, &info, sizeof(info)) != sizeof(info))
        return;
    xenbus_step(&dev->xenbus); /* somebody lost patience: was the device removed just now? */
    if (dev->xenbus.gone) {
        loop_stop(&dev->loop, DEVICE_GONE);
    } else {
        report("stopped by signal %u; the device stays connected for a successor", info.ssi_signo);
        loop_stop(&dev->loop, DEVICE_CRASHED);
    }
}

static bool on_idle(void *ctx)
{
    struct device *dev = ctx;
    bool more = dev->xenbus.mine == XenbusStateConnected && !dev->broken && dev->driver->idle(dev);

    if (dev->broken && dev->xenbus.mine == XenbusStateConnected) {
        xenbus_fail(&dev->xenbus, &dev->why);
        xenbus_step(&dev->xenbus);
        if (dev->xenbus.gone)
            loop_stop(&dev->loop, DEVICE_GONE);
    }
    if (dev->xenbus.mine != XenbusStateConnected)
        dev->broken = false; /* a frontend that starts anew gets a fresh device */
    return more;
}

static int parse_path(struct device *dev, const char *path)
{
    const char *prefix = "backend/";
    size_t n = strlen(dev->driver->class);
    unsigned domid, devid;
    int end = 0;

    if (strncmp(path, prefix, 8) || strncmp(path + 8, dev->driver->class, n) ||
        path[8 + n] != '/' || sscanf(path + 9 + n, "%5u/%10u%n", &domid, &devid, &end) != 2 ||
        path[9 + n + end] != '\0' || domid > MAX_DOMID)
        return -EINVAL;
    dev->domid = domid;
    dev->devid = devid;
    snprintf(dev->name, sizeof(dev->name), "%s-%u-%u", dev->driver->class, domid, devid);
    return 0;
}

static int watch_signals(struct device *dev)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -errno;
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : loop_add(&dev->loop, &dev->signal_source, fd, EPOLLIN, on_signal, dev);
}

static uint32_t own_domid(struct device *dev)
{
    char *text = dev->store->ops->read(dev->store, "domid");
    uint32_t domid = text ? (uint32_t)strtoul(text, NULL, 10) : 0; /* dom0 where nobody wrote it */

    free(text);
    return domid;
}

static bool exists(struct device *dev)
{
    char *text = dev->store->ops->read(dev->store, dev->xenbus.dir);
    bool there = text != NULL;

    free(text);
    return there;
}

/* Everything that needs privileges or can fail for a reason that a person must mend. */
static int open_all(struct device *dev, const char *journal_dir, bool sandboxed, struct reason *why)
{
    const struct device_driver *d = dev->driver;
    struct sandbox s = {.uid = SANDBOX_UID + dev->domid, .ioctls = d->ioctls};
    int err;

    /* The first watch starts the store library's reader thread: before the sandbox, which has no
     * clone(). */
    err = dev->store->ops->watch(dev->store, dev->xenbus.dir, "back");
    if (err)
        return because(why, err, "cannot watch %s: %s", dev->xenbus.dir, strerror(-err));
    err = journal_open(&dev->journal, journal_dir, dev->name, d->journal_bytes, s.uid, SANDBOX_GID,
                       why);
    if (!err)
        err = d->open(dev, why);
    if (err || !sandboxed)
        return err;
    return sandbox_enter(&s, why);
}

int device_begin(struct device *dev, const struct device_driver *driver, const char *path,
                 const char *journal_dir, bool sandboxed)
{
    static struct xenbus_driver bus;
    struct reason why = {""};

    dev->driver = driver;
    if (parse_path(dev, path)) {
        report("--path %s: expected backend/%s/<domid>/<devid>", path, driver->class);
        return DEVICE_MISCONFIGURED;
    }
    report_as("%s %s", driver->program, path);
    bus = (struct xenbus_driver){driver->offer, driver->connect, driver->disconnect};
    dev->xenbus.store = dev->store;
    dev->xenbus.driver = &bus;
    dev->xenbus.ctx = dev;

    if (loop_init(&dev->loop) || watch_signals(dev) ||
        loop_add(&dev->loop, &dev->store_source, dev->store->fd, EPOLLIN, on_store, dev) ||
        loop_add(&dev->loop, &dev->event_source, dev->xen->evtchn_fd, EPOLLIN, on_event, dev)) {
        report("cannot set up the main loop: %s", strerror(errno));
        return DEVICE_CRASHED;
    }
    dev->loop.idle = on_idle;
    dev->loop.idle_ctx = dev;
    dev->own_domid = own_domid(dev);
    snprintf(dev->xenbus.dir, sizeof(dev->xenbus.dir), "/local/domain/%u/%s", dev->own_domid, path);
    if (!exists(dev)) {
        report("the device is gone");
        if (journal_open(&dev->journal, journal_dir, dev->name, driver->journal_bytes,
                         SANDBOX_UID + dev->domid, SANDBOX_GID, &why) == 0 &&
            driver->forget)
            driver->forget(dev);
        dev->xenbus.gone = true;
        loop_stop(&dev->loop, DEVICE_GONE);
        return 0;
    }
    device_sweep(dev, journal_dir);
    if (open_all(dev, journal_dir, sandboxed, &why)) {
        xenbus_refuse(&dev->xenbus, &why);
        return DEVICE_MISCONFIGURED;
    }
    if (xenbus_start(&dev->xenbus, &why)) {
        xenbus_refuse(&dev->xenbus, &why);
        return DEVICE_MISCONFIGURED;
    }
    xenbus_step(&dev->xenbus);
    if (dev->xenbus.gone)
        loop_stop(&dev->loop, DEVICE_GONE);
    return 0;
}

void device_end(struct device *dev, bool gone)
{
    dev->driver->close(dev, gone);
    if (gone)
        journal_remove(&dev->journal);
    journal_close(&dev->journal);
    if (dev->signal_source.fd > 0)
        close(dev->signal_source.fd);
    loop_close(&dev->loop);
}

int device_main(int argc, char **argv, const struct device_driver *driver)
{
    static const struct option options[] = {{"path", required_argument, NULL, 'p'}, {0}};
    static struct device dev;
    const char *path = NULL;
    int opt, status;

    report_as("%s", driver->program);
    /* One arena is enough for one thread and the store's reader, and arenas are most of a small
     * process. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 << 10);
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (opt == 'p')
            path = optarg;
    if (!path || optind != argc) {
        report("usage: %s --path backend/%s/<domid>/<devid>", driver->program, driver->class);
        return DEVICE_MISCONFIGURED;
    }
    dev.store = store_open();
    if (!dev.store) {
        report("cannot reach xenstore: %s; is mullion-xenstored running?", strerror(errno));
        return DEVICE_CRASHED;
    }
    dev.xen = xen_open();
    if (!dev.xen) {
        report("cannot open /dev/xen/gntdev and evtchn: %s; load xen-gntdev and xen-evtchn",
               strerror(errno));
        return DEVICE_CRASHED;
    }
    status = device_begin(&dev, driver, path, JOURNAL_DIR, true);
    if (status == 0)
        status = loop_run(&dev.loop);
    device_end(&dev, status == DEVICE_GONE || status == DEVICE_MISCONFIGURED);
    return status;
}
