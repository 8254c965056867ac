/* SPDX-License-Identifier: MIT */
/* Guest → TAP: see vif.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vif.h"

#define BATCH_PACKETS 64u

struct tx_packet {
    struct packet_tx p;
    unsigned first_copy; /* index of its first grant copy; it has one per part */
    uint8_t *frame;      /* virtio header and bytes, in the arena */
};

struct batch {
    unsigned packets, copies;
    size_t used; /* of the arena */
    struct tx_packet packet[BATCH_PACKETS];
    xengnttab_grant_copy_segment_t copy[VIF_BATCH];
};

struct window {
    const struct slots *slots;
    unsigned from;
};

static const void *slot(const void *ctx, unsigned i)
{
    const struct window *w = ctx;

    return slots_at(w->slots, w->from + i);
}

static void add(struct vif *v, struct batch *b, const struct packet_tx *p)
{
    struct tx_packet *t = &b->packet[b->packets++];
    uint8_t *at;

    t->p = *p;
    t->first_copy = b->copies;
    t->frame = v->tx_arena + b->used;
    at = t->frame + sizeof(struct virtio_net_hdr);
    for (unsigned i = 0; i < p->parts; i++) {
        b->copy[b->copies++] = (xengnttab_grant_copy_segment_t){
            .source.foreign = {p->part[i].ref, p->part[i].offset, (uint16_t)v->dev->domid},
            .dest.virt = at,
            .len = p->part[i].size,
            .flags = GNTCOPY_source_gref,
        };
        at += p->part[i].size;
    }
    b->used += sizeof(struct virtio_net_hdr) + p->size;
    b->used = (b->used + 7) & ~(size_t)7;
}

/* Parses as many packets as fit; the number of slots they take, or -1. */
static int collect(struct vif *v, struct batch *b, unsigned ready)
{
    struct window w = {&v->tx, 0};
    struct packet_tx p;
    const char *why;

    b->packets = b->copies = 0;
    b->used = 0;
    while (b->packets < BATCH_PACKETS) {
        int n = packet_parse(slot, &w, ready - w.from, &p, &why);

        if (n < 0) {
            device_break(v->dev,
                         "domain %u sent %s on interface %u (a fault in its driver); the interface "
                         "is disconnected",
                         v->dev->domid, why, v->dev->devid);
            return -1;
        }
        if (n == 0 || b->copies + p.parts > VIF_BATCH ||
            b->used + sizeof(struct virtio_net_hdr) + p.size > VIF_TX_ARENA)
            break;
        add(v, b, &p);
        w.from += (unsigned)n;
    }
    return (int)w.from;
}

/* One packet out; its status for the guest. */
static int16_t send_packet(struct vif *v, const struct batch *b, struct tx_packet *t)
{
    uint8_t *data = t->frame + sizeof(struct virtio_net_hdr);
    struct virtio_net_hdr hdr;

    for (unsigned i = 0; i < t->p.parts; i++)
        if (b->copy[t->first_copy + i].status != GNTST_okay)
            return NETIF_RSP_ERROR;
    if (!packet_to_tap(&t->p, data, &hdr)) {
        v->dropped++;
        return NETIF_RSP_ERROR;
    }
    memcpy(t->frame, &hdr, sizeof(hdr));
    /* What the host cannot take now is lost, as on any wire. */
    if (write(v->tap, t->frame, sizeof(hdr) + t->p.size) < 0)
        return NETIF_RSP_DROPPED;
    return NETIF_RSP_OKAY;
}

static void respond(struct vif *v, const struct packet_tx *p, int16_t status)
{
    netif_tx_response_t rsp;

    for (unsigned i = 0; i < p->slots; i++) {
        bool extra = i >= 1 && i <= p->extras;
        unsigned part = i ? i - p->extras : 0;

        rsp.id = extra ? 0 : p->part[part].id;
        rsp.status = extra ? NETIF_RSP_NULL : status;
        ring_answer(&v->tx.ring, &rsp, sizeof(rsp));
    }
}

enum vif_work vif_tx(struct vif *v)
{
    static struct batch b; /* one thread; too large for the stack */
    int ready = slots_pull(&v->tx), n;

    if (ready < 0) {
        device_break(v->dev,
                     "domain %u: impossible request producer in the transmit ring of interface %u",
                     v->dev->domid, v->dev->devid);
        return VIF_BROKEN;
    }
    n = collect(v, &b, (unsigned)ready);
    if (n < 0)
        return VIF_BROKEN;
    if (n == 0)
        return ring_sleep(&v->tx.ring, 1) ? VIF_MORE : VIF_IDLE;
    if (v->dev->xen->ops->copy(v->dev->xen, b.copy, b.copies))
        for (unsigned i = 0; i < b.copies; i++)
            b.copy[i].status = GNTST_general_error;
    for (unsigned i = 0; i < b.packets; i++)
        respond(v, &b.packet[i].p, send_packet(v, &b, &b.packet[i]));
    if (ring_push(&v->tx.ring))
        v->dev->xen->ops->notify(v->dev->xen, v->tx_port);
    return VIF_MORE;
}
