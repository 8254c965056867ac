/* SPDX-License-Identifier: MIT */
/*
 * watch.h: watches, indexed by path, and the events they cause.
 *
 * The index is a tree of path components of its own (struct wnode), so an event costs one step
 * per component of its path, and a removed subtree looks only at watches below it.
 *
 * Events are queued on the watcher's connection. One that does not drain them gets no more than
 * CONN_EVENT_LIMIT bytes queued; after that a watch is only marked, and fires once on its own
 * path when there is room: the watcher looks again and has missed nothing.
 */
#ifndef XSD_WATCH_H
#define XSD_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perms.h"
#include "store.h"

struct conn;
struct node;

#define WATCH_NO_DEPTH (-1)

struct watch {
    struct watch *next_here; /* on the same path */
    struct watch *next_own;  /* of the same connection */
    struct conn *conn;
    struct wnode *at;
    int32_t depth;     /* levels below the path that count, WATCH_NO_DEPTH: all */
    uint32_t home_len; /* prefix to cut off for a watch registered by relative path, 0: none */
    uint64_t last;     /* where its last event lies in the connection's stream + 1, 0: none */
    bool overdue;      /* an event did not fit */
    uint32_t path_len;
    char *token;
    char path[]; /* absolute */
};

/**
 * Register. Quotas are the caller's business.
 * @return EEXIST: the connection has the same path and token.
 */
int watch_add(struct store *s, struct conn *conn, const char *path, size_t len, size_t home_len,
              const char *token, int32_t depth);

/** The first event, on the watch's own path, that every new watch fires. */
void watch_first_event(struct store *s, struct conn *conn);

/** @return ENOENT: no such watch. */
int watch_remove(struct store *s, struct conn *conn, const char *path, size_t len,
                 const char *token);

void watch_remove_all(struct store *s, struct conn *conn);

/** Let marked watches fire that now have room. */
void watch_catch_up(struct conn *conn);

/**
 * Something at path changed. Who may read by any of the three lists is told.
 * @param old,now,parent  permissions before and after the change and of the parent; may be NULL
 * @param exact           only watches on this very path fire
 */
void watch_fire(struct store *s, const char *path, size_t len, const struct perms *old,
                const struct perms *now, const struct perms *parent, bool exact);

/** The subtree `gone` at path was removed: watches on nodes below path fire, too. */
void watch_fire_removed(struct store *s, const char *path, size_t len, const struct node *gone,
                        const struct perms *parent);

/** @introduceDomain or @releaseDomain. */
void watch_fire_special(struct store *s, enum special which, uint16_t domid);

/** The special event that a path names ("@releaseDomain", or with "/<domid>"), or -1. */
int watch_special(const char *path, size_t len);

#endif
