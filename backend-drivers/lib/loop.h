/* SPDX-License-Identifier: MIT */
/*
 * The device main loop: one epoll set, one thread.
 *
 * Interface: sources are embedded in their owners; loop_add/loop_events/loop_del change the set;
 * loop_run dispatches until loop_stop. Invariant: a source that was removed is not called again,
 * even when its event had already been fetched, so its owner may be reused at once; it may be freed
 * after the current dispatch round.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct source {
    int fd; /* -1 while not in the set */
    void (*ready)(void *ctx, uint32_t events);
    void *ctx;
};

struct loop {
    int epoll;
    bool stopping;
    int status; /* what loop_run returns */
    /* Called before every wait, when all fetched events are handled; true: do not wait. May be
     * NULL. */
    bool (*idle)(void *ctx);
    void *idle_ctx;
};

int loop_init(struct loop *l);
void loop_close(struct loop *l);
int loop_add(struct loop *l, struct source *s, int fd, uint32_t events,
             void (*ready)(void *ctx, uint32_t events), void *ctx);
void loop_events(struct loop *l, struct source *s, uint32_t events);
void loop_del(struct loop *l, struct source *s);
void loop_stop(struct loop *l, int status);

/*
 * One wait of at most `timeout_ms` (-1: for ever) and its dispatch; returns the number of events,
 * one more when idle() left work, or a negative errno.
 */
int loop_once(struct loop *l, int timeout_ms);
/* Runs until loop_stop; returns the status given there, or 1 when epoll itself fails. */
int loop_run(struct loop *l);
