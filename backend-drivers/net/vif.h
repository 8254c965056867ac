/* SPDX-License-Identifier: MIT */
/*
 * One network interface: its two rings and its TAP.
 *
 *   tx.c  guest → TAP: slots parsed (packet.h), bytes grant-copied, written, answered
 *   rx.c  TAP → guest: read, grant-copied into the guest's buffers, announced
 *   vif.c configuration, features, connection
 *
 * Each direction works in batches: one grant copy, one push, one notification for all packets of a
 * batch. Invariant: a packet read from the TAP that the guest has no room for is held, one at most,
 * and the TAP is not read until there is: the queue that a guest can make us keep is the TAP's own,
 * which is bounded.
 */
#pragma once

#include "device.h"
#include "packet.h"
#include "slots.h"

#define VIF_TX_ARENA (128u << 10)
#define VIF_RX_ARENA (192u << 10)
#define VIF_BATCH    128u /* grant copies in one call */

struct net_journal {
    struct journal_head head;
    char tap[16];
    struct slots_journal tx, rx;
};

struct vif {
    struct device *dev;
    int tap;
    struct source tap_source;
    bool tap_watched;
    struct packet_caps caps;
    bool sg; /* the guest takes packets of several slots */
    void *tx_page, *rx_page;
    int tx_port, rx_port; /* the same one without split event channels */
    struct slots tx, rx;
    uint8_t *tx_arena, *rx_arena;
    /* The packet that waits for room in the guest's ring, at the start of rx_arena; 0: none. */
    size_t held;
    bool more;        /* a batch is left to do: look again without waiting */
    unsigned dropped; /* packets that the two sides could not agree on */
};

extern const struct device_driver vif_driver;

enum vif_work { VIF_IDLE, VIF_MORE, VIF_BROKEN /* device_break() has been called */ };

/* One batch each. */
enum vif_work vif_tx(struct vif *v);
enum vif_work vif_rx(struct vif *v);
