/* SPDX-License-Identifier: MIT */
/*
 * txn.h: transactions: a kept root, a private one, and the paths that were touched.
 *
 * Starting takes one reference to the store's root, however big the tree is. Edits copy on
 * write into the private root. If the store still has the root that the transaction began with,
 * commit swaps the pointer. Else every path touched is looked at in the kept and in the present
 * tree; if none of what the transaction read or wrote differs, its edits are made again on the
 * present tree, else it fails with EAGAIN. A transaction that only read has seen one
 * consistent tree and always commits.
 */
#ifndef XSD_TXN_H
#define XSD_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "tree.h"

struct conn;
struct node;
struct store;

/* What a transaction depends on, or did, at a path. */
#define ACCESS_READ    0x01 /* existence, value and permissions */
#define ACCESS_KIDS    0x02 /* the set of children */
#define ACCESS_TREE    0x04 /* everything below */
#define ACCESS_WROTE   0x08 /* value or permissions set here: bring the final state over */
#define ACCESS_REMOVED 0x10 /* the subtree that was there is gone */
#define ACCESS_EVENT   0x20 /* watches fire at commit */

struct access {
    char *path;
    uint32_t len;
    uint32_t hash; /* once there is an index */
    uint32_t flags;
};

struct txn {
    struct txn *next; /* of the same connection */
    struct conn *conn;
    uint32_t id;
    uint64_t began;    /* the store's generation then */
    struct node *base; /* the tree as it was */
    struct node *root; /* the tree as the transaction sees it */
    struct account account;
    struct access *access;
    uint32_t n, cap;
    uint32_t last; /* position in access[] + 1 of the last path touched; 0: none */
    bool found;    /* `at`: where that path is in `root` */
    struct place at;
    uint32_t *index; /* NULL while there are few; hash table of positions in access[] + 1; size is a
                        power of two */
    uint32_t index_size;
    bool wrote;
    bool created; /* the quota of nodes is to be checked at the end */
    bool failed;  /* went over a quota: cannot commit */
};

struct txn *txn_new(struct conn *c, uint32_t id);
void txn_free(struct txn *t);

/**
 * Note an access. @param max  most paths that may be touched (0: no limit)
 * @return 0, or ENOSPC: over max, the transaction can only fail now.
 */
int txn_touch(struct txn *t, const char *path, size_t len, unsigned int flags, uint32_t max);

/** Where a path is in the transaction's tree: known if it was the last one touched and found. */
struct place txn_find(const struct txn *t, const char *path, size_t len);

/** The last path touched is there. */
void txn_found(struct txn *t, const struct place *at);

/** The transaction's tree is no longer what it was. */
void txn_edited(struct txn *t);

/** Commit (does not free t). @return 0, EAGAIN (conflict), ENOSPC or ENOMEM (quota). */
int txn_commit(struct txn *t);

#endif
