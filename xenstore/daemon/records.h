/* SPDX-License-Identifier: MIT */
/*
 * records.h: the journal's format, written by journal.c and read by replay.c.
 *
 * The log is a header and then records, each a multiple of 8 bytes long. Numbers are the
 * machine's own: the reader is a daemon on the same machine. Whatever changes the meaning of a
 * record changes LOG_VERSION; a daemon refuses a version it does not know.
 */
#ifndef XSD_RECORDS_H
#define XSD_RECORDS_H

#include <stdint.h>

#include "quota.h"

#define LOG_MAGIC   0x676f6c6e6c6c754dULL /* "Mullnlog" */
#define LOG_VERSION 4

/* What a program prints that can take over from this log (--journal-version). */
#define LIVE_UPDATE_ANSWER "mullion-xenstored journal 4"

struct log_header {
    uint64_t magic;
    uint32_t version;
    uint32_t pad;
    uint64_t tail;  /* bytes of the file that count; the commit is its one store */
    uint64_t state; /* bytes of it that a rewriting of the whole state took */
};

enum record_type {
    REC_NODE = 1,    /* rec_node, perms, path, value: the node is now this */
    REC_REMOVE,      /* rec_text: path; the subtree is gone */
    REC_SPECIAL,     /* rec_special, perms */
    REC_DOMAIN,      /* rec_domain */
    REC_DOMAIN_GONE, /* nothing */
    REC_QUOTA,       /* rec_quota */
    REC_WATCH,       /* rec_watch, path, token */
    REC_UNWATCH,     /* rec_watch, path, token */
    REC_RESET,       /* nothing: the connection's watches and transactions are gone */
    REC_TXN,         /* rec_txn: begun (on the tree as it is here), ended, or over its limit */
    REC_ACCESS,      /* rec_access, path: a transaction touched it */
    REC_STREAM,      /* rec_stream */
    REC_CONN,        /* rec_conn: there is this connection */
    REC_CONN_GONE,   /* nothing */
    REC_TRACE,       /* rec_text: where requests are traced to */
};

/** Leads every record. */
struct rec {
    uint32_t len; /* with this header and padding */
    uint16_t type;
    uint16_t who; /* the domain, or the connection, that it is about; 0 otherwise */
};

/* txn: the edit is one of a transaction (of the connection `who`) and counts when that commits; 0:
 * it is the store's. */
struct rec_node {
    uint64_t gen, stamp;
    uint16_t path_len, perms;
    uint32_t value_len;
    uint32_t txn, pad;
};

struct rec_text {
    uint64_t gen;
    uint32_t len;
    uint32_t txn;
};

struct rec_special {
    uint64_t stamp;
    uint16_t which, perms;
};

#define REC_DOMAIN_INTRODUCED 1
#define REC_DOMAIN_SHUTDOWN   2
#define REC_DOMAIN_TARGET     4

struct rec_domain {
    uint64_t birth;
    uint32_t remote_port;
    uint16_t flags, target;
    struct quota quota;
};

struct rec_quota {
    uint64_t gen;
    struct quota quota;
};

struct rec_watch {
    int32_t depth;
    uint32_t home_len;
    uint16_t path_len, token_len;
};

enum rec_txn_state { REC_TXN_BEGUN, REC_TXN_ENDED, REC_TXN_FAILED };

struct rec_txn {
    uint32_t id;
    uint32_t state;
};

struct rec_access {
    uint32_t txn;
    uint32_t flags;
    uint32_t len;
};

struct rec_stream {
    uint64_t in_start, out_end;
    uint64_t overdue; /* some watch's event found no room */
};

#define REC_CONN_SOCKET UINT32_MAX

struct rec_conn {
    int32_t fd;     /* of a socket; it is open in the successor, too */
    uint32_t domid; /* whose ring it is, or REC_CONN_SOCKET */
};

struct store;

/** Apply the records in log[0..len) to a fresh store. @return 0, or EILSEQ: not a log of ours. */
int replay(struct store *s, const char *log, uint64_t len);

#endif
