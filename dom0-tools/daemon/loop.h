/* SPDX-License-Identifier: MIT */
/*
 * The one event loop: file descriptors by epoll, one-shot timers by deadline. Single-threaded, no
 * locks.
 *
 * A callback may free its own or any other watcher and timer: events are taken one at a time, so
 * nothing stale is ever delivered.
 */
#ifndef MULLION_DAEMON_LOOP_H
#define MULLION_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct watcher {
    int fd;
    void (*ready)(struct watcher *w, uint32_t events);
};

struct timer {
    void (*fire)(struct timer *t);
    uint64_t deadline; /* ms on the monotonic clock; 0: not armed */
    struct timer *next;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

int loop_open(void);
int loop_watch(struct watcher *w, uint32_t events);
void loop_change(struct watcher *w, uint32_t events);
void loop_unwatch(struct watcher *w);

void timer_start(struct timer *t, uint64_t milliseconds); /* restarts when armed */
void timer_stop(struct timer *t);

uint64_t now_ms(void);

/* Run until loop_stop(). `idle` is called before every wait. */
void loop_run(void (*idle)(void));
void loop_stop(void);

#endif
