/* SPDX-License-Identifier: MIT */
/*
 * edit.c: raw edits of a tree and their bookkeeping; see the end of store.h.
 * The account is told of every node that changes its owner's use; nothing else is checked here.
 */
#include "account.h"
#include "kids.h"
#include "store.h"

struct node *edit_create(struct node **root, struct account *a, const char *path, size_t len,
                         const struct place *at, struct value *value, struct perms *perms,
                         uint64_t gen)
{
    struct node *node = tree_create(root, path, len, perms, gen);

    node->value = value;
    /* the missing components' names are what the path has below `above`, less the slashes */
    account_add(a, perms->p[0].domid, (int)at->missing,
                (int64_t)(at->missing * sizeof(*node) + len - at->above_len - at->missing) +
                    (at->above_len == 1) + (value ? value->len : 0));
    return node;
}

struct node *edit_value(struct node **root, struct account *a, const char *path, size_t len,
                        const struct place *at, struct value *value, uint64_t gen)
{
    struct node *node = at->alone ? at->node : tree_own(root, path, len);
    int64_t before = node_weight(node);

    value_unref(node->value);
    node->value = value;
    node->gen = gen;
    account_add(a, node->perms->p[0].domid, 0, node_weight(node) - before);
    return node;
}

struct node *edit_write(struct node **root, struct account *a, const char *path, size_t len,
                        struct value *value, struct perms *perms, uint64_t gen)
{
    struct place at = tree_find(*root, path, len);

    return at.node ? edit_value(root, a, path, len, &at, value, gen)
                   : edit_create(root, a, path, len, &at, value, perms, gen);
}

void edit_set_perms(struct node **root, struct account *a, const char *path, size_t len,
                    struct perms *perms, uint64_t gen)
{
    struct node *node = tree_own(root, path, len);

    account_add(a, node->perms->p[0].domid, -1, -node_weight(node));
    perms_unref(node->perms);
    node->perms = perms;
    node->gen = gen;
    account_add(a, node->perms->p[0].domid, 1, node_weight(node));
}

static void account_gone(struct account *a, const struct node *node)
{
    struct kids_iter it = {0};
    const struct node *child;

    account_add(a, node->perms->p[0].domid, -1, -node_weight(node));
    while ((child = kids_next(node->kids, &it)))
        account_gone(a, child);
}

struct node *edit_remove(struct node **root, struct account *a, const char *path, size_t len,
                         uint64_t gen)
{
    struct node *gone = tree_take(root, path, len, gen);

    account_gone(a, gone);
    return gone;
}

void account_apply(struct store *s, const struct account *a)
{
    for (unsigned int i = 0; i < a->n; i++) {
        struct domain *d = domain_known(s, a->line[i].domid);

        if (!d)
            continue; /* it died while a transaction was open */
        d->nodes += a->line[i].nodes;
        d->bytes += a->line[i].bytes;
        domain_soft_quota(s, d);
    }
}
