/* SPDX-License-Identifier: MIT */
/*
 * harness.h: a store in this process and clients that speak the protocol to it.
 *
 * A client's transport is memory: what it sends is handled at once, what it is sent is kept until
 * it is taken. drain=false makes it a client that does not read.
 */
#ifndef XS_HARNESS_H
#define XS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "store.h"
#include "watch.h"

struct client {
    struct conn *conn;
    bool drain;
    bool closed; /* the daemon closed the connection */
    char to[3 * XSW_MESSAGE_MAX];
    size_t to_len;
    char *from;
    size_t from_len, from_cap;
};

/** An empty store; domids are taken as existing. */
void world_begin(struct store *s);
void world_end(struct store *s);

/** A client of that domain (0: dom0's socket); the domain counts as introduced. */
struct client *client_new(struct store *s, uint16_t domid);
void client_free(struct client *c);

/** A client for a connection that was read from a journal. */
struct client *client_adopt(struct conn *conn);

/** Hand bytes to the daemon as they are. */
void client_send(struct client *c, const void *bytes, size_t len);

struct message {
    struct xsd_sockmsg hdr;
    char body[XENSTORE_PAYLOAD_MAX + 1]; /* NUL added */
};

/** Take the next message that was sent to the client; false: none. */
bool client_take(struct client *c, struct message *m);

/**
 * One request and its reply. The payload is what printf makes of format, with '|' turned into
 * NUL. Watch events that came before the reply stay queued behind it.
 * @return 0 or the errno of an ERROR reply; -1: no reply.
 */
int ask(struct client *c, uint32_t type, uint32_t tx, struct message *reply, const char *format,
        ...) __attribute__((format(printf, 5, 6)));

/** ask() when the answer's payload does not matter. */
#define do_ask(c, type, tx, ...) ask(c, type, tx, NULL, __VA_ARGS__)

/** READ, compared with a text; false if it fails or differs. */
bool reads(struct client *c, uint32_t tx, const char *path, const char *value);

uint32_t txn_start(struct client *c);

/** The next queued watch event as "path token", or NULL. */
const char *event(struct client *c);
void forget_events(struct client *c);

#endif
