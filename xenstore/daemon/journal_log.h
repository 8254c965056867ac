/* SPDX-License-Identifier: MIT */
/*
 * journal_log.h: between journal.c (the files: opening, committing, rewriting) and journal_write.c
 * (the records). See journal.h for what it is, records.h for the format. Invariant: log[0..tail) is
 * a whole number of records that bring an empty store to the state at the last commit;
 * log[tail..staged) is what happened since.
 */
#ifndef XSD_JOURNAL_LOG_H
#define XSD_JOURNAL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "records.h"
#include "streams.h"

struct conn;
struct store;
struct txn;

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
    struct streams *streams;
    struct conn **conn; /* by number */
    uint32_t conns;     /* room in conn[] */
    uint32_t lowest;    /* no number below is free */
};

/** Where a new record's payload goes: room for it is made in the log. Counts with the next commit.
 */
char *journal_begin(struct journal *j, enum record_type type, uint32_t who, size_t payload);

/** Nothing is to be recorded: there is no journal, or it is being read. */
static inline bool journal_off(const struct journal *j)
{
    return !j || j->replaying;
}

/** The positions of a connection's streams. */
void journal_stream_record(struct journal *j, const struct conn *c);

/** The whole state as records. */
void journal_state(struct journal *j);

/** Replay: the next connection that is made has this number. */
static inline void journal_conn_next(struct journal *j, uint32_t id)
{
    j->lowest = id;
}

/** End the process: the journal cannot be written. */
_Noreturn void journal_fatal(const char *what);

#endif
