/* SPDX-License-Identifier: MIT */
/* tree.c: paths to nodes, and copy-on-write along a path; see tree.h. */
#include <string.h>

#include "alloc.h"
#include "kids.h"
#include "tree.h"
#include "xswire/frame.h"
#include "xswire/path.h"

struct place tree_find(struct node *root, const char *path, size_t len)
{
    struct place at = {.node = root, .alone = root->refs == 1};
    const char *name;
    size_t pos = 0, name_len;

    while ((name_len = xsw_path_step(path, len, &pos, &name))) {
        if (at.node) {
            at.above = at.node;
            at.above_len = name == path + 1 ? 1 : (size_t)(name - path) - 1;
            at.node = kids_find_alone(at.node->kids, name, name_len, &at.alone);
        }
        if (!at.node)
            at.missing++;
    }
    return at;
}

struct node *tree_lookup(struct node *root, const char *path, size_t len)
{
    const char *name;
    size_t pos = 0, name_len;

    while (root && (name_len = xsw_path_step(path, len, &pos, &name)))
        root = kids_find(root->kids, name, name_len);
    return root;
}

struct node *tree_own(struct node **root, const char *path, size_t len)
{
    struct node *node = node_own(root);
    const char *name;
    size_t pos = 0, name_len;

    while ((name_len = xsw_path_step(path, len, &pos, &name)))
        node = node_own(kids_own_slot(&node->kids, name, name_len));
    return node;
}

struct node *tree_create(struct node **root, const char *path, size_t len, struct perms *perms,
                         uint64_t gen)
{
    struct node *node = node_own(root);
    const char *name;
    size_t pos = 0, name_len;

    while ((name_len = xsw_path_step(path, len, &pos, &name))) {
        struct node *child = kids_find(node->kids, name, name_len);

        if (child) {
            node = node_own(kids_own_slot(&node->kids, name, name_len));
            continue;
        }
        child = node_new(name, name_len, perms_ref(perms), gen);
        node->kids_gen = gen;
        kids_add(&node->kids, child);
        node = child;
    }
    return node;
}

struct node *tree_take(struct node **root, const char *path, size_t len, uint64_t gen)
{
    size_t parent_len = xsw_path_parent(path, len);
    struct node *parent = tree_own(root, path, parent_len);
    const char *name = path + (parent_len == 1 ? 1 : parent_len + 1);

    parent->kids_gen = gen;
    return kids_take(&parent->kids, name, (size_t)(path + len - name));
}

static void each(struct node *node, char *path, size_t len, tree_visit *visit, void *arg)
{
    struct kids_iter it = {0};
    struct node *child;
    size_t base = len == 1 ? 0 : len;

    if (!visit(arg, path, len, node))
        return;
    while ((child = kids_next(node->kids, &it))) {
        path[base] = '/';
        memcpy(path + base + 1, child->name, child->name_len + 1u);
        each(child, path, base + 1 + child->name_len, visit, arg);
    }
    path[len] = 0;
}

void tree_each(struct node *node, const char *path, size_t len, tree_visit *visit, void *arg)
{
    char buf[XENSTORE_PAYLOAD_MAX + XSW_HOME_MAX];

    memcpy(buf, path, len);
    buf[len] = 0;
    each(node, buf, len, visit, arg);
}
