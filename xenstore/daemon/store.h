/* SPDX-License-Identifier: MIT */
/*
 * store.h: the whole state of a xenstore, and the operations on nodes that requests are made of.
 *
 * A `struct view` says through whose eyes and in which transaction an operation happens. Each
 * operation first decides (permissions, quotas; may fail, changes nothing) and then performs
 * (may not fail). All paths here are absolute and legal. Errors are positive errno values of the
 * protocol; 0 is success. One thread, no locks.
 */
#ifndef XSD_STORE_H
#define XSD_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "domain.h"
#include "node.h"
#include "perms.h"
#include "quota.h"
#include "tree.h"

struct conn;
struct journal;
struct txn;
struct wnode;

enum special { SPECIAL_INTRODUCE, SPECIAL_RELEASE, SPECIAL_COUNT };

struct store {
    struct node *root;
    uint64_t gen;                         /* the last generation given out */
    struct perms *special[SPECIAL_COUNT]; /* who may watch @introduceDomain, @releaseDomain */
    struct domain *
        *domains[DOMAIN_COUNT / DOMAIN_GROUP]; /* see domain.h; NULL: none in the group */
    struct quota quota;
    struct wnode *watches;         /* index of watches on nodes */
    struct wnode *special_watches; /* and of those on '@' paths */
    struct conn *conns;
    struct conn *dirty; /* connections with something to send or to do, see conn.h */
    struct platform *platform;
    struct journal *journal;    /* NULL: nothing survives */
    int trace;                  /* descriptor to which requests are traced; 0: none */
    char trace_to[256];         /* where that leads: "" nowhere, "-" standard error, or a file */
    char update_file[PATH_MAX]; /* named for a live update */
    char update[PATH_MAX];      /* not "": stop serving, and go on as this program */
};

/** Who looks, and at which version of the tree. */
struct view {
    struct store *store;
    struct who who;
    struct txn *txn; /* NULL: the store itself */
};

/** An empty store with the nodes that a daemon makes: /, /tool, /tool/xenstored. */
void store_init(struct store *s);

/** Free everything (connections must be closed). */
void store_free(struct store *s);

static inline uint64_t store_next_gen(struct store *s)
{
    return ++s->gen;
}

/** The tree that a view sees. */
struct node **view_root(struct view *v);

/**
 * Find a node that the viewer may access as `want` (XSW_PERM_*, PERM_OWNER) says.
 * @param use  what a transaction depends on by this access: ACCESS_* of txn.h
 * @return ENOENT (*at is valid, and who may see the parent knows it), EACCES, ...
 */
int view_get(struct view *v, const char *path, size_t len, unsigned int want, unsigned int use,
             struct place *at);

int store_write(struct view *v, const char *path, size_t len, const char *data, size_t size);
int store_mkdir(struct view *v, const char *path, size_t len);
int store_rm(struct view *v, const char *path, size_t len);
int store_set_perms(struct view *v, const char *path, size_t len, struct xsw_perm *p, uint32_t n);

/** Remove a domain's nodes wherever they are (it is gone). */
void store_remove_owned(struct store *s, struct domain *d);

/* edit.c: raw edits, used by the operations above, by commits and by the journal's replay. */

struct account;

/** Create the node that tree_find() did not find, and what misses above it, with perms. */
struct node *edit_create(struct node **root, struct account *a, const char *path, size_t len,
                         const struct place *at, struct value *value, struct perms *perms,
                         uint64_t gen);

/** Set the value of the node that tree_find() found. */
struct node *edit_value(struct node **root, struct account *a, const char *path, size_t len,
                        const struct place *at, struct value *value, uint64_t gen);

/** One of the two. */
struct node *edit_write(struct node **root, struct account *a, const char *path, size_t len,
                        struct value *value, struct perms *perms, uint64_t gen);

/** Give an existing node other permissions. */
void edit_set_perms(struct node **root, struct account *a, const char *path, size_t len,
                    struct perms *perms, uint64_t gen);

/** Remove an existing subtree; the caller gets its reference. */
struct node *edit_remove(struct node **root, struct account *a, const char *path, size_t len,
                         uint64_t gen);

/** Make an account's changes count. */
void account_apply(struct store *s, const struct account *a);

#endif
