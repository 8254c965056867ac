/* SPDX-License-Identifier: MIT */
/*
 * windex.h: the index of watches: a tree of path components with a list of watches at each.
 *
 * Invariant: a component without watches has children (empty branches are pruned), so the index
 * is never bigger than the watches' paths together. The root of either index is "" and may be NULL.
 */
#ifndef XSD_WINDEX_H
#define XSD_WINDEX_H

#include <stddef.h>
#include <stdint.h>

struct watch;

struct wnode {
    struct wnode *parent;
    struct watch *watches;
    struct wnode **kid; /* sorted: shorter names first, then by bytes */
    unsigned int n, cap;
    uint32_t name_len;
    char name[];
};

struct wnode *windex_find(struct wnode *root, const char *path, size_t len);
struct wnode *windex_child(const struct wnode *n, const char *name, size_t len);

/** Find or make the entry of a path. */
struct wnode *windex_make(struct wnode **root, const char *path, size_t len);

/** Remove an entry, and those above it, as far as they serve nothing any more. */
void windex_prune(struct wnode **root, struct wnode *n);

#endif
