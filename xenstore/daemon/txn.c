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

#define FEW 8 /* paths are looked at one by one; more have an index */

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
    bool first = !t->index;

    t->index_size = first ? 4 * FEW : 2 * t->index_size;
    free(t->index);
    t->index = xzalloc(t->index_size * sizeof(*t->index));
    for (uint32_t i = 0; i < t->n; i++) {
        struct access *a = &t->access[i];
        uint32_t at = a->hash = first ? hash_path(a->path, a->len) : a->hash;

        while (t->index[at & (t->index_size - 1)])
            at++;
        t->index[at & (t->index_size - 1)] = i + 1;
    }
}

static bool is_path(const struct access *a, const char *path, size_t len)
{
    return a->len == len && !memcmp(a->path, path, len);
}

/* Where in access[] a path is, +1; 0: nowhere. With an index, which it belongs into at *at, *hash
 * is found, too. */
static uint32_t find(struct txn *t, const char *path, size_t len, uint32_t *hash, uint32_t *at)
{
    uint32_t i;

    if (t->n < FEW) {
        for (i = t->n; i && !is_path(&t->access[i - 1], path, len); i--)
            ;
        return i;
    }
    if (2 * (t->n + 1) > t->index_size)
        index_grow(t);
    *hash = hash_path(path, len);
    for (*at = *hash & (t->index_size - 1); (i = t->index[*at]);
         *at = (*at + 1) & (t->index_size - 1))
        if (t->access[i - 1].hash == *hash && is_path(&t->access[i - 1], path, len))
            break;
    return i;
}

/* Most paths are touched several times in a row. */
static bool is_last(const struct txn *t, const char *path, size_t len)
{
    return t->last && is_path(&t->access[t->last - 1], path, len);
}

static void add(struct txn *t, const char *path, size_t len, uint32_t hash, uint32_t at)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->access = xrealloc(t->access, t->cap, sizeof(*t->access));
    }
    t->access[t->n++] = (struct access){xmemdup0(path, len), (uint32_t)len, hash, 0};
    t->last = t->n;
    if (t->index)
        t->index[at] = t->n;
}

int txn_touch(struct txn *t, const char *path, size_t len, unsigned int flags, uint32_t max)
{
    struct journal *j = t->conn->store->journal;
    struct access *a;

    if (!is_last(t, path, len)) {
        uint32_t hash = 0, at = 0;

        t->found = false;
        t->last = find(t, path, len, &hash, &at);
        if (!t->last && max && t->n >= max) {
            t->failed = true;
            journal_txn_failed(j, t);
            return ENOSPC;
        }
        if (!t->last)
            add(t, path, len, hash, at);
    }
    a = &t->access[t->last - 1];
    if (flags & ~a->flags)
        journal_access(j, t, path, len, flags);
    a->flags |= flags;
    return 0;
}

struct place txn_find(const struct txn *t, const char *path, size_t len)
{
    return t->found && is_last(t, path, len) ? t->at : tree_find(t->root, path, len);
}

void txn_found(struct txn *t, const struct place *at)
{
    t->found = true;
    t->at = *at;
}

void txn_edited(struct txn *t)
{
    t->wrote = true;
    t->found = false;
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

static void tell(struct store *s, const struct txn *t, const struct access *a,
                 const struct place *at)
{
    const struct node *was = tree_lookup(t->base, a->path, a->len), *is = at->node;
    const struct perms *parent = at->above ? at->above->perms : NULL;

    if ((a->flags & ACCESS_REMOVED) && was)
        watch_fire_removed(s, a->path, a->len, was, parent);
    if (is || !was || !(a->flags & ACCESS_REMOVED))
        watch_fire(s, a->path, a->len, was ? was->perms : NULL, is ? is->perms : NULL, parent,
                   false);
}

/* What the store has become goes into the journal, and to who watches. Nothing is sent before all
 * of it is in the journal. */
static void publish(struct store *s, const struct txn *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        if ((t->access[i].flags & ACCESS_REMOVED) &&
            tree_lookup(t->base, t->access[i].path, t->access[i].len))
            journal_remove(s->journal, NULL, t->access[i].path, t->access[i].len,
                           store_next_gen(s));
    for (uint32_t i = 0; i < t->n; i++) {
        const struct access *a = &t->access[i];
        struct place at;

        if (!(a->flags & (ACCESS_WROTE | ACCESS_EVENT)))
            continue;
        at = tree_find(s->root, a->path, a->len);
        if ((a->flags & ACCESS_WROTE) && at.node)
            journal_node(s->journal, NULL, a->path, a->len, at.node);
        if (a->flags & ACCESS_EVENT)
            tell(s, t, a, &at);
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
    publish(s, t);
    return 0;
}
