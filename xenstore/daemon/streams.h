/* SPDX-License-Identifier: MIT */
/*
 * streams.h: the streams of all connections in one file that outlives the daemon, and what the
 * daemon was moving when it died.
 *
 * A ring tells a successor by its own indices what was moved. A socket does not: bytes that
 * readv() took are gone from it, and bytes that writev() gave it cannot be asked for. But the
 * kernel counts what a process read and wrote (/proc/<pid>/io), in the same system call that moves
 * it, and keeps the count until the parent has buried the process. So before each such call the
 * daemon notes here which stream it moves, from where, and what it has moved in all its life; its
 * keeper (keeper.c) reads the count of the dead, and the difference is what that last call did.
 *
 * Invariant: io_read and io_written in the file are everything that this process has read and
 * written by file descriptor, except by the call that `what` names. Whoever else calls read() or
 * write() while the daemon serves says so (io_count()).
 */
#ifndef XSD_STREAMS_H
#define XSD_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

#define STREAMS_MAX 65535 /* connections at a time */

enum flight { FLIGHT_NONE, FLIGHT_IN, FLIGHT_OUT };

/** The last process's counts; what its keeper knows. */
struct io_counts {
    bool known;
    uint64_t read, written;
};

/** The counts behind a descriptor of /proc/<pid>/io (-1: not known). @return bytes read for that.
 */
size_t io_counts_read(int fd, struct io_counts *c);

struct streams;

/** Open (or make) the file. @return NULL: errno. */
struct streams *streams_open(int dir);
void streams_close(struct streams *s);

/** The stream with that number; the file is made to hold it. NULL: errno. */
struct stream *streams_get(struct streams *s, uint32_t id);

/**
 * Make good what the predecessor's last call moved without being able to say so.
 * @param last  counts of the predecessor, now dead
 * @return -1, or the number of a stream whose position cannot be known: to be closed.
 */
int streams_land(struct streams *s, const struct io_counts *last);

/** This process's counts from now on. io_fd: its /proc/self/io; -1: there is none. */
void streams_count_from_here(struct streams *s, int io_fd);

/** Note that stream `id` is about to be moved from a position, at most `most` bytes. s may be NULL.
 */
void streams_take_off(struct streams *s, enum flight what, uint32_t id, uint64_t from, size_t most);

/** The call moved n bytes (< 1: none) and the stream's position says so. s may be NULL. */
void streams_landed(struct streams *s, enum flight what, ssize_t n);

/** So many bytes were read and written by somebody else in this process. */
void io_count(size_t read, size_t written);

#endif
