/* SPDX-License-Identifier: MIT */
/* ring.c: bytes between streams and a shared page; see ring.h for what is trusted (nothing). */
#include <string.h>

#include "conn.h"
#include "journal.h"
#include "ring.h"
#include "store.h"

/* Bit 2 of the feature word, "WATCH can take a third parameter", younger than the 4.17 header. */
#define FEATURE_WATCH_DEPTH 4
#define FEATURES \
    (XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR | FEATURE_WATCH_DEPTH)

#define READ_ONCE(x)     (*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

static struct ring *ring_of(const struct conn *c)
{
    return c->peer;
}

static uint32_t req_cons(const struct conn *c)
{
    return (uint32_t)c->stream->in_end + c->stream->req_delta;
}

static uint32_t rsp_prod(const struct conn *c)
{
    return (uint32_t)c->stream->out_start + c->stream->rsp_delta;
}

static int bad_index(struct conn *c)
{
    c->error = XENSTORE_ERROR_RINGIDX;
    return -1;
}

/* Copy `len` bytes at ring position `at` from or to the pieces of a stream. */
static void copy(char *ring, uint32_t at, const struct iovec *iov, uint32_t len, bool to_ring)
{
    while (len) {
        uint32_t offset = MASK_XENSTORE_IDX(at), part = XENSTORE_RING_SIZE - offset;
        uint32_t first = len < iov->iov_len ? len : (uint32_t)iov->iov_len;
        char *mem = iov->iov_base;

        for (uint32_t done = 0; done < first; done += part, at += part) {
            offset = MASK_XENSTORE_IDX(at);
            part = XENSTORE_RING_SIZE - offset;
            if (part > first - done)
                part = first - done;
            if (to_ring)
                memcpy(ring + offset, mem + done, part);
            else
                memcpy(mem + done, ring + offset, part);
        }
        len -= first;
        iov++;
    }
}

static uint32_t room(const struct iovec *iov, int n)
{
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    return (uint32_t)total;
}

static int ring_read(struct conn *c, const struct iovec *iov, int n)
{
    struct xenstore_domain_interface *page = ring_of(c)->page;
    uint32_t cons = req_cons(c), avail = READ_ONCE(page->req_prod) - cons, most = room(iov, n);

    if (avail > XENSTORE_RING_SIZE)
        return bad_index(c);
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the bytes were there before req_prod moved */
    if (avail > most)
        avail = most;
    copy(page->req, cons, iov, avail, false);
    return (int)avail;
}

static int ring_write(struct conn *c, const struct iovec *iov, int n)
{
    struct xenstore_domain_interface *page = ring_of(c)->page;
    uint32_t prod = rsp_prod(c), used = prod - READ_ONCE(page->rsp_cons), len = room(iov, n);

    if (used > XENSTORE_RING_SIZE)
        return bad_index(c);
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the domain had read them before rsp_cons moved */
    if (len > XENSTORE_RING_SIZE - used)
        len = XENSTORE_RING_SIZE - used;
    copy(page->rsp, prod, iov, len, true);
    return (int)len;
}

/* Publish where we are; the bytes were moved before. */
static void publish(struct conn *c)
{
    struct xenstore_domain_interface *page = ring_of(c)->page;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    WRITE_ONCE(page->req_cons, req_cons(c));
    WRITE_ONCE(page->rsp_prod, rsp_prod(c));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring_of(c)->notify(ring_of(c));
}

/*
 * Linux notifies only when it finds the ring empty (requests) or full (replies) by the indices that
 * we have published. What it did while we worked on the old ones came without an event: look again
 * now that the new ones are there.
 */
static void ring_done(struct conn *c, bool want_write)
{
    struct xenstore_domain_interface *page = ring_of(c)->page;

    if (!c->moved)
        return;
    publish(c);
    if (READ_ONCE(page->req_prod) != req_cons(c) && !c->blocked) {
        c->unread = true;
        conn_touch(c);
    }
    if (want_write && rsp_prod(c) - READ_ONCE(page->rsp_cons) < XENSTORE_RING_SIZE)
        conn_touch(c);
}

static void ring_close(struct conn *c)
{
    struct ring *r = ring_of(c);

    if (c->error)
        WRITE_ONCE(r->page->error, c->error);
    r->unmap(r);
}

static const struct transport ring_transport = {
    .read = ring_read,
    .write = ring_write,
    .done = ring_done,
    .close = ring_close,
};

static void set_deltas(struct conn *c, uint32_t cons, uint32_t prod)
{
    c->stream->req_delta = cons - (uint32_t)c->stream->in_end;
    c->stream->rsp_delta = prod - (uint32_t)c->stream->out_start;
}

void ring_empty(struct conn *c)
{
    struct xenstore_domain_interface *page = ring_of(c)->page;

    set_deltas(c, 0, 0);
    WRITE_ONCE(page->req_cons, 0);
    WRITE_ONCE(page->req_prod, 0);
    WRITE_ONCE(page->rsp_cons, 0);
    WRITE_ONCE(page->rsp_prod, 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (READ_ONCE(page->connection) != XENSTORE_CONNECTED) {
        WRITE_ONCE(page->connection, XENSTORE_CONNECTED);
        ring_of(c)->notify(ring_of(c));
    }
}

/* The domain wants to begin anew. It waits until `connection` says so, hence that comes last and
 * may be done again by a successor. */
static void reconnect(struct conn *c)
{
    conn_reset(c);
    journal_commit(c->store->journal);
    ring_empty(c);
}

static bool wants_reconnect(const struct conn *c)
{
    return READ_ONCE(ring_of(c)->page->connection) == XENSTORE_RECONNECT;
}

void ring_attach(struct conn *c, struct ring *r, bool empty)
{
    c->transport = &ring_transport;
    c->peer = r;
    r->page->server_features = FEATURES;
    r->page->error = XENSTORE_ERROR_NONE;
    if (empty)
        ring_empty(c);
    else
        set_deltas(c, READ_ONCE(r->page->req_cons), READ_ONCE(r->page->rsp_prod));
    r->notify(r);     /* it may have waited for us */
    c->unread = true; /* it may have sent something before */
    conn_touch(c);
}

void ring_take_over(struct conn *c, struct ring *r)
{
    c->transport = &ring_transport;
    c->peer = r;
    r->page->server_features = FEATURES;
    if (wants_reconnect(c))
        reconnect(c);
    else
        publish(c);
    c->unread = true; /* in the ring or in the stream */
    conn_touch(c);
}

void ring_event(struct conn *c)
{
    if (wants_reconnect(c))
        reconnect(c);
    else
        conn_input(c);
}
