/* SPDX-License-Identifier: MIT */
/* windex.c: the index of watches by path; see windex.h. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "windex.h"
#include "xswire/path.h"

static int compare(const struct wnode *n, const char *name, size_t len)
{
    if (n->name_len != len)
        return n->name_len < len ? -1 : 1;
    return memcmp(n->name, name, len);
}

/* Index of the first child not below name. */
static unsigned int search(const struct wnode *n, const char *name, size_t len)
{
    unsigned int low = 0, high = n->n;

    while (low < high) {
        unsigned int mid = (low + high) / 2;

        if (compare(n->kid[mid], name, len) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct wnode *windex_child(const struct wnode *n, const char *name, size_t len)
{
    unsigned int i = search(n, name, len);

    return i < n->n && !compare(n->kid[i], name, len) ? n->kid[i] : NULL;
}

struct wnode *windex_find(struct wnode *n, const char *path, size_t len)
{
    const char *name;
    size_t pos = 0, name_len;

    while (n && (name_len = xsw_path_step(path, len, &pos, &name)))
        n = windex_child(n, name, name_len);
    return n;
}

static struct wnode *wnode_new(struct wnode *parent, const char *name, size_t len)
{
    struct wnode *n = xzalloc(sizeof(*n) + len + 1);

    n->parent = parent;
    n->name_len = (uint32_t)len;
    memcpy(n->name, name, len);
    return n;
}

static struct wnode *add_child(struct wnode *n, const char *name, size_t len)
{
    unsigned int at = search(n, name, len);

    if (n->n == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 2;
        n->kid = xrealloc(n->kid, n->cap, sizeof(*n->kid));
    }
    memmove(&n->kid[at + 1], &n->kid[at], (n->n - at) * sizeof(*n->kid));
    n->kid[at] = wnode_new(n, name, len);
    n->n++;
    return n->kid[at];
}

struct wnode *windex_make(struct wnode **root, const char *path, size_t len)
{
    struct wnode *n = *root;
    const char *name;
    size_t pos = 0, name_len;

    if (!n)
        n = *root = wnode_new(NULL, "", 0);
    while ((name_len = xsw_path_step(path, len, &pos, &name))) {
        struct wnode *child = windex_child(n, name, name_len);

        n = child ? child : add_child(n, name, name_len);
    }
    return n;
}

void windex_prune(struct wnode **root, struct wnode *n)
{
    while (n && !n->watches && !n->n) {
        struct wnode *parent = n->parent;

        if (parent) {
            unsigned int at = search(parent, n->name, n->name_len);

            parent->n--;
            memmove(&parent->kid[at], &parent->kid[at + 1],
                    (parent->n - at) * sizeof(*parent->kid));
        } else {
            *root = NULL;
        }
        free(n->kid);
        free(n);
        n = parent;
    }
}
