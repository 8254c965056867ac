/* SPDX-License-Identifier: MIT */
/* watch.c: the index of watches, matching and delivery; see watch.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "conn.h"
#include "journal.h"
#include "kids.h"
#include "watch.h"
#include "windex.h"
#include "xswire/args.h"
#include "xswire/path.h"

static const char *const special_names[SPECIAL_COUNT] = {
    [SPECIAL_INTRODUCE] = "@introduceDomain",
    [SPECIAL_RELEASE] = "@releaseDomain",
};

int watch_special(const char *path, size_t len)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        size_t n = strlen(special_names[i]);

        if (len >= n && !memcmp(path, special_names[i], n) && (len == n || path[n] == '/'))
            return i;
    }
    return -1;
}

static struct wnode **index_root(struct store *s, const char *path)
{
    return path[0] == '@' ? &s->special_watches : &s->watches;
}

int watch_add(struct store *s, struct conn *conn, const char *path, size_t len, size_t home_len,
              const char *token, int32_t depth)
{
    struct wnode *at = windex_make(index_root(s, path), path, len);
    struct watch *w;

    for (w = at->watches; w; w = w->next_here)
        if (w->conn == conn && !strcmp(w->token, token))
            return EEXIST;
    w = xmalloc(sizeof(*w) + len + 1);
    *w = (struct watch){.next_here = at->watches,
                        .next_own = conn->watches,
                        .conn = conn,
                        .at = at,
                        .depth = depth,
                        .home_len = (uint32_t)home_len,
                        .path_len = (uint32_t)len,
                        .token = xmemdup0(token, strlen(token))};
    memcpy(w->path, path, len);
    w->path[len] = 0;
    at->watches = w;
    conn->watches = w;
    if (conn->domain) {
        conn->domain->watches++;
        conn->domain->bytes += (int64_t)(len + strlen(token));
    }
    return 0;
}

/* Unlink *own (in its connection's list) and free it. */
static void drop(struct store *s, struct watch **own)
{
    struct watch *w = *own, **here = &w->at->watches;

    *own = w->next_own;
    while (*here != w)
        here = &(*here)->next_here;
    *here = w->next_here;
    if (w->overdue)
        w->conn->overdue--;
    if (w->conn->domain) {
        w->conn->domain->watches--;
        w->conn->domain->bytes -= (int64_t)(w->path_len + strlen(w->token));
    }
    windex_prune(index_root(s, w->path), w->at);
    free(w->token);
    free(w);
}

int watch_remove(struct store *s, struct conn *conn, const char *path, size_t len,
                 const char *token)
{
    for (struct watch **p = &conn->watches; *p; p = &(*p)->next_own) {
        if ((*p)->path_len == len && !memcmp((*p)->path, path, len) &&
            !strcmp((*p)->token, token)) {
            drop(s, p);
            return 0;
        }
    }
    return ENOENT;
}

void watch_remove_all(struct store *s, struct conn *conn)
{
    while (conn->watches)
        drop(s, &conn->watches);
}

/* Is the watch's last event still unsent, and the same as this one? */
static bool is_pending(const struct watch *w, const char *path, size_t len, size_t payload)
{
    const struct stream *st = w->conn->stream;
    char had[XSW_MESSAGE_MAX];
    struct xsd_sockmsg hdr;

    if (!w->last || w->last - 1 < st->out_start)
        return false;
    stream_out_get(st, w->last - 1, &hdr, sizeof(hdr));
    if (hdr.len != payload)
        return false;
    stream_out_get(st, w->last - 1 + sizeof(hdr), had, len + 1);
    return !memcmp(had, path, len) && !had[len];
}

static void deliver(struct watch *w, const char *path, size_t len)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    struct conn *c = w->conn;
    size_t token_len = strlen(w->token) + 1, size;

    if (w->home_len && path[0] == '/') {
        size_t cut = w->home_len < len ? w->home_len + 1 : len;

        path += cut;
        len -= cut;
    }
    size = len + 1 + token_len;
    if (size > sizeof(payload) || w->overdue)
        return;
    if (path[0] != '@' && is_pending(w, path, len, size))
        return;
    if (!conn_event_room(c, size)) {
        w->overdue = true;
        c->overdue++;
        journal_unlogged(c->store->journal, c);
        return;
    }
    memcpy(payload, path, len);
    payload[len] = 0;
    memcpy(payload + len + 1, w->token, token_len);
    w->last = c->out_end + 1;
    conn_send(c, XS_WATCH_EVENT, 0, 0, payload, size);
}

void watch_first_event(struct store *s, struct conn *conn)
{
    deliver(conn->watches, conn->watches->path, conn->watches->path_len);
}

void watch_catch_up(struct conn *conn)
{
    for (struct watch *w = conn->watches; w && conn->overdue; w = w->next_own) {
        if (!w->overdue)
            continue;
        if (!conn_event_room(conn, w->path_len + strlen(w->token) + 2))
            return;
        w->overdue = false;
        conn->overdue--;
        deliver(w, w->path, w->path_len);
    }
}

/* The three lists by any of which a watcher may learn of an event. */
struct audience {
    const struct store *s;
    const struct perms *perms[3];
};

static bool admitted(const struct audience *a, const struct conn *c)
{
    if (who_is_privileged(&c->who))
        return true;
    for (int i = 0; i < 3; i++)
        if (a->perms[i] && (perms_for(a->s, &c->who, a->perms[i]) & XSW_PERM_READ))
            return true;
    return false;
}

/* Is path at most w->depth levels below the watch's? */
static bool deep_enough(const struct watch *w, const char *path, size_t len)
{
    int32_t levels = 0;

    if (w->depth == WATCH_NO_DEPTH)
        return true;
    for (size_t i = w->path_len == 1 ? 0 : w->path_len; i < len; i++)
        levels += path[i] == '/';
    return len == 1 || levels <= w->depth;
}

static void deliver_all(const struct wnode *n, const struct audience *a, const char *path,
                        size_t len)
{
    for (struct watch *w = n->watches; w; w = w->next_here)
        if (deep_enough(w, path, len) && admitted(a, w->conn))
            deliver(w, path, len);
}

void watch_fire(struct store *s, const char *path, size_t len, const struct perms *old,
                const struct perms *now, const struct perms *parent, bool exact)
{
    const struct audience a = {.s = s, .perms = {old, now, parent}};
    struct wnode *n = s->watches;
    const char *name;
    size_t pos = 0, name_len;

    while (n) {
        name_len = xsw_path_step(path, len, &pos, &name);
        if (!exact || !name_len)
            deliver_all(n, &a, path, len);
        if (!name_len)
            break;
        n = windex_child(n, name, name_len);
    }
}

/* Watches strictly below n whose nodes were in the subtree that is gone. */
static void fire_below(struct store *s, const struct wnode *n, const struct node *gone, char *path,
                       size_t len)
{
    for (unsigned int i = 0; i < n->n; i++) {
        const struct wnode *below = n->kid[i];
        const struct node *node = kids_find(gone->kids, below->name, below->name_len);
        size_t path_len = len + 1 + below->name_len;

        if (!node)
            continue;
        path[len] = '/';
        memcpy(path + len + 1, below->name, below->name_len + 1u);
        fire_below(s, below, node, path, path_len);
        path[path_len] = 0;
        deliver_all(below, &(struct audience){.s = s, .perms = {node->perms, NULL, gone->perms}},
                    path, path_len);
    }
}

void watch_fire_removed(struct store *s, const char *path, size_t len, const struct node *gone,
                        const struct perms *parent)
{
    char buf[XENSTORE_PAYLOAD_MAX + XSW_HOME_MAX];
    struct wnode *n = windex_find(s->watches, path, len);

    if (n) {
        memcpy(buf, path, len);
        fire_below(s, n, gone, buf, len);
    }
    watch_fire(s, path, len, gone->perms, NULL, parent, false);
}

void watch_fire_special(struct store *s, enum special which, uint16_t domid)
{
    const struct audience a = {.s = s, .perms = {s->special[which]}};
    const char *name = special_names[which];
    size_t len = strlen(name), full_len;
    struct wnode *n = windex_find(s->special_watches, name, len);
    char full[40];

    if (!n)
        return;
    memcpy(full, name, len);
    full[len] = '/';
    full_len = len + 1 + xsw_format_u32(full + len + 1, domid);
    for (struct watch *w = n->watches; w; w = w->next_here)
        if (admitted(&a, w->conn))
            deliver(w, full, w->depth > 0 ? full_len : len);
    n = windex_child(n, full + len + 1, full_len - len - 1);
    if (n)
        deliver_all(n, &a, full, full_len);
}
