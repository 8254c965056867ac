/* SPDX-License-Identifier: MIT */
/*
 * request.h: what the protocol's requests are made of, as data, and their handlers.
 *
 * request_handle() checks a message against its row of the table (type, privilege, number of
 * strings, path), then calls the handler. A handler replies itself and returns 0, or returns an
 * errno value and changed nothing.
 */
#ifndef XSD_REQUEST_H
#define XSD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"
#include "xswire/args.h"
#include "xswire/frame.h"
#include "xswire/path.h"

#define REQUEST_ARGS 4

struct conn;

struct request {
    struct conn *conn;
    const struct xsw_frame *frame;
    struct view view; /* the caller's, inside the transaction that the header names */
    struct xsw_str arg[REQUEST_ARGS];
    size_t nargs;        /* NULs in the payload */
    struct xsw_str rest; /* bytes after the strings that the row asks for */
    size_t path_len;     /* REQ_PATH: the resolved path */
    size_t home_len;     /* of a path that was given as a relative one, else 0 */
    char path[XENSTORE_PAYLOAD_MAX + XSW_HOME_MAX];
};

typedef int request_handler(struct request *r);

/** A row of the table. */
struct request_def {
    request_handler *handle;
    uint8_t min, max; /* strings; ANY_STRINGS: no upper bound */
    uint8_t flags;
};

#define ANY_STRINGS 255
#define REQ_PRIV    0x01 /* dom0 only */
#define REQ_NO_TX   0x02 /* the transaction in the header is ignored */
#define REQ_PATH    0x04 /* arg[0] is the path of a node */
#define REQ_RAW     0x08 /* octets may follow the min-th string */

/** Handle one message of conn: append its reply, and events, to out streams. */
void request_handle(struct conn *conn, const struct xsw_frame *frame);

void reply(struct request *r, const char *data, size_t len);
void reply_ok(struct request *r);

/** Resolve arg as a node path or (if allowed) a special one into r->path. 0 or EINVAL. */
int request_path(struct request *r, struct xsw_str arg, bool special);

/** Parse permission strings; marks entries of domains that do not exist. 0, EINVAL, ENOSPC, ENOENT.
 */
int request_perms(struct request *r, const char *text, size_t count, struct xsw_perm *p);

/* req_nodes.c */
request_handler do_read, do_write, do_mkdir, do_rm, do_directory, do_directory_part, do_get_perms,
    do_set_perms;
/* req_session.c */
request_handler do_watch, do_unwatch, do_reset_watches, do_transaction_start, do_transaction_end;
/* req_domain.c */
request_handler do_introduce, do_release, do_resume, do_set_target, do_get_domain_path,
    do_is_domain_introduced;
/* control.c */
request_handler do_control;

/** Open what the store says requests are traced to (main.c: after a takeover). 0 or an errno. */
int control_trace(struct store *s);

#endif
