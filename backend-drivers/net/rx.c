/* SPDX-License-Identifier: MIT */
/* TAP → guest: see vif.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vif.h"

#define BATCH_PACKETS 64u
#define HDR           sizeof(struct virtio_net_hdr)
/* Room for one more packet of any size. */
#define FRAME_MAX     (HDR + PACKET_MAX + 1)

struct rx_packet {
    struct packet_rx p;
    unsigned slots, first_copy, copies;
};

struct batch {
    unsigned packets, copies, slots;
    size_t used;
    struct rx_packet packet[BATCH_PACKETS];
    xengnttab_grant_copy_segment_t copy[VIF_BATCH];
};

static void watch_tap(struct vif *v, bool on)
{
    if (v->tap_watched != on)
        loop_events(&v->dev->loop, &v->tap_source, on ? EPOLLIN : 0);
    v->tap_watched = on;
}

static unsigned slots_for(size_t size, const struct packet_rx *p)
{
    return (unsigned)((size + XEN_PAGE - 1) / XEN_PAGE) + (p->gso_type != XEN_NETIF_GSO_TYPE_NONE);
}

/* Plans the copies of a packet into the guest's next buffers. The extra slot, if any, is the
 * second. */
static void add(struct vif *v, struct batch *b, uint8_t *data, size_t size,
                const struct packet_rx *p)
{
    struct rx_packet *r = &b->packet[b->packets++];
    unsigned slot = b->slots;

    *r = (struct rx_packet){.p = *p, .slots = slots_for(size, p), .first_copy = b->copies};
    for (size_t done = 0; done < size; done += XEN_PAGE) {
        size_t part = size - done < XEN_PAGE ? size - done : XEN_PAGE;
        netif_rx_request_t rq;

        memcpy(&rq, slots_at(&v->rx, slot), sizeof(rq));
        b->copy[b->copies++] = (xengnttab_grant_copy_segment_t){
            .source.virt = data + done,
            .dest.foreign = {rq.gref, 0, (uint16_t)v->dev->domid},
            .len = (uint16_t)part,
            .flags = GNTCOPY_dest_gref,
        };
        r->copies++;
        slot += done == 0 && p->gso_type != XEN_NETIF_GSO_TYPE_NONE ? 2 : 1;
    }
    b->slots += r->slots;
}

/* Reads or unholds one packet at the arena's free end: its size without header, 0 when there is
 * none. */
static size_t next_packet(struct vif *v, struct batch *b)
{
    ssize_t n;

    if (v->held) {
        size_t size = v->held; /* it lies at the start of the arena, and so does this batch */

        v->held = 0;
        return size;
    }
    n = read(v->tap, v->rx_arena + b->used, FRAME_MAX);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        report("the link is gone: %s; starting again", strerror(errno));
        loop_stop(&v->dev->loop, DEVICE_CRASHED);
    }
    return n > (ssize_t)HDR ? (size_t)n - HDR : 0;
}

/* Fills a batch. True when a packet is held for want of buffers. */
static bool collect(struct vif *v, struct batch *b, unsigned ready)
{
    b->packets = b->copies = b->slots = 0;
    b->used = 0;
    for (unsigned n = 0; n < BATCH_PACKETS && b->used + FRAME_MAX <= VIF_RX_ARENA; n++) {
        uint8_t *frame = v->rx_arena + b->used;
        size_t size = next_packet(v, b);
        struct virtio_net_hdr hdr;
        struct packet_rx p;

        if (size == 0)
            return false;
        memcpy(&hdr, frame, HDR);
        if (!packet_from_tap(&hdr, frame + HDR, size, &v->caps, &p) ||
            (!v->sg && size > XEN_PAGE)) {
            v->dropped++;
            continue;
        }
        if (b->slots + slots_for(size, &p) > ready || b->copies + slots_for(size, &p) > VIF_BATCH) {
            /* After the batch it moves to the start of the arena. Its checksum, if filled in, stays
             * so. */
            if (!(p.flags & NETRXF_csum_blank) && (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
                hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
                memcpy(frame, &hdr, HDR);
            }
            v->held = size;
            return true;
        }
        add(v, b, frame + HDR, size, &p);
        b->used = (b->used + HDR + size + 7) & ~(size_t)7;
    }
    return false;
}

static void answer_extra(struct vif *v, const struct packet_rx *p)
{
    netif_extra_info_t x = {.type = XEN_NETIF_EXTRA_TYPE_GSO};

    x.u.gso.size = p->gso_size;
    x.u.gso.type = p->gso_type;
    ring_answer(&v->rx.ring, &x, sizeof(x));
}

static void answer(struct vif *v, const struct batch *b, const struct rx_packet *r)
{
    bool gso = r->p.gso_type != XEN_NETIF_GSO_TYPE_NONE;

    for (unsigned i = 0; i < r->copies; i++) {
        const xengnttab_grant_copy_segment_t *c = &b->copy[r->first_copy + i];
        netif_rx_request_t rq;
        netif_rx_response_t rsp = {0};

        memcpy(&rq, slots_at(&v->rx, 0), sizeof(rq)); /* answering moves the window by one */
        rsp.id = rq.id;
        rsp.status = c->status == GNTST_okay ? (int16_t)c->len : NETIF_RSP_ERROR;
        rsp.flags = i == 0 ? r->p.flags : 0;
        if (i == 0 && gso)
            rsp.flags |= NETRXF_extra_info;
        if (i + 1 < r->copies)
            rsp.flags |= NETRXF_more_data;
        ring_answer(&v->rx.ring, &rsp, sizeof(rsp));
        if (i == 0 && gso)
            answer_extra(v, &r->p);
    }
}

static void deliver(struct vif *v, struct batch *b)
{
    if (v->dev->xen->ops->copy(v->dev->xen, b->copy, b->copies))
        for (unsigned i = 0; i < b->copies; i++)
            b->copy[i].status = GNTST_general_error;
    for (unsigned i = 0; i < b->packets; i++)
        answer(v, b, &b->packet[i]);
    if (ring_push(&v->rx.ring))
        v->dev->xen->ops->notify(v->dev->xen, v->rx_port);
}

/* Slots that the held packet needs beyond those that are ready. */
static uint32_t missing(const struct vif *v, unsigned ready)
{
    struct virtio_net_hdr hdr;
    struct packet_rx p = {0};
    unsigned need;

    memcpy(&hdr, v->rx_arena, HDR);
    p.gso_type = hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE;
    need = slots_for(v->held, &p);
    return need > ready ? need - ready : 1;
}

/* The packet that did not fit goes to the start of the arena; true when there is hope that it fits
 * now. */
static bool hold(struct vif *v, const struct batch *b, unsigned ready)
{
    if (b->used)
        memmove(v->rx_arena, v->rx_arena + b->used, HDR + v->held);
    if (b->packets)
        return true; /* the batch was full, or the guest has posted more meanwhile */
    if (ring_sleep(&v->rx.ring, missing(v, ready)))
        return true;
    watch_tap(v, false); /* until the guest posts buffers and says so */
    return false;
}

enum vif_work vif_rx(struct vif *v)
{
    static struct batch b; /* one thread; too large for the stack */
    int ready = slots_pull(&v->rx);
    bool full;

    if (ready < 0) {
        device_break(v->dev,
                     "domain %u: impossible request producer in the receive ring of interface %u",
                     v->dev->domid, v->dev->devid);
        return VIF_BROKEN;
    }
    full = collect(v, &b, (unsigned)ready);
    if (b.packets)
        deliver(v, &b);
    if (full)
        return hold(v, &b, (unsigned)ready) ? VIF_MORE : VIF_IDLE;
    watch_tap(v, true); /* what is left there wakes us again */
    return VIF_IDLE;
}
