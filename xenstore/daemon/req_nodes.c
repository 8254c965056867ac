/* SPDX-License-Identifier: MIT */
/* req_nodes.c: the requests that read and change nodes. Argument shapes: the table in request.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "journal.h"
#include "kids.h"
#include "request.h"
#include "txn.h"
#include "watch.h"

int do_read(struct request *r)
{
    struct place at;
    int rc = view_get(&r->view, r->path, r->path_len, XSW_PERM_READ, ACCESS_READ, &at);

    if (!rc)
        reply(r, at.node->value ? at.node->value->data : "",
              at.node->value ? at.node->value->len : 0);
    return rc;
}

int do_write(struct request *r)
{
    int rc = store_write(&r->view, r->path, r->path_len, r->rest.s, r->rest.len);

    if (!rc)
        reply_ok(r);
    return rc;
}

int do_mkdir(struct request *r)
{
    int rc = store_mkdir(&r->view, r->path, r->path_len);

    if (!rc)
        reply_ok(r);
    return rc;
}

int do_rm(struct request *r)
{
    int rc = store_rm(&r->view, r->path, r->path_len);

    if (!rc)
        reply_ok(r);
    return rc;
}

int do_directory(struct request *r)
{
    char names[XENSTORE_PAYLOAD_MAX];
    struct kids_iter it = {0};
    const struct node *child;
    struct place at;
    size_t len = 0;
    int rc =
        view_get(&r->view, r->path, r->path_len, XSW_PERM_READ, ACCESS_READ | ACCESS_KIDS, &at);

    if (rc)
        return rc;
    while ((child = kids_next(at.node->kids, &it))) {
        if (len + child->name_len + 1 > sizeof(names))
            return E2BIG;
        memcpy(names + len, child->name, child->name_len + 1u);
        len += child->name_len + 1u;
    }
    reply(r, names, len);
    return 0;
}

/*
 * Part of a list that is too long for one reply: the generation, then as many whole names from
 * byte `offset` of the list as fit; the last part ends with an empty name.
 */
int do_directory_part(struct request *r)
{
    char out[XENSTORE_PAYLOAD_MAX];
    struct kids_iter it = {0};
    const struct node *child;
    struct place at;
    uint32_t offset;
    size_t at_byte = 0, len;
    uint64_t gen;
    int rc =
        view_get(&r->view, r->path, r->path_len, XSW_PERM_READ, ACCESS_READ | ACCESS_KIDS, &at);

    if (rc)
        return rc;
    if (!xsw_parse_u32(r->arg[1].s, r->arg[1].len, &offset))
        return EINVAL;
    gen = at.node->gen > at.node->kids_gen ? at.node->gen : at.node->kids_gen;
    len = (size_t)snprintf(out, sizeof(out), "%llu", (unsigned long long)gen) + 1;
    while ((child = kids_next(at.node->kids, &it))) {
        size_t size = child->name_len + 1u;

        if (at_byte >= offset) {
            if (len + size + 1 > sizeof(out))
                break;
            memcpy(out + len, child->name, size);
            len += size;
        }
        at_byte += size;
    }
    if (!child)
        out[len++] = 0;
    reply(r, out, len);
    return 0;
}

int do_get_perms(struct request *r)
{
    char out[XENSTORE_PAYLOAD_MAX + XSW_PERM_STR_MAX];
    struct place at;
    size_t len = 0;
    int rc = view_get(&r->view, r->path, r->path_len, XSW_PERM_READ, ACCESS_READ, &at);

    if (rc)
        return rc;
    for (uint32_t i = 0; i < at.node->perms->n; i++) {
        len += xsw_perm_format(out + len, at.node->perms->p[i]) + 1;
        if (len > XENSTORE_PAYLOAD_MAX)
            return E2BIG;
    }
    reply(r, out, len);
    return 0;
}

static int set_special(struct request *r, const struct xsw_perm *p, uint32_t n)
{
    struct store *s = r->conn->store;
    int which = watch_special(r->path, r->path_len);

    if (which < 0 || strchr(r->path, '/'))
        return EINVAL;
    if (!(perms_for(s, &r->view.who, s->special[which]) & PERM_OWNER))
        return EACCES;
    perms_unref(s->special[which]);
    s->special[which] = perms_new(p, n, s->gen);
    journal_special(s->journal, which, s->special[which]);
    return 0;
}

int do_set_perms(struct request *r)
{
    struct xsw_perm p[XENSTORE_PAYLOAD_MAX / 3];
    uint32_t max = domain_limit(r->conn->store, r->conn->domain, QUOTA_PERMISSIONS);
    uint32_t n = (uint32_t)r->nargs - 1;
    const char *text = r->arg[1].s;
    int rc;

    if (!who_is_privileged(&r->view.who) && max && n > max)
        return ENOSPC;
    if (n > sizeof(p) / sizeof(p[0]))
        return EINVAL;
    rc = request_path(r, r->arg[0], true);
    if (!rc)
        rc = request_perms(r, text, n, p);
    if (rc)
        return rc;
    rc = r->path[0] == '@' ? set_special(r, p, n)
                           : store_set_perms(&r->view, r->path, r->path_len, p, n);
    if (!rc)
        reply_ok(r);
    return rc;
}
