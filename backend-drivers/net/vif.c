/* SPDX-License-Identifier: MIT */
/* One network interface: configuration, features, connection. See vif.h; node names from
 * <xen/io/netif.h>. */
#include "vif.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"

_Static_assert(sizeof(netif_tx_request_t) == 12 && sizeof(netif_rx_request_t) == 8 &&
                   sizeof(netif_rx_response_t) == 8 && sizeof(netif_extra_info_t) == 8,
               "ring slots");

static struct net_journal *journal(struct device *dev)
{
    return (struct net_journal *)dev->journal.head;
}

/* A batch each way; a guest that never stops sending neither keeps packets from itself nor us from
 * the store. */
static void run(struct vif *v)
{
    enum vif_work tx = vif_tx(v), rx = tx == VIF_BROKEN ? VIF_BROKEN : vif_rx(v);

    v->more = rx != VIF_BROKEN && (tx == VIF_MORE || rx == VIF_MORE);
}

static bool on_idle(struct device *dev)
{
    struct vif *v = dev->priv;

    if (v->more)
        run(v);
    return v->more;
}

static void on_event(struct device *dev, int port)
{
    run(dev->priv);
}

static void on_tap(void *ctx, uint32_t events)
{
    struct vif *v = ctx;

    if (v->rx_page && !v->dev->broken)
        run(v);
    else
        loop_events(&v->dev->loop, &v->tap_source, 0);
}

static void *arena(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static int open_link(struct vif *v, struct reason *why)
{
    struct device *dev = v->dev;
    char *name = store_text(dev->store, dev->xenbus.dir, "vifname");
    char *bridge = store_text(dev->store, dev->xenbus.dir, "bridge");
    char fallback[16];
    struct tap_config c = {.name = name, .bridge = bridge && *bridge ? bridge : NULL};

    snprintf(fallback, sizeof(fallback), "vif%u.%u", dev->domid % 32768, dev->devid % 65536);
    if (!name || !*name)
        c.name = fallback;
    v->tap = tap_open(&c, why);
    if (v->tap >= 0)
        snprintf(journal(dev)->tap, sizeof(journal(dev)->tap), "%s", c.name);
    free(name);
    free(bridge);
    return v->tap < 0 ? v->tap : 0;
}

static int vif_open(struct device *dev, struct reason *why)
{
    struct vif *v = dev->priv ? dev->priv : calloc(1, sizeof(*v));
    int err;

    if (!v)
        return because(why, -ENOMEM, "out of memory");
    if (!dev->priv)
        v->tap = -1; /* a unit test brings a socket in its place */
    dev->priv = v;
    v->dev = dev;
    v->tx_port = v->rx_port = -1;
    v->tap_source.fd = -1;
    v->tx_arena = arena(VIF_TX_ARENA);
    v->rx_arena = arena(VIF_RX_ARENA);
    if (!v->tx_arena || !v->rx_arena)
        return because(why, -ENOMEM, "out of memory");
    err = v->tap < 0 ? open_link(v, why) : 0;
    if (err)
        return err;
    err = loop_add(&dev->loop, &v->tap_source, v->tap, 0, on_tap, v);
    return err ? because(why, err, "cannot wait for the link: %s", strerror(-err)) : 0;
}

static void vif_offer(void *ctx, struct store_kv *kv, unsigned *n)
{
    struct vif *v = ((struct device *)ctx)->priv;

    tap_carrier(v->tap, false);
    store_put(kv, n, "feature-sg", "1");
    store_put(kv, n, "feature-gso-tcpv4", "1");
    store_put(kv, n, "feature-gso-tcpv6", "1");
    store_put(kv, n, "feature-ipv6-csum-offload", "1");
    store_put(kv, n, "feature-rx-copy", "1");
    store_put(kv, n, "feature-rx-flip", "0");
    store_put(kv, n, "feature-split-event-channels", "1");
}

static bool front_says(struct device *dev, const char *key)
{
    return store_number_or(dev->store, dev->xenbus.front, key, 1, 0) == 1;
}

static void read_features(struct vif *v)
{
    struct device *dev = v->dev;
    struct tap_offload o;

    v->caps.csum_v4 = !front_says(dev, "feature-no-csum-offload");
    v->caps.csum_v6 = front_says(dev, "feature-ipv6-csum-offload");
    v->sg = front_says(dev, "feature-sg");
    o.csum = v->caps.csum_v4 || v->caps.csum_v6;
    o.tso4 = v->sg && v->caps.csum_v4 && front_says(dev, "feature-gso-tcpv4");
    o.tso6 = v->sg && v->caps.csum_v6 && front_says(dev, "feature-gso-tcpv6");
    tap_offload(v->tap, &o);
}

static void unmap(struct vif *v)
{
    const struct xen_ops *ops = v->dev->xen->ops;

    if (v->rx_port >= 0 && v->rx_port != v->tx_port)
        ops->unbind(v->dev->xen, v->rx_port);
    if (v->tx_port >= 0)
        ops->unbind(v->dev->xen, v->tx_port);
    if (v->rx_page)
        ops->unmap(v->dev->xen, v->rx_page, 1);
    if (v->tx_page)
        ops->unmap(v->dev->xen, v->tx_page, 1);
    v->tx_port = v->rx_port = -1;
    v->tx_page = v->rx_page = NULL;
}

static void *map_one(struct vif *v, const char *key, struct reason *why)
{
    uint32_t ref;

    return device_ring_refs(v->dev, key, 0, &ref, why) ? NULL
                                                       : device_map_ring(v->dev, &ref, 1, why);
}

static int map_all(struct vif *v, struct reason *why)
{
    struct device *dev = v->dev;
    char *split = store_text(dev->store, dev->xenbus.front, "event-channel-tx");
    bool is_split = split != NULL;

    free(split);
    if (!front_says(dev, "request-rx-copy"))
        return because(why, -EPROTONOSUPPORT,
                       "the frontend of interface %u wants pages flipped to it (no "
                       "`request-rx-copy`): only copying is "
                       "supported",
                       dev->devid);
    v->tx_page = map_one(v, "tx-ring-ref", why);
    v->rx_page = v->tx_page ? map_one(v, "rx-ring-ref", why) : NULL;
    if (!v->rx_page)
        return -EINVAL;
    v->tx_port = device_bind(dev, is_split ? "event-channel-tx" : "event-channel", why);
    if (v->tx_port < 0)
        return v->tx_port;
    v->rx_port = is_split ? device_bind(dev, "event-channel-rx", why) : v->tx_port;
    return v->rx_port < 0 ? v->rx_port : 0;
}

static int start(struct vif *v, bool takeover, struct reason *why)
{
    struct net_journal *j = journal(v->dev);
    bool journalled = takeover && device_journal_valid(v->dev);
    char tap[sizeof(j->tap)];

    if (!takeover || !journalled) {
        memcpy(tap, j->tap, sizeof(tap)); /* outlives the connection */
        journal_begin(&v->dev->journal);
        memcpy(j->tap, tap, sizeof(tap));
    }
    if (!takeover) {
        slots_start(&v->tx, v->tx_page, &j->tx, sizeof(netif_tx_request_t));
        slots_start(&v->rx, v->rx_page, &j->rx, sizeof(netif_rx_request_t));
        return 0;
    }
    if (slots_take_over(&v->tx, v->tx_page, &j->tx, sizeof(netif_tx_request_t), journalled) ||
        slots_take_over(&v->rx, v->rx_page, &j->rx, sizeof(netif_rx_request_t), journalled))
        return because(why, -EPROTO, "the journal %s and the guest's rings contradict each other",
                       v->dev->journal.path);
    report("took over the connected interface");
    return 0;
}

static int vif_connect(void *ctx, bool takeover, struct store_kv *kv, unsigned *n,
                       struct reason *why)
{
    struct device *dev = ctx;
    struct vif *v = dev->priv;
    int err = map_all(v, why);

    if (!err)
        err = start(v, takeover, why);
    if (err) {
        unmap(v);
        return err;
    }
    v->held = 0;
    v->more = v->tap_watched = false;
    read_features(v);
    tap_carrier(v->tap, true);
    store_put(kv, n, "connection", "%016" PRIx64, dev->journal.head->epoch);
    if (takeover) {
        /* Our predecessor may have died between its answers and the notification. */
        dev->xen->ops->notify(dev->xen, v->tx_port);
        if (v->rx_port != v->tx_port)
            dev->xen->ops->notify(dev->xen, v->rx_port);
    }
    run(v);
    return 0;
}

static void vif_disconnect(void *ctx)
{
    struct device *dev = ctx;
    struct vif *v = dev->priv;

    loop_events(&dev->loop, &v->tap_source, 0);
    v->tap_watched = false;
    tap_carrier(v->tap, false);
    journal_end(&dev->journal);
    unmap(v);
}

static void vif_forget(struct device *dev)
{
    tap_forget(journal(dev)->tap);
}

static void vif_close(struct device *dev, bool gone)
{
    struct vif *v = dev->priv;

    if (!v)
        return;
    loop_del(&dev->loop, &v->tap_source);
    if (v->tap >= 0) {
        if (gone)
            tap_not_persistent(v->tap);
        close(v->tap);
    }
    if (v->tx_arena)
        munmap(v->tx_arena, VIF_TX_ARENA);
    if (v->rx_arena)
        munmap(v->rx_arena, VIF_RX_ARENA);
    free(v);
    dev->priv = NULL;
}

static const unsigned long ioctls[] = {TUNSETOFFLOAD, TUNSETCARRIER, TUNSETPERSIST, 0};

const struct device_driver vif_driver = {
    .program = "mullion-net",
    .class = "vif",
    .journal_bytes = sizeof(struct net_journal),
    .ioctls = ioctls,
    .open = vif_open,
    .offer = vif_offer,
    .connect = vif_connect,
    .disconnect = vif_disconnect,
    .event = on_event,
    .idle = on_idle,
    .forget = vif_forget,
    .close = vif_close,
};
