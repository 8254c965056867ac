/* SPDX-License-Identifier: MIT */
/* The backend's half of the xenbus handshake: see xenbus.h. */
#include "xenbus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIGHEST_STATE XenbusStateReconfigured

static bool front_is_new(enum xenbus_state s)
{
    return s == XenbusStateInitialising || s == XenbusStateInitWait;
}

static bool front_is_ready(enum xenbus_state s)
{
    return s == XenbusStateInitialised || s == XenbusStateConnected;
}

/* A device whose frontend is closed and that nobody waits for. */
static enum xenbus_action closed(const struct xenbus_view *v)
{
    if (v->mine != XenbusStateClosed)
        return XENBUS_CLOSE;
    return v->online ? XENBUS_WAIT : XENBUS_GONE;
}

/* The frontend is closed, or has no state at all: not written yet, or removed. */
static enum xenbus_action without_front(const struct xenbus_view *v)
{
    bool wanted = v->online && !v->asked_to_close;

    if (wanted && (v->mine == XenbusStateUnknown || v->mine == XenbusStateInitialising))
        return XENBUS_OFFER;
    if (wanted && v->mine == XenbusStateInitWait)
        return XENBUS_WAIT;
    return closed(v);
}

enum xenbus_action xenbus_decide(const struct xenbus_view *v)
{
    if (!v->exists)
        return XENBUS_GONE;
    if (v->front == XenbusStateClosed || v->front == XenbusStateUnknown)
        return without_front(v);
    if (v->front == XenbusStateClosing)
        return v->mine == XenbusStateClosing || v->mine == XenbusStateClosed ? XENBUS_WAIT
                                                                             : XENBUS_DISCONNECT;
    /* Never connected and not wanted: nobody else has to be waited for. */
    if (!v->online && v->asked_to_close && v->mine != XenbusStateConnected)
        return closed(v);
    switch (v->mine) {
    case XenbusStateUnknown:
    case XenbusStateInitialising:
        return XENBUS_OFFER;
    case XenbusStateInitWait:
        return front_is_ready(v->front) ? XENBUS_CONNECT : XENBUS_WAIT;
    case XenbusStateConnected: /* a frontend that starts anew without a goodbye: its guest was
                                  rebooted under it */
        return front_is_new(v->front) ? XENBUS_CLOSE : XENBUS_WAIT;
    case XenbusStateClosing:
    case XenbusStateClosed:
        return front_is_new(v->front) && v->online && !v->asked_to_close ? XENBUS_OFFER
                                                                         : XENBUS_WAIT;
    default:
        return XENBUS_WAIT;
    }
}

static enum xenbus_state read_state(struct xenbus *x, const char *dir)
{
    return (enum xenbus_state)store_number_or(x->store, dir, "state", HIGHEST_STATE,
                                              XenbusStateUnknown);
}

static int write_state(struct xenbus *x, enum xenbus_state state, struct store_kv *kv, unsigned n)
{
    store_put(kv, &n, "state", "%d", (int)state);
    x->mine = state;
    return x->store->ops->write(x->store, x->dir, kv, n);
}

static void disconnect(struct xenbus *x)
{
    if (x->mine == XenbusStateConnected)
        x->driver->disconnect(x->ctx);
}

static void offer(struct xenbus *x)
{
    struct store_kv kv[XENBUS_KV];
    unsigned n = 0;

    x->driver->offer(x->ctx, kv, &n);
    store_put(kv, &n, "hotplug-status", "connected");
    write_state(x, XenbusStateInitWait, kv, n);
}

static void connect_rings(struct xenbus *x, bool takeover)
{
    struct store_kv kv[XENBUS_KV];
    struct reason why = {""};
    unsigned n = 0;
    int err = x->driver->connect(x->ctx, takeover, kv, &n, &why);

    if (err) {
        x->mine = XenbusStateInitWait; /* the driver holds nothing */
        xenbus_fail(x, &why);
        return;
    }
    write_state(x, XenbusStateConnected, kv, n);
}

static void leave(struct xenbus *x, enum xenbus_state state)
{
    struct store_kv kv[1];

    disconnect(x);
    write_state(x, state, kv, 0);
}

static void tell(struct xenbus *x, const struct reason *why, const char *hotplug)
{
    struct store_kv kv[3];
    unsigned n = 0;

    report("%s", why->text);
    if (hotplug)
        store_put(kv, &n, "hotplug-status", "%s", hotplug);
    store_put(kv, &n, "error", "%s", why->text);
    x->store->ops->write(x->store, x->dir, kv, n);
}

void xenbus_fail(struct xenbus *x, const struct reason *why)
{
    tell(x, why, NULL);
    leave(x, XenbusStateClosing);
}

void xenbus_refuse(struct xenbus *x, const struct reason *why)
{
    tell(x, why, "error");
}

void xenbus_step(struct xenbus *x)
{
    while (!x->gone) {
        enum xenbus_state written = read_state(x, x->dir);
        char *there = x->store->ops->read(x->store, x->dir);
        struct xenbus_view v = {
            .mine = x->mine,
            .front = read_state(x, x->front),
            .exists = there != NULL,
            .online = store_number_or(x->store, x->dir, "online", 1, 1) != 0,
            .asked_to_close = written == XenbusStateClosing && x->mine != XenbusStateClosing,
        };

        free(there);
        switch (xenbus_decide(&v)) {
        case XENBUS_WAIT:
            return;
        case XENBUS_OFFER:
            offer(x);
            break;
        case XENBUS_CONNECT:
            connect_rings(x, false);
            break;
        case XENBUS_DISCONNECT:
            leave(x, XenbusStateClosing);
            break;
        case XENBUS_CLOSE:
            leave(x, XenbusStateClosed);
            break;
        case XENBUS_GONE:
            disconnect(x);
            x->mine = XenbusStateClosed;
            x->gone = true;
            break;
        }
    }
}

int xenbus_start(struct xenbus *x, struct reason *why)
{
    char path[STORE_PATH + 8];
    char *front;
    uint64_t id;
    int err;

    front = store_text(x->store, x->dir, "frontend");
    if (!front)
        return because(why, -ENOENT, "%s has no `frontend` node", x->dir);
    err = snprintf(x->front, sizeof(x->front), "%s", front) < (int)sizeof(x->front) ? 0
                                                                                    : -ENAMETOOLONG;
    free(front);
    if (err || store_number(x->store, x->dir, "frontend-id", 0x7fef, &id))
        return because(why, -EINVAL, "%s: `frontend` or `frontend-id` is not usable", x->dir);
    x->frontend_id = (uint32_t)id;
    x->mine = read_state(x, x->dir);

    snprintf(path, sizeof(path), "%s/state", x->front);
    err = x->store->ops->watch(x->store, path, "front");
    if (err)
        return because(why, err, "cannot watch %s: %s", path, strerror(-err));
    if (x->mine == XenbusStateConnected)
        connect_rings(x, true);
    return 0;
}
