/* SPDX-License-Identifier: MIT */
/* journal_write.c: the journal's records, one function each; see journal.h, records.h. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "conn.h"
#include "journal.h"
#include "journal_log.h"
#include "kids.h"
#include "store.h"
#include "txn.h"
#include "watch.h"
#include "xswire/path.h"

static char *put(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static uint32_t conn_of(const struct txn *t)
{
    return t ? t->conn->id : 0;
}

void journal_node(struct journal *j, const struct txn *t, const char *path, size_t len,
                  const struct node *node)
{
    size_t perms = node->perms->n * sizeof(node->perms->p[0]);
    struct rec_node rec = {.gen = node->gen,
                           .stamp = node->perms->stamp,
                           .path_len = (uint16_t)len,
                           .perms = (uint16_t)node->perms->n,
                           .value_len = node->value ? node->value->len : 0,
                           .txn = t ? t->id : 0};
    char *at;

    if (journal_off(j))
        return;
    at = journal_begin(j, REC_NODE, conn_of(t), sizeof(rec) + perms + len + rec.value_len);
    at = put(at, &rec, sizeof(rec));
    at = put(at, node->perms->p, perms);
    at = put(at, path, len);
    if (node->value)
        put(at, node->value->data, node->value->len);
}

void journal_remove(struct journal *j, const struct txn *t, const char *path, size_t len,
                    uint64_t gen)
{
    struct rec_text rec = {.gen = gen, .len = (uint32_t)len, .txn = t ? t->id : 0};

    if (!journal_off(j))
        put(put(journal_begin(j, REC_REMOVE, conn_of(t), sizeof(rec) + len), &rec, sizeof(rec)),
            path, len);
}

void journal_special(struct journal *j, int which, const struct perms *perms)
{
    struct rec_special rec = {
        .stamp = perms->stamp, .which = (uint16_t)which, .perms = (uint16_t)perms->n};
    size_t size = perms->n * sizeof(perms->p[0]);

    if (!journal_off(j))
        put(put(journal_begin(j, REC_SPECIAL, 0, sizeof(rec) + size), &rec, sizeof(rec)), perms->p,
            size);
}

void journal_domain(struct journal *j, const struct domain *d)
{
    struct rec_domain rec = {
        .birth = d->birth,
        .remote_port = d->remote_port,
        .flags = (uint16_t)((d->introduced ? REC_DOMAIN_INTRODUCED : 0) |
                            (d->shutdown ? REC_DOMAIN_SHUTDOWN : 0) |
                            (d->has_target ? REC_DOMAIN_TARGET : 0)),
        .target = d->target,
        .quota = d->quota,
    };

    if (!journal_off(j))
        put(journal_begin(j, REC_DOMAIN, d->domid, sizeof(rec)), &rec, sizeof(rec));
}

void journal_domain_gone(struct journal *j, uint16_t domid)
{
    if (!journal_off(j))
        journal_begin(j, REC_DOMAIN_GONE, domid, 0);
}

void journal_quota(struct journal *j)
{
    struct rec_quota rec;

    if (journal_off(j))
        return;
    rec = (struct rec_quota){.gen = j->store->gen, .quota = j->store->quota};
    put(journal_begin(j, REC_QUOTA, 0, sizeof(rec)), &rec, sizeof(rec));
}

void journal_trace(struct journal *j)
{
    struct rec_text rec = {0};

    if (journal_off(j))
        return;
    rec.len = (uint32_t)strlen(j->store->trace_to);
    put(put(journal_begin(j, REC_TRACE, 0, sizeof(rec) + rec.len), &rec, sizeof(rec)),
        j->store->trace_to, rec.len);
}

static void watch_record(struct journal *j, enum record_type type, const struct conn *c,
                         struct rec_watch rec, const char *path, const char *token)
{
    char *at;

    if (journal_off(j) || !c->kept)
        return;
    at = journal_begin(j, type, c->id, sizeof(rec) + rec.path_len + rec.token_len);
    put(put(put(at, &rec, sizeof(rec)), path, rec.path_len), token, rec.token_len);
}

void journal_watch(struct journal *j, const struct conn *c, const struct watch *w)
{
    watch_record(j, REC_WATCH, c,
                 (struct rec_watch){.depth = w->depth,
                                    .home_len = w->home_len,
                                    .path_len = (uint16_t)w->path_len,
                                    .token_len = (uint16_t)strlen(w->token)},
                 w->path, w->token);
}

void journal_unwatch(struct journal *j, const struct conn *c, const char *path, size_t len,
                     const char *token)
{
    watch_record(
        j, REC_UNWATCH, c,
        (struct rec_watch){.path_len = (uint16_t)len, .token_len = (uint16_t)strlen(token)}, path,
        token);
}

void journal_reset(struct journal *j, const struct conn *c)
{
    if (!journal_off(j) && c->kept)
        journal_begin(j, REC_RESET, c->id, 0);
}

static void txn_record(struct journal *j, const struct txn *t, enum rec_txn_state state)
{
    struct rec_txn rec = {.id = t->id, .state = state};

    if (!journal_off(j))
        put(journal_begin(j, REC_TXN, t->conn->id, sizeof(rec)), &rec, sizeof(rec));
}

void journal_txn_begun(struct journal *j, const struct txn *t)
{
    txn_record(j, t, REC_TXN_BEGUN);
}

void journal_txn_ended(struct journal *j, const struct txn *t)
{
    txn_record(j, t, REC_TXN_ENDED);
}

void journal_txn_failed(struct journal *j, const struct txn *t)
{
    txn_record(j, t, REC_TXN_FAILED);
}

void journal_access(struct journal *j, const struct txn *t, const char *path, size_t len,
                    uint32_t flags)
{
    struct rec_access rec = {.txn = t->id, .flags = flags, .len = (uint32_t)len};

    if (!journal_off(j))
        put(put(journal_begin(j, REC_ACCESS, t->conn->id, sizeof(rec) + len), &rec, sizeof(rec)),
            path, len);
}

void journal_stream_record(struct journal *j, const struct conn *c)
{
    struct rec_stream rec = {
        .in_start = c->in_start, .out_end = c->out_end, .overdue = c->overdue != 0};

    put(journal_begin(j, REC_STREAM, c->id, sizeof(rec)), &rec, sizeof(rec));
}

void journal_conn(struct journal *j, const struct conn *c)
{
    struct rec_conn rec = {.fd = c->fd, .domid = c->domain ? c->who.domid : REC_CONN_SOCKET};

    if (!journal_off(j) && c->kept)
        put(journal_begin(j, REC_CONN, c->id, sizeof(rec)), &rec, sizeof(rec));
}

/* What the difference between two trees is written to. */
struct difference {
    struct journal *j;
    const struct txn *t; /* whose tree the second one is; NULL: the store's */
    char path[XENSTORE_PAYLOAD_MAX + XSW_HOME_MAX];
};

static bool whole(void *arg, const char *path, size_t len, struct node *node)
{
    struct difference *d = arg;

    journal_node(d->j, d->t, path, len, node);
    return true;
}

static void differ(struct difference *d, size_t len, const struct node *was, struct node *is);

/* Append a child's name to the path; returns the new length. */
static size_t below(struct difference *d, size_t len, const struct node *child)
{
    size_t base = len == 1 ? 0 : len;

    d->path[base] = '/';
    memcpy(d->path + base + 1, child->name, child->name_len + 1u);
    return base + 1 + child->name_len;
}

/* The children that are in only one of both, or in both. */
static void differ_kids(struct difference *d, size_t len, const struct node *was,
                        const struct node *is)
{
    struct kids_iter it = {0};
    struct node *child, *other;

    while ((child = kids_next(was->kids, &it)))
        if (!kids_find(is->kids, child->name, child->name_len))
            journal_remove(d->j, d->t, d->path, below(d, len, child), store_next_gen(d->j->store));
    it = (struct kids_iter){0};
    while ((child = kids_next(is->kids, &it))) {
        size_t path_len = below(d, len, child);

        other = kids_find(was->kids, child->name, child->name_len);
        if (other)
            differ(d, path_len, other, child);
        else
            tree_each(child, d->path, path_len, whole, d);
    }
}

/* What makes `was` into `is`; what both share is not looked at. */
static void differ(struct difference *d, size_t len, const struct node *was, struct node *is)
{
    if (was == is)
        return;
    if (was->gen != is->gen) {
        d->path[len] = 0;
        journal_node(d->j, d->t, d->path, len, is);
    }
    differ_kids(d, len, was, is);
}

/* Records that bring a reader who has `was` (NULL: nothing) to `is`. */
static void tree_records(struct journal *j, const struct txn *t, const struct node *was,
                         struct node *is)
{
    struct difference d = {.j = j, .t = t, .path = "/"};

    if (was)
        differ(&d, 1, was, is);
    else
        tree_each(is, "/", 1, whole, &d);
}

static void conn_records(struct journal *j, const struct conn *c)
{
    journal_conn(j, c);
    journal_stream_record(j, c);
    for (const struct watch *w = c->watches; w; w = w->next_own)
        journal_watch(j, c, w);
}

static int by_age(const void *a, const void *b)
{
    const struct txn *const *x = a, *const *y = b;

    return ((*x)->began > (*y)->began) - ((*x)->began < (*y)->began);
}

/* The open transactions, oldest first; the caller frees the array. */
static struct txn **open_txns(const struct journal *j, size_t *n)
{
    struct txn **all = NULL;
    size_t cap = 0;

    *n = 0;
    for (const struct conn *c = j->store->conns; c; c = c->next) {
        for (struct txn *t = c->txns; t && c->kept; t = t->next) {
            if (*n == cap) {
                cap = cap ? 2 * cap : 16;
                all = xrealloc(all, cap, sizeof(struct txn *));
            }
            all[(*n)++] = t;
        }
    }
    if (*n)
        qsort(all, *n, sizeof(struct txn *), by_age);
    return all;
}

/* A transaction, on top of the tree that it began with. */
static void txn_records(struct journal *j, const struct txn *t)
{
    journal_txn_begun(j, t);
    for (uint32_t i = 0; i < t->n; i++)
        journal_access(j, t, t->access[i].path, t->access[i].len, t->access[i].flags);
    tree_records(j, t, t->base, t->root);
    if (t->failed)
        journal_txn_failed(j, t);
}

void journal_state(struct journal *j)
{
    struct store *s = j->store;
    struct node *at = NULL;
    struct txn **txn;
    size_t n;

    journal_quota(j);
    journal_trace(j);
    for (const struct domain *d = domain_from(s, 0); d; d = domain_from(s, d->domid + 1u))
        journal_domain(j, d);
    for (int i = 0; i < SPECIAL_COUNT; i++)
        journal_special(j, i, s->special[i]);
    for (const struct conn *c = s->conns; c; c = c->next)
        if (c->kept)
            conn_records(j, c);
    txn = open_txns(j, &n);
    for (size_t i = 0; i < n; i++) { /* the store as it was when each began, then as it is */
        tree_records(j, NULL, at, txn[i]->base);
        at = txn[i]->base;
        txn_records(j, txn[i]);
    }
    tree_records(j, NULL, at, s->root);
    free(txn);
}
