/* SPDX-License-Identifier: MIT */
/* loop.c: see loop.h. A round handles what was ready, then flushes; so one request costs one
 * epoll_wait(), one read and one write. Sources are freed in the flush only, when no event of
 * the round can point at them any more. */
#include <errno.h>
#include <sys/epoll.h>

#include "conn.h"
#include "loop.h"
#include "store.h"

#define ROUND 64

int loop_init(struct loop *l)
{
    l->stop = false;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll < 0 ? errno : 0;
}

int loop_add(struct loop *l, struct source *src, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = src};

    src->events = events;
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, src->fd, &ev) ? errno : 0;
}

void loop_want(struct loop *l, struct source *src, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = src};

    if (src->events == events)
        return;
    src->events = events;
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, src->fd, &ev);
}

void loop_remove(struct loop *l, struct source *src)
{
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, src->fd, NULL);
}

void loop_run(struct loop *l, struct store *s)
{
    struct epoll_event ev[ROUND];

    conn_flush_all(s);
    while (!l->stop && !s->update[0]) {
        int n = epoll_wait(l->epoll, ev, ROUND, -1);

        for (int i = 0; i < n; i++) {
            struct source *src = ev[i].data.ptr;

            src->ready(src, ev[i].events);
        }
        conn_flush_all(s);
    }
}
