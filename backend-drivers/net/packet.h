/* SPDX-License-Identifier: MIT */
/*
 * What both worlds say about a packet beside its bytes: netif's flags and extra info on one side,
 * virtio's header (which the TAP speaks) on the other. Pure functions on private memory.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/netif.h>

#define PACKET_MAX 65535u
#define PACKET_MIN 14u /* an Ethernet header */

/* A guest may send a packet in this many slots; what it must be allowed is XEN_NETIF_NR_SLOTS_MIN.
 */
#define PACKET_MAX_DATA_SLOTS 20u

struct packet_part {
    uint32_t ref;
    uint16_t offset, size, id;
};

/* A packet as the guest describes it in its transmit ring. */
struct packet_tx {
    unsigned slots; /* ring slots, extra info included */
    unsigned parts, extras;
    struct packet_part part[PACKET_MAX_DATA_SLOTS];
    unsigned size; /* of the whole packet */
    bool csum_blank, csum_valid;
    uint8_t gso_type; /* XEN_NETIF_GSO_TYPE_* */
    uint16_t gso_size;
};

/* The i-th slot from the packet's first on. */
typedef const void *(*packet_slot)(const void *ctx, unsigned i);

/*
 * Reads the packet that starts at slot 0 of `ready` slots. The number of its slots; 0 when some are
 * still to come; -1, with `why` (a static text), when it breaks the protocol.
 */
int packet_parse(packet_slot slot, const void *ctx, unsigned ready, struct packet_tx *p,
                 const char **why);

/*
 * The TAP's header for a packet whose bytes are at `data`. False when the bytes are not what the
 * guest said of them: a checksum to fill in or to segment by, but no TCP or UDP header. May fill in
 * the pseudo-header's part of the checksum.
 */
bool packet_to_tap(const struct packet_tx *p, uint8_t *data, struct virtio_net_hdr *hdr);

/* What the frontend takes. */
struct packet_caps {
    bool csum_v4, csum_v6;
};

/* A packet as the guest's receive ring describes it. */
struct packet_rx {
    uint16_t flags; /* NETRXF_data_validated, csum_blank */
    uint8_t gso_type;
    uint16_t gso_size;
};

/*
 * From the TAP's header. Where the frontend cannot find or fill in the checksum by itself, it is
 * computed into `data`. False: not presentable to this frontend.
 */
bool packet_from_tap(const struct virtio_net_hdr *hdr, uint8_t *data, size_t size,
                     const struct packet_caps *caps, struct packet_rx *p);
