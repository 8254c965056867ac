/* SPDX-License-Identifier: MIT */
/* txn.c: transactions: noting what is touched, comparing, committing; see txn.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "conn.h"
#include "journal.h"
#include "store.h"
#include "txn.h"
#include "watch.h"
#include "xswire/path.h"

struct txn *txn_new(struct conn *c, uint32_t id)
{
    struct txn *t = xzalloc(sizeof(*t));

    t->conn = c;
    t->id = id;
    t->began = c->store->gen;
    t->base = node_ref(c->store->root);
    t->root = node_ref(c->store->root);
    return t;
}

void txn_free(struct txn *t)
{
    node_unref(t->base);
    node_unref(t->root);
    for (uint32_t i = 0; i < t->n; i++)
        free(t->access[i].path);
    free(t->access);
    free(t->index);
    account_free(&t->account);
    free(t);
}

static uint32_t hash_path(const char *path, size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)path[i]) * 16777619u;
    return h;
}

static void index_grow(struct txn *t)
{
    t->index_size = t->index_size ? 2 * t->index_size : 16;
    free(t->index);
    t->index = xzalloc(t->index_size * sizeof(*t->index));
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t at = t->access[i].hash;

        while (t->index[at & (t->index_size - 1)])
            at++;
        t->index[at & (t->index_size - 1)] = i + 1;
    }
}

int txn_touch(struct txn *t, const char *path, size_t len, unsigned int flags, uint32_t max)
{
    uint32_t hash = hash_path(path, len), at, i;

    if (2 * (t->n + 1) > t->index_size)
        index_grow(t);
    for (at = hash; (i = t->index[at & (t->index_size - 1)]); at++) {
        struct access *a = &t->access[i - 1];

        if (a->hash == hash && a->len == len && !memcmp(a->path, path, len)) {
            if (flags & ~a->flags)
                journal_access(t->conn->store->journal, t, path, len, flags);
            a->flags |= flags;
            return 0;
        }
    }
    if (max && t->n >= max) {
        t->failed = true;
        journal_txn_failed(t->conn->store->journal, t);
        return ENOSPC;
    }
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->access = xrealloc(t->access, t->cap, sizeof(*t->access));
    }
    t->access[t->n++] = (struct access){xmemdup0(path, len), (uint32_t)len, hash, flags};
    t->index[at & (t->index_size - 1)] = t->n;
    journal_access(t->conn->store->journal, t, path, len, flags);
    return 0;
}

/* Did what the transaction depends on at this path change since it began? */
static bool changed(const struct store *s, const struct txn *t, const struct access *a)
{
    const struct node *was = tree_lookup(t->base, a->path, a->len);
    const struct node *is = tree_lookup(s->root, a->path, a->len);

    if (was == is)
        return false;
    if (!was || !is || (a->flags & ACCESS_TREE))
        return true;
    if ((a->flags & ACCESS_KIDS) && was->kids_gen != is->kids_gen)
        return true;
    return (a->flags & (ACCESS_READ | ACCESS_WROTE)) && was->gen != is->gen;
}

static bool conflicts(const struct store *s, const struct txn *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (changed(s, t, &t->access[i]))
            return true;
    return false;
}

static int over_quota(struct store *s, const struct txn *t)
{
    if (who_is_privileged(&t->conn->who))
        return 0;
    for (unsigned int i = 0; i < t->account.n; i++) {
        const struct account_line *line = &t->account.line[i];
        const struct domain *d = domain_known(s, line->domid);
        uint32_t limit;

        if (!d || line->domid == 0)
            continue;
        limit = domain_limit(s, d, QUOTA_NODES);
        if (t->created && line->nodes > 0 && limit && d->nodes + line->nodes > (int64_t)limit)
            return ENOSPC;
        limit = domain_limit(s, d, QUOTA_MEMORY);
        if (line->bytes > 0 && limit && d->bytes + line->bytes > (int64_t)limit)
            return ENOMEM;
    }
    return 0;
}

/* Make the transaction's edits again on the store's present tree (nothing they touch differs). */
static void merge(struct store *s, struct txn *t)
{
    struct account again = {0}; /* the same changes as in t->account: thrown away */

    for (uint32_t i = 0; i < t->n; i++) {
        struct access *a = &t->access[i];

        if ((a->flags & ACCESS_REMOVED) && tree_lookup(s->root, a->path, a->len))
            node_unref(edit_remove(&s->root, &again, a->path, a->len, store_next_gen(s)));
    }
    for (uint32_t i = 0; i < t->n; i++) {
        struct access *a = &t->access[i];
        struct node *final = NULL, *now;

        if (a->flags & ACCESS_WROTE)
            final = tree_lookup(t->root, a->path, a->len);
        if (!final)
            continue;
        now = edit_write(&s->root, &again, a->path, a->len, value_ref(final->value), final->perms,
                         store_next_gen(s));
        perms_ref(final->perms);
        perms_unref(now->perms);
        now->perms = final->perms;
    }
    account_free(&again);
}

static void keep(struct store *s, const struct txn *t)
{
    if (!s->journal)
        return;
    for (uint32_t i = 0; i < t->n; i++)
        if ((t->access[i].flags & ACCESS_REMOVED) &&
            tree_lookup(t->base, t->access[i].path, t->access[i].len))
            journal_remove(s->journal, NULL, t->access[i].path, t->access[i].len,
                           store_next_gen(s));
    for (uint32_t i = 0; i < t->n; i++) {
        const struct access *a = &t->access[i];
        struct node *node = NULL;

        if (a->flags & ACCESS_WROTE)
            node = tree_lookup(s->root, a->path, a->len);
        if (node)
            journal_node(s->journal, NULL, a->path, a->len, node);
    }
}

static void tell(struct store *s, const struct txn *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct access *a = &t->access[i];
        const struct node *was, *is;
        struct place at;

        if (!(a->flags & ACCESS_EVENT))
            continue;
        was = tree_lookup(t->base, a->path, a->len);
        at = tree_find(s->root, a->path, a->len);
        is = at.node;
        if ((a->flags & ACCESS_REMOVED) && was)
            watch_fire_removed(s, a->path, a->len, was, at.above ? at.above->perms : NULL);
        if (is || !was || !(a->flags & ACCESS_REMOVED))
            watch_fire(s, a->path, a->len, was ? was->perms : NULL, is ? is->perms : NULL,
                       at.above ? at.above->perms : NULL, false);
    }
}

int txn_commit(struct txn *t)
{
    struct store *s = t->conn->store;
    int rc;

    if (t->failed)
        return ENOMEM;
    if (!t->wrote)
        return 0;
    rc = over_quota(s, t);
    if (rc)
        return rc;
    if (s->root == t->base) {
        node_unref(s->root); /* t->base keeps it until the watchers were told */
        s->root = node_ref(t->root);
    } else if (conflicts(s, t)) {
        return EAGAIN;
    } else {
        merge(s, t);
    }
    for (unsigned int i = 0; i < t->account.n; i++)
        domain_get(s, t->account.line[i].domid); /* released meanwhile: known again */
    account_apply(s, &t->account);
    keep(s, t);
    tell(s, t);
    return 0;
}
