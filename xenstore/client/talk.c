/* SPDX-License-Identifier: MIT */
/*
 * talk.c: requests and their answers, and the reader role (see handle.h).
 *
 * A request whose connection broke is sent again on the next one: every request of the protocol
 * may be repeated, except inside a transaction, which died with the daemon. Such a transaction
 * cannot commit any more, so its end reports EAGAIN (which callers must expect and answer by
 * starting over); until then its reads are answered from the live store and its writes are
 * dropped, because what they do is thrown away in any case.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handle.h"
#include "xswire/names.h"

struct iovec mstore_iov_string(const char *s)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)s, .iov_len = strlen(s) + 1};
}

static void take_reply(struct xs_handle *h, const struct xsw_frame *frame)
{
    char *body;

    if (h->have_reply || frame->hdr.req_id != h->awaited)
        return; /* an answer from before a reconnection, or nobody's */
    body = malloc(frame->hdr.len + 1);
    if (body) {
        memcpy(body, frame->body, frame->hdr.len);
        body[frame->hdr.len] = 0;
    }
    h->reply = frame->hdr;
    h->reply_body = body;
    h->have_reply = true;
}

/* Sort the whole messages in h->in; false: the peer does not speak the protocol. */
static bool dispatch(struct xs_handle *h)
{
    struct xsw_frame frame;
    size_t done = 0;
    int used;

    while ((used = xsw_frame_next(h->in + done, h->in_len - done, &frame)) > 0) {
        if (frame.hdr.type == XS_WATCH_EVENT)
            mstore_event_add(h, frame.body, frame.hdr.len);
        else
            take_reply(h, &frame);
        done += (size_t)used;
    }
    memmove(h->in, h->in + done, h->in_len - done);
    h->in_len -= done;
    return used == 0;
}

/* A socket's own calls cost the kernel less than a file's. */
static ssize_t receive(struct xs_handle *h, int fd)
{
    char *at = h->in + h->in_len;
    size_t room = sizeof(h->in) - h->in_len;

    return h->is_socket ? recv(fd, at, room, 0) : read(fd, at, room);
}

int mstore_pump(struct xs_handle *h, bool block)
{
    ssize_t n = -1;
    int fd = h->fd;

    if (fd < 0)
        return -ENOTCONN;
    if (h->reading) {
        if (!block)
            return -EAGAIN;
        pthread_cond_wait(&h->changed, &h->lock);
        return 0;
    }
    h->reading = true;
    pthread_mutex_unlock(&h->lock);
    errno = EAGAIN;
    /* Not in read(): there Linux also wakes us when the daemon takes our request out of the socket,
     * to say that there is room for more. */
    if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, block ? -1 : 0) > 0)
        n = receive(h, fd);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        n = -2;
    pthread_mutex_lock(&h->lock);
    h->reading = false;
    pthread_cond_broadcast(&h->changed);
    if (n == -2)
        return block ? 0 : -EAGAIN;
    if (n > 0) {
        h->in_len += (size_t)n;
        if (dispatch(h))
            return 0;
    }
    if (h->fd == fd)
        mstore_disconnect(h);
    return -ENOTCONN;
}

static bool send_all(struct xs_handle *h, int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = h->is_socket ? send(fd, data, len, MSG_NOSIGNAL) : write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

int mstore_exchange(struct xs_handle *h, uint32_t type, uint32_t tx_id, const struct iovec *iov,
                    unsigned int count)
{
    char msg[XSW_MESSAGE_MAX];
    size_t len = XSW_HEADER_LEN;
    int fd, rc = 0;

    for (unsigned int i = 0; i < count; i++) {
        if (iov[i].iov_len > sizeof(msg) - len)
            return -E2BIG;
        if (iov[i].iov_len)
            memcpy(msg + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    xsw_header_put(msg, type, ++h->last_req_id, tx_id, (uint32_t)(len - XSW_HEADER_LEN));

    pthread_mutex_lock(&h->lock);
    h->awaited = h->last_req_id;
    h->have_reply = false;
    free(h->reply_body);
    h->reply_body = NULL;
    fd = h->fd;
    pthread_mutex_unlock(&h->lock);
    if (fd < 0)
        return -ENOTCONN;
    if (!send_all(h, fd, msg, len))
        rc = -ENOTCONN;

    pthread_mutex_lock(&h->lock);
    while (rc && h->fd == fd) {
        if (!h->reading) {
            mstore_disconnect(h);
            break;
        }
        shutdown(fd, SHUT_RDWR); /* the reader is in read(fd): it must be the one to close it */
        pthread_cond_wait(&h->changed, &h->lock);
    }
    while (!rc && !h->have_reply)
        rc = mstore_pump(h, true);
    pthread_mutex_unlock(&h->lock);
    return rc;
}

static struct open_tx **tx_find(struct xs_handle *h, xs_transaction_t id)
{
    struct open_tx **t = &h->transactions;

    while (*t && (*t)->id != id)
        t = &(*t)->next;
    return t;
}

/* Remember a started transaction. The caller sees the daemon's number, unless it is in use. */
static void tx_opened(struct xs_handle *h)
{
    struct open_tx *t = malloc(sizeof(*t));
    char text[12];

    if (!t || !h->reply_body) {
        free(t);
        free(h->reply_body);
        h->reply_body = NULL; /* reported as ENOMEM; the daemon's transaction ends with us */
        return;
    }
    t->wire_id = t->id = (uint32_t)strtoul(h->reply_body, NULL, 10);
    t->epoch = h->epoch;
    while (!t->id || *tx_find(h, t->id))
        t->id++;
    t->next = h->transactions;
    h->transactions = t;
    if (t->id != t->wire_id) {
        free(h->reply_body);
        h->reply.len = (uint32_t)snprintf(text, sizeof(text), "%u", t->id) + 1;
        h->reply_body = strdup(text);
    }
}

static void tx_ended(struct xs_handle *h, xs_transaction_t id)
{
    struct open_tx **t = tx_find(h, id), *gone = *t;

    if (gone) {
        *t = gone->next;
        free(gone);
    }
}

static void *answer(const char *text, unsigned int *len)
{
    if (len)
        *len = (unsigned int)strlen(text) + 1;
    return strdup(text);
}

/*
 * The number to send for transaction t. If its daemon is gone: 0 for a read (see the top), or
 * *lost with what the caller gets instead of sending anything (NULL with errno: an error).
 */
static uint32_t tx_wire_id(struct xs_handle *h, xs_transaction_t t, uint32_t type,
                           const struct iovec *iov, bool *lost)
{
    struct open_tx *tx = t ? *tx_find(h, t) : NULL;

    *lost = false;
    if (!tx || tx->epoch == h->epoch)
        return tx ? tx->wire_id : t;
    switch (type) {
    case XS_WRITE:
    case XS_MKDIR:
    case XS_RM:
    case XS_SET_PERMS:
        *lost = true;
        errno = 0;
        break;
    case XS_TRANSACTION_END:
        *lost = true;
        errno = *(const char *)iov[0].iov_base == 'T' ? EAGAIN : 0;
        break;
    }
    return 0;
}

/* What the received reply means to the caller. */
static void *finish(struct xs_handle *h, uint32_t type, unsigned int *len)
{
    char *body;

    if (type == XS_TRANSACTION_START && h->reply.type == type)
        tx_opened(h);
    body = h->reply_body;
    h->reply_body = NULL;
    if (!body) {
        errno = ENOMEM;
        return NULL;
    }
    if (h->reply.type != type) {
        errno = h->reply.type == XS_ERROR ? xsw_error_number(body, strlen(body)) : EBADF;
        free(body);
        return NULL;
    }
    if (len)
        *len = h->reply.len;
    return body;
}

void *mstore_talk(struct xs_handle *h, xs_transaction_t t, uint32_t type, const struct iovec *iov,
                  unsigned int count, unsigned int *len)
{
    int rc;
    void *result = NULL;

    pthread_mutex_lock(&h->request);
    do {
        bool lost;
        uint32_t wire_id;

        rc = mstore_connect(h, true);
        if (rc)
            break;
        wire_id = tx_wire_id(h, t, type, iov, &lost);
        if (lost) {
            result = errno ? NULL : answer("OK", len);
            rc = errno ? -errno : 0;
            break;
        }
        rc = mstore_exchange(h, type, wire_id, iov, count);
        if (!rc) {
            result = finish(h, type, len);
            rc = result ? 0 : -errno;
            break;
        }
    } while (rc == -ENOTCONN && h->is_socket);
    if (type == XS_TRANSACTION_END)
        tx_ended(h, t);
    pthread_mutex_unlock(&h->request);
    if (!result)
        errno = rc ? -rc : ENOMEM;
    else
        errno = 0; /* as libxenstore leaves it: callers there are that look at it after success */
    return result;
}

void *mstore_talk_string(struct xs_handle *h, xs_transaction_t t, uint32_t type, const char *string,
                         unsigned int *len)
{
    struct iovec iov = mstore_iov_string(string);

    return mstore_talk(h, t, type, &iov, 1, len);
}

bool mstore_acknowledged(void *reply)
{
    free(reply);
    return reply != NULL;
}
