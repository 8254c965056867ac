/* SPDX-License-Identifier: MIT */
/*
 * handle.h: inside of libmullionstore: one connection to a xenstore daemon.
 *
 * There is no reader thread. Whoever has to wait (a caller for its reply, xs_read_watch() for an
 * event) becomes *the reader* for one read(): it takes what the descriptor has, sorts replies and
 * watch events to their places and wakes the others. `reading` says that somebody has the role.
 *
 * When a daemon's socket breaks, the next call connects again, registers every watch again and
 * repeats its request; see connect.c and talk.c for what that means to transactions.
 *
 * Locks: `request` (one request at a time; owner may connect) is taken before `lock` (all other
 * fields; never held over a system call that may block). `in`/`in_len` belong to the reader.
 */
#ifndef MULLIONSTORE_HANDLE_H
#define MULLIONSTORE_HANDLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <xenstore.h>

#include "xswire/frame.h"

/** A received event, as xs_read_watch() hands it out: path and token behind two pointers. */
struct event {
    struct event *next;
    char **strings; /* one malloc()ed block */
    unsigned int count;
};

/** A watch that is to be registered again after a reconnection. */
struct registration {
    struct registration *next;
    char *path;
    char *token;
};

/** A transaction that the caller has open: its number for the caller and for the daemon. */
struct open_tx {
    struct open_tx *next;
    xs_transaction_t id;
    uint32_t wire_id;
    uint64_t epoch; /* the connection that it was started on; an older one than now: it is lost */
};

struct xs_handle {
    /* fixed after xs_open() */
    char *path;
    bool is_socket;
    bool filter_unwatched;

    pthread_mutex_t request; /* recursive; guards one exchange and these: */
    uint32_t last_req_id;
    struct open_tx *transactions;
    struct registration *registrations;

    pthread_mutex_t lock; /* guards these: */
    pthread_cond_t changed;
    int fd;         /* -1: not connected */
    uint64_t epoch; /* counts connections */
    bool reading;
    bool have_reply;
    uint32_t awaited; /* req_id of the reply that is waited for */
    struct xsd_sockmsg reply;
    char *reply_body; /* malloc()ed, NUL added */
    struct event *events, **events_tail;
    int poll_fd;    /* epoll of fd, wake_fd and inotify_fd; -1 until xs_fileno() */
    int wake_fd;    /* eventfd, readable while events are queued */
    int inotify_fd; /* in poll_fd while not connected: readable when a socket may have come */

    char in[2 * XSW_MESSAGE_MAX];
    size_t in_len;
};

/* talk.c */

/**
 * Send one request and wait for its answer.
 * @return the reply's payload, malloc()ed, NUL added, length in *len (may be NULL); or NULL, errno.
 */
void *mstore_talk(struct xs_handle *h, xs_transaction_t t, uint32_t type, const struct iovec *iov,
                  unsigned int count, unsigned int *len);

/** The same for one string argument with its NUL. */
void *mstore_talk_string(struct xs_handle *h, xs_transaction_t t, uint32_t type, const char *string,
                         unsigned int *len);

/** Free a reply and say whether there was one. */
bool mstore_acknowledged(void *reply);

/** An iovec for a string with its NUL. */
struct iovec mstore_iov_string(const char *s);

/**
 * One exchange on the present connection; `request` held, `lock` not.
 * @return 0 with h->reply and h->reply_body set, or a negative errno (connection closed).
 */
int mstore_exchange(struct xs_handle *h, uint32_t type, uint32_t tx_id, const struct iovec *iov,
                    unsigned int count);

/**
 * Read once and sort what came; `lock` held (dropped meanwhile). Waits if block, or until another
 * thread that is reading has read. @return 0, -EAGAIN (nothing to read), or -ENOTCONN.
 */
int mstore_pump(struct xs_handle *h, bool block);

/* connect.c */

/** Make sure there is a connection; `request` held, `lock` not. Waits up to 30 s if block. */
int mstore_connect(struct xs_handle *h, bool block);

/** Close a connection found broken; `lock` held. */
void mstore_disconnect(struct xs_handle *h);

/** Put fd, wake_fd and inotify_fd into the epoll set where they belong; `lock` held. */
void mstore_poll_update(struct xs_handle *h);

/* watch.c */

/** Queue an event that the reader took; `lock` held. */
void mstore_event_add(struct xs_handle *h, const char *body, size_t len);

/** Register all watches again on a new connection; `request` held. Negative errno: it broke. */
int mstore_watches_restore(struct xs_handle *h);

#endif
