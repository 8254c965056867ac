/* SPDX-License-Identifier: MIT */
/*
 * node.h: nodes of the tree: immutable once shared.
 *
 * A node is reached through references. While a node, and everything above it, has one reference
 * only, nobody else can see it and it may be edited in place; otherwise it is copied first
 * (node_own(), from the root downwards). So a snapshot is one reference to the root, and two
 * equal pointers mean two equal subtrees.
 *
 * `gen` changes with the value or the permissions, `kids_gen` with the set of children; every
 * value of them is used once in a daemon's life, so equal means unchanged.
 */
#ifndef XSD_NODE_H
#define XSD_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "perms.h"

/** The octets stored at a node; immutable, shared between copies. NULL stands for none. */
struct value {
    uint32_t refs;
    uint32_t len;
    char data[];
};

struct kids;

struct node {
    uint32_t refs;
    uint16_t name_len;
    uint64_t gen;
    uint64_t kids_gen;
    struct perms *perms;
    struct value *value;
    struct kids *kids; /* NULL: no children */
    char name[];       /* last component, NUL-terminated; "" for the root */
};

struct value *value_new(const char *data, size_t len);
struct value *value_ref(struct value *value);
void value_unref(struct value *value);

/** A node without value and children; takes the caller's reference to perms. */
struct node *node_new(const char *name, size_t name_len, struct perms *perms, uint64_t gen);
struct node *node_ref(struct node *node);
void node_unref(struct node *node);

/** Replace *slot by a copy if others share it. Everything above must be owned already. */
struct node *node_own(struct node **slot);

/** What a node weighs in its owner's memory quota. */
static inline int64_t node_weight(const struct node *node)
{
    return (int64_t)sizeof(*node) + node->name_len + (node->value ? node->value->len : 0);
}

#endif
