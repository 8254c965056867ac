/* SPDX-License-Identifier: MIT */
/*
 * kids.h: the children of a node: a sorted set with structural sharing.
 *
 * Up to KIDS_LEAF children sit in one leaf; more of them in leaves below one inner array. Copying
 * on write therefore touches one leaf and the inner array, not every child: a node with 10,000
 * children costs 300 references, not 10,000. Order: shorter names first, then by bytes, so that
 * "2" comes before "10".
 *
 * The functions that change a set own it first (copy what is shared), like node_own().
 */
#ifndef XSD_KIDS_H
#define XSD_KIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct kids;

#define KIDS_LEAF 32

struct kids *kids_ref(struct kids *kids);
void kids_unref(struct kids *kids);

/** The child of that name, or NULL; no reference is taken. */
struct node *kids_find(const struct kids *kids, const char *name, size_t len);

/** The same; clears *alone where the set, or the child, is not the caller's alone. */
struct node *kids_find_alone(const struct kids *kids, const char *name, size_t len, bool *alone);

/** Where the child's pointer lies, for editing in an owned set; NULL: no such child. */
struct node **kids_own_slot(struct kids **kids, const char *name, size_t len);

/** Add a child whose name is not in the set; takes the caller's reference. */
void kids_add(struct kids **kids, struct node *child);

/** Take a child out; its reference becomes the caller's. NULL: no such child. */
struct node *kids_take(struct kids **kids, const char *name, size_t len);

/** Position of an iteration; start with zeros. */
struct kids_iter {
    unsigned int leaf, slot;
};

/** The next child in order, or NULL. The set must not change meanwhile. */
struct node *kids_next(const struct kids *kids, struct kids_iter *it);

#endif
