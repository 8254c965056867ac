/* SPDX-License-Identifier: MIT */
/* harness.c: see harness.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "xswire/names.h"

static int peer_read(struct conn *c, const struct iovec *iov, int n)
{
    struct client *cl = c->peer;
    size_t done = 0;

    for (int i = 0; i < n; i++) {
        size_t part = cl->to_len < iov[i].iov_len ? cl->to_len : iov[i].iov_len;

        memcpy(iov[i].iov_base, cl->to, part);
        memmove(cl->to, cl->to + part, cl->to_len - part);
        cl->to_len -= part;
        done += part;
    }
    return (int)done;
}

static int peer_write(struct conn *c, const struct iovec *iov, int n)
{
    struct client *cl = c->peer;
    size_t done = 0;

    for (int i = 0; cl->drain && i < n; i++) {
        if (cl->from_len + iov[i].iov_len > cl->from_cap) {
            cl->from_cap = 2 * cl->from_cap + iov[i].iov_len;
            cl->from = realloc(cl->from, cl->from_cap);
        }
        memcpy(cl->from + cl->from_len, iov[i].iov_base, iov[i].iov_len);
        cl->from_len += iov[i].iov_len;
        done += iov[i].iov_len;
    }
    return (int)done;
}

static void peer_done(struct conn *c, bool want_write)
{
}

static void peer_close(struct conn *c)
{
    ((struct client *)c->peer)->closed = true;
}

static const struct transport peer_transport = {peer_read, peer_write, peer_done, peer_close};

void world_begin(struct store *s)
{
    store_init(s);
}

void world_end(struct store *s)
{
    while (s->conns)
        conn_free(s->conns);
    store_free(s);
}

struct client *client_new(struct store *s, uint16_t domid)
{
    struct client *c = calloc(1, sizeof(*c));
    struct domain *d = domid ? domain_get(s, domid) : NULL;

    c->drain = true;
    c->conn = conn_new(s, &peer_transport, c, d);
    if (d) {
        d->introduced = true;
        d->conn = c->conn;
    }
    return c;
}

struct client *client_adopt(struct conn *conn)
{
    struct client *c = calloc(1, sizeof(*c));

    c->drain = true;
    c->conn = conn;
    conn->transport = &peer_transport;
    conn->peer = c;
    return c;
}

void client_free(struct client *c)
{
    if (!c->closed)
        conn_free(c->conn);
    free(c->from);
    free(c);
}

void client_send(struct client *c, const void *bytes, size_t len)
{
    struct store *s = c->conn->store;
    const char *p = bytes;

    while (len) {
        size_t part = sizeof(c->to) - c->to_len;

        if (part > len)
            part = len;
        if (!part || c->closed)
            return; /* the daemon does not read now: the rest is lost, as a full pipe refuses it */
        memcpy(c->to + c->to_len, p, part);
        c->to_len += part;
        p += part;
        len -= part;
        while (!c->closed && c->to_len) {
            size_t before = c->to_len;

            conn_input(c->conn);
            conn_flush_all(s);
            if (c->to_len == before)
                break;
        }
    }
}

bool client_take(struct client *c, struct message *m)
{
    struct xsw_frame frame;
    int used = xsw_frame_next(c->from, c->from_len, &frame);

    if (used <= 0)
        return false;
    m->hdr = frame.hdr;
    memcpy(m->body, frame.body, frame.hdr.len);
    m->body[frame.hdr.len] = 0;
    memmove(c->from, c->from + used, c->from_len - (size_t)used);
    c->from_len -= (size_t)used;
    return true;
}

/* Take the first message of a kind out of the middle of what was received. */
static bool take_kind(struct client *c, bool events, struct message *m)
{
    struct xsw_frame frame;
    size_t at = 0;
    int used;

    while ((used = xsw_frame_next(c->from + at, c->from_len - at, &frame)) > 0) {
        if ((frame.hdr.type == XS_WATCH_EVENT) == events) {
            m->hdr = frame.hdr;
            memcpy(m->body, frame.body, frame.hdr.len);
            m->body[frame.hdr.len] = 0;
            memmove(c->from + at, c->from + at + used, c->from_len - at - (size_t)used);
            c->from_len -= (size_t)used;
            return true;
        }
        at += (size_t)used;
    }
    return false;
}

int ask(struct client *c, uint32_t type, uint32_t tx, struct message *reply, const char *format,
        ...)
{
    static uint32_t req_id;
    struct message unwanted;
    char msg[XSW_MESSAGE_MAX + 1];
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(msg + XSW_HEADER_LEN, sizeof(msg) - XSW_HEADER_LEN, format, ap);
    va_end(ap);
    for (int i = 0; i < len; i++)
        if (msg[XSW_HEADER_LEN + (size_t)i] == '|')
            msg[XSW_HEADER_LEN + (size_t)i] = 0;
    xsw_header_put(msg, type, ++req_id, tx, (uint32_t)len);
    client_send(c, msg, XSW_HEADER_LEN + (size_t)len);
    if (!reply)
        reply = &unwanted;
    if (!take_kind(c, false, reply) || reply->hdr.req_id != req_id)
        return -1;
    if (reply->hdr.type == XS_ERROR)
        return xsw_error_number(reply->body, strlen(reply->body));
    return reply->hdr.type == type ? 0 : -1;
}

bool reads(struct client *c, uint32_t tx, const char *path, const char *value)
{
    struct message m;

    return ask(c, XS_READ, tx, &m, "%s|", path) == 0 && !strcmp(m.body, value);
}

uint32_t txn_start(struct client *c)
{
    struct message m;

    return ask(c, XS_TRANSACTION_START, 0, &m, "|") ? 0 : (uint32_t)strtoul(m.body, NULL, 10);
}

const char *event(struct client *c)
{
    static struct message m;

    if (!take_kind(c, true, &m))
        return NULL;
    m.body[strlen(m.body)] = ' ';
    return m.body;
}

void forget_events(struct client *c)
{
    while (event(c))
        ;
}
