/* SPDX-License-Identifier: MIT */
/* loop.h: the daemon's one event loop: descriptors and what to call when they are ready. */
#ifndef XSD_LOOP_H
#define XSD_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct store;

/** Something with a descriptor; embedded by its user, who outlives its registration. */
struct source {
    int fd;
    uint32_t events; /* EPOLL* that are waited for */
    bool direct;     /* ready() may be called without an event, to see whether something came */
    bool (*ready)(struct source *src, uint32_t events); /* did something come? */
};

struct loop {
    int epoll;
    bool stop;
    struct source *last;   /* the only one of the last round, if it is `direct` */
    unsigned int luck;     /* tries that may still fail before they are given up */
    unsigned int resting;  /* rounds since then */
    unsigned int in_a_row; /* tries that did not fail */
};

/** @return 0 or an errno. */
int loop_init(struct loop *l);

/** Wait for events on src->fd. @return 0 or an errno. */
int loop_add(struct loop *l, struct source *src, uint32_t events);

/** Wait for other events; a system call only if they differ. */
void loop_want(struct loop *l, struct source *src, uint32_t events);

void loop_remove(struct loop *l, struct source *src);

/** Run until stop: sources, then every connection's output, then wait. */
void loop_run(struct loop *l, struct store *s);

#endif
