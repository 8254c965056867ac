/* SPDX-License-Identifier: MIT */
/*
 * One backend process: what mullion-block and mullion-net share around their rings.
 *
 * device_main() reads `--path backend/<class>/<domid>/<devid>`, opens the store, the hypervisor and
 * (through the driver) the resource, enters the sandbox, does the handshake and runs the main loop.
 * Exit status: 0 the device is gone for good; 2 the configuration is wrong (`error` node and stderr
 * say why); 1 anything else: start it again, it takes over.
 */
#pragma once

#include <stdint.h>

#include "journal.h"
#include "loop.h"
#include "report.h"
#include "sandbox.h"
#include "store.h"
#include "xen.h"
#include "xenbus.h"

#define DEVICE_GONE          0
#define DEVICE_CRASHED       1
#define DEVICE_MISCONFIGURED 2

struct device;

struct device_driver {
    const char *program; /* "mullion-block" */
    const char *class;   /* "vbd" */
    size_t journal_bytes;
    const unsigned long *ioctls; /* for the sandbox, ended by 0 */
    /* Reads the configuration below dev->xenbus.dir and opens the resource. An error is a wrong
     * configuration. */
    int (*open)(struct device *dev, struct reason *why);
    void (*offer)(void *dev, struct store_kv *kv, unsigned *n);
    int (*connect)(void *dev, bool takeover, struct store_kv *kv, unsigned *n, struct reason *why);
    void (*disconnect)(void *dev);
    /* An event on one of the device's ports. */
    void (*event)(struct device *dev, int port);
    /* Before every wait: true when work is left, so that the loop only looks for events and comes
     * back. */
    bool (*idle)(struct device *dev);
    /*
     * The device was removed while no backend ran: undoes what a killed predecessor left, by the
     * journal. May be NULL.
     */
    void (*forget)(struct device *dev);
    /* Closes the resource; `gone`: for good, so undo what only a device that comes back would need.
     */
    void (*close)(struct device *dev, bool gone);
};

struct device {
    const struct device_driver *driver;
    void *priv; /* the driver's own */
    struct store *store;
    struct xen *xen;
    struct loop loop;
    struct xenbus xenbus;
    struct journal journal;
    uint32_t own_domid;    /* the domain that we run in */
    uint32_t domid, devid; /* whose device this is, and which */
    char name[48];         /* "vbd-3-51712" */
    bool broken;           /* `why` waits to be told; the rings are not touched any more */
    struct reason why;
    struct source store_source, event_source, signal_source;
};

int device_main(int argc, char **argv, const struct device_driver *driver);

/*
 * The pieces of device_main(), for it and for the unit tests (which bring their own store and
 * hypervisor). device_begin(): 0, or an exit status.
 */
int device_begin(struct device *dev, const struct device_driver *driver, const char *path,
                 const char *journal_dir, bool sandbox);
/* Closes everything; `gone`: the device does not come back, leave nothing behind. */
void device_end(struct device *dev, bool gone);

/* Removes what killed backends of this class left of devices that are gone. */
void device_sweep(struct device *dev, const char *journal_dir);

/* The guest broke the protocol (or its resource failed): this device is closed, with the reason, at
 * the end of the dispatch. */
void device_break(struct device *dev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The grant references of a ring: `ring-ref`, or `ring-ref0`… for 2^order pages. */
int device_ring_refs(struct device *dev, const char *key, unsigned order, uint32_t *refs,
                     struct reason *why);
/* Maps a ring of the frontend; NULL with the reason. */
void *device_map_ring(struct device *dev, const uint32_t *refs, unsigned n, struct reason *why);
/* Binds the frontend's event channel named by `key`; the local port or a negative errno with the
 * reason. */
int device_bind(struct device *dev, const char *key, struct reason *why);
/* Whether `epoch` of the journal is the one of the connection that the store knows: a successor may
 * trust it. */
bool device_journal_valid(struct device *dev);
