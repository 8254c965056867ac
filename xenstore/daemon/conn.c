/* SPDX-License-Identifier: MIT */
/* conn.c: clients' streams, backpressure, and the round that flushes them; see conn.h. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "conn.h"
#include "journal.h"
#include "request.h"
#include "store.h"
#include "streams.h"
#include "txn.h"
#include "watch.h"

struct conn *conn_new(struct store *s, const struct transport *t, void *peer, struct domain *d)
{
    struct conn *c = xzalloc(sizeof(*c));

    c->store = s;
    c->transport = t;
    c->peer = peer;
    c->domain = d;
    c->fd = -1;
    if (d)
        c->who = (struct who){d->domid, d->has_target, d->target};
    if (!journal_conn_open(s->journal, c)) {
        free(c);
        return NULL;
    }
    c->in_start = c->stream->in_end;
    c->out_end = c->stream->out_start;
    c->next = s->conns;
    c->link = &s->conns;
    if (c->next)
        c->next->link = &c->next;
    s->conns = c;
    journal_conn(s->journal, c);
    journal_unlogged(s->journal, c);
    return c;
}

void conn_set_fd(struct conn *c, int fd)
{
    c->fd = fd;
    journal_conn(c->store->journal, c);
    journal_commit(c->store->journal); /* before anything is read from it */
}

struct txn *conn_find_txn(struct conn *c, uint32_t id)
{
    struct txn *t = c->txns;

    while (t && t->id != id)
        t = t->next;
    return t;
}

void conn_add_txn(struct conn *c, struct txn *t)
{
    t->next = c->txns;
    c->txns = t;
    c->txn_count++;
}

void conn_end_txn(struct conn *c, struct txn *t)
{
    for (struct txn **p = &c->txns; *p; p = &(*p)->next) {
        if (*p != t)
            continue;
        *p = t->next;
        c->txn_count--;
        txn_free(t);
        return;
    }
}

void conn_drop_transactions(struct conn *c)
{
    while (c->txns)
        conn_end_txn(c, c->txns);
}

void conn_skip_streams(struct conn *c)
{
    c->in_start = c->stream->in_end;
    c->stream->out_start = c->out_end;
    c->unsent_replies = 0;
    c->blocked = false;
    journal_unlogged(c->store->journal, c);
}

void conn_reset(struct conn *c)
{
    watch_remove_all(c->store, c);
    conn_drop_transactions(c);
    conn_skip_streams(c);
    journal_reset(c->store->journal, c);
}

/* In a replay, too, when the streams are another's already: their positions are let alone. */
void conn_free(struct conn *c)
{
    watch_remove_all(c->store, c);
    conn_drop_transactions(c);
    if (c->transport && c->transport->close)
        c->transport->close(c);
    journal_conn_close(c->store->journal, c);
    if (c->domain)
        c->domain->conn = NULL;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    free(c);
}

void conn_touch(struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->next_dirty = c->store->dirty;
    c->store->dirty = c;
}

static uint32_t pending(const struct conn *c)
{
    return (uint32_t)(c->out_end - c->stream->out_start);
}

void conn_send(struct conn *c, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *data,
               size_t len)
{
    char hdr[XSW_HEADER_LEN];

    xsw_header_put(hdr, type, req_id, tx_id, (uint32_t)len);
    stream_out_put(c->stream, c->out_end, hdr, sizeof(hdr));
    stream_out_put(c->stream, c->out_end + sizeof(hdr), data, len);
    c->out_end += sizeof(hdr) + len;
    if (type != XS_WATCH_EVENT)
        c->unsent_replies++;
    journal_unlogged(c->store->journal, c);
    conn_touch(c);
}

bool conn_event_room(const struct conn *c, size_t len)
{
    return !c->broken && pending(c) + XSW_HEADER_LEN + len <= CONN_EVENT_LIMIT;
}

/* May another request be taken now? */
static bool has_room(const struct conn *c)
{
    uint32_t most = 0;

    if (!who_is_privileged(&c->who))
        most = domain_limit(c->store, c->domain, QUOTA_OUTSTANDING);
    return pending(c) <= CONN_REQUEST_LIMIT && (!most || c->unsent_replies < most);
}

void conn_process(struct conn *c)
{
    char scratch[XSW_MESSAGE_MAX];
    struct xsw_frame frame;
    int used = 0;

    while (!c->broken && has_room(c) && !c->store->update[0]) {
        uint64_t start = c->in_start;

        used = stream_frame(c->stream, start, scratch, &frame);
        if (used <= 0)
            break;
        request_handle(c, &frame);
        if (c->in_start == start) /* else the request reset the connection */
            c->in_start += (uint32_t)used;
        journal_unlogged(c->store->journal, c);
    }
    if (used < 0) {
        c->error = XENSTORE_ERROR_PROTO;
        c->broken = true;
    }
    c->blocked = !c->broken && !has_room(c);
}

bool conn_input(struct conn *c)
{
    struct streams *streams = c->fd < 0 ? NULL : journal_streams(c->store->journal);
    struct iovec iov[2];
    int n;

    conn_touch(c);
    if (c->broken || c->blocked)
        return false;
    n = stream_in_free(c->stream, c->in_start, iov);
    streams_take_off(streams, FLIGHT_IN, c->id, c->stream->in_end, STREAM_IN_SIZE);
    n = c->transport->read(c, iov, n);
    if (n > 0)
        c->stream->in_end += (uint32_t)n;
    streams_landed(streams, FLIGHT_IN, n);
    if (n < 0)
        c->broken = true;
    if (n <= 0)
        return false;
    c->moved = true;
    conn_process(c);
    return true;
}

static void output(struct conn *c)
{
    struct streams *streams = c->fd < 0 ? NULL : journal_streams(c->store->journal);
    struct iovec iov[2];
    int n = stream_out_pending(c->stream, c->out_end, iov);

    if (c->store->update[0]) /* the successor sends it */
        return;
    if (n) {
        journal_commit(c->store->journal);
        streams_take_off(streams, FLIGHT_OUT, c->id, c->stream->out_start, STREAM_OUT_SIZE);
        n = c->transport->write(c, iov, n);
        if (n > 0)
            c->stream->out_start += (uint32_t)n;
        streams_landed(streams, FLIGHT_OUT, n);
    }
    if (n < 0) {
        c->broken = true;
        return;
    }
    c->moved |= n > 0;
    if (pending(c))
        return;
    c->unsent_replies = 0;
    if (c->fd >=
        0) { /* begin at the buffer's start again: warm memory, no wraps (replay.c knows) */
        c->out_end += -c->out_end & (STREAM_OUT_SIZE - 1);
        c->stream->out_start = c->out_end;
    }
}

/* Send; where that made room, go on with what waited for it. */
static void flush(struct conn *c)
{
    if (c->unread) {
        c->unread = false;
        conn_process(c);
        conn_input(c);
    }
    output(c);
    while (!c->broken && ((c->blocked && has_room(c)) || (c->overdue && !pending(c)))) {
        bool was_blocked = c->blocked;

        watch_catch_up(c);
        if (was_blocked) {
            conn_process(c);
            if (!c->blocked)
                conn_input(c);
        }
        output(c);
    }
    if (!c->broken)
        c->transport->done(c, pending(c) > 0);
    c->moved = false;
}

void conn_flush_all(struct store *s)
{
    struct conn *c;

    while ((c = s->dirty) && !s->update[0]) {
        s->dirty = c->next_dirty;
        c->dirty = false;
        if (!c->broken && c->transport)
            flush(c);
        if (!c->broken)
            continue;
        if (c->dirty) { /* touched again meanwhile: it is on top of the list */
            struct conn **p = &s->dirty;

            while (*p != c)
                p = &(*p)->next_dirty;
            *p = c->next_dirty;
        }
        conn_free(c);
    }
    journal_commit(s->journal);
}
