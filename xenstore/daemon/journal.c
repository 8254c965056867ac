/* SPDX-License-Identifier: MIT */
/*
 * journal.c: the journal's files: opening and taking over, committing, writing the log anew, the
 * numbers of connections; see journal.h. The records are written by journal_write.c.
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
#include "journal_log.h"
#include "store.h"

#define FIRST_SIZE  (1u << 20)
#define COMPACT_MIN (8u << 20) /* a log below this is left alone */

static struct log_header *header(struct journal *j)
{
    return (struct log_header *)j->log;
}

_Noreturn void journal_fatal(const char *what)
{
    fprintf(stderr, "xenstored: journal: cannot %s: %s; is the tmpfs full?\n", what,
            strerror(errno));
    abort();
}

char *journal_begin(struct journal *j, enum record_type type, uint32_t who, size_t payload)
{
    size_t len = (sizeof(struct rec) + payload + 7) & ~(size_t)7;
    struct rec *rec;

    if (j->staged + len > j->size) {
        size_t size = j->size;
        char *log;

        while (j->staged + len > size)
            size *= 2;
        if (ftruncate(j->fd, (off_t)size))
            journal_fatal("grow the log");
        log = mremap(j->log, j->size, size, MREMAP_MAYMOVE);
        if (log == MAP_FAILED)
            journal_fatal("map the log");
        j->log = log;
        j->size = size;
    }
    rec = (struct rec *)(j->log + j->staged);
    *rec = (struct rec){.len = (uint32_t)len, .type = (uint16_t)type, .who = (uint16_t)who};
    j->staged += len;
    return (char *)(rec + 1);
}

void journal_unlogged(struct journal *j, struct conn *c)
{
    if (journal_off(j) || c->unlogged || !c->kept)
        return;
    c->unlogged = true;
    c->next_unlogged = j->unlogged;
    j->unlogged = c;
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

/* When the log is to be written anew. */
static void set_limit(struct journal *j)
{
    j->compact_at = 2 * header(j)->state;
    if (j->compact_at < COMPACT_MIN)
        j->compact_at = COMPACT_MIN;
}

/* Write the state anew beside the log and put it in its place. */
static void rewrite(struct journal *j)
{
    struct journal old = *j;

    if (map_log(j, "log.new", O_CREAT | O_TRUNC, FIRST_SIZE))
        journal_fatal("make a new log");
    *header(j) = (struct log_header){.magic = LOG_MAGIC, .version = LOG_VERSION};
    j->staged = sizeof(struct log_header);
    journal_state(j);
    set_tail(j);
    if (renameat(j->dir, "log.new", j->dir, "log"))
        journal_fatal("put the new log in place");
    if (old.log) {
        munmap(old.log, old.size);
        close(old.fd);
    }
    header(j)->state = j->staged;
    set_limit(j);
}

void journal_commit(struct journal *j)
{
    struct conn *c;

    if (journal_off(j))
        return;
    while ((c = j->unlogged)) {
        j->unlogged = c->next_unlogged;
        c->unlogged = false;
        journal_stream_record(j, c);
    }
    if (header(j)->tail == j->staged)
        return;
    set_tail(j);
    if (j->staged > j->compact_at)
        rewrite(j);
}

struct conn *journal_conn_find(const struct journal *j, uint32_t id)
{
    return id < j->conns ? j->conn[id] : NULL;
}

struct streams *journal_streams(const struct journal *j)
{
    return j ? j->streams : NULL;
}

bool journal_conn_open(struct journal *j, struct conn *c)
{
    uint32_t id;

    if (!j) {
        c->stream = xmalloc(sizeof(*c->stream)); /* untouched until used */
        memset(c->stream, 0, offsetof(struct stream, in));
        return true;
    }
    while (j->lowest < j->conns && j->conn[j->lowest])
        j->lowest++;
    id = j->lowest;
    if (id >= STREAMS_MAX)
        return false;
    if (id >= j->conns) {
        uint32_t conns = id + 64;

        j->conn = xrealloc(j->conn, conns, sizeof(struct conn *));
        memset(j->conn + j->conns, 0, (conns - j->conns) * sizeof(struct conn *));
        j->conns = conns;
    }
    c->stream = streams_get(j->streams, id);
    if (!c->stream)
        journal_fatal("make room for a connection");
    c->id = id;
    c->kept = true;
    j->conn[id] = c;
    return true;
}

void journal_conn_close(struct journal *j, struct conn *c)
{
    if (!c->kept) {
        free(c->stream);
        return;
    }
    for (struct conn **p = &j->unlogged; *p; p = &(*p)->next_unlogged) {
        if (*p == c) {
            *p = c->next_unlogged;
            break;
        }
    }
    if (!j->replaying) {
        journal_begin(j, REC_CONN_GONE, c->id, 0);
        journal_commit(j);
    }
    j->conn[c->id] = NULL;
    if (c->id < j->lowest)
        j->lowest = c->id;
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
    j->lowest = 0;
    if (!rc) { /* go on where it ends */
        j->staged = header(j)->tail;
        set_limit(j);
    }
    return rc;
}

/* The streams' file, after what the predecessor's last system call did. */
static int open_streams(struct journal *j, const struct io_counts *last, int *doubtful)
{
    static const struct io_counts unknown;

    j->streams = streams_open(j->dir);
    if (!j->streams)
        return errno;
    *doubtful = streams_land(j->streams, last ? last : &unknown);
    return 0;
}

int journal_open(struct store *s, const char *dir, const struct io_counts *last, bool *found)
{
    struct journal *j = xzalloc(sizeof(*j));
    int rc = 0, doubtful = -1;

    j->store = s;
    j->fd = -1;
    if (mkdir(dir, 0700) && errno != EEXIST)
        rc = errno;
    j->dir = rc ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!rc && j->dir < 0)
        rc = errno;
    s->journal = j;
    *found = false;
    if (!rc)
        rc = open_streams(j, last, &doubtful);
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
    if (!*found)
        rewrite(j);
    if (doubtful >= 0 && journal_conn_find(j, (uint32_t)doubtful))
        journal_conn_find(j, (uint32_t)doubtful)->broken = true;
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
    streams_close(j->streams);
    free(j->conn);
    free(j);
}
