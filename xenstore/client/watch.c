/* SPDX-License-Identifier: MIT */
/*
 * watch.c: watches of a handle: registering, the queue of events, the pollable descriptor.
 *
 * xs_fileno() is an epoll descriptor over the connection, an eventfd that is readable while
 * events wait in our queue (a request's read may have taken them off the connection), and, while
 * there is no connection, an inotify descriptor that tells when a daemon is back.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "handle.h"
#include "xswire/args.h"

static void wake_set(struct xs_handle *h, bool on)
{
    uint64_t one = 1;
    ssize_t done;

    if (h->wake_fd < 0)
        return;
    done = on ? write(h->wake_fd, &one, sizeof(one)) : read(h->wake_fd, &one, sizeof(one));
    (void)done; /* non-blocking; already set or already clear is as good */
}

void mstore_event_add(struct xs_handle *h, const char *body, size_t len)
{
    struct xsw_str fields[2];
    struct event *e;
    size_t head = 2 * sizeof(char *);
    char *text;

    if (xsw_split(body, len, fields, 2, NULL) < 2)
        return; /* not an event that a caller could understand */
    e = malloc(sizeof(*e));
    if (e)
        e->strings = malloc(head + len);
    if (!e || !e->strings) {
        free(e);
        return;
    }
    text = (char *)e->strings + head;
    memcpy(text, body, len);
    e->strings[XS_WATCH_PATH] = text;
    e->strings[XS_WATCH_TOKEN] = text + (fields[1].s - body);
    e->count = 2;
    e->next = NULL;
    if (!h->events)
        wake_set(h, true);
    *h->events_tail = e;
    h->events_tail = &e->next;
}

static char **event_take(struct xs_handle *h, unsigned int *num)
{
    struct event *e = h->events;
    char **strings = e->strings;

    h->events = e->next;
    if (!h->events) {
        h->events_tail = &h->events;
        wake_set(h, false);
    }
    if (num)
        *num = e->count;
    free(e);
    return strings;
}

int xs_fileno(struct xs_handle *h)
{
    struct epoll_event ev = {.events = EPOLLIN};

    pthread_mutex_lock(&h->lock);
    if (h->poll_fd < 0) {
        h->poll_fd = epoll_create1(EPOLL_CLOEXEC);
        h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (h->poll_fd >= 0 && h->wake_fd >= 0) {
            epoll_ctl(h->poll_fd, EPOLL_CTL_ADD, h->wake_fd, &ev);
            mstore_poll_update(h);
            if (h->events)
                wake_set(h, true);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return h->poll_fd;
}

/* Connect again from a watch reader, which holds no lock. */
static int reconnect(struct xs_handle *h, bool block)
{
    int rc;

    if (!h->is_socket)
        return -EBADF;
    if (block)
        pthread_mutex_lock(&h->request);
    else if (pthread_mutex_trylock(&h->request))
        return -EAGAIN; /* a request is under way and does it */
    rc = mstore_connect(h, block);
    pthread_mutex_unlock(&h->request);
    return rc && !block ? -EAGAIN : rc;
}

static char **next_event(struct xs_handle *h, unsigned int *num, bool block)
{
    char **strings = NULL;
    int before = errno, rc = 0;

    pthread_mutex_lock(&h->lock);
    while (!h->events && rc != -EAGAIN) {
        rc = mstore_pump(h, block);
        if (rc == -ENOTCONN) {
            pthread_mutex_unlock(&h->lock);
            rc = reconnect(h, block);
            pthread_mutex_lock(&h->lock);
            if (rc && rc != -EAGAIN)
                break;
        }
    }
    if (h->events)
        strings = event_take(h, num);
    pthread_mutex_unlock(&h->lock);
    errno = strings ? before : -rc;
    return strings;
}

char **xs_check_watch(struct xs_handle *h)
{
    return next_event(h, NULL, false);
}

char **xs_read_watch(struct xs_handle *h, unsigned int *num)
{
    return next_event(h, num, true);
}

static void registration_add(struct xs_handle *h, const char *path, const char *token)
{
    struct registration *r = calloc(1, sizeof(*r));

    if (!r)
        return;
    r->path = strdup(path);
    r->token = strdup(token);
    r->next = h->registrations;
    h->registrations = r;
}

static void registration_drop(struct xs_handle *h, const char *path, const char *token)
{
    for (struct registration **p = &h->registrations, *r; (r = *p); p = &r->next) {
        if (strcmp(r->path, path) || strcmp(r->token, token))
            continue;
        *p = r->next;
        free(r->path);
        free(r->token);
        free(r);
        return;
    }
}

static bool watch_request(struct xs_handle *h, uint32_t type, const char *path, const char *token)
{
    struct iovec iov[2] = {mstore_iov_string(path), mstore_iov_string(token)};

    return mstore_acknowledged(mstore_talk(h, XBT_NULL, type, iov, 2, NULL));
}

/*
 * The registration and its request are one step for whoever reconnects: `request` is held over
 * both (it is recursive), so a watch is never lost and never registered twice.
 */
bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    bool ok;

    pthread_mutex_lock(&h->request);
    ok = watch_request(h, XS_WATCH, path, token);
    if (ok && h->is_socket)
        registration_add(h, path, token);
    pthread_mutex_unlock(&h->request);
    return ok;
}

/* Drop queued events of a watch that is gone (XS_UNWATCH_FILTER). */
static void events_filter(struct xs_handle *h, const char *path, const char *token)
{
    struct event **p = &h->events, *e;

    while ((e = *p)) {
        if (!strcmp(e->strings[XS_WATCH_TOKEN], token) &&
            xs_path_is_subpath(path, e->strings[XS_WATCH_PATH])) {
            *p = e->next;
            free(e->strings);
            free(e);
        } else {
            p = &e->next;
        }
    }
    h->events_tail = p;
    if (!h->events)
        wake_set(h, false);
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    bool ok;
    int err;

    pthread_mutex_lock(&h->request);
    ok = watch_request(h, XS_UNWATCH, path, token);
    err = errno;
    registration_drop(h, path, token);
    pthread_mutex_unlock(&h->request);
    if (h->filter_unwatched) {
        pthread_mutex_lock(&h->lock);
        events_filter(h, path, token);
        pthread_mutex_unlock(&h->lock);
    }
    errno = err;
    return ok;
}

int mstore_watches_restore(struct xs_handle *h)
{
    for (struct registration *r = h->registrations; r; r = r->next) {
        struct iovec iov[2] = {mstore_iov_string(r->path), mstore_iov_string(r->token)};
        int rc = mstore_exchange(h, XS_WATCH, 0, iov, 2);

        if (rc)
            return rc;
    }
    return 0;
}
