/* SPDX-License-Identifier: MIT */
/*
 * The backend's half of the xenbus handshake: InitWait → Connected → Closing → Closed, and back to
 * InitWait when a frontend starts anew.
 *
 * xenbus_decide() is the whole policy, a pure function of what is seen; struct xenbus carries it
 * out against a store. Invariant: the driver is connected exactly while `mine` is Connected. Every
 * store write is guarded by the existence of the device's directory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xenbus.h>

#include "report.h"
#include "store.h"

#define XENBUS_KV 24 /* most nodes written in one transaction */

enum xenbus_action {
    XENBUS_WAIT,       /* nothing to do until something changes */
    XENBUS_OFFER,      /* write features, InitWait */
    XENBUS_CONNECT,    /* map the rings, Connected */
    XENBUS_DISCONNECT, /* unmap the rings, Closing */
    XENBUS_CLOSE,      /* unmap the rings, Closed */
    XENBUS_GONE,       /* the device is gone for good: end the process */
};

/* What is seen of a device: its directory, its `online` node, and the toolstack's wish that it
 * close. */
struct xenbus_view {
    enum xenbus_state mine;
    enum xenbus_state front;
    bool exists;
    bool online;
    bool asked_to_close; /* the toolstack wrote Closing into our `state` */
};

enum xenbus_action xenbus_decide(const struct xenbus_view *v);

struct xenbus_driver {
    /* Adds the feature nodes to write with InitWait. */
    void (*offer)(void *ctx, struct store_kv *kv, unsigned *n);
    /*
     * Maps the rings and adds the nodes to write with Connected. `takeover`: a predecessor had
     * connected already. On an error the device is closed with the reason in its `error` node.
     */
    int (*connect)(void *ctx, bool takeover, struct store_kv *kv, unsigned *n, struct reason *why);
    /* Finishes what was taken, answers it, unmaps the rings. */
    void (*disconnect)(void *ctx);
};

struct xenbus {
    struct store *store;
    const struct xenbus_driver *driver;
    void *ctx;
    char dir[STORE_PATH];   /* /local/domain/<own>/backend/<class>/<domid>/<devid> */
    char front[STORE_PATH]; /* the frontend's directory */
    uint32_t frontend_id;
    enum xenbus_state mine;
    bool gone;
};

/* Reads the device's directory, watches it, takes over a connected one. Negative errno:
 * configuration, see `why`. */
int xenbus_start(struct xenbus *x, struct reason *why);
/* Looks again and acts until nothing is left to do. Call it on every watch event. */
void xenbus_step(struct xenbus *x);
/* The device failed: says so in its `error` node and on stderr, disconnects and closes this device.
 */
void xenbus_fail(struct xenbus *x, const struct reason *why);
/* Writes the reason into the `error` node and marks the hotplug as failed: the configuration is
 * wrong. */
void xenbus_refuse(struct xenbus *x, const struct reason *why);
