/* SPDX-License-Identifier: MIT */
/*
 * The consoles of all guests: who has one, and one guest's ring, pseudo terminal and log.
 *
 * consoles_refresh() looks at the store and connects and drops; console_event() moves bytes. Output
 * goes to the log always, and to the terminal, where the newest of it waits for a reader (what one
 * is too slow for is lost there, never in the log). Input waits in the terminal while the guest's
 * ring is full. Invariant: the guest's page is mapped only while the store knows the domain, so
 * that a dead domain's memory is free at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "loop.h"
#include "console_ring.h"
#include "store.h"
#include "terminal.h"
#include "xen.h"

#define CONSOLE_BURST     64u
#define CONSOLE_WINDOW_MS 100

/* Maps a frame of a guest that granted none (its builder left grant 0 empty). */
struct console_foreign {
    void *(*map)(void *ctx, uint32_t domid, uint64_t frame);
    void (*unmap)(void *ctx, void *page);
    void *ctx;
};

struct console {
    struct console *next;
    struct consoles *all;
    uint32_t domid;
    uint32_t remote_port;
    uint64_t ring_ref;
    char vm[64];     /* which domain this id is now: ids are used again */
    int port;        /* -1: not connected */
    bool foreign;    /* how the page is mapped */
    bool seen;       /* by the refresh under way */
    unsigned events; /* in this window */
    bool masked;     /* until the next one */
    struct console_ring ring;
    struct terminal terminal;
    struct source terminal_source;
    bool output_waits; /* in the terminal: it is watched for room */
    struct log log;
};

struct consoles {
    struct store *store;
    struct xen *xen;
    struct loop *loop;
    struct console_foreign foreign;
    const char *log_dir;
    off_t log_limit;
    struct source window; /* a timer; armed while some console has had events */
    bool window_open;
    struct console *list;
    struct console
        *dead; /* freed at the next refresh: the loop's current batch may still name them */
};

/* Watches for domains and connects those that are there. 0 or a negative errno. */
int consoles_start(struct consoles *all);
/* Brings the list up to date with the store. */
void consoles_refresh(struct consoles *all);
/* An event on a local port, which is masked; unmasks it, now or when the window ends. */
void consoles_event(struct consoles *all, int port);
/* Lets go of every guest; their pages keep what is not read yet, for a successor. */
void consoles_stop(struct consoles *all);
