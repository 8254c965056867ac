/* SPDX-License-Identifier: MIT */
/*
 * One direction of a network interface: its ring, and private copies of the requests that are taken
 * and not yet answered.
 *
 * Network rings are answered in order: the request at ring index i is answered at index i. So the
 * copies form a window [rsp_prod, req_cons) over a table with one place per ring slot, kept in the
 * journal: a successor finds there what answers that were never pushed have overwritten in the
 * ring.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

#define SLOTS_MAX 256u

/* In the journal. */
struct slots_journal {
    uint32_t req_cons;
    uint32_t bytes; /* of one slot */
    uint8_t copy[SLOTS_MAX * 12];
};

struct slots {
    struct ring ring;
    struct slots_journal *journal;
};

/* Lays the window over a mapped page; slots of `bytes`. */
void slots_start(struct slots *s, void *shared, struct slots_journal *journal, uint32_t bytes);
/* The same after a predecessor; `journalled`: its journal is valid. -EPROTO: it contradicts the
 * ring. */
int slots_take_over(struct slots *s, void *shared, struct slots_journal *journal, uint32_t bytes,
                    bool journalled);
/* Takes what is new, each slot copied once. The number of unanswered requests, or -EPROTO. */
int slots_pull(struct slots *s);
/* The i-th unanswered request (private memory). */
const void *slots_at(const struct slots *s, unsigned i);
static inline unsigned slots_ready(const struct slots *s)
{
    return s->ring.req_cons - s->ring.rsp_prod;
}
