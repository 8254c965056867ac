/* SPDX-License-Identifier: MIT */
/* request.c: the table of requests and the way every one of them goes; see request.h. */
#include <errno.h>
#include <string.h>

#include "conn.h"
#include "request.h"
#include "say.h"
#include "txn.h"
#include "watch.h"
#include "xswire/names.h"
#include "xswire/path.h"

static const struct request_def table[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {do_control, 1, ANY_STRINGS, REQ_PRIV | REQ_NO_TX | REQ_RAW},
    [XS_DIRECTORY] = {do_directory, 1, 1, REQ_PATH},
    [XS_DIRECTORY_PART] = {do_directory_part, 2, 2, REQ_PATH},
    [XS_READ] = {do_read, 1, 1, REQ_PATH},
    [XS_WRITE] = {do_write, 1, ANY_STRINGS, REQ_PATH | REQ_RAW},
    [XS_MKDIR] = {do_mkdir, 1, 1, REQ_PATH},
    [XS_RM] = {do_rm, 1, 1, REQ_PATH},
    [XS_GET_PERMS] = {do_get_perms, 1, 1, REQ_PATH},
    [XS_SET_PERMS] = {do_set_perms, 2, ANY_STRINGS, REQ_RAW},
    [XS_WATCH] = {do_watch, 2, 3, REQ_NO_TX},
    [XS_UNWATCH] = {do_unwatch, 2, 2, REQ_NO_TX},
    [XS_RESET_WATCHES] = {do_reset_watches, 0, ANY_STRINGS, REQ_NO_TX | REQ_RAW},
    [XS_TRANSACTION_START] = {do_transaction_start, 0, ANY_STRINGS, REQ_RAW},
    [XS_TRANSACTION_END] = {do_transaction_end, 1, 1, 0},
    [XS_INTRODUCE] = {do_introduce, 3, ANY_STRINGS, REQ_PRIV | REQ_RAW},
    [XS_RELEASE] = {do_release, 1, 1, REQ_PRIV},
    [XS_RESUME] = {do_resume, 1, 1, REQ_PRIV},
    [XS_SET_TARGET] = {do_set_target, 2, ANY_STRINGS, REQ_PRIV | REQ_RAW},
    [XS_GET_DOMAIN_PATH] = {do_get_domain_path, 1, 1, 0},
    [XS_IS_DOMAIN_INTRODUCED] = {do_is_domain_introduced, 1, 1, REQ_PRIV},
};

void reply(struct request *r, const char *data, size_t len)
{
    const struct xsd_sockmsg *hdr = &r->frame->hdr;

    conn_send(r->conn, hdr->type, hdr->req_id, hdr->tx_id, data, len);
}

void reply_ok(struct request *r)
{
    reply(r, "OK", 3);
}

int request_path(struct request *r, struct xsw_str arg, bool special)
{
    uint32_t max = domain_limit(r->conn->store, r->conn->domain, QUOTA_PATH_MAX);
    char home[XSW_HOME_MAX];

    r->path_len = xsw_path_resolve(r->path, sizeof(r->path), r->conn->who.domid, arg.s, arg.len);
    r->home_len = 0;
    if (!r->path_len)
        return EINVAL;
    if (arg.s[0] == '@')
        return special && arg.len <= XENSTORE_REL_PATH_MAX ? 0 : EINVAL;
    if (arg.s[0] != '/')
        r->home_len = xsw_path_home(home, r->conn->who.domid);
    return xsw_path_valid(r->path, r->path_len, max ? max : XENSTORE_ABS_PATH_MAX) ? 0 : EINVAL;
}

int request_perms(struct request *r, const char *text, size_t count, struct xsw_perm *p)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(text);

        if (!xsw_perm_parse(text, len, &p[i]))
            return EINVAL;
        text += len + 1;
    }
    for (size_t i = 0; i < count; i++)
        if (!domain_get(r->conn->store, p[i].domid))
            p[i].bits |= PERM_IGNORE;
    return p[0].bits & PERM_IGNORE ? ENOENT : 0;
}

/* Everything that can be said about a request without knowing what it does. */
static int decode(struct request *r, const struct request_def *def)
{
    const struct xsw_frame *f = r->frame;
    size_t wanted = def->flags & REQ_RAW ? def->min : REQUEST_ARGS;

    if ((def->flags & REQ_PRIV) && !who_is_privileged(&r->conn->who))
        return EACCES;
    if (f->hdr.tx_id && !(def->flags & REQ_NO_TX)) {
        r->view.txn = conn_find_txn(r->conn, f->hdr.tx_id);
        if (!r->view.txn)
            return ENOENT;
    }
    r->nargs = xsw_split(f->body, f->hdr.len, r->arg, wanted, &r->rest);
    if (r->nargs < def->min || (def->max != ANY_STRINGS && r->nargs > def->max))
        return EINVAL;
    if (!(def->flags & REQ_RAW) && r->rest.len)
        return EINVAL;
    return def->flags & REQ_PATH ? request_path(r, r->arg[0], false) : 0;
}

static void trace(const struct request *r, int rc)
{
    int trace_fd = r->conn->store->trace;

    if (trace_fd)
        say_to(trace_fd, "%s %u %s tx=%u %.*s: %s", r->conn->domain ? "domain" : "socket",
               r->conn->who.domid, xsw_type_name(r->frame->hdr.type), r->frame->hdr.tx_id,
               (int)strnlen(r->frame->body, r->frame->hdr.len), r->frame->body,
               rc ? xsw_error_name(rc) : "OK");
}

void request_handle(struct conn *conn, const struct xsw_frame *frame)
{
    uint32_t type = frame->hdr.type;
    struct request r;
    int rc = ENOSYS;

    r.conn = conn;
    r.frame = frame;
    r.view = (struct view){.store = conn->store, .who = conn->who};
    if (type < XS_TYPE_COUNT && table[type].handle) {
        rc = decode(&r, &table[type]);
        if (!rc)
            rc = table[type].handle(&r);
    }
    if (rc) {
        const char *name = xsw_error_name(rc);

        conn_send(conn, XS_ERROR, frame->hdr.req_id, frame->hdr.tx_id, name, strlen(name) + 1);
    }
    trace(&r, rc);
}
