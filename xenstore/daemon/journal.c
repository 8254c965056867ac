/* SPDX-License-Identifier: MIT */
/*
 * journal.c: writing the journal; see journal.h and records.h.
 * Invariant: log[0..tail) is a whole number of records that bring an empty store to the state
 * at the last commit; log[tail..staged) is what happened since.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "conn.h"
#include "journal.h"
#include "records.h"
#include "store.h"
#include "txn.h"
#include "watch.h"

#define FIRST_SIZE  (1u << 20)
#define COMPACT_MIN (8u << 20) /* a log below this is left alone */

struct journal {
    struct store *store;
    int dir;
    int fd;
    char *log;
    size_t size; /* of file and mapping */
    uint64_t staged;
    uint64_t compact_at;
    bool replaying;
    struct conn *unlogged;
};

static struct log_header *header(struct journal *j)
{
    return (struct log_header *)j->log;
}

static void fatal(const char *what)
{
    fprintf(stderr, "xenstored: journal: cannot %s: %s; is the tmpfs full?\n", what,
            strerror(errno));
    abort();
}

/* Room for a record; returns where its payload goes. */
static char *begin(struct journal *j, enum record_type type, uint16_t domid, size_t payload)
{
    size_t len = (sizeof(struct rec) + payload + 7) & ~(size_t)7;
    struct rec *rec;

    if (j->staged + len > j->size) {
        size_t size = j->size;
        char *log;

        while (j->staged + len > size)
            size *= 2;
        if (ftruncate(j->fd, (off_t)size))
            fatal("grow the log");
        log = mremap(j->log, j->size, size, MREMAP_MAYMOVE);
        if (log == MAP_FAILED)
            fatal("map the log");
        j->log = log;
        j->size = size;
    }
    rec = (struct rec *)(j->log + j->staged);
    *rec = (struct rec){.len = (uint32_t)len, .type = (uint16_t)type, .domid = domid};
    j->staged += len;
    return (char *)(rec + 1);
}

static char *put(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static bool off(const struct journal *j)
{
    return !j || j->replaying;
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

    if (off(j))
        return;
    at = begin(j, REC_NODE, 0, sizeof(rec) + perms + len + rec.value_len);
    at = put(at, &rec, sizeof(rec));
    at = put(at, node->perms->p, perms);
    at = put(at, path, len);
    if (node->value)
        put(at, node->value->data, node->value->len);
}

void journal_remove(struct journal *j, const char *path, size_t len)
{
    struct rec_text rec = {.len = (uint32_t)len};

    if (!off(j))
        put(put(begin(j, REC_REMOVE, 0, sizeof(rec) + len), &rec, sizeof(rec)), path, len);
}

void journal_special(struct journal *j, int which, const struct perms *perms)
{
    struct rec_special rec = {
        .stamp = perms->stamp, .which = (uint16_t)which, .perms = (uint16_t)perms->n};
    size_t size = perms->n * sizeof(perms->p[0]);

    if (!off(j))
        put(put(begin(j, REC_SPECIAL, 0, sizeof(rec) + size), &rec, sizeof(rec)), perms->p, size);
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

    if (!off(j))
        put(begin(j, REC_DOMAIN, d->domid, sizeof(rec)), &rec, sizeof(rec));
}

static void stream_name(char name[16], uint16_t domid)
{
    snprintf(name, 16, "ring.%u", domid);
}

void journal_domain_gone(struct journal *j, uint16_t domid)
{
    char name[16];

    if (off(j))
        return;
    begin(j, REC_DOMAIN_GONE, domid, 0);
    stream_name(name, domid);
    unlinkat(j->dir, name, 0);
}

void journal_quota(struct journal *j)
{
    struct rec_quota rec;

    if (off(j))
        return;
    rec = (struct rec_quota){.gen = j->store->gen, .quota = j->store->quota};
    put(begin(j, REC_QUOTA, 0, sizeof(rec)), &rec, sizeof(rec));
}

static void watch_record(struct journal *j, enum record_type type, const struct conn *c,
                         struct rec_watch rec, const char *path, const char *token)
{
    char *at;

    if (off(j) || !c->kept)
        return;
    at = begin(j, type, c->who.domid, sizeof(rec) + rec.path_len + rec.token_len);
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
    if (!off(j) && c->kept && c->domain)
        begin(j, REC_RESET, c->who.domid, 0);
}

void journal_txn(struct journal *j, const struct conn *c, uint32_t id, bool open)
{
    struct rec_txn rec = {.id = id, .open = open};

    if (!off(j) && c->kept)
        put(begin(j, REC_TXN, c->who.domid, sizeof(rec)), &rec, sizeof(rec));
}

static void stream_record(struct journal *j, const struct conn *c)
{
    struct rec_stream rec = {.in_start = c->in_start, .out_end = c->out_end};

    put(begin(j, REC_STREAM, c->who.domid, sizeof(rec)), &rec, sizeof(rec));
}

void journal_unlogged(struct journal *j, struct conn *c)
{
    if (off(j) || c->unlogged || !c->kept)
        return;
    c->unlogged = true;
    c->next_unlogged = j->unlogged;
    j->unlogged = c;
}

static bool node_record(void *arg, const char *path, size_t len, struct node *node)
{
    journal_node(arg, path, len, node);
    return true;
}

/* The whole state as records. */
static void write_state(struct journal *j)
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
        stream_record(j, c);
        for (const struct watch *w = c->watches; w; w = w->next_own)
            journal_watch(j, c, w);
        for (const struct txn *t = c->txns; t; t = t->next)
            journal_txn(j, c, t->id, true);
    }
}

/* Make `tail` say that everything staged counts: one store, after all that it covers. */
static void set_tail(struct journal *j)
{
    __atomic_store_n(&header(j)->tail, j->staged, __ATOMIC_RELEASE);
}

static int map_log(struct journal *j, const char *name, int flags, size_t size)
{
    struct stat st;

    j->fd = openat(j->dir, name, O_RDWR | O_CLOEXEC | flags, 0600);
    if (j->fd < 0)
        return errno;
    if (size ? ftruncate(j->fd, (off_t)size) : fstat(j->fd, &st))
        return errno;
    j->size = size ? size : (size_t)st.st_size;
    if (j->size < sizeof(struct log_header))
        return EILSEQ;
    j->log = mmap(NULL, j->size, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd, 0);
    if (j->log != MAP_FAILED)
        return 0;
    j->log = NULL;
    return errno;
}

/* Write the state anew beside the log and put it in its place. */
static void rewrite(struct journal *j)
{
    struct journal old = *j;

    if (map_log(j, "log.new", O_CREAT | O_TRUNC, FIRST_SIZE))
        fatal("make a new log");
    *header(j) = (struct log_header){.magic = LOG_MAGIC, .version = LOG_VERSION};
    j->staged = sizeof(struct log_header);
    write_state(j);
    set_tail(j);
    if (renameat(j->dir, "log.new", j->dir, "log"))
        fatal("put the new log in place");
    if (old.log) {
        munmap(old.log, old.size);
        close(old.fd);
    }
    j->compact_at = 4 * j->staged > COMPACT_MIN ? 4 * j->staged : COMPACT_MIN;
}

void journal_commit(struct journal *j)
{
    struct conn *c;

    if (off(j))
        return;
    while ((c = j->unlogged)) {
        j->unlogged = c->next_unlogged;
        c->unlogged = false;
        if (c->domain) /* else the domain is gone, and its number may be another's already */
            stream_record(j, c);
    }
    if (header(j)->tail == j->staged)
        return;
    set_tail(j);
    if (j->staged > j->compact_at)
        rewrite(j);
}

struct stream *journal_stream(struct journal *j, struct conn *c)
{
    struct stream *st;
    char name[16];
    int fd;

    c->kept = j && c->domain;
    if (!c->kept) {
        st = xmalloc(sizeof(*st)); /* the buffers are not touched before they are used */
        memset(st, 0, offsetof(struct stream, in));
        return st;
    }
    stream_name(name, c->domain->domid);
    if (!j->replaying)
        unlinkat(j->dir, name, 0);
    fd = openat(j->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*st)))
        fatal("make a ring's file");
    st = mmap(NULL, sizeof(*st), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (st == MAP_FAILED)
        fatal("map a ring's file");
    close(fd);
    return st;
}

void journal_stream_free(struct journal *j, struct conn *c)
{
    if (!c->kept) {
        free(c->stream);
        return;
    }
    munmap(c->stream, sizeof(*c->stream));
    for (struct conn **p = &j->unlogged; *p; p = &(*p)->next_unlogged) {
        if (*p == c) {
            *p = c->next_unlogged;
            break;
        }
    }
}

size_t journal_size(const struct journal *j)
{
    return j ? (size_t)j->staged : 0;
}

/* Bring the store to what a predecessor's log says. */
static int read_log(struct journal *j)
{
    int rc = map_log(j, "log", 0, 0);

    if (!rc && (header(j)->magic != LOG_MAGIC || header(j)->version != LOG_VERSION ||
                header(j)->tail > j->size))
        rc = EILSEQ;
    if (rc)
        return rc;
    j->replaying = true;
    rc = replay(j->store, j->log + sizeof(struct log_header),
                header(j)->tail - sizeof(struct log_header));
    j->replaying = rc != 0; /* what could not be read is not written to either */
    return rc;
}

int journal_open(struct store *s, const char *dir, bool *found)
{
    struct journal *j = xzalloc(sizeof(*j));
    int rc = 0;

    j->store = s;
    j->fd = -1;
    if (mkdir(dir, 0700) && errno != EEXIST)
        rc = errno;
    j->dir = rc ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!rc && j->dir < 0)
        rc = errno;
    s->journal = j;
    *found = false;
    if (!rc) {
        rc = read_log(j);
        *found = !rc;
        if (rc == ENOENT)
            rc = 0;
    }
    if (rc) {
        fprintf(stderr,
                "xenstored: the journal in %s cannot be used: %s\n"
                "xenstored: it is not a log of this version; remove it to begin with an empty "
                "store, which running guests will not survive\n",
                dir, strerror(rc));
        return rc;
    }
    rewrite(j);
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    journal_commit(j);
    if (j->log)
        munmap(j->log, j->size);
    if (j->fd >= 0)
        close(j->fd);
    if (j->dir >= 0)
        close(j->dir);
    free(j);
}
