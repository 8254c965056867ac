/* SPDX-License-Identifier: MIT */
/*
 * journal.h: what a successor needs to take over after `kill -9`: kept in files on a tmpfs.
 *
 * A log, mapped into memory, gets a record for every change of the store: nodes, domains, watches
 * of ring connections, positions of their streams. Writing one is a memcpy; no system call is
 * made. Records count once the log's `tail` covers them; journal_commit() moves it, in one store,
 * before anything that resulted leaves the daemon. So a request's effects, its reply and its
 * being consumed are one step. When the log has grown much larger than the state, it is
 * written anew beside and renamed over.
 *
 * The streams of ring connections lie in files of their own (ring.<domid>, struct stream).
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
struct perms;
struct store;
struct stream;
struct watch;

/**
 * Open (or make) the journal in a directory and bring the store to what it says. Connections of
 * introduced domains exist then, without a transport. s->journal is set.
 * @param found  set to whether there was a predecessor's state
 * @return 0 or an errno; why is on stderr.
 */
int journal_open(struct store *s, const char *dir, bool *found);

/** Close the files (they stay where they are); no connection may be left. */
void journal_close(struct journal *j);

/** Everything recorded so far counts. */
void journal_commit(struct journal *j);

/* Records; the change is made already. */
void journal_node(struct journal *j, const char *path, size_t len, const struct node *node);
void journal_remove(struct journal *j, const char *path, size_t len);
void journal_special(struct journal *j, int which, const struct perms *perms);
void journal_domain(struct journal *j, const struct domain *d);
void journal_domain_gone(struct journal *j, uint16_t domid);
void journal_quota(struct journal *j);
void journal_watch(struct journal *j, const struct conn *c, const struct watch *w);
void journal_unwatch(struct journal *j, const struct conn *c, const char *path, size_t len,
                     const char *token);
void journal_reset(struct journal *j, const struct conn *c);
void journal_txn(struct journal *j, const struct conn *c, uint32_t id, bool open);

/** The positions of c's streams changed; they are recorded by the next commit. */
void journal_unlogged(struct journal *j, struct conn *c);

/** Memory for a connection's streams: a file's if it is a domain's and there is a journal (then
 * c->kept is set). */
struct stream *journal_stream(struct journal *j, struct conn *c);
void journal_stream_free(struct journal *j, struct conn *c);

/** Bytes in the log, for memreport. */
size_t journal_size(const struct journal *j);

#endif
