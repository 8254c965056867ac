/* SPDX-License-Identifier: MIT */
/*
 * model.h: what a xenstore does, said as simply as possible: a tree of 40 possible nodes in an
 * array, copied whole for each transaction.
 *
 * A transaction is right if doing its operations now, on the present tree, gives the results that
 * it was given: then it may commit, else it must fail. It may fail although nothing it saw differs,
 * but only if something at, above or below a node that it named was changed since it began. No
 * other rule is in here; the daemon's own (which accesses conflict, how edits are brought over) are
 * its own business.
 */
#ifndef XS_MODEL_H
#define XS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xswire/perm.h"

#define MODEL_NODES 40 /* the root, and three names on each of three levels */
#define MODEL_PERMS 3

struct mnode {
    bool there;
    int value; /* -1: none */
    uint32_t perms;
    struct xsw_perm perm[MODEL_PERMS];
    uint64_t version; /* of the node or its set of children */
};

struct mtree {
    struct mnode node[MODEL_NODES];
};

enum mop { M_READ, M_DIRECTORY, M_GET_PERMS, M_WRITE, M_MKDIR, M_RM, M_SET_PERMS, M_OPS };

/** One operation and what it gave. */
struct mcall {
    enum mop op;
    uint16_t who;
    int node;
    int value;                         /* M_WRITE */
    uint32_t perms;                    /* M_SET_PERMS */
    struct xsw_perm perm[MODEL_PERMS]; /* M_SET_PERMS */
    int rc;
    char result[64]; /* of a successful one, NULs as '|' */
};

void model_init(struct mtree *t);

/** The path of a node. */
const char *model_path(int node);

/** The node above; -1: of the root. */
int model_parent(int node);

/** Is it the same node, or below? */
bool model_within(int node, int above);

/** Do call->op: sets rc and result. version: a number not used before. */
void model_do(struct mtree *t, struct mcall *call, uint64_t version);

/** XSW_PERM_READ and XSW_PERM_WRITE that a domain has by a node's list. */
unsigned int model_rights(const struct mnode *n, uint16_t who);

#endif
