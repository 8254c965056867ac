/* SPDX-License-Identifier: MIT */
/*
 * The network backend: slots and headers by tables, then the whole of it against a frontend in this
 * process, a socket pair in the TAP's place.
 */
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/io/netif.h>

#include "fake.h"
#include "vif.h"

#define PATH    "backend/vif/7/0"
#define BACK    "/local/domain/0/" PATH
#define FRONT   "/local/domain/7/device/vif/0"
#define TX_PORT 2u
#define RX_PORT 4u
#define HDR     sizeof(struct virtio_net_hdr)
#define TX_REF  100u /* grant TX_REF + i is frame 64 + i */
#define RX_REF  400u /* grant RX_REF + i is frame 200 + i */

/* --- the guest's slots --- */

union any_slot {
    netif_tx_request_t rq;
    netif_extra_info_t x;
};

static const void *nth(const void *ctx, unsigned i)
{
    return &((const union any_slot *)ctx)[i];
}

#define RQ(off, sz, fl)                                            \
    {                                                              \
        .rq = {.gref = 1, .offset = off, .size = sz, .flags = fl } \
    }
#define GSO(sz, ty, fl)                                                                          \
    {                                                                                            \
        .x = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = fl, .u.gso = {.size = sz, .type = ty} } \
    }
#define MORE  NETTXF_more_data
#define EXTRA NETTXF_extra_info
#define XMORE XEN_NETIF_EXTRA_FLAG_MORE

static void slots_of_packets(void)
{
    static const struct {
        int result;
        unsigned ready, parts, first; /* first: bytes of the first part */
        union any_slot slot[4];
    } row[] = {
        {1, 1, 1, 60, {RQ(0, 60, 0)}},
        {1, 1, 1, 4096, {RQ(0, 4096, 0)}},
        {1, 1, 1, 96, {RQ(4000, 96, 0)}},
        {-1, 1, 0, 0, {RQ(4000, 97, 0)}},   /* crosses its page */
        {-1, 1, 0, 0, {RQ(0xffff, 60, 0)}}, /* far outside */
        {-1, 1, 0, 0, {RQ(0, 13, 0)}},      /* runt */
        {-1, 1, 0, 0, {RQ(0, 0, 0)}},
        {0, 0, 0, 0, {{{0}}}},
        {0, 1, 0, 0, {RQ(0, 5000, MORE)}}, /* the rest is to come */
        {2, 2, 2, 1000, {RQ(0, 5000, MORE), RQ(0, 4000, 0)}},
        {-1, 2, 0, 0, {RQ(0, 5000, MORE), RQ(97, 4000, 0)}}, /* second crosses its page */
        {-1, 2, 0, 0, {RQ(0, 5000, MORE), RQ(0, 900, 0)}},   /* first would be 4100 */
        {-1, 2, 0, 0, {RQ(0, 60, MORE), RQ(0, 61, 0)}},      /* fragments exceed the packet */
        {2, 2, 1, 60, {RQ(0, 60, EXTRA), GSO(1400, 1, 0)}},
        {0, 1, 0, 0, {RQ(0, 60, EXTRA)}},
        {3, 3, 2, 30, {RQ(0, 60, EXTRA | MORE), GSO(1400, 2, 0), RQ(0, 30, 0)}},
        {-1, 2, 0, 0, {RQ(0, 60, EXTRA), GSO(0, 1, 0)}},    /* segments of nothing */
        {-1, 2, 0, 0, {RQ(0, 60, EXTRA), GSO(1400, 3, 0)}}, /* unknown segmentation */
        {-1,
         3,
         0,
         0,
         {RQ(0, 60, EXTRA), GSO(1400, 1, XMORE), GSO(1400, 1, XMORE)}}, /* a loop of extras */
        {-1, 2, 0, 0, {RQ(0, 60, EXTRA), {.x = {.type = 0}}}},
        {-1,
         2,
         0,
         0,
         {RQ(0, 60, EXTRA), {.x = {.type = 2}}}}, /* multicast control was not offered */
        {-1, 2, 0, 0, {RQ(0, 60, EXTRA), {.x = {.type = 255}}}},
    };

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
        struct packet_tx p;
        const char *why = NULL;

        CU_ASSERT_EQUAL(packet_parse(nth, row[i].slot, row[i].ready, &p, &why), row[i].result);
        CU_ASSERT((row[i].result < 0) == (why != NULL));
        if (row[i].result > 0) {
            CU_ASSERT_EQUAL(p.parts, row[i].parts);
            CU_ASSERT_EQUAL(p.part[0].size, row[i].first);
        }
    }
}

static void endless_packet(void)
{
    union any_slot slot[256];
    struct packet_tx p;
    const char *why = NULL;

    for (unsigned i = 0; i < 256; i++)
        slot[i] = (union any_slot)RQ(0, 60000, MORE);
    for (unsigned i = 1; i < 256; i++)
        slot[i].rq.size = 1;
    CU_ASSERT_EQUAL(packet_parse(nth, slot, 19, &p, &why), 0);
    CU_ASSERT_EQUAL(packet_parse(nth, slot, 20, &p, &why), -1); /* refused, not waited for */
    CU_ASSERT_EQUAL(packet_parse(nth, slot, 256, &p, &why), -1);
}

/* --- headers --- */

/* An IPv4 or IPv6 TCP or UDP packet of `size` bytes; the checksum field gets a known wrong value.
 */
static size_t make_packet(uint8_t *d, bool v6, uint8_t proto, bool vlan, size_t size)
{
    size_t at = 12;

    memset(d, 0x5a, size);
    if (vlan) {
        d[at] = 0x81;
        d[at + 1] = 0;
        at += 4;
    }
    d[at] = v6 ? 0x86 : 0x08;
    d[at + 1] = v6 ? 0xdd : 0x00;
    at += 2;
    d[at] = v6 ? 0x60 : 0x45;
    d[at + (v6 ? 6 : 9)] = proto;
    at += v6 ? 40 : 20;
    if (proto == 6)
        d[at + 12] = 5 << 4;
    return at;
}

static void headers(void)
{
    static const struct {
        bool v6, vlan;
        uint8_t proto;
        bool blank;
        uint8_t gso;
        size_t size;
        bool ok;
        unsigned start, offset, type;
    } row[] = {
        {0, 0, 6, 0, 0, 100, true, 0, 0, 0}, /* nothing to do */
        {0, 0, 6, 1, 0, 100, true, 34, 16, 0},
        {0, 1, 6, 1, 0, 100, true, 38, 16, 0},
        {0, 0, 17, 1, 0, 100, true, 34, 6, 0},
        {1, 0, 6, 1, 0, 100, true, 54, 16, 0},
        {0, 0, 1, 1, 0, 100, false, 0, 0, 0}, /* ICMP has no such checksum */
        {0, 0, 6, 1, 0, 53, false, 0, 0, 0},  /* TCP header cut off */
        {0, 0, 6, 1, 1, 3000, true, 34, 16, VIRTIO_NET_HDR_GSO_TCPV4},
        {1, 0, 6, 1, 2, 3000, true, 54, 16, VIRTIO_NET_HDR_GSO_TCPV6},
        {0, 0, 6, 1, 2, 3000, false, 0, 0, 0}, /* says v6, is v4 */
        {1, 0, 6, 1, 1, 3000, false, 0, 0, 0},
        {0, 0, 17, 1, 1, 3000, false, 0, 0, 0}, /* says TCP, is UDP */
    };

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
        struct packet_tx p = {.size = (unsigned)row[i].size,
                              .csum_blank = row[i].blank,
                              .gso_type = row[i].gso,
                              .gso_size = 1400};
        struct virtio_net_hdr hdr;
        uint8_t d[3000];

        make_packet(d, row[i].v6, row[i].proto, row[i].vlan, row[i].size);
        CU_ASSERT_EQUAL(packet_to_tap(&p, d, &hdr), row[i].ok);
        if (row[i].ok) {
            CU_ASSERT_EQUAL(hdr.csum_start, row[i].start);
            CU_ASSERT_EQUAL(hdr.csum_offset, row[i].offset);
            CU_ASSERT_EQUAL(hdr.gso_type, row[i].type);
        }
    }
}

static void header_lengths_that_lie(void)
{
    struct packet_tx p = {.size = 100, .csum_blank = true, .gso_type = 1, .gso_size = 1400};
    struct virtio_net_hdr hdr;
    uint8_t d[100];

    make_packet(d, false, 6, false, 100);
    d[34 + 12] = 15 << 4; /* a TCP header of 60 bytes: fits in 100 */
    CU_ASSERT(packet_to_tap(&p, d, &hdr));
    d[34 + 12] = 4 << 4; /* shorter than a TCP header is */
    CU_ASSERT_FALSE(packet_to_tap(&p, d, &hdr));
    d[34 + 12] = 5 << 4;
    p.size = 90;
    d[34 + 12] = 15 << 4; /* longer than the packet */
    CU_ASSERT_FALSE(packet_to_tap(&p, d, &hdr));
    d[14] = 0x44; /* an IP header of 16 bytes */
    CU_ASSERT_FALSE(packet_to_tap(&p, d, &hdr));
}

static void extension_headers(void)
{
    struct packet_tx p = {.size = 200, .csum_blank = true};
    struct virtio_net_hdr hdr;
    uint8_t d[200];

    make_packet(d, true, 0, false, sizeof(d)); /* hop-by-hop, 8 bytes */
    d[54] = 60;
    d[55] = 0;
    d[62] = 17; /* destination options, 24 bytes, then UDP */
    d[63] = 2;
    CU_ASSERT(packet_to_tap(&p, d, &hdr));
    CU_ASSERT(hdr.csum_start == 54 + 8 + 24 && hdr.csum_offset == 6);
    d[63] = 255; /* beyond the packet */
    CU_ASSERT_FALSE(packet_to_tap(&p, d, &hdr));
    d[62] = 0; /* without end */
    d[63] = 0;
    for (unsigned i = 70; i < sizeof(d); i++)
        d[i] = 0;
    CU_ASSERT_FALSE(packet_to_tap(&p, d, &hdr));
}

static uint16_t ones_sum(const uint8_t *p, size_t n)
{
    uint32_t s = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        s += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (n & 1)
        s += (uint32_t)(p[n - 1] << 8);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)s;
}

static void towards_the_guest(void)
{
    struct packet_caps all = {true, true}, none = {false, false};
    struct virtio_net_hdr hdr = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
    struct packet_rx p;
    uint8_t d[201];

    make_packet(d, false, 6, false, sizeof(d));
    CU_ASSERT(packet_from_tap(&hdr, d, sizeof(d), &all, &p));
    CU_ASSERT_EQUAL(p.flags, NETRXF_csum_blank | NETRXF_data_validated);
    /* A guest that cannot: the checksum is filled in, and is right (the sum over everything is all
     * ones). */
    d[50] = d[51] = 0;
    CU_ASSERT(packet_from_tap(&hdr, d, sizeof(d), &none, &p));
    CU_ASSERT_EQUAL(p.flags, 0);
    CU_ASSERT_EQUAL(ones_sum(d + 34, sizeof(d) - 34), 0xffff);
    hdr.csum_start = 300; /* outside */
    CU_ASSERT_FALSE(packet_from_tap(&hdr, d, sizeof(d), &all, &p));
    hdr = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_UDP};
    CU_ASSERT_FALSE(packet_from_tap(&hdr, d, sizeof(d), &all, &p));
}

/* --- an interface with a frontend --- */

struct rig {
    struct fake *f;
    struct device *dev;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    int host; /* our end of the TAP's stand-in */
    char dir[64];
};

static void attach_backend(struct rig *r)
{
    int pair[2];
    struct vif *v = calloc(1, sizeof(*v));

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        abort();
    r->host = pair[0];
    v->tap = pair[1];
    r->dev = calloc(1, sizeof(*r->dev));
    r->dev->store = &r->f->store;
    r->dev->xen = &r->f->xen;
    r->dev->priv = v;
    CU_ASSERT_EQUAL_FATAL(device_begin(r->dev, &vif_driver, PATH, r->dir, false), 0);
}

static void backend_run(struct rig *r)
{
    while (loop_once(&r->dev->loop, 0) > 0)
        ;
}

static struct rig rig_new(void)
{
    struct rig r = {.f = fake_new()};
    netif_tx_sring_t *tx = fake_frame(r.f, 1);
    netif_rx_sring_t *rx = fake_frame(r.f, 2);

    strcpy(r.dir, "/tmp/mullion-net-XXXXXX");
    if (!mkdtemp(r.dir))
        abort();
    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    FRONT_RING_INIT(&r.tx, tx, 4096);
    FRONT_RING_INIT(&r.rx, rx, 4096);
    fake_grant(r.f, 8, 1, false);
    fake_grant(r.f, 9, 2, false);
    for (unsigned i = 0; i < 128; i++) {
        fake_grant(r.f, TX_REF + i, 64 + i, true); /* what is sent is granted read-only */
        fake_grant(r.f, RX_REF + i, 200 + i, false);
    }
    fake_set(r.f, BACK "/frontend", FRONT);
    fake_set(r.f, BACK "/frontend-id", "7");
    fake_set(r.f, BACK "/online", "1");
    fake_set(r.f, BACK "/state", "1");
    fake_set(r.f, FRONT "/tx-ring-ref", "8");
    fake_set(r.f, FRONT "/rx-ring-ref", "9");
    fake_set(r.f, FRONT "/event-channel-tx", "%u", TX_PORT);
    fake_set(r.f, FRONT "/event-channel-rx", "%u", RX_PORT);
    fake_set(r.f, FRONT "/request-rx-copy", "1");
    fake_set(r.f, FRONT "/feature-sg", "1");
    fake_set(r.f, FRONT "/feature-gso-tcpv4", "1");
    fake_set(r.f, FRONT "/state", "1");
    attach_backend(&r);
    fake_set(r.f, FRONT "/state", "4");
    backend_run(&r);
    CU_ASSERT_STRING_EQUAL_FATAL(fake_get(r.f, BACK "/state"), "4");
    return r;
}

static void rig_free(struct rig *r)
{
    struct stat st;
    char journal[128];

    fake_rm(r->f, BACK);
    backend_run(r);
    CU_ASSERT(r->dev->xenbus.gone);
    device_end(r->dev, true);
    CU_ASSERT_EQUAL(r->f->shared->misuse, 0);
    CU_ASSERT_EQUAL(r->f->shared->mapped, 0);
    CU_ASSERT_FALSE(r->f->shared->bound[TX_PORT] || r->f->shared->bound[RX_PORT]);
    snprintf(journal, sizeof(journal), "%s/vif-7-0", r->dir);
    CU_ASSERT_EQUAL(stat(journal, &st), -1);
    rmdir(r->dir);
    close(r->host);
    fake_free(r->f);
    free(r->dev);
}

static netif_tx_request_t *tx_slot(struct rig *r)
{
    return RING_GET_REQUEST(&r->tx, r->tx.req_prod_pvt++);
}

static void tx_push(struct rig *r)
{
    int kick;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&r->tx, kick);
    if (kick)
        fake_kick(r->f, TX_PORT);
    backend_run(r);
}

/* The next transmit answer's status and id; 99 when there is none. */
static int tx_answer(struct rig *r, unsigned *id)
{
    netif_tx_response_t *rsp;

    if (r->tx.sring->rsp_prod == r->tx.rsp_cons)
        return 99;
    rsp = RING_GET_RESPONSE(&r->tx, r->tx.rsp_cons++);
    r->tx.sring->rsp_event = r->tx.rsp_cons + 1;
    *id = rsp->id;
    return rsp->status;
}

static void guest_sends(void)
{
    struct rig r = rig_new();
    uint8_t got[2000];
    unsigned id;

    memset(fake_frame(r.f, 64), 0xab, 4096);
    *tx_slot(&r) = (netif_tx_request_t){.gref = TX_REF, .offset = 100, .size = 1000, .id = 5};
    tx_push(&r);
    CU_ASSERT_EQUAL(tx_answer(&r, &id), NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(id, 5);
    CU_ASSERT_EQUAL(recv(r.host, got, sizeof(got), 0), 1000 + (int)HDR);
    CU_ASSERT(got[HDR] == 0xab && got[HDR + 999] == 0xab);
    /* A grant that is not there: an error for this packet, the interface lives. */
    *tx_slot(&r) = (netif_tx_request_t){.gref = 999, .size = 60, .id = 6};
    *tx_slot(&r) = (netif_tx_request_t){.gref = TX_REF, .size = 60, .id = 7};
    tx_push(&r);
    CU_ASSERT_EQUAL(tx_answer(&r, &id), NETIF_RSP_ERROR);
    CU_ASSERT_EQUAL(tx_answer(&r, &id), NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(recv(r.host, got, sizeof(got), 0), 60 + (int)HDR);
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "4");
    rig_free(&r);
}

static void guest_sends_large(void)
{
    struct rig r = rig_new();
    uint8_t *first = fake_frame(r.f, 64), got[9000];
    struct virtio_net_hdr hdr;
    netif_extra_info_t *x;
    unsigned id;

    make_packet(first, false, 6, false, 4096);
    memset(fake_frame(r.f, 65), 0x22, 4096);
    *tx_slot(&r) =
        (netif_tx_request_t){.gref = TX_REF,
                             .size = 8000,
                             .id = 1,
                             .flags = NETTXF_csum_blank | NETTXF_extra_info | NETTXF_more_data};
    x = (netif_extra_info_t *)tx_slot(&r);
    *x = (netif_extra_info_t){.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = 1448, .type = 1}};
    *tx_slot(&r) = (netif_tx_request_t){.gref = TX_REF + 1, .size = 4000, .id = 2};
    tx_push(&r);
    CU_ASSERT_EQUAL(tx_answer(&r, &id), NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(id, 1);
    CU_ASSERT_EQUAL(tx_answer(&r, &id), NETIF_RSP_NULL);
    CU_ASSERT_EQUAL(tx_answer(&r, &id), NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(id, 2);
    CU_ASSERT_EQUAL(recv(r.host, got, sizeof(got), 0), 8000 + (int)HDR);
    memcpy(&hdr, got, HDR);
    CU_ASSERT_EQUAL(hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    CU_ASSERT_EQUAL(hdr.gso_size, 1448);
    CU_ASSERT_EQUAL(hdr.hdr_len, 54);
    CU_ASSERT_EQUAL(got[HDR + 4000], 0x22);
    rig_free(&r);
}

/* Many rounds, every slot used and reused: the ring wraps, nothing is lost or out of order. */
static void guest_sends_much(void)
{
    struct rig r = rig_new();
    unsigned sent = 0, lost = 0;

    for (unsigned round = 0; round < 40; round++) {
        unsigned n = 100 + round;

        for (unsigned i = 0; i < n; i++) {
            uint32_t *d = fake_frame(r.f, 64 + i % 128);

            d[0] = 0;
            *tx_slot(&r) =
                (netif_tx_request_t){.gref = TX_REF + i % 128, .size = 60, .id = (uint16_t)i};
        }
        tx_push(&r);
        for (unsigned i = 0; i < n; i++) {
            unsigned id;
            uint8_t got[100];
            int status = tx_answer(&r, &id);

            CU_ASSERT_EQUAL(id, i);
            if (status == NETIF_RSP_DROPPED)
                lost++;
            else if (recv(r.host, got, sizeof(got), 0) == 60 + (int)HDR)
                sent++;
        }
    }
    CU_ASSERT_EQUAL(sent + lost, 40 * 100 + 39 * 20);
    CU_ASSERT(sent > 0);
    rig_free(&r);
}

static void breaking_the_protocol(void)
{
    static const struct {
        netif_tx_request_t rq;
        const char *why;
    } row[] = {
        {{.gref = TX_REF, .offset = 4000, .size = 200}, "crosses its page"},
        {{.gref = TX_REF, .size = 5}, "shorter than an Ethernet header"},
    };

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
        struct rig r = rig_new();

        *tx_slot(&r) = row[i].rq;
        tx_push(&r);
        CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "5");
        CU_ASSERT_PTR_NOT_NULL(strstr(fake_get(r.f, BACK "/error"), row[i].why));
        rig_free(&r);
    }
    for (unsigned tx = 0; tx < 2; tx++) {
        struct rig r = rig_new();

        if (tx)
            r.tx.sring->req_prod = 257;
        else
            r.rx.sring->req_prod = 0x80000000;
        fake_kick(r.f, tx ? TX_PORT : RX_PORT);
        backend_run(&r);
        CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "5");
        CU_ASSERT_PTR_NOT_NULL(strstr(fake_get(r.f, BACK "/error"), "impossible request producer"));
        rig_free(&r);
    }
}

static void post_buffers(struct rig *r, unsigned from, unsigned n)
{
    int kick;

    for (unsigned i = from; i < from + n; i++)
        *RING_GET_REQUEST(&r->rx, r->rx.req_prod_pvt++) =
            (netif_rx_request_t){.id = (uint16_t)(i % 128), .gref = RX_REF + i % 128};
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&r->rx, kick);
    if (kick)
        fake_kick(r->f, RX_PORT);
    backend_run(r);
}

static void host_sends(struct rig *r, const struct virtio_net_hdr *hdr, const uint8_t *d,
                       size_t size)
{
    static uint8_t frame[70000];

    memcpy(frame, hdr, HDR);
    memcpy(frame + HDR, d, size);
    CU_ASSERT_EQUAL(send(r->host, frame, HDR + size, 0), (ssize_t)(HDR + size));
}

static netif_rx_response_t rx_answer(struct rig *r)
{
    netif_rx_response_t rsp = {.status = 9999};

    if (r->rx.sring->rsp_prod != r->rx.rsp_cons) {
        rsp = *RING_GET_RESPONSE(&r->rx, r->rx.rsp_cons);
        r->rx.rsp_cons++;
    }
    r->rx.sring->rsp_event = r->rx.rsp_cons + 1;
    return rsp;
}

static void guest_receives(void)
{
    struct rig r = rig_new();
    struct virtio_net_hdr hdr = {0};
    netif_rx_response_t rsp;
    netif_extra_info_t x;
    uint8_t d[9000];

    post_buffers(&r, 0, 10);
    memset(d, 0x77, sizeof(d));
    host_sends(&r, &hdr, d, 60);
    backend_run(&r);
    rsp = rx_answer(&r);
    CU_ASSERT(rsp.status == 60 && rsp.flags == 0 && rsp.id == 0 && rsp.offset == 0);
    CU_ASSERT_EQUAL(((uint8_t *)fake_frame(r.f, 200))[59], 0x77);
    CU_ASSERT_EQUAL(((uint8_t *)fake_frame(r.f, 200))[60], 0);
    /* A large one: first part, extra descriptor, two more parts. */
    make_packet(d, false, 6, false, sizeof(d));
    hdr = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .csum_start = 34,
                                  .csum_offset = 16,
                                  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                  .gso_size = 1448};
    host_sends(&r, &hdr, d, sizeof(d));
    backend_run(&r);
    rsp = rx_answer(&r);
    CU_ASSERT_EQUAL(rsp.status, 4096);
    CU_ASSERT_EQUAL(rsp.flags, NETRXF_extra_info | NETRXF_more_data | NETRXF_csum_blank |
                                   NETRXF_data_validated);
    rsp = rx_answer(&r);
    memcpy(&x, &rsp, sizeof(x));
    CU_ASSERT(x.type == XEN_NETIF_EXTRA_TYPE_GSO && x.u.gso.size == 1448 && x.u.gso.type == 1 &&
              x.flags == 0);
    rsp = rx_answer(&r);
    CU_ASSERT(rsp.status == 4096 && rsp.flags == NETRXF_more_data && rsp.id == 3);
    rsp = rx_answer(&r);
    CU_ASSERT(rsp.status == 9000 - 8192 && rsp.flags == 0 && rsp.id == 4);
    CU_ASSERT_EQUAL(memcmp(fake_frame(r.f, 201), d, 4096), 0);
    CU_ASSERT_EQUAL(memcmp(fake_frame(r.f, 203), d + 4096, 4096), 0);
    rig_free(&r);
}

/* The guest posts nothing: one packet is held, the rest stays outside, and comes in order when
 * there is room. */
static void guest_does_not_receive(void)
{
    struct rig r = rig_new();
    struct virtio_net_hdr hdr = {0};
    uint8_t d[6000];
    int sent = 0;

    for (; sent < 10000; sent++) {
        uint8_t frame[HDR + 60] = {0};

        frame[HDR] = (uint8_t)sent;
        if (send(r.host, frame, sizeof(frame), 0) < 0)
            break; /* the queue outside is full, and stays so */
        backend_run(&r);
    }
    CU_ASSERT(sent < 10000);
    CU_ASSERT_EQUAL(rx_answer(&r).status, 9999);
    for (int i = 0; i < sent; i++) {
        netif_rx_response_t rsp;

        post_buffers(&r, (unsigned)i, 1);
        rsp = rx_answer(&r);
        CU_ASSERT_EQUAL(rsp.status, 60);
        CU_ASSERT_EQUAL(*(uint8_t *)fake_frame(r.f, 200 + (unsigned)i % 128), (uint8_t)i);
    }
    /* One that needs two buffers waits until both are there. */
    memset(d, 1, sizeof(d));
    host_sends(&r, &hdr, d, sizeof(d));
    backend_run(&r);
    post_buffers(&r, 0, 1);
    CU_ASSERT_EQUAL(rx_answer(&r).status, 9999);
    post_buffers(&r, 1, 1);
    CU_ASSERT_EQUAL(rx_answer(&r).status, 4096);
    CU_ASSERT_EQUAL(rx_answer(&r).status, 6000 - 4096);
    /* A buffer that is not granted: the guest is told, the interface lives. */
    fake_revoke(r.f, RX_REF + 2);
    host_sends(&r, &hdr, d, 60);
    post_buffers(&r, 2, 1);
    CU_ASSERT_EQUAL(rx_answer(&r).status, NETIF_RSP_ERROR);
    rig_free(&r);
}

/* Transmit rings full of noise: the interface answers, or is disabled with a reason; never more. */
static void noise(void)
{
    unsigned disabled = 0, lived = 0;

    srand(11);
    for (unsigned round = 0; round < 200; round++) {
        struct rig r = rig_new();
        unsigned n = 1 + (unsigned)rand() % 200;
        uint8_t got[70000];

        for (unsigned i = 0; i < n; i++) {
            netif_tx_request_t *rq = tx_slot(&r);

            *rq = (netif_tx_request_t){.gref = TX_REF + (uint32_t)(rand() % 140),
                                       .offset = (uint16_t)(rand() % 100),
                                       .size = (uint16_t)(14 + rand() % 2000),
                                       .flags = (uint16_t)(rand() % 4)};
            if (rand() % 100 == 0)
                rq->flags |= (uint16_t)(rand() % 16);
            if (rand() % 300 == 0)
                rq->size = (uint16_t)rand();
        }
        tx_push(&r);
        while (recv(r.host, got, sizeof(got), 0) > 0)
            ;
        if (!strcmp(fake_get(r.f, BACK "/state"), "4")) {
            lived++;
        } else {
            CU_ASSERT_PTR_NOT_NULL(fake_get(r.f, BACK "/error"));
            disabled++;
        }
        rig_free(&r);
    }
    CU_ASSERT(disabled > 10 && lived > 10);
}

/* Killed with buffers taken and answers written but not shown: the successor finds the buffers in
 * the journal. */
static void successor(void)
{
    struct rig r = rig_new();
    struct virtio_net_hdr hdr = {0};
    struct vif *v = r.dev->priv;
    netif_rx_response_t junk = {.id = 0xdead, .flags = 0xffff, .status = -77};
    uint8_t d[100] = {0x42};
    unsigned id;

    post_buffers(&r, 0, 20);
    CU_ASSERT_EQUAL(slots_ready(&v->rx), 20);
    ring_answer(&v->rx.ring, &junk, sizeof(junk)); /* ... and dies */
    ring_answer(&v->rx.ring, &junk, sizeof(junk));
    r.f->shared->mapped = 0;
    close(r.host);
    close(v->tap);
    free(v);
    loop_close(&r.dev->loop);
    free(r.dev);
    attach_backend(&r);
    host_sends(&r, &hdr, d, 60);
    backend_run(&r);
    CU_ASSERT(rx_answer(&r).status == 60);
    CU_ASSERT_EQUAL(*(uint8_t *)fake_frame(r.f, 200), 0x42);
    host_sends(&r, &hdr, d, 61);
    backend_run(&r);
    CU_ASSERT_EQUAL(rx_answer(&r).id, 1);
    *tx_slot(&r) = (netif_tx_request_t){.gref = TX_REF, .size = 60, .id = 3};
    tx_push(&r);
    CU_ASSERT_EQUAL(tx_answer(&r, &id), NETIF_RSP_OKAY);
    rig_free(&r);
}

static const struct test tests[] = {
    {"slots of packets", slots_of_packets},
    {"an endless packet", endless_packet},
    {"headers", headers},
    {"header lengths that lie", header_lengths_that_lie},
    {"extension headers", extension_headers},
    {"checksums towards the guest", towards_the_guest},
    {"the guest sends", guest_sends},
    {"the guest sends a large packet", guest_sends_large},
    {"the guest sends much", guest_sends_much},
    {"breaking the protocol disables the interface", breaking_the_protocol},
    {"the guest receives", guest_receives},
    {"a guest that does not receive", guest_does_not_receive},
    {"noise", noise},
    {"a successor", successor},
};

int main(void)
{
    return suite_run("net backend", tests, sizeof(tests) / sizeof(*tests));
}
