/* SPDX-License-Identifier: MIT */
/* streams.c: streams in a file; see streams.h. A page of struct head, then a slot for each stream.
 * Slots are mapped in chunks that never move. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "streams.h"

#define PAGE  4096
#define SLOT  ((sizeof(struct stream) + PAGE - 1) & ~(size_t)(PAGE - 1))
#define CHUNK 64 /* slots mapped at a time */

struct head {
    uint64_t io_read, io_written;
    uint64_t from; /* the stream's position before the call */
    uint64_t most;
    uint32_t id;
    uint32_t what; /* enum flight; stored last */
};

struct streams {
    int fd;
    struct head *head;
    char *chunk[STREAMS_MAX / CHUNK + 1];
    size_t slots; /* that the file holds */
};

/* There is one daemon in a process: others in it who read and write need not know its streams. */
static struct head nobody, *counts = &nobody;

/* Nothing before is moved behind by the compiler, nor the other way: the successor sees our stores
 * in this order, because they are in memory that outlives us. */
static void barrier(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

struct streams *streams_open(int dir)
{
    struct streams *s = xzalloc(sizeof(*s));
    struct stat st = {0};

    s->fd = openat(dir, "streams", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0 || fstat(s->fd, &st) || (st.st_size < PAGE && ftruncate(s->fd, PAGE)))
        goto failed;
    s->slots = st.st_size > PAGE ? ((size_t)st.st_size - PAGE) / SLOT : 0;
    s->head = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (s->head != MAP_FAILED)
        return s;
failed:
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    return NULL;
}

void streams_close(struct streams *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < sizeof(s->chunk) / sizeof(s->chunk[0]); i++)
        if (s->chunk[i])
            munmap(s->chunk[i], CHUNK * SLOT);
    if (counts == s->head)
        counts = &nobody;
    munmap(s->head, PAGE);
    close(s->fd);
    free(s);
}

struct stream *streams_get(struct streams *s, uint32_t id)
{
    char **chunk = &s->chunk[id / CHUNK];

    if (id >= s->slots) {
        if (ftruncate(s->fd, (off_t)(PAGE + (id + 1) * SLOT)))
            return NULL;
        s->slots = id + 1;
    }
    if (!*chunk) {
        void *at = mmap(NULL, CHUNK * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd,
                        (off_t)(PAGE + id / CHUNK * CHUNK * SLOT));

        if (at == MAP_FAILED)
            return NULL;
        *chunk = at;
    }
    return (struct stream *)(*chunk + id % CHUNK * SLOT);
}

int streams_land(struct streams *s, const struct io_counts *last)
{
    const struct head h = *s->head;
    struct stream *st = h.what != FLIGHT_NONE && h.id < s->slots ? streams_get(s, h.id) : NULL;
    uint64_t moved = h.what == FLIGHT_IN ? last->read - h.io_read : last->written - h.io_written;

    if (st && (!last->known || moved > h.most))
        return (int)h.id;
    if (st && h.what == FLIGHT_IN)
        st->in_end = h.from + moved;
    else if (st)
        st->out_start = h.from + moved;
    barrier(); /* whoever is killed here does it once more */
    s->head->what = FLIGHT_NONE;
    return -1;
}

/* A number behind a name in the text of /proc/<pid>/io. */
static uint64_t field(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

size_t io_counts_read(int fd, struct io_counts *c)
{
    char text[512];
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

    *c = (struct io_counts){.known = n > 0};
    if (n <= 0)
        return 0;
    text[n] = 0;
    c->read = field(text, "rchar:");
    c->written = field(text, "wchar:");
    return (size_t)n;
}

void streams_count_from_here(struct streams *s, int io_fd)
{
    struct io_counts c;
    size_t text = io_counts_read(io_fd, &c);

    counts = s->head;
    s->head->what = FLIGHT_NONE;
    s->head->io_read = c.read + text; /* it did not count itself yet */
    s->head->io_written = c.written;
}

void streams_take_off(struct streams *s, enum flight what, uint32_t id, uint64_t from, size_t most)
{
    struct head *h;

    if (!s)
        return;
    h = s->head;
    h->id = id;
    h->from = from;
    h->most = most;
    barrier();
    h->what = what;
    barrier();
}

void streams_landed(struct streams *s, enum flight what, ssize_t n)
{
    struct head *h;

    if (!s)
        return;
    h = s->head;
    barrier(); /* the stream's position was stored before */
    h->what = FLIGHT_NONE;
    barrier();
    if (n > 0)
        *(what == FLIGHT_IN ? &h->io_read : &h->io_written) += (uint64_t)n;
}

void io_count(size_t read, size_t written)
{
    counts->io_read += read;
    counts->io_written += written;
}
