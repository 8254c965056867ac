/* SPDX-License-Identifier: MIT */
/* model.c: see model.h. Node 1 + i of a level's row i; names are a, b, c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

const char *model_path(int node)
{
    static char path[MODEL_NODES][8];
    char text[8] = "";
    int n = node;

    if (path[node][0])
        return path[node];
    for (; n; n = (n - 1) / 3) {
        memmove(text + 2, text, 5);
        text[0] = '/';
        text[1] = (char)('a' + (n - 1) % 3);
    }
    strcpy(path[node], node ? text : "/");
    return path[node];
}

int model_parent(int node)
{
    return node ? (node - 1) / 3 : -1;
}

bool model_within(int node, int above)
{
    while (node > above)
        node = model_parent(node);
    return node == above;
}

void model_init(struct mtree *t)
{
    memset(t, 0, sizeof(*t));
    t->node[0] = (struct mnode){.there = true, .value = -1, .perms = 1};
}

unsigned int model_rights(const struct mnode *n, uint16_t who)
{
    if (who == 0 || who == n->perm[0].domid)
        return XSW_PERM_READ | XSW_PERM_WRITE;
    for (uint32_t i = 1; i < n->perms; i++)
        if (n->perm[i].domid == who)
            return n->perm[i].bits;
    return n->perm[0].bits;
}

/* The rule of who learns what: without rights above, nobody is told that something is missing. */
static int may(const struct mtree *t, const struct mcall *c, unsigned int right)
{
    int at = c->node;

    if (t->node[at].there)
        return model_rights(&t->node[at], c->who) & right ? 0 : EACCES;
    while (!t->node[at].there)
        at = model_parent(at);
    return c->who == 0 || model_rights(&t->node[at], c->who) & right ? ENOENT : EACCES;
}

/* Make a node and what misses above it; each has its parent's list, but belongs to who made it. */
static void make(struct mtree *t, int node, uint16_t who, uint64_t version)
{
    struct mnode *n = &t->node[node], *above;

    if (n->there)
        return;
    make(t, model_parent(node), who, version);
    above = &t->node[model_parent(node)];
    above->version = version;
    *n = *above;
    n->value = -1;
    if (who)
        n->perm[0].domid = who;
}

static void list(const struct mtree *t, int node, char *out)
{
    for (int i = 3 * node + 1; i <= 3 * node + 3 && i < MODEL_NODES; i++)
        if (t->node[i].there)
            out += sprintf(out, "%c|", 'a' + (i - 1) % 3);
    if (node == 0)
        sprintf(out, "tool|");
}

static void perms(const struct mnode *n, char *out)
{
    static const char letter[] = "nrwb";

    for (uint32_t i = 0; i < n->perms; i++)
        out += sprintf(out, "%c%u|", letter[n->perm[i].bits & 3], n->perm[i].domid);
}

static void change(struct mtree *t, struct mcall *c, uint64_t version)
{
    struct mnode *n = &t->node[c->node];

    switch (c->op) {
    case M_WRITE:
    case M_MKDIR:
        if (c->op == M_MKDIR && n->there)
            break;
        make(t, c->node, c->who, version);
        n->value = c->op == M_WRITE ? c->value : -1;
        n->version = version;
        break;
    case M_RM:
        if (!n->there)
            break;
        t->node[model_parent(c->node)].version = version;
        for (int i = c->node; i < MODEL_NODES; i++)
            if (model_within(i, c->node))
                t->node[i] = (struct mnode){.there = false, .version = version};
        break;
    case M_SET_PERMS:
        n->perms = c->perms;
        memcpy(n->perm, c->perm, sizeof(n->perm));
        n->version = version;
        break;
    default:
        break;
    }
    strcpy(c->result, "OK|");
}

static int change_refused(const struct mtree *t, const struct mcall *c)
{
    const struct mnode *n = &t->node[c->node];
    int rc = may(t, c, XSW_PERM_WRITE);

    switch (c->op) {
    case M_WRITE:
    case M_MKDIR:
        return rc == ENOENT ? 0 : rc;
    case M_RM:
        if (rc == ENOENT && t->node[model_parent(c->node)].there)
            return 0;
        return rc;
    default: /* only an owner may, and only dom0 gives a node away */
        if (!rc && c->who && c->who != n->perm[0].domid)
            return EACCES;
        return !rc && c->who && c->perm[0].domid != c->who ? EPERM : rc;
    }
}

void model_do(struct mtree *t, struct mcall *c, uint64_t version)
{
    const struct mnode *n = &t->node[c->node];

    memset(c->result, 0, sizeof(c->result));
    c->rc = c->op <= M_GET_PERMS ? may(t, c, XSW_PERM_READ) : change_refused(t, c);
    if (c->rc)
        return;
    if (c->op == M_READ && n->value >= 0)
        sprintf(c->result, "%d", n->value);
    else if (c->op == M_DIRECTORY)
        list(t, c->node, c->result);
    else if (c->op == M_GET_PERMS)
        perms(n, c->result);
    else if (c->op > M_GET_PERMS)
        change(t, c, version);
}
