/* SPDX-License-Identifier: MIT */
/*
 * journal.c: the journal's files: opening and taking over, committing, writing the log anew, the
 * streams of rings; see journal.h. The records are written by journal_write.c.
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

char *journal_begin(struct journal *j, enum record_type type, uint16_t domid, size_t payload)
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
    *rec = (struct rec){.len = (uint32_t)len, .type = (uint16_t)type, .domid = domid};
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
    j->compact_at = 4 * header(j)->state;
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
        if (c->domain) /* else the domain is gone, and its number may be another's already */
            journal_stream_record(j, c);
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
    journal_stream_name(name, c->domain->domid);
    if (!j->replaying)
        unlinkat(j->dir, name, 0);
    fd = openat(j->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*st)))
        journal_fatal("make a ring's file");
    st = mmap(NULL, sizeof(*st), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (st == MAP_FAILED)
        journal_fatal("map a ring's file");
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
    if (!rc) {              /* go on where it ends */
        j->staged = header(j)->tail;
        set_limit(j);
    }
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
    if (!*found)
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
