/* SPDX-License-Identifier: MIT */
/* The device main loop: see loop.h. */
#include "loop.h"

#include <errno.h>
#include <unistd.h>

#define BATCH 8

int loop_init(struct loop *l)
{
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return l->epoll < 0 ? -errno : 0;
}

void loop_close(struct loop *l)
{
    if (l->epoll >= 0)
        close(l->epoll);
    l->epoll = -1;
}

int loop_add(struct loop *l, struct source *s, int fd, uint32_t events,
             void (*ready)(void *ctx, uint32_t events), void *ctx)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};

    *s = (struct source){.fd = fd, .ready = ready, .ctx = ctx};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
        return 0;
    s->fd = -1;
    return -errno;
}

void loop_events(struct loop *l, struct source *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};

    if (s->fd >= 0)
        epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &ev);
}

void loop_del(struct loop *l, struct source *s)
{
    if (s->fd < 0)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->fd = -1;
}

void loop_stop(struct loop *l, int status)
{
    l->stopping = true;
    l->status = status;
}

int loop_once(struct loop *l, int timeout_ms)
{
    struct epoll_event ev[BATCH];
    bool again = l->idle && l->idle(l->idle_ctx);
    int n;

    if (l->stopping)
        return 0;
    n = epoll_wait(l->epoll, ev, BATCH, again ? 0 : timeout_ms);
    if (n < 0)
        return errno == EINTR ? again : -errno;
    for (int i = 0; i < n; i++) {
        struct source *s = ev[i].data.ptr;

        if (s->fd >= 0) /* an earlier event of this batch may have removed it */
            s->ready(s->ctx, ev[i].events);
    }
    return n + again;
}

int loop_run(struct loop *l)
{
    while (!l->stopping)
        if (loop_once(l, -1) < 0)
            return 1;
    return l->status;
}
