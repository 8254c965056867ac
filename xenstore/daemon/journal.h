/* SPDX-License-Identifier: MIT */
/*
 * journal.h: what a successor needs to take over after `kill -9`: kept in files on a tmpfs.
 *
 * A log, mapped into memory, gets a record for every change of the store: nodes, domains,
 * connections with their watches, transactions and positions of their streams. Writing one is a
 * memcpy; no system call is made. Records count once the log's `tail` covers them;
 * journal_commit() moves it, in one store, before anything that resulted leaves the daemon. So a
 * request's effects, its reply and its being consumed are one step. When the log has grown much
 * larger than the state, it is written anew beside and renamed over.
 *
 * The streams of the connections lie in a file of their own (streams.h).
 *
 * All functions do nothing when the journal is NULL.
 */
#ifndef XSD_JOURNAL_H
#define XSD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct domain;
struct journal;
struct node;
struct io_counts;
struct perms;
struct store;
struct streams;
struct txn;
struct watch;

/**
 * Open (or make) the journal in a directory and bring the store to what it says. Its connections
 * exist then, without a transport. s->journal is set.
 * @param last   what the predecessor read and wrote in its life, or NULL: not known
 * @param found  set to whether there was a predecessor's state
 * @return 0 or an errno; why is on stderr.
 */
int journal_open(struct store *s, const char *dir, const struct io_counts *last, bool *found);

/** Close the files (they stay where they are); no connection may be left. */
void journal_close(struct journal *j);

/** Everything recorded so far counts. */
void journal_commit(struct journal *j);

/* Records; the change is made already, in a transaction or (t NULL) in the store. */
void journal_node(struct journal *j, const struct txn *t, const char *path, size_t len,
                  const struct node *node);
void journal_remove(struct journal *j, const struct txn *t, const char *path, size_t len,
                    uint64_t gen);
void journal_special(struct journal *j, int which, const struct perms *perms);
void journal_domain(struct journal *j, const struct domain *d);
void journal_domain_gone(struct journal *j, uint16_t domid);
void journal_quota(struct journal *j);
void journal_trace(struct journal *j);
void journal_watch(struct journal *j, const struct conn *c, const struct watch *w);
void journal_unwatch(struct journal *j, const struct conn *c, const char *path, size_t len,
                     const char *token);
void journal_reset(struct journal *j, const struct conn *c);
void journal_txn_begun(struct journal *j, const struct txn *t);
void journal_txn_ended(struct journal *j, const struct txn *t);
void journal_txn_failed(struct journal *j, const struct txn *t);
void journal_access(struct journal *j, const struct txn *t, const char *path, size_t len,
                    uint32_t flags);
/** The connection's descriptor is known now. */
void journal_conn(struct journal *j, const struct conn *c);

/** The positions of c's streams changed; they are recorded by the next commit. */
void journal_unlogged(struct journal *j, struct conn *c);

/** A new connection: its number, its streams. With a journal c->kept is set and they lie in its
 * file. @return false: there are too many already. */
bool journal_conn_open(struct journal *j, struct conn *c);

/** The connection is closed; commits, so that its number can be another's. */
void journal_conn_close(struct journal *j, struct conn *c);

/** The connection with that number, or NULL. */
struct conn *journal_conn_find(const struct journal *j, uint32_t id);

/** The streams' file, for its notes; NULL without a journal. */
struct streams *journal_streams(const struct journal *j);

/** Bytes in the log, for memreport. */
size_t journal_size(const struct journal *j);

#endif
