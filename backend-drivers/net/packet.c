/* SPDX-License-Identifier: MIT */
/* What both worlds say about a packet: see packet.h. */
#include "packet.h"

#include <string.h>

#define PAGE           4096u
#define ETH_IPV4       0x0800
#define ETH_IPV6       0x86dd
#define ETH_VLAN       0x8100
#define PROTO_TCP      6
#define MAX_EXTENSIONS 8u
#define PROTO_UDP      17

/* --- the guest's slots --- */

static int bad(const char **why, const char *text)
{
    *why = text;
    return -1;
}

static int take_gso(struct packet_tx *p, const struct netif_extra_info *x, const char **why)
{
    if (p->gso_type != XEN_NETIF_GSO_TYPE_NONE)
        return bad(why, "two segmentation descriptors in one packet");
    if (x->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 && x->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
        return bad(why, "an unknown segmentation type");
    if (x->u.gso.size == 0)
        return bad(why, "a segment size of 0");
    p->gso_type = x->u.gso.type;
    p->gso_size = x->u.gso.size;
    return 0;
}

/* The extra slots after the first one. Their number, 0 when some are to come, -1. */
static int take_extras(packet_slot slot, const void *ctx, unsigned ready, struct packet_tx *p,
                       const char **why)
{
    for (unsigned i = 1; i < ready; i++) {
        struct netif_extra_info x;

        memcpy(&x, slot(ctx, i), sizeof(x));
        if (x.type != XEN_NETIF_EXTRA_TYPE_GSO)
            return bad(why, "an extra descriptor of a type that was not offered");
        if (take_gso(p, &x, why))
            return -1;
        p->extras++;
        if (!(x.flags & XEN_NETIF_EXTRA_FLAG_MORE))
            return (int)i;
    }
    return 0;
}

static int add_part(struct packet_tx *p, const netif_tx_request_t *rq, unsigned size,
                    const char **why)
{
    if (p->parts == PACKET_MAX_DATA_SLOTS)
        return bad(why, "a packet of too many slots");
    /* The first slot's size is the packet's: it is checked by itself at the end. */
    if (p->parts && (uint32_t)rq->offset + size > PAGE)
        return bad(why, "a fragment that crosses its page");
    p->part[p->parts++] = (struct packet_part){rq->gref, rq->offset, (uint16_t)size, rq->id};
    return 0;
}

/* The first slot carries what the others leave of the packet's size. */
static int settle_first(struct packet_tx *p, const char **why)
{
    unsigned rest = 0;

    for (unsigned i = 1; i < p->parts; i++)
        rest += p->part[i].size;
    if (rest > p->size)
        return bad(why, "fragments larger than their packet");
    if (p->part[0].offset + (p->size - rest) > PAGE)
        return bad(why, "a first fragment that crosses its page");
    p->part[0].size = (uint16_t)(p->size - rest);
    return 0;
}

int packet_parse(packet_slot slot, const void *ctx, unsigned ready, struct packet_tx *p,
                 const char **why)
{
    netif_tx_request_t rq;
    unsigned i = 0;
    int extras;

    *p = (struct packet_tx){0};
    if (ready == 0)
        return 0;
    memcpy(&rq, slot(ctx, 0), sizeof(rq));
    p->size = rq.size;
    p->csum_blank = rq.flags & NETTXF_csum_blank;
    p->csum_valid = rq.flags & NETTXF_data_validated;
    if (p->size < PACKET_MIN)
        return bad(why, "a packet shorter than an Ethernet header");
    if (rq.flags & NETTXF_extra_info) {
        extras = take_extras(slot, ctx, ready, p, why);
        if (extras <= 0)
            return extras;
        i = (unsigned)extras;
    }
    if (add_part(p, &rq, rq.size, why))
        return -1;
    while (rq.flags & NETTXF_more_data) {
        /* Counted before it is awaited: an endless packet is refused, not waited for. */
        if (p->parts == PACKET_MAX_DATA_SLOTS)
            return bad(why, "a packet of too many slots");
        if (++i >= ready)
            return 0;
        memcpy(&rq, slot(ctx, i), sizeof(rq));
        if (add_part(p, &rq, rq.size, why))
            return -1;
    }
    if (settle_first(p, why))
        return -1;
    p->slots = i + 1;
    return (int)p->slots;
}

/* --- the packet's own headers --- */

struct headers {
    bool v6;
    uint8_t proto;
    size_t ip, l4; /* offsets */
};

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static size_t csum_offset(uint8_t proto)
{
    return proto == PROTO_TCP ? 16 : 6;
}

/* Steps over the IPv6 extension headers that may stand before TCP or UDP: hop-by-hop, routing,
 * destination. */
static void skip_extensions(const uint8_t *d, size_t size, struct headers *h)
{
    for (unsigned n = 0; n < MAX_EXTENSIONS && h->l4 + 8 <= size; n++) {
        if (h->proto != 0 && h->proto != 43 && h->proto != 60)
            return;
        h->proto = d[h->l4];
        h->l4 += (d[h->l4 + 1] + 1u) * 8u;
    }
}

/* Finds a TCP or UDP header; false when there is none, or not whole. */
static bool find_headers(const uint8_t *d, size_t size, struct headers *h)
{
    size_t at = 12, least;
    uint16_t type;

    if (size < PACKET_MIN)
        return false;
    type = be16(d + at);
    if (type == ETH_VLAN) {
        at += 4;
        if (size < at + 2)
            return false;
        type = be16(d + at);
    }
    h->ip = at + 2;
    h->v6 = type == ETH_IPV6;
    if (type == ETH_IPV4 && size >= h->ip + 20 && d[h->ip] >> 4 == 4) {
        size_t len = (d[h->ip] & 15u) * 4u;

        if (len < 20)
            return false;
        h->l4 = h->ip + len;
        h->proto = d[h->ip + 9];
    } else if (type == ETH_IPV6 && size >= h->ip + 40) {
        h->l4 = h->ip + 40;
        h->proto = d[h->ip + 6];
        skip_extensions(d, size, h);
    } else {
        return false;
    }
    if (h->proto != PROTO_TCP && h->proto != PROTO_UDP)
        return false;
    least = h->proto == PROTO_TCP ? 20 : 8;
    return size >= h->l4 + least;
}

static uint32_t sum(const uint8_t *p, size_t n, uint32_t s)
{
    for (; n > 1; p += 2, n -= 2)
        s += be16(p);
    return n ? s + (uint32_t)(*p << 8) : s;
}

static uint16_t fold(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)s;
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* The sum over addresses, protocol and length that the checksum field holds while the rest is left
 * to others. */
static uint16_t pseudo_header(const uint8_t *d, size_t size, const struct headers *h)
{
    uint32_t s = h->v6 ? sum(d + h->ip + 8, 32, 0) : sum(d + h->ip + 12, 8, 0);

    return fold(s + h->proto + (uint32_t)(size - h->l4));
}

bool packet_to_tap(const struct packet_tx *p, uint8_t *data, struct virtio_net_hdr *hdr)
{
    struct headers h;

    *hdr = (struct virtio_net_hdr){0};
    if (!p->csum_blank && p->gso_type == XEN_NETIF_GSO_TYPE_NONE) {
        hdr->flags = p->csum_valid ? VIRTIO_NET_HDR_F_DATA_VALID : 0;
        return true;
    }
    if (!find_headers(data, p->size, &h))
        return false;
    hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    hdr->csum_start = (uint16_t)h.l4;
    hdr->csum_offset = (uint16_t)csum_offset(h.proto);
    if (p->gso_type == XEN_NETIF_GSO_TYPE_NONE)
        return true;
    if (h.proto != PROTO_TCP || h.v6 != (p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6))
        return false;
    hdr->hdr_len = (uint16_t)(h.l4 + (data[h.l4 + 12] >> 4) * 4u);
    if (hdr->hdr_len < h.l4 + 20 || hdr->hdr_len > p->size)
        return false;
    /* Some frontends leave segmentation to us with a whole checksum: back to the part that is
     * expected. */
    if (!p->csum_blank)
        put16(data + h.l4 + 16, pseudo_header(data, p->size, &h));
    hdr->gso_type = h.v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    hdr->gso_size = p->gso_size;
    return true;
}

static bool fill_checksum(const struct virtio_net_hdr *hdr, uint8_t *data, size_t size)
{
    size_t at = (size_t)hdr->csum_start + hdr->csum_offset;
    uint16_t c;

    if (hdr->csum_start >= size || at + 2 > size)
        return false;
    c = (uint16_t)~fold(sum(data + hdr->csum_start, size - hdr->csum_start, 0));
    put16(data + at, c == 0 ? 0xffff : c);
    return true;
}

bool packet_from_tap(const struct virtio_net_hdr *hdr, uint8_t *data, size_t size,
                     const struct packet_caps *caps, struct packet_rx *p)
{
    struct headers h;
    uint8_t gso = hdr->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

    *p = (struct packet_rx){0};
    if (hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID)
        p->flags = NETRXF_data_validated;
    if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        bool usual = find_headers(data, size, &h) && hdr->csum_start == h.l4 &&
                     hdr->csum_offset == csum_offset(h.proto);

        if (usual && (h.v6 ? caps->csum_v6 : caps->csum_v4))
            p->flags = NETRXF_csum_blank | NETRXF_data_validated;
        else if (gso != VIRTIO_NET_HDR_GSO_NONE || !fill_checksum(hdr, data, size))
            return false;
    }
    if (gso == VIRTIO_NET_HDR_GSO_TCPV4)
        p->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    else if (gso == VIRTIO_NET_HDR_GSO_TCPV6)
        p->gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
    else if (gso != VIRTIO_NET_HDR_GSO_NONE)
        return false;
    p->gso_size = hdr->gso_size;
    return true;
}
