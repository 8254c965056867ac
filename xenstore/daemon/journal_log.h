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

struct conn;
struct store;

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

/** Where a new record's payload goes: room for it is made in the log. Counts with the next commit.
 */
char *journal_begin(struct journal *j, enum record_type type, uint16_t domid, size_t payload);

/** Nothing is to be recorded: there is no journal, or it is being read. */
static inline bool journal_off(const struct journal *j)
{
    return !j || j->replaying;
}

/** The positions of a connection's streams. */
void journal_stream_record(struct journal *j, const struct conn *c);

/** The whole state as records. */
void journal_state(struct journal *j);

/** The name of a domain's ring file. */
void journal_stream_name(char name[16], uint16_t domid);

/** End the process: the journal cannot be written. */
_Noreturn void journal_fatal(const char *what);

#endif
