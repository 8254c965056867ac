/* SPDX-License-Identifier: MIT */
/* loop.c: see loop.h. A round handles what was ready, then flushes; so one request costs one
 * epoll_wait() or sched_yield(), one read and one write. Sources are freed in the flush only, when
 * no event of the round can point at them any more. */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>

#include "conn.h"
#include "loop.h"
#include "store.h"

#define ROUND         64
#define LUCK          8
#define REST          64 /* rounds without a try, once luck has run out */
#define MOST_IN_A_ROW 16 /* rounds until others are looked at */

int loop_init(struct loop *l)
{
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC), .luck = LUCK};
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
    if (l->last == src)
        l->last = NULL;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, src->fd, NULL);
}

/*
 * Whoever just got an answer often has the next request at once. So let others run, on whose CPU we
 * are, and look at that one again, without a word to epoll: when it came meanwhile we were neither
 * put to sleep nor woken, not once for each of the write()s that a message is made of.
 * @return false: nothing came (or it was not worth trying), so wait.
 */
static bool try_last(struct loop *l)
{
    if (!l->last || (!l->luck && ++l->resting < REST))
        return false;
    if (!l->luck) {
        l->luck = 1;
        l->resting = 0;
    }
    sched_yield();
    if (!l->last->ready(l->last, EPOLLIN)) {
        l->luck--;
        l->in_a_row = 0;
        return false;
    }
    l->luck = LUCK;
    return true;
}

static void wait_for_events(struct loop *l, int timeout)
{
    struct epoll_event ev[ROUND];
    int n = epoll_wait(l->epoll, ev, ROUND, timeout);

    for (int i = 0; i < n; i++) {
        struct source *src = ev[i].data.ptr;

        src->ready(src, ev[i].events);
        l->last = n == 1 && src->direct ? src : NULL;
    }
}

void loop_run(struct loop *l, struct store *s)
{
    conn_flush_all(s);
    while (!l->stop && !s->update[0]) {
        if (!try_last(l))
            wait_for_events(l, -1);
        else if (++l->in_a_row % MOST_IN_A_ROW == 0)
            wait_for_events(l, 0);
        conn_flush_all(s);
    }
}
