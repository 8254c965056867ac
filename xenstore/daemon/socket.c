/* SPDX-License-Identifier: MIT */
/* socket.c: the listening socket and the transport of its clients; see socket.h, conn.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "alloc.h"
#include "conn.h"
#include "loop.h"
#include "socket.h"
#include "store.h"

/* The peer of a socket connection. */
struct client {
    struct source source;
    struct loop *loop;
    struct conn *conn;
};

struct listener {
    struct source source;
    struct loop *loop;
    struct store *store;
};

static int result(ssize_t n)
{
    if (n > 0)
        return (int)n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int client_read(struct conn *c, const struct iovec *iov, int n)
{
    struct client *cl = c->peer;
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};

    return n ? result(recvmsg(cl->source.fd, &msg, MSG_DONTWAIT)) : 0;
}

static int client_write(struct conn *c, const struct iovec *iov, int n)
{
    struct client *cl = c->peer;
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};

    return result(sendmsg(cl->source.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void client_done(struct conn *c, bool want_write)
{
    struct client *cl = c->peer;

    loop_want(cl->loop, &cl->source, (c->blocked ? 0 : EPOLLIN) | (want_write ? EPOLLOUT : 0));
}

static void client_close(struct conn *c)
{
    struct client *cl = c->peer;

    loop_remove(cl->loop, &cl->source);
    close(cl->source.fd);
    free(cl);
}

static const struct transport client_transport = {
    .read = client_read,
    .write = client_write,
    .done = client_done,
    .close = client_close,
};

static void client_ready(struct source *src, uint32_t events)
{
    struct client *cl = (struct client *)src;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        conn_input(cl->conn);
    if ((events & (EPOLLHUP | EPOLLERR)) && cl->conn->blocked)
        cl->conn->broken = true; /* it left without reading what waits for it */
    conn_touch(cl->conn);
}

static void listener_ready(struct source *src, uint32_t events)
{
    struct listener *ls = (struct listener *)src;
    int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);
    struct client *cl;

    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            fprintf(stderr, "xenstored: cannot accept a client: %s\n", strerror(errno));
        return;
    }
    cl = xzalloc(sizeof(*cl));
    cl->loop = ls->loop;
    cl->source.fd = fd;
    cl->source.ready = client_ready;
    cl->conn = conn_new(ls->store, &client_transport, cl, NULL);
    if (loop_add(ls->loop, &cl->source, EPOLLIN)) {
        cl->conn->broken = true;
        conn_touch(cl->conn);
    }
}

/* Bind under a passing name; the socket gets its real one when it already listens. */
static int open_listener(const char *dir, int *fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char path[sizeof(addr.sun_path)], ro[sizeof(addr.sun_path)];

    if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket.new", dir) >=
        (int)sizeof(addr.sun_path))
        return ENAMETOOLONG;
    snprintf(path, sizeof(path), "%s/socket", dir);
    snprintf(ro, sizeof(ro), "%s/socket_ro", dir);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return errno;
    unlink(addr.sun_path);
    if (bind(*fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(addr.sun_path, 0600) ||
        listen(*fd, SOMAXCONN) || rename(addr.sun_path, path)) {
        int err = errno;

        close(*fd);
        return err;
    }
    unlink(ro);
    if (symlink("socket", ro))
        fprintf(stderr, "xenstored: no %s for old tools: %s\n", ro, strerror(errno));
    return 0;
}

int socket_listen(struct store *s, struct loop *l, const char *dir)
{
    struct listener *ls = xzalloc(sizeof(*ls));
    int rc;

    ls->store = s;
    ls->loop = l;
    ls->source.ready = listener_ready;
    if (mkdir(dir, 0755) && errno != EEXIST)
        rc = errno;
    else
        rc = open_listener(dir, &ls->source.fd);
    if (!rc)
        rc = loop_add(l, &ls->source, EPOLLIN);
    if (rc) {
        fprintf(stderr, "xenstored: cannot listen on %s/socket: %s\n", dir, strerror(rc));
        free(ls);
    }
    return rc;
}
