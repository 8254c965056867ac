/* SPDX-License-Identifier: MIT */
/*
 * connect.c: opening, closing and re-opening a handle.
 *
 * A daemon that died and came back is found through its socket's path: inotify tells when
 * something appears there, so nothing is polled while a daemon is away. /dev/xen/xenbus (the
 * kernel's own connection) never breaks. Locks: see handle.h.
 */
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "handle.h"

/* How long a request waits for a daemon to come back, and how often it looks without a hint. */
#define RECONNECT_MS 30000
#define RETRY_MS     100
/* How long xs_open() does, if there is a socket that nobody listens on. */
#define RESTART_MS   2000

static int connect_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, err;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    err = errno;
    close(fd);
    return -err;
}

static int open_path(const char *path, bool *is_socket)
{
    struct stat st;
    int fd;

    if (stat(path, &st))
        return -errno;
    *is_socket = S_ISSOCK(st.st_mode);
    if (*is_socket)
        return connect_socket(path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* An inotify descriptor on the directory of the socket, or -1 (then we look every RETRY_MS). */
static int watch_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd >= 0 && copy)
        inotify_add_watch(fd, dirname(copy), IN_CREATE | IN_MOVED_TO);
    free(copy);
    return fd;
}

static long now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void drain(int fd)
{
    char buf[512];

    while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
        ;
}

/* Open the path; if nobody serves it, wait up to `ms` for somebody who does. */
static int dial(const char *path, bool *is_socket, long ms)
{
    long deadline = now_ms() + ms;
    int fd = open_path(path, is_socket), notify = -1;

    while (fd < 0 && now_ms() < deadline) {
        struct pollfd pfd = {.events = POLLIN};

        if (notify < 0)
            notify = watch_directory(path);
        pfd.fd = notify;
        poll(&pfd, 1, RETRY_MS);
        drain(notify);
        fd = open_path(path, is_socket);
    }
    close_fd(&notify);
    return fd;
}

static struct xs_handle *handle_new(const char *path, unsigned long flags)
{
    pthread_mutexattr_t attr;
    struct xs_handle *h;
    bool is_socket;
    int fd = open_path(path, &is_socket);

    if (fd == -ECONNREFUSED) /* a daemon was there and died: its successor is on its way */
        fd = dial(path, &is_socket, RESTART_MS);
    if (fd < 0) {
        errno = -fd;
        return NULL;
    }
    h = calloc(1, sizeof(*h));
    if (!h || !(h->path = strdup(path))) {
        free(h);
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&h->request, &attr);
    pthread_mutexattr_destroy(&attr);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    h->is_socket = is_socket;
    h->filter_unwatched = flags & XS_UNWATCH_FILTER;
    h->fd = fd;
    h->epoch = 1;
    h->poll_fd = h->wake_fd = h->inotify_fd = -1;
    h->events_tail = &h->events;
    return h;
}

static const char *kernel_device(void)
{
    return access("/dev/xen/xenbus", F_OK) == 0 ? "/dev/xen/xenbus" : "/proc/xen/xenbus";
}

struct xs_handle *xs_open(unsigned long flags)
{
    const char *path = xs_daemon_socket();
    struct xs_handle *h = path ? handle_new(path, flags) : NULL;

    if (!h && !getenv("XENSTORED_PATH"))
        h = handle_new(kernel_device(), flags);
    return h;
}

struct xs_handle *xs_daemon_open(void)
{
    return xs_open(0);
}

struct xs_handle *xs_daemon_open_readonly(void)
{
    return xs_open(0);
}

struct xs_handle *xs_domain_open(void)
{
    return xs_open(0);
}

/* Nothing here may take a lock: after fork() another thread's locks stay taken for ever. */
void xs_daemon_destroy_postfork(struct xs_handle *h)
{
    close_fd(&h->fd);
    close_fd(&h->poll_fd);
    close_fd(&h->wake_fd);
    close_fd(&h->inotify_fd);
    for (struct event *e = h->events, *next; e; e = next) {
        next = e->next;
        free(e->strings);
        free(e);
    }
    for (struct registration *r = h->registrations, *next; r; r = next) {
        next = r->next;
        free(r->path);
        free(r->token);
        free(r);
    }
    for (struct open_tx *t = h->transactions, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    free(h->reply_body);
    free(h->path);
    free(h);
}

void xs_daemon_close(struct xs_handle *h)
{
    pthread_mutex_lock(&h->request); /* the last request, if any, is over */
    pthread_mutex_unlock(&h->request);
    pthread_mutex_destroy(&h->request);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->changed);
    xs_daemon_destroy_postfork(h);
}

void xs_close(struct xs_handle *h)
{
    if (h)
        xs_daemon_close(h);
}

void mstore_poll_update(struct xs_handle *h)
{
    struct epoll_event ev = {.events = EPOLLIN};

    if (h->poll_fd < 0)
        return;
    if (h->fd >= 0) {
        close_fd(&h->inotify_fd); /* leaves the set by itself */
        epoll_ctl(h->poll_fd, EPOLL_CTL_ADD, h->fd, &ev);
    } else if (h->inotify_fd < 0) {
        h->inotify_fd = watch_directory(h->path);
        if (h->inotify_fd >= 0)
            epoll_ctl(h->poll_fd, EPOLL_CTL_ADD, h->inotify_fd, &ev);
    }
}

void mstore_disconnect(struct xs_handle *h)
{
    close_fd(&h->fd);
    mstore_poll_update(h);
    pthread_cond_broadcast(&h->changed);
}

int mstore_connect(struct xs_handle *h, bool block)
{
    int fd;

    pthread_mutex_lock(&h->lock);
    while (h->fd < 0 && h->reading) /* its reader still looks at the old one */
        pthread_cond_wait(&h->changed, &h->lock);
    fd = h->fd;
    drain(h->inotify_fd);
    pthread_mutex_unlock(&h->lock);
    if (fd >= 0)
        return 0;

    do {
        fd = dial(h->path, &h->is_socket, block ? RECONNECT_MS : 0);
        if (fd < 0)
            return fd;
        pthread_mutex_lock(&h->lock);
        h->fd = fd;
        h->epoch++;
        h->in_len = 0;
        mstore_poll_update(h);
        pthread_cond_broadcast(&h->changed);
        pthread_mutex_unlock(&h->lock);
    } while (mstore_watches_restore(h) < 0);
    return 0;
}
