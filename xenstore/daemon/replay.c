/* SPDX-License-Identifier: MIT */
/*
 * replay.c: reading a predecessor's journal; see records.h. Lengths are checked like those of
 * any other input: a damaged log is refused, it does not damage us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "alloc.h"
#include "conn.h"
#include "journal.h"
#include "journal_log.h"
#include "kids.h"
#include "records.h"
#include "store.h"
#include "txn.h"
#include "watch.h"
#include "xswire/path.h"

/* A record's payload, being read. */
struct reader {
    struct store *s;
    uint16_t who; /* domain or connection */
    const char *at;
    size_t left;
};

static const void *take(struct reader *r, size_t len)
{
    const char *at = r->at;

    if (len > r->left)
        return NULL;
    r->at += len;
    r->left -= len;
    return at;
}

static bool copy(struct reader *r, void *dst, size_t len)
{
    const void *src = take(r, len);

    if (src)
        memcpy(dst, src, len);
    return src != NULL;
}

static const char *take_path(struct reader *r, size_t len)
{
    const char *path = take(r, len);

    return path && xsw_path_valid(path, len, XENSTORE_PAYLOAD_MAX) ? path : NULL;
}

static void saw_gen(struct store *s, uint64_t gen)
{
    if (gen > s->gen)
        s->gen = gen;
}

static struct perms *take_perms(struct reader *r, uint32_t n, uint64_t stamp)
{
    const void *p = take(r, n * sizeof(struct xsw_perm));

    saw_gen(r->s, stamp);
    return p && n ? perms_new(p, n, stamp) : NULL;
}

static bool same(const struct perms *a, const struct perms *b)
{
    return a->n == b->n && a->stamp == b->stamp && !memcmp(a->p, b->p, a->n * sizeof(a->p[0]));
}

/* Nodes share their parent's list where it says the same, as they did when they were made. */
static struct perms *shared(const struct place *at, struct perms *perms)
{
    struct perms *old = at->node && same(at->node->perms, perms) ? at->node->perms
                        : at->above                              ? at->above->perms
                                                                 : NULL;

    if (!old || !same(old, perms))
        return perms;
    perms_unref(perms);
    return perms_ref(old);
}

/* The connection that a record speaks of; records of one that is gone mean nothing. */
static struct conn *conn_of(const struct reader *r)
{
    return journal_conn_find(r->s->journal, r->who);
}

/* The tree that a record changes: the store's, or that of a transaction. */
struct target {
    struct txn *txn;
    struct node **root;
    struct account *account;
    struct account direct; /* the store's, to be applied at once */
};

/* @return false: of a transaction that is not there. */
static bool target(const struct reader *r, uint32_t id, struct target *t)
{
    struct conn *c = id ? conn_of(r) : NULL;

    *t = (struct target){.txn = c ? conn_find_txn(c, id) : NULL};
    if (id && !t->txn)
        return false;
    t->root = t->txn ? &t->txn->root : &r->s->root;
    t->account = t->txn ? &t->txn->account : &t->direct;
    return true;
}

static void settle(struct store *s, struct target *t, bool created)
{
    if (t->txn) {
        t->txn->wrote = true;
        t->txn->created |= created;
        return;
    }
    account_apply(s, &t->direct);
    account_free(&t->direct);
}

static bool read_node(struct reader *r)
{
    struct target t;
    struct rec_node rec;
    struct perms *perms;
    struct place at;
    const char *path, *value;

    if (!copy(r, &rec, sizeof(rec)) || !target(r, rec.txn, &t))
        return false;
    perms = take_perms(r, rec.perms, rec.stamp);
    path = perms ? take_path(r, rec.path_len) : NULL;
    value = path ? take(r, rec.value_len) : NULL;
    if (!value) {
        perms_unref(perms);
        return false;
    }
    at = tree_find(*t.root, path, rec.path_len);
    perms = shared(&at, perms);
    if (at.node)
        edit_value(t.root, t.account, path, rec.path_len, &at, value_new(value, rec.value_len),
                   rec.gen);
    else
        edit_create(t.root, t.account, path, rec.path_len, &at, value_new(value, rec.value_len),
                    perms, rec.gen);
    if (at.node && at.node->perms != perms)
        edit_set_perms(t.root, t.account, path, rec.path_len, perms_ref(perms), rec.gen);
    perms_unref(perms);
    settle(r->s, &t, !at.node);
    saw_gen(r->s, rec.gen);
    return true;
}

static bool read_remove(struct reader *r)
{
    struct target t;
    struct rec_text rec;
    const char *path;

    if (!copy(r, &rec, sizeof(rec)) || !(path = take_path(r, rec.len)) || rec.len == 1 ||
        !target(r, rec.txn, &t))
        return false;
    saw_gen(r->s, rec.gen);
    if (tree_lookup(*t.root, path, rec.len))
        node_unref(edit_remove(t.root, t.account, path, rec.len, rec.gen));
    settle(r->s, &t, false);
    return true;
}

static bool read_special(struct reader *r)
{
    struct rec_special rec;
    struct perms *perms;

    if (!copy(r, &rec, sizeof(rec)) || rec.which >= SPECIAL_COUNT)
        return false;
    perms = take_perms(r, rec.perms, rec.stamp);
    if (!perms)
        return false;
    perms_unref(r->s->special[rec.which]);
    r->s->special[rec.which] = perms;
    return true;
}

static bool read_domain(struct reader *r)
{
    struct domain *d = domain_get(r->s, r->who);
    struct rec_domain rec;

    if (!copy(r, &rec, sizeof(rec)))
        return false;
    d->birth = rec.birth;
    saw_gen(r->s, rec.birth);
    d->remote_port = rec.remote_port;
    d->introduced = rec.flags & REC_DOMAIN_INTRODUCED;
    d->shutdown = rec.flags & REC_DOMAIN_SHUTDOWN;
    d->has_target = rec.flags & REC_DOMAIN_TARGET;
    d->target = rec.target;
    d->quota = rec.quota;
    if (d->conn) {
        d->conn->who.has_target = d->has_target;
        d->conn->who.target = d->target;
    }
    return true;
}

static bool read_domain_gone(struct reader *r)
{
    struct domain *d = domain_known(r->s, r->who);

    if (!d)
        return true;
    if (d->conn)
        conn_free(d->conn);
    domain_forget(r->s, d);
    return true;
}

static bool read_quota(struct reader *r)
{
    struct rec_quota rec;

    if (!copy(r, &rec, sizeof(rec)))
        return false;
    r->s->quota = rec.quota;
    saw_gen(r->s, rec.gen);
    return true;
}

static bool read_watching(struct reader *r, bool add)
{
    struct conn *c = conn_of(r);
    struct rec_watch rec;
    const char *path, *text;
    char *token;

    if (!copy(r, &rec, sizeof(rec)) || !(path = take(r, rec.path_len)) || !rec.path_len ||
        !(text = take(r, rec.token_len)) || rec.home_len > rec.path_len)
        return false;
    if (path[0] != '@' && !xsw_path_valid(path, rec.path_len, XENSTORE_PAYLOAD_MAX))
        return false;
    if (!c)
        return true;
    token = xmemdup0(text, rec.token_len);
    if (add)
        watch_add(r->s, c, path, rec.path_len, rec.home_len, token, rec.depth);
    else
        watch_remove(r->s, c, path, rec.path_len, token);
    free(token);
    return true;
}

static bool read_watch(struct reader *r)
{
    return read_watching(r, true);
}

static bool read_unwatch(struct reader *r)
{
    return read_watching(r, false);
}

static bool read_reset(struct reader *r)
{
    struct conn *c = conn_of(r);

    if (!c)
        return true;
    watch_remove_all(r->s, c);
    conn_drop_transactions(c);
    return true;
}

static bool read_txn(struct reader *r)
{
    struct conn *c = conn_of(r);
    struct rec_txn rec;
    struct txn *t;

    if (!copy(r, &rec, sizeof(rec)) || rec.state > REC_TXN_FAILED || !rec.id)
        return false;
    if (!c)
        return true;
    t = conn_find_txn(c, rec.id);
    if (!t != (rec.state == REC_TXN_BEGUN))
        return false;
    if (!t) {
        conn_add_txn(c, txn_new(c, rec.id));
        c->next_txn = rec.id;
    } else if (rec.state == REC_TXN_FAILED) {
        t->failed = true;
    } else {
        conn_end_txn(c, t);
    }
    return true;
}

static bool read_access(struct reader *r)
{
    struct rec_access rec;
    struct target t;
    const char *path;

    if (!copy(r, &rec, sizeof(rec)) || !(path = take_path(r, rec.len)) || !target(r, rec.txn, &t) ||
        !t.txn)
        return false;
    txn_touch(t.txn, path, rec.len, rec.flags, 0);
    return true;
}

static bool read_stream(struct reader *r)
{
    struct conn *c = conn_of(r);
    struct rec_stream rec;

    if (!copy(r, &rec, sizeof(rec)))
        return false;
    if (c) {
        c->in_start = rec.in_start;
        c->out_end = rec.out_end;
        c->look_again = rec.overdue;
    }
    return true;
}

static bool read_conn(struct reader *r)
{
    struct conn *c = conn_of(r);
    struct domain *d = NULL;
    struct rec_conn rec;

    if (!copy(r, &rec, sizeof(rec)))
        return false;
    if (rec.domid != REC_CONN_SOCKET) {
        d = rec.domid < DOMAIN_COUNT ? domain_get(r->s, (uint16_t)rec.domid) : NULL;
        if (!d || (d->conn && d->conn != c))
            return false;
    }
    if (c && c->domain != d)
        return false;
    if (!c) {
        journal_conn_next(r->s->journal, r->who);
        c = conn_new(r->s, NULL, NULL, d);
    }
    if (!c)
        return false;
    if (d)
        d->conn = c;
    c->fd = rec.fd;
    return true;
}

static bool read_conn_gone(struct reader *r)
{
    struct conn *c = conn_of(r);

    if (c)
        conn_free(c);
    return true;
}

/* Only where to; the daemon that goes on opens it. */
static bool read_trace(struct reader *r)
{
    struct rec_text rec;
    const char *to;

    if (!copy(r, &rec, sizeof(rec)) || rec.len >= sizeof(r->s->trace_to) ||
        !(to = take(r, rec.len)))
        return false;
    memcpy(r->s->trace_to, to, rec.len);
    r->s->trace_to[rec.len] = 0;
    return true;
}

static bool (*const readers[])(struct reader *r) = {
    [REC_NODE] = read_node,     [REC_REMOVE] = read_remove,           [REC_SPECIAL] = read_special,
    [REC_DOMAIN] = read_domain, [REC_DOMAIN_GONE] = read_domain_gone, [REC_QUOTA] = read_quota,
    [REC_WATCH] = read_watch,   [REC_UNWATCH] = read_unwatch,         [REC_RESET] = read_reset,
    [REC_TXN] = read_txn,       [REC_ACCESS] = read_access,           [REC_STREAM] = read_stream,
    [REC_CONN] = read_conn,     [REC_CONN_GONE] = read_conn_gone,     [REC_TRACE] = read_trace,
};

/*
 * Positions that do not belong together: begin between messages. `out_start` is ahead of `out_end`
 * where a socket's buffer was begun anew after everything was sent; any other is of a lost file.
 */
static void check_streams(struct store *s)
{
    for (struct conn *c = s->conns; c; c = c->next) {
        struct stream *st = c->stream;

        if (st->in_end - c->in_start > STREAM_IN_SIZE)
            c->in_start = st->in_end;
        if (c->out_end - st->out_start > STREAM_OUT_SIZE)
            c->out_end = st->out_start;
    }
}

/* Which watches were marked is not recorded, only that there were some: all of that client fire. */
static void look_again(struct store *s)
{
    for (struct conn *c = s->conns; c; c = c->next) {
        for (struct watch *w = c->look_again ? c->watches : NULL; w; w = w->next_own) {
            w->overdue = true;
            c->overdue++;
        }
    }
}

/* The nodes that a fresh store begins with may have been removed. */
static void empty_tree(struct store *s)
{
    struct account a = {0};
    struct node *first;

    while ((first = kids_next(s->root->kids, &(struct kids_iter){0}))) {
        char path[XENSTORE_PAYLOAD_MAX] = "/";

        memcpy(path + 1, first->name, first->name_len);
        node_unref(edit_remove(&s->root, &a, path, first->name_len + 1u, s->gen));
    }
    account_apply(s, &a);
    account_free(&a);
}

int replay(struct store *s, const char *log, uint64_t len)
{
    struct rec rec;

    empty_tree(s);
    for (uint64_t at = 0; at < len; at += rec.len) {
        struct reader r = {.s = s};

        if (len - at < sizeof(rec))
            return EILSEQ;
        memcpy(&rec, log + at, sizeof(rec));
        if (rec.len < sizeof(rec) || rec.len % 8 || rec.len > len - at || rec.type == 0 ||
            rec.type >= sizeof(readers) / sizeof(readers[0]))
            return EILSEQ;
        r.who = rec.who;
        r.at = log + at + sizeof(rec);
        r.left = rec.len - sizeof(rec);
        if (!readers[rec.type](&r))
            return EILSEQ;
    }
    check_streams(s);
    look_again(s);
    store_next_gen(s);
    return 0;
}
