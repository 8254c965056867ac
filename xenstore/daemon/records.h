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
#define LOG_VERSION 2

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
    REC_RESET,       /* nothing: the domain's watches and transactions are gone */
    REC_TXN,         /* rec_txn */
    REC_STREAM,      /* rec_stream */
};

/** Leads every record. */
struct rec {
    uint32_t len; /* with this header and padding */
    uint16_t type;
    uint16_t domid; /* whom it concerns; 0 otherwise */
};

struct rec_node {
    uint64_t gen, stamp;
    uint16_t path_len, perms;
    uint32_t value_len;
};

struct rec_text {
    uint32_t len;
};

struct rec_special {
    uint64_t stamp;
    uint16_t which, perms;
};

#define REC_DOMAIN_INTRODUCED 1
#define REC_DOMAIN_CONNECTED  2
#define REC_DOMAIN_SHUTDOWN   4
#define REC_DOMAIN_TARGET     8

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

struct rec_txn {
    uint32_t id;
    uint32_t open;
};

struct rec_stream {
    uint64_t in_start, out_end;
};

struct store;

/** Apply the records in log[0..len) to a fresh store. @return 0, or EILSEQ: not a log of ours. */
int replay(struct store *s, const char *log, uint64_t len);

#endif
