/* SPDX-License-Identifier: MIT */
/* epoll and a sorted list of timers; see loop.h. */
#include "loop.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static int epoll_fd = -1;
static struct timer *timers; /* by deadline */
static bool stopping;

int loop_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd < 0 ? -errno : 0;
}

int loop_watch(struct watcher *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w->fd, &e) < 0 ? -errno : 0;
}

void loop_change(struct watcher *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
}

void loop_unwatch(struct watcher *w)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
}

uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

void timer_stop(struct timer *t)
{
    for (struct timer **at = &timers; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    t->deadline = 0;
}

void timer_start(struct timer *t, uint64_t milliseconds)
{
    struct timer **at = &timers;

    timer_stop(t);
    t->deadline = now_ms() + milliseconds;
    while (*at && (*at)->deadline <= t->deadline)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
}

static int fire_due(void)
{
    for (;;) {
        struct timer *t = timers;
        uint64_t now = now_ms();

        if (!t)
            return -1;
        if (t->deadline > now)
            return t->deadline - now;
        timer_stop(t);
        t->fire(t);
    }
}

void loop_stop(void)
{
    stopping = true;
}

void loop_run(void (*idle)(void))
{
    struct epoll_event e;

    stopping = false;
    while (!stopping) {
        int wait = fire_due(), got;

        idle();
        /* idle may have armed a timer that is nearer */
        if (timers && (wait < 0 || timers->deadline < now_ms() + wait))
            wait = timers->deadline > now_ms() ? timers->deadline - now_ms() : 0;
        got = epoll_wait(epoll_fd, &e, 1, wait);
        if (got == 1) {
            struct watcher *w = e.data.ptr;

            w->ready(w, e.events);
        }
    }
}
