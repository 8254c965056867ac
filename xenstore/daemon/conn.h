/* SPDX-License-Identifier: MIT */
/*
 * conn.h: a client: its two byte streams, its transactions and watches.
 *
 * The transport (socket.c, ring.c; none in unit tests) moves bytes between the streams and the
 * world; requests are taken off `in` in place and replies appended to `out`. Backpressure: while
 * more than CONN_REQUEST_LIMIT bytes or the domain's quota of replies wait in `out`, no request
 * is taken and nothing is read; so `out` never overflows and a client that does not drain its
 * replies stops only itself.
 */
#ifndef XSD_CONN_H
#define XSD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perms.h"
#include "stream.h"

struct domain;
struct store;
struct txn;
struct watch;

#define CONN_EVENT_LIMIT   (48 * 1024) /* events are queued up to here */
#define CONN_REQUEST_LIMIT (32 * 1024) /* requests are taken up to here */

_Static_assert(CONN_EVENT_LIMIT + 2 * XSW_MESSAGE_MAX <= STREAM_OUT_SIZE, "a reply always fits");

struct conn;

/**
 * How bytes move: between the pieces of a stream and the client. read and write return how many,
 * 0 for "not now", or -1 for "the client is gone or does not keep to the protocol".
 */
struct transport {
    int (*read)(struct conn *c, const struct iovec *iov, int n);
    int (*write)(struct conn *c, const struct iovec *iov, int n);
    /** Bytes were taken or written since the last call: tell the peer if it must be told. */
    void (*done)(struct conn *c, bool want_write);
    /** Let go of everything; the connection is freed afterwards. */
    void (*close)(struct conn *c);
};

struct conn {
    struct conn *next, **link; /* in store->conns */
    struct conn *next_dirty;
    bool dirty;      /* in store->dirty: to be flushed before the daemon waits again */
    bool broken;     /* protocol violated or peer gone: to be closed */
    uint8_t error;   /* XENSTORE_ERROR_* that the peer is told when it is closed */
    bool moved;      /* bytes moved since transport->done() */
    bool blocked;    /* requests wait for `out` to drain */
    bool unread;     /* look for input in the next round, nobody will say that there is some */
    bool look_again; /* replay only: some of its watches were marked */
    struct store *store;
    const struct transport *transport; /* NULL: a test's */
    void *peer;                        /* the transport's */
    struct who who;
    struct domain *domain; /* NULL: a socket */
    int fd;                /* a socket's; -1: a ring's */
    uint32_t id;           /* in the journal, if kept */
    struct stream *stream;
    uint64_t in_start; /* requests before this position were handled */
    uint64_t out_end;  /* `out` is written up to here */
    bool kept;         /* the journal has its stream, watches and transactions */
    bool unlogged;     /* in the journal's list of those whose positions changed */
    struct conn *next_unlogged;
    uint32_t unsent_replies; /* since `out` was last empty */
    struct watch *watches;
    uint32_t overdue; /* watches that are marked */
    struct txn *txns;
    uint32_t txn_count;
    uint32_t next_txn;
};

/** @return NULL: there are too many. */
struct conn *conn_new(struct store *s, const struct transport *t, void *peer, struct domain *d);

/** Close: drop watches and transactions, close the transport, free. */
void conn_free(struct conn *c);

/** Drop watches, transactions and all buffered bytes (RESET, reconnect); the transport stays. */
void conn_reset(struct conn *c);

/** A socket's descriptor; recorded, so that it is found again when this process is dead. */
void conn_set_fd(struct conn *c, int fd);

/** Forget unsent bytes and an unfinished request: both streams continue after them. */
void conn_skip_streams(struct conn *c);

struct txn *conn_find_txn(struct conn *c, uint32_t id);
void conn_add_txn(struct conn *c, struct txn *t);
void conn_end_txn(struct conn *c, struct txn *t);
void conn_drop_transactions(struct conn *c);

/** Append a message to `out`. Replies fit by construction; for events ask conn_event_room(). */
void conn_send(struct conn *c, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *data,
               size_t len);

/** May an event of that payload length be queued now? */
bool conn_event_room(const struct conn *c, size_t len);

/** Mark for conn_flush_all(). */
void conn_touch(struct conn *c);

/** Read once and handle what came; called when there may be something. @return whether it was. */
bool conn_input(struct conn *c);

/** Send what waits, handle requests that waited for room, close what is broken. */
void conn_flush_all(struct store *s);

/** Handle the requests that are complete in `in`. */
void conn_process(struct conn *c);

#endif
