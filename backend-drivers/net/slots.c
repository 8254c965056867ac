/* SPDX-License-Identifier: MIT */
/* One direction of a network interface: see slots.h. */
#include "slots.h"

#include <errno.h>

#define PAGE 4096u

static uint8_t *place(const struct slots *s, uint32_t idx)
{
    return s->journal->copy + (size_t)(idx & (s->ring.nr - 1)) * s->journal->bytes;
}

void slots_start(struct slots *s, void *shared, struct slots_journal *journal, uint32_t bytes)
{
    ring_init(&s->ring, shared, PAGE, bytes);
    s->journal = journal;
    journal->bytes = bytes;
    journal->req_cons = 0;
}

int slots_take_over(struct slots *s, void *shared, struct slots_journal *journal, uint32_t bytes,
                    bool journalled)
{
    uint32_t shown, taken;

    ring_init(&s->ring, shared, PAGE, bytes);
    s->journal = journal;
    shown = ring_shared_rsp_prod(&s->ring);
    /* Without a journal all that is unanswered is read from the ring again: in order, nothing of it
     * was overwritten, but for answers in the making, which is a packet lost at worst. */
    taken = journalled ? journal->req_cons : shown;
    if (taken - shown > s->ring.nr || (journalled && journal->bytes != bytes))
        return -EPROTO;
    journal->bytes = bytes;
    journal->req_cons = taken;
    ring_resume(&s->ring, taken, shown);
    return 0;
}

int slots_pull(struct slots *s)
{
    int n = ring_pending(&s->ring);

    if (n < 0)
        return n;
    while (n-- > 0) {
        ring_take(&s->ring, place(s, s->ring.req_cons), s->journal->bytes);
        __atomic_store_n(&s->journal->req_cons, s->ring.req_cons, __ATOMIC_RELEASE);
    }
    return (int)slots_ready(s);
}

const void *slots_at(const struct slots *s, unsigned i)
{
    return place(s, s->ring.rsp_prod + i);
}
