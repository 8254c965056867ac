/* SPDX-License-Identifier: MIT */
/* req_session.c: the requests about a connection's own state: its watches and transactions. */
#include <errno.h>
#include <string.h>

#include "conn.h"
#include "journal.h"
#include "request.h"
#include "txn.h"
#include "watch.h"

static int32_t watch_depth(const struct request *r, int *rc)
{
    uint32_t depth;

    if (r->nargs < 3)
        return WATCH_NO_DEPTH;
    if (!xsw_parse_u32(r->arg[2].s, r->arg[2].len, &depth) || depth > XENSTORE_ABS_PATH_MAX)
        *rc = EINVAL;
    return (int32_t)depth;
}

static int watch_quota(const struct conn *c, size_t bytes)
{
    uint32_t limit;

    if (who_is_privileged(&c->who))
        return 0;
    limit = domain_limit(c->store, c->domain, QUOTA_WATCHES);
    if (limit && c->domain->watches >= limit)
        return E2BIG;
    limit = domain_limit(c->store, c->domain, QUOTA_MEMORY);
    return limit && c->domain->bytes + (int64_t)bytes > limit ? ENOMEM : 0;
}

int do_watch(struct request *r)
{
    struct conn *c = r->conn;
    int rc = request_path(r, r->arg[0], true);
    int32_t depth = watch_depth(r, &rc);

    if (!rc)
        rc = watch_quota(c, r->path_len + r->arg[1].len);
    if (!rc)
        rc = watch_add(c->store, c, r->path, r->path_len, r->home_len, r->arg[1].s, depth);
    if (rc)
        return rc;
    journal_watch(c->store->journal, c, c->watches);
    reply_ok(r);
    watch_first_event(c->store, c);
    return 0;
}

int do_unwatch(struct request *r)
{
    struct conn *c = r->conn;
    int rc = request_path(r, r->arg[0], true);

    if (!rc)
        rc = watch_remove(c->store, c, r->path, r->path_len, r->arg[1].s);
    if (rc)
        return rc;
    journal_unwatch(c->store->journal, c, r->path, r->path_len, r->arg[1].s);
    reply_ok(r);
    return 0;
}

int do_reset_watches(struct request *r)
{
    struct conn *c = r->conn;

    watch_remove_all(c->store, c);
    conn_drop_transactions(c);
    journal_reset(c->store->journal, c);
    reply_ok(r);
    return 0;
}

int do_transaction_start(struct request *r)
{
    struct conn *c = r->conn;
    uint32_t limit = domain_limit(c->store, c->domain, QUOTA_TRANSACTIONS);
    char text[12];

    if (r->view.txn)
        return EBUSY;
    if (!who_is_privileged(&c->who) && limit && c->txn_count >= limit)
        return ENOSPC;
    do
        c->next_txn++;
    while (!c->next_txn || conn_find_txn(c, c->next_txn));
    conn_add_txn(c, txn_new(c, c->next_txn));
    journal_txn_begun(c->store->journal, c->txns);
    reply(r, text, xsw_format_u32(text, c->next_txn) + 1);
    return 0;
}

int do_transaction_end(struct request *r)
{
    struct txn *t = r->view.txn;
    struct xsw_str how = r->arg[0];
    int rc = 0;

    if (how.len != 1 || (how.s[0] != 'T' && how.s[0] != 'F'))
        return EINVAL;
    if (!t)
        return ENOENT;
    if (how.s[0] == 'T')
        rc = txn_commit(t);
    journal_txn_ended(r->conn->store->journal, t);
    conn_end_txn(r->conn, t);
    if (!rc)
        reply_ok(r);
    return rc;
}
