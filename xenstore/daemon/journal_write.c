/* SPDX-License-Identifier: MIT */
/* journal_write.c: the journal's records, one function each; see journal.h, records.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "journal.h"
#include "journal_log.h"
#include "store.h"
#include "txn.h"
#include "watch.h"

static char *put(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

void journal_stream_name(char name[16], uint16_t domid)
{
    snprintf(name, 16, "ring.%u", domid);
}

void journal_node(struct journal *j, const char *path, size_t len, const struct node *node)
{
    size_t perms = node->perms->n * sizeof(node->perms->p[0]);
    struct rec_node rec = {.gen = node->gen,
                           .stamp = node->perms->stamp,
                           .path_len = (uint16_t)len,
                           .perms = (uint16_t)node->perms->n,
                           .value_len = node->value ? node->value->len : 0};
    char *at;

    if (journal_off(j))
        return;
    at = journal_begin(j, REC_NODE, 0, sizeof(rec) + perms + len + rec.value_len);
    at = put(at, &rec, sizeof(rec));
    at = put(at, node->perms->p, perms);
    at = put(at, path, len);
    if (node->value)
        put(at, node->value->data, node->value->len);
}

void journal_remove(struct journal *j, const char *path, size_t len)
{
    struct rec_text rec = {.len = (uint32_t)len};

    if (!journal_off(j))
        put(put(journal_begin(j, REC_REMOVE, 0, sizeof(rec) + len), &rec, sizeof(rec)), path, len);
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
                            (d->conn ? REC_DOMAIN_CONNECTED : 0) |
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
    char name[16];

    if (journal_off(j))
        return;
    journal_begin(j, REC_DOMAIN_GONE, domid, 0);
    journal_stream_name(name, domid);
    unlinkat(j->dir, name, 0);
}

void journal_quota(struct journal *j)
{
    struct rec_quota rec;

    if (journal_off(j))
        return;
    rec = (struct rec_quota){.gen = j->store->gen, .quota = j->store->quota};
    put(journal_begin(j, REC_QUOTA, 0, sizeof(rec)), &rec, sizeof(rec));
}

static void watch_record(struct journal *j, enum record_type type, const struct conn *c,
                         struct rec_watch rec, const char *path, const char *token)
{
    char *at;

    if (journal_off(j) || !c->kept)
        return;
    at = journal_begin(j, type, c->who.domid, sizeof(rec) + rec.path_len + rec.token_len);
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
    if (!journal_off(j) && c->kept && c->domain)
        journal_begin(j, REC_RESET, c->who.domid, 0);
}

void journal_txn(struct journal *j, const struct conn *c, uint32_t id, bool open)
{
    struct rec_txn rec = {.id = id, .open = open};

    if (!journal_off(j) && c->kept)
        put(journal_begin(j, REC_TXN, c->who.domid, sizeof(rec)), &rec, sizeof(rec));
}

void journal_stream_record(struct journal *j, const struct conn *c)
{
    struct rec_stream rec = {.in_start = c->in_start, .out_end = c->out_end};

    put(journal_begin(j, REC_STREAM, c->who.domid, sizeof(rec)), &rec, sizeof(rec));
}

static bool node_record(void *arg, const char *path, size_t len, struct node *node)
{
    journal_node(arg, path, len, node);
    return true;
}

void journal_state(struct journal *j)
{
    struct store *s = j->store;

    journal_quota(j);
    for (const struct domain *d = domain_from(s, 0); d; d = domain_from(s, d->domid + 1u))
        journal_domain(j, d);
    for (int i = 0; i < SPECIAL_COUNT; i++)
        journal_special(j, i, s->special[i]);
    tree_each(s->root, "/", 1, node_record, j);
    for (const struct conn *c = s->conns; c; c = c->next) {
        if (!c->kept || c->broken)
            continue;
        journal_stream_record(j, c);
        for (const struct watch *w = c->watches; w; w = w->next_own)
            journal_watch(j, c, w);
        for (const struct txn *t = c->txns; t; t = t->next)
            journal_txn(j, c, t->id, true);
    }
}
