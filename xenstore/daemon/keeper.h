/* SPDX-License-Identifier: MIT */
/*
 * keeper.h: the process that keeps the clients' sockets while a daemon is dead.
 *
 * The keeper is the daemon's parent and shares its table of descriptors with it (CLONE_FILES): what
 * the daemon accepts is the keeper's at the same instant, without a message between them. When the
 * daemon dies, the keeper starts the next one, which finds all sockets where they were. The keeper
 * reads nothing from any of them and knows no protocol; descriptors are bounded by RLIMIT_NOFILE.
 * If the keeper itself is killed, the daemon dies with it: clients then have to connect again.
 */
#ifndef XSD_KEEPER_H
#define XSD_KEEPER_H

#include <limits.h>
#include <stdbool.h>

#include "streams.h"

/** Shared by the keeper and its daemon. */
struct keeper {
    struct io_counts last; /* what the last daemon that served had read and written when it died */
    int io_fd;             /* the daemon's /proc/self/io, opened by it; -1: none */
    bool served;           /* the daemon became ready */
    unsigned int started;  /* how many daemons there were before this one */
    char next[PATH_MAX];   /* a live update's program */
};

#define KEEPER_UPDATE  64                          /* the daemon's exit status: go on as `next`, */
#define KEEPER_UPDATED "MULLION_XENSTORED_UPDATED" /* which finds this in its environment */

/**
 * Run serve() in a child, again and again, until SIGTERM or SIGINT, or until it returns not 0.
 * @param argv  for the program of a live update
 * @return the exit status
 */
int keep(int (*serve)(struct keeper *k), char **argv);

#endif
