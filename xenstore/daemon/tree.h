/* SPDX-License-Identifier: MIT */
/*
 * tree.h: finding and editing nodes by path, below any root.
 *
 * The functions neither know permissions nor quotas; they may not fail once called with a legal
 * path. A root is `struct node *`: the store's, or a transaction's private one.
 */
#ifndef XSD_TREE_H
#define XSD_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node.h"

/** Where a path leads. */
struct place {
    struct node *node;    /* NULL: does not exist */
    struct node *above;   /* the deepest existing node strictly above; NULL only for "/" */
    size_t above_len;     /* length of above's path */
    unsigned int missing; /* components that do not exist */
    bool alone;           /* nobody else has the node or any above it: it is owned already */
};

struct place tree_find(struct node *root, const char *path, size_t len);

/** Just the node, or NULL. */
struct node *tree_lookup(struct node *root, const char *path, size_t len);

/** An existing node, owned (with everything above), so that it may be edited. */
struct node *tree_own(struct node **root, const char *path, size_t len);

/**
 * Create a node and what misses above it, all with (new references to) perms, without values.
 * @return the node, owned. The deepest existing ancestor's kids_gen becomes gen.
 */
struct node *tree_create(struct node **root, const char *path, size_t len, struct perms *perms,
                         uint64_t gen);

/** Take an existing subtree (not the root) out; its reference becomes the caller's. */
struct node *tree_take(struct node **root, const char *path, size_t len, uint64_t gen);

/** Called by tree_each() with a node's path (valid during the call). Return false to skip its
 * children. */
typedef bool tree_visit(void *arg, const char *path, size_t len, struct node *node);

/** Visit node and everything below it, parents first. */
void tree_each(struct node *node, const char *path, size_t len, tree_visit *visit, void *arg);

#endif
