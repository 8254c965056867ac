/* SPDX-License-Identifier: MIT */
/* store.c: operations on nodes: who may, how much, then do it and tell watchers; see store.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "alloc.h"
#include "conn.h"
#include "journal.h"
#include "store.h"
#include "txn.h"
#include "watch.h"
#include "xswire/path.h"

/* What Xen's daemon stores around a value, counted in the quota of a node's size. */
#define NODE_OVERHEAD 24
#define PERM_OVERHEAD 8

void store_init(struct store *s)
{
    static const char first[] = "/tool/xenstored";
    const struct xsw_perm dom0_only = {.domid = 0, .bits = XSW_PERM_NONE};
    struct perms *perms = perms_new(&dom0_only, 1, 0);
    struct account a = {0};

    *s = (struct store){.gen = 1};
    quota_init(&s->quota);
    domain_get(s, 0);
    for (int i = 0; i < SPECIAL_COUNT; i++)
        s->special[i] = perms_new(&dom0_only, 1, 0);
    s->root = node_new("", 0, perms, s->gen);
    account_add(&a, 0, 1, node_weight(s->root));
    edit_write(&s->root, &a, first, sizeof(first) - 1, NULL, perms, s->gen);
    account_apply(s, &a);
    account_free(&a);
}

void store_free(struct store *s)
{
    node_unref(s->root);
    for (int i = 0; i < SPECIAL_COUNT; i++)
        perms_unref(s->special[i]);
    for (struct domain *d; (d = domain_from(s, 0));)
        domain_forget(s, d);
    for (unsigned int i = 0; i < DOMAIN_COUNT / DOMAIN_GROUP; i++)
        free(s->domains[i]);
    free(s->watches);
    free(s->special_watches);
}

struct node **view_root(struct view *v)
{
    return v->txn ? &v->txn->root : &v->store->root;
}

static int touch(struct view *v, const char *path, size_t len, unsigned int flags)
{
    uint32_t max = 0;

    if (!v->txn)
        return 0;
    if (!who_is_privileged(&v->who))
        max = domain_limit(v->store, domain_known(v->store, v->who.domid), QUOTA_TRANSACTION_NODES);
    return txn_touch(v->txn, path, len, flags, max);
}

/* What is said about a node that does not exist depends on the deepest that does, and on that being
 * the deepest: on the absence of the first that misses. */
static int touch_above(struct view *v, const char *path, size_t len, const struct place *at)
{
    size_t pos = at->above_len == 1 ? 0 : at->above_len;
    const char *name;
    int rc = touch(v, path, at->above_len, ACCESS_READ);

    if (rc || at->missing == 1 || !xsw_path_step(path, len, &pos, &name))
        return rc;
    return touch(v, path, pos, ACCESS_READ);
}

int view_get(struct view *v, const char *path, size_t len, unsigned int want, unsigned int use,
             struct place *at)
{
    int rc;

    *at = v->txn ? txn_find(v->txn, path, len) : tree_find(v->store->root, path, len);
    rc = touch(v, path, len, at->node ? use : ACCESS_READ);
    if (rc)
        return rc;
    if (v->txn)
        txn_found(v->txn, at);
    if (at->node)
        return (perms_for(v->store, &v->who, at->node->perms) & want) == want ? 0 : EACCES;
    if (who_is_privileged(&v->who))
        return ENOENT;
    rc = touch_above(v, path, len, at);
    if (rc)
        return rc;
    /* Who may not look (or write) above the node is not told that it does not exist. */
    return perms_for(v->store, &v->who, at->above->perms) & want ? ENOENT : EACCES;
}

/* Would `nodes` more and `bytes` more exceed what the viewer may have? */
static int check_quota(struct view *v, unsigned int nodes, int64_t bytes, size_t node_size)
{
    struct domain *d;
    int64_t have_nodes, have_bytes;
    uint32_t limit;

    if (who_is_privileged(&v->who))
        return 0;
    d = domain_get(v->store, v->who.domid);
    if (!d)
        return EACCES;
    have_nodes = d->nodes;
    have_bytes = d->bytes;
    for (unsigned int i = 0; v->txn && i < v->txn->account.n; i++) {
        if (v->txn->account.line[i].domid == d->domid) {
            have_nodes += v->txn->account.line[i].nodes;
            have_bytes += v->txn->account.line[i].bytes;
        }
    }
    limit = domain_limit(v->store, d, QUOTA_NODE_SIZE);
    if (limit && node_size >= limit)
        return ENOSPC;
    limit = domain_limit(v->store, d, QUOTA_NODES);
    if (nodes && limit && have_nodes + nodes > limit)
        return ENOSPC;
    limit = domain_limit(v->store, d, QUOTA_MEMORY);
    if (bytes > 0 && limit && have_bytes + bytes > limit)
        return ENOMEM;
    return 0;
}

static struct account *view_account(struct view *v, struct account *direct)
{
    return v->txn ? &v->txn->account : direct;
}

/* The end of an edit outside of a transaction: it counts, it is kept. */
static void settle(struct view *v, struct account *direct)
{
    if (v->txn) {
        txn_edited(v->txn);
        return;
    }
    account_apply(v->store, direct);
    account_free(direct);
}

/* In a transaction, note every component that a creation adds: each has to be brought over. */
static int touch_created(struct view *v, const char *path, size_t len, const struct place *at)
{
    const char *name;
    size_t pos = at->above_len == 1 ? 0 : at->above_len;
    int rc = touch(v, path, at->above_len, ACCESS_READ);

    while (v->txn && !rc && xsw_path_step(path, len, &pos, &name))
        rc = touch(v, path, pos, ACCESS_READ | ACCESS_WROTE | (pos == len ? ACCESS_EVENT : 0));
    return rc;
}

static int create(struct view *v, const char *path, size_t len, const struct place *at,
                  struct value *value)
{
    struct account direct = {0};
    struct perms *perms;
    struct node *node;
    uint64_t gen;
    size_t size = value ? value->len : 0;
    int rc = check_quota(v, at->missing, (int64_t)(at->missing * sizeof(*node) + len + size),
                         size + NODE_OVERHEAD + PERM_OVERHEAD * at->above->perms->n);

    if (!rc)
        rc = touch_created(v, path, len, at);
    if (rc) {
        value_unref(value);
        return rc;
    }
    gen = store_next_gen(v->store);
    perms = perms_inherit(at->above->perms, &v->who);
    node = edit_create(view_root(v), view_account(v, &direct), path, len, at, value, perms, gen);
    perms_unref(perms); /* the nodes have their own references */
    settle(v, &direct);
    journal_node(v->store->journal, v->txn, path, len, node);
    if (v->txn) {
        v->txn->created = true;
        return 0;
    }
    watch_fire(v->store, path, len, NULL, node->perms, at->above->perms, false);
    return 0;
}

static const struct perms *parent_perms(struct view *v, const char *path, size_t len)
{
    struct node *parent = tree_lookup(*view_root(v), path, xsw_path_parent(path, len));

    return parent ? parent->perms : NULL;
}

int store_write(struct view *v, const char *path, size_t len, const char *data, size_t size)
{
    struct account direct = {0};
    struct place at;
    struct node *node;
    int rc = view_get(v, path, len, XSW_PERM_WRITE, ACCESS_READ, &at);

    if (rc == ENOENT)
        return create(v, path, len, &at, value_new(data, size));
    if (!rc)
        rc = check_quota(v, 0, (int64_t)size - (at.node->value ? at.node->value->len : 0),
                         size + NODE_OVERHEAD + PERM_OVERHEAD * at.node->perms->n);
    if (!rc)
        rc = touch(v, path, len, ACCESS_WROTE | ACCESS_EVENT);
    if (rc)
        return rc;
    node = edit_value(view_root(v), view_account(v, &direct), path, len, &at, value_new(data, size),
                      store_next_gen(v->store));
    settle(v, &direct);
    journal_node(v->store->journal, v->txn, path, len, node);
    if (v->txn)
        return 0;
    watch_fire(v->store, path, len, NULL, node->perms, at.above ? at.above->perms : NULL, false);
    return 0;
}

int store_mkdir(struct view *v, const char *path, size_t len)
{
    struct place at;
    int rc = view_get(v, path, len, XSW_PERM_WRITE, ACCESS_READ, &at);

    return rc == ENOENT ? create(v, path, len, &at, NULL) : rc;
}

int store_rm(struct view *v, const char *path, size_t len)
{
    struct account direct = {0};
    struct place at;
    struct node *gone;
    uint64_t gen;
    int rc = view_get(v, path, len, XSW_PERM_WRITE, ACCESS_READ | ACCESS_TREE, &at);

    if (rc == ENOENT) { /* nothing to remove is fine where the parent exists */
        rc = touch_above(v, path, len, &at);
        return rc || at.missing == 1 ? rc : ENOENT;
    }
    if (!rc && len == 1)
        rc = EINVAL;
    if (!rc)
        rc = touch(v, path, len, ACCESS_REMOVED | ACCESS_EVENT);
    if (rc)
        return rc;
    gen = store_next_gen(v->store);
    gone = edit_remove(view_root(v), view_account(v, &direct), path, len, gen);
    settle(v, &direct);
    journal_remove(v->store->journal, v->txn, path, len, gen);
    if (!v->txn)
        watch_fire_removed(v->store, path, len, gone, parent_perms(v, path, len));
    node_unref(gone);
    return 0;
}

int store_set_perms(struct view *v, const char *path, size_t len, struct xsw_perm *p, uint32_t n)
{
    struct account direct = {0};
    struct store *s = v->store;
    struct perms *old;
    struct node *node;
    struct place at;
    int rc = view_get(v, path, len, XSW_PERM_WRITE | PERM_OWNER, ACCESS_READ, &at);

    if (!rc && !who_is_privileged(&v->who) && p[0].domid != at.node->perms->p[0].domid)
        rc = EPERM;
    if (!rc)
        rc = check_quota(v, 0, 0,
                         (at.node->value ? at.node->value->len : 0) + NODE_OVERHEAD +
                             PERM_OVERHEAD * n);
    if (!rc)
        rc = touch(v, path, len, ACCESS_WROTE | ACCESS_EVENT);
    if (rc)
        return rc;
    old = perms_ref(at.node->perms);
    edit_set_perms(view_root(v), view_account(v, &direct), path, len, perms_new(p, n, s->gen),
                   store_next_gen(s));
    settle(v, &direct);
    node = tree_lookup(*view_root(v), path, len);
    journal_node(s->journal, v->txn, path, len, node);
    if (!v->txn)
        watch_fire(s, path, len, old, node->perms, parent_perms(v, path, len), false);
    perms_unref(old);
    return 0;
}

/* Collecting the topmost nodes of an owner; their paths are kept as NUL-terminated strings. */
struct owned {
    uint16_t domid;
    char *paths;
    size_t size, cap;
};

static bool find_owned(void *arg, const char *path, size_t len, struct node *node)
{
    struct owned *o = arg;

    if (node->perms->p[0].domid != o->domid || len == 1)
        return true;
    if (o->size + len + 1 > o->cap) {
        o->cap = 2 * o->cap + len + 1;
        o->paths = xrealloc(o->paths, o->cap, 1);
    }
    memcpy(o->paths + o->size, path, len + 1);
    o->size += len + 1;
    return false;
}

static void remove_owned_below(struct store *s, uint16_t domid, const char *path, size_t len)
{
    struct view dom0 = {.store = s};
    struct node *node = tree_lookup(s->root, path, len);
    struct owned o = {.domid = domid};

    if (node)
        tree_each(node, path, len, find_owned, &o);
    for (size_t at = 0; at < o.size; at += strlen(o.paths + at) + 1)
        store_rm(&dom0, o.paths + at, strlen(o.paths + at));
    free(o.paths);
}

/* The list keeps its stamp: with a new one, domains born since would gain what was given to their
 * predecessors. */
static void root_to_dom0(struct store *s)
{
    struct account account = {0};
    struct perms *old = perms_ref(s->root->perms), *now = perms_new(old->p, old->n, old->stamp);

    now->p[0].domid = 0;
    edit_set_perms(&s->root, &account, "/", 1, now, store_next_gen(s));
    account_apply(s, &account);
    account_free(&account);
    journal_node(s->journal, NULL, "/", 1, s->root);
    watch_fire(s, "/", 1, old, s->root->perms, s->root->perms, false);
    perms_unref(old);
}

void store_remove_owned(struct store *s, struct domain *d)
{
    char home[XSW_HOME_MAX];
    size_t len = xsw_path_home(home, d->domid);

    if (d->nodes > 0)
        remove_owned_below(s, d->domid, home, len);
    if (d->nodes > 0) /* and wherever else somebody gave it nodes */
        remove_owned_below(s, d->domid, "/", 1);
    if (d->nodes > 0) /* the root, then, which cannot be removed */
        root_to_dom0(s);
}
