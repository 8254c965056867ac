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
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "alloc.h"
#include "conn.h"
#include "inherit.h"
#include "loop.h"
#include "say.h"
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
    int spare; /* given up when there is no other descriptor: to tell a client that it is one too
                  many */
};

static int result(ssize_t n)
{
    if (n > 0)
        return (int)n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

#define MOST_REQUESTS 512 /* are shorter, in bytes */

/* read() and write(), not their socket cousins: those the kernel counts (streams.h). */
static int client_read(struct conn *c, const struct iovec *iov, int n)
{
    /* One place costs the kernel less than two; what does not fit is there the next time. */
    if (n == 1 || (n && iov->iov_len >= MOST_REQUESTS))
        return result(read(c->fd, iov->iov_base, iov->iov_len));
    return n ? result(readv(c->fd, iov, n)) : 0;
}

static int client_write(struct conn *c, const struct iovec *iov, int n)
{
    return result(n == 1 ? write(c->fd, iov->iov_base, iov->iov_len) : writev(c->fd, iov, n));
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

static bool client_ready(struct source *src, uint32_t events)
{
    struct client *cl = (struct client *)src;
    bool came = false;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        came = conn_input(cl->conn);
    if ((events & (EPOLLHUP | EPOLLERR)) && cl->conn->blocked)
        cl->conn->broken = true; /* it left without reading what waits for it */
    conn_touch(cl->conn);
    return came;
}

/* Serve a client's socket, as a new connection or as one from the journal. */
static void attach(struct store *s, struct loop *l, int fd, struct conn *c)
{
    struct client *cl = xzalloc(sizeof(*cl));

    if (!c)
        c = conn_new(s, &client_transport, cl, NULL);
    if (!c) {
        say("cannot serve a client: there are too many");
        close(fd);
        free(cl);
        return;
    }
    *cl = (struct client){
        .source = {.fd = fd, .direct = true, .ready = client_ready}, .loop = l, .conn = c};
    c->transport = &client_transport;
    c->peer = cl;
    if (c->fd < 0)
        conn_set_fd(c, fd);
    if (loop_add(l, &cl->source, EPOLLIN))
        c->broken = true;
    c->unread = true; /* in the stream, perhaps */
    conn_touch(c);
}

/* Hang up on a client that there is no descriptor for. */
static void turn_away(struct listener *ls)
{
    int fd;

    say("cannot serve a client: there are too many open");
    close(ls->spare);
    fd = accept4(ls->source.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool listener_ready(struct source *src, uint32_t events)
{
    struct listener *ls = (struct listener *)src;
    int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        attach(ls->store, ls->loop, fd, NULL);
    else if (errno == EMFILE)
        turn_away(ls);
    else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        say("cannot accept a client: %s", strerror(errno));
    return fd >= 0;
}

static struct conn *conn_of_fd(struct store *s, int fd)
{
    struct conn *c = s->conns;

    while (c && (c->fd != fd || c->transport))
        c = c->next;
    return c;
}

/* The predecessor's clients, also one that it accepted with its last breath; then, whose socket is
 * not there any more. */
static void take_over(struct store *s, struct loop *l, const struct inherited *in)
{
    for (unsigned int i = 0; i < in->n; i++)
        attach(s, l, in->client[i], conn_of_fd(s, in->client[i]));
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (!c->domain && !c->transport)
            conn_free(c);
    }
}

int socket_address(struct sockaddr_un *addr, const char *dir)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    return snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/socket.new", dir) >=
                   (int)sizeof(addr->sun_path)
               ? ENAMETOOLONG
               : 0;
}

/* Bind under a passing name; the socket gets its real one when it already listens. */
static int open_listener(const char *dir, int *fd)
{
    struct sockaddr_un addr;
    char path[sizeof(addr.sun_path)], ro[sizeof(addr.sun_path)];

    if (socket_address(&addr, dir))
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
        say("no %s for old tools: %s", ro, strerror(errno));
    return 0;
}

int socket_serve(struct store *s, struct loop *l, const char *dir, struct inherited *in)
{
    struct listener *ls = xzalloc(sizeof(*ls));
    int rc = 0;

    ls->store = s;
    ls->loop = l;
    ls->source.ready = listener_ready;
    ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ls->source.fd = in->listener;
    if (in->listener < 0)
        rc = open_listener(dir, &ls->source.fd);
    if (!rc)
        rc = loop_add(l, &ls->source, EPOLLIN);
    if (rc) {
        say("cannot listen on %s/socket: %s", dir, strerror(rc));
        free(ls);
        return rc;
    }
    take_over(s, l, in);
    free(in->client);
    return 0;
}
