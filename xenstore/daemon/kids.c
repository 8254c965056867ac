/* SPDX-License-Identifier: MIT */
/*
 * kids.c: sorted sets of children; see kids.h.
 * Invariant: no leaf and no inner array is empty; an inner array has at least two leaves.
 */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "kids.h"
#include "node.h"

#define FEW 4

struct kids {
    uint32_t refs;
    uint32_t n, cap;
    bool inner;
    void *slot[]; /* struct kids * (leaves) if inner, else struct node * */
};

static struct kids *kids_new(bool inner, uint32_t cap)
{
    struct kids *k = xmalloc(sizeof(*k) + cap * sizeof(void *));

    *k = (struct kids){.refs = 1, .cap = cap, .inner = inner};
    return k;
}

struct kids *kids_ref(struct kids *k)
{
    if (k)
        k->refs++;
    return k;
}

void kids_unref(struct kids *k)
{
    if (!k || --k->refs)
        return;
    for (uint32_t i = 0; i < k->n; i++) {
        if (k->inner)
            kids_unref(k->slot[i]);
        else
            node_unref(k->slot[i]);
    }
    free(k);
}

/* Make *slot ours alone, with room for one more entry. */
static struct kids *kids_own(struct kids **slot, bool grow)
{
    struct kids *old = *slot, *copy;
    uint32_t cap = old->cap;

    if (grow && old->n == cap)
        cap *= 2;
    if (old->refs == 1) {
        if (cap != old->cap) {
            *slot = xrealloc(old, 1, sizeof(*old) + cap * sizeof(void *));
            (*slot)->cap = cap;
        }
        return *slot;
    }
    copy = kids_new(old->inner, cap);
    copy->n = old->n;
    for (uint32_t i = 0; i < old->n; i++) {
        copy->slot[i] = old->slot[i];
        if (old->inner)
            ((struct kids *)copy->slot[i])->refs++;
        else
            ((struct node *)copy->slot[i])->refs++;
    }
    old->refs--;
    *slot = copy;
    return copy;
}

static int compare(const struct node *node, const char *name, size_t len)
{
    if (node->name_len != len)
        return node->name_len < len ? -1 : 1;
    return memcmp(node->name, name, len);
}

/* The index of the first entry not below name; *exact if that is it. */
static uint32_t leaf_search(const struct kids *leaf, const char *name, size_t len, bool *exact)
{
    uint32_t low = 0, high = leaf->n;

    *exact = false;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        int c = compare(leaf->slot[mid], name, len);

        if (c == 0) {
            *exact = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The leaf of an inner array in which name is or belongs: the last that does not begin above it. */
static uint32_t inner_search(const struct kids *inner, const char *name, size_t len)
{
    uint32_t low = 1, high = inner->n;

    while (low < high) {
        uint32_t mid = (low + high) / 2;
        const struct kids *leaf = inner->slot[mid];

        if (compare(leaf->slot[0], name, len) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low - 1;
}

/* Most sets are small, and to be equal is less than to compare. */
static struct node *leaf_find(const struct kids *leaf, const char *name, size_t len)
{
    uint32_t i;
    bool exact;

    if (leaf->n > FEW) {
        i = leaf_search(leaf, name, len, &exact);
        return exact ? leaf->slot[i] : NULL;
    }
    for (i = 0; i < leaf->n; i++) {
        struct node *node = leaf->slot[i];

        if (node->name_len == len && !memcmp(node->name, name, len))
            return node;
    }
    return NULL;
}

struct node *kids_find_alone(const struct kids *k, const char *name, size_t len, bool *alone)
{
    struct node *node;

    if (!k)
        return NULL;
    *alone &= k->refs == 1;
    if (k->inner) {
        k = k->slot[inner_search(k, name, len)];
        *alone &= k->refs == 1;
    }
    node = leaf_find(k, name, len);
    *alone &= node && node->refs == 1;
    return node;
}

struct node *kids_find(const struct kids *k, const char *name, size_t len)
{
    bool alone = true;

    return kids_find_alone(k, name, len, &alone);
}

struct node **kids_own_slot(struct kids **kids, const char *name, size_t len)
{
    struct kids *k;
    uint32_t i;
    bool exact;

    if (!*kids)
        return NULL;
    k = kids_own(kids, false);
    if (k->inner)
        k = kids_own((struct kids **)&k->slot[inner_search(k, name, len)], false);
    i = leaf_search(k, name, len, &exact);
    return exact ? (struct node **)&k->slot[i] : NULL;
}

static void insert_at(struct kids *k, uint32_t i, void *entry)
{
    memmove(&k->slot[i + 1], &k->slot[i], (k->n - i) * sizeof(void *));
    k->slot[i] = entry;
    k->n++;
}

static void remove_at(struct kids *k, uint32_t i)
{
    k->n--;
    memmove(&k->slot[i], &k->slot[i + 1], (k->n - i) * sizeof(void *));
}

/* Split a full leaf so that position `at` has room: where it was appended to, leave it full. */
static struct kids *leaf_split(struct kids *leaf, uint32_t at)
{
    struct kids *right = kids_new(false, KIDS_LEAF);
    uint32_t keep = at == leaf->n ? leaf->n : leaf->n / 2;

    right->n = leaf->n - keep;
    memcpy(right->slot, &leaf->slot[keep], right->n * sizeof(void *));
    leaf->n = keep;
    return right;
}

void kids_add(struct kids **kids, struct node *child)
{
    struct kids *inner = NULL, *leaf, *right, **leaf_slot = kids;
    uint32_t leaf_at = 0, i;
    bool exact;

    if (!*kids)
        *kids = kids_new(false, 4);
    if ((*kids)->inner) {
        inner = kids_own(kids, true);
        leaf_at = inner_search(inner, child->name, child->name_len);
        leaf_slot = (struct kids **)&inner->slot[leaf_at];
    }
    leaf = kids_own(leaf_slot, (*leaf_slot)->n < KIDS_LEAF);
    i = leaf_search(leaf, child->name, child->name_len, &exact);
    if (leaf->n < KIDS_LEAF) {
        insert_at(leaf, i, child);
        return;
    }
    right = leaf_split(leaf, i);
    if (i <= leaf->n && leaf->n < KIDS_LEAF)
        insert_at(leaf, i, child);
    else
        insert_at(right, i - leaf->n, child);
    if (!inner) {
        inner = kids_new(true, 4);
        inner->n = 1;
        inner->slot[0] = leaf;
        *kids = inner;
    }
    insert_at(inner, leaf_at + 1, right);
}

struct node *kids_take(struct kids **kids, const char *name, size_t len)
{
    struct kids *inner = NULL, *leaf, **leaf_slot = kids;
    uint32_t leaf_at = 0, i;
    struct node *child;
    bool exact;

    if (!kids_find(*kids, name, len))
        return NULL;
    if ((*kids)->inner) {
        inner = kids_own(kids, false);
        leaf_at = inner_search(inner, name, len);
        leaf_slot = (struct kids **)&inner->slot[leaf_at];
    }
    leaf = kids_own(leaf_slot, false);
    i = leaf_search(leaf, name, len, &exact);
    child = leaf->slot[i];
    remove_at(leaf, i);
    if (leaf->n)
        return child;

    kids_unref(leaf);
    if (!inner) {
        *kids = NULL;
        return child;
    }
    remove_at(inner, leaf_at);
    if (inner->n == 1) {
        *kids = inner->slot[0];
        inner->n = 0;
        kids_unref(inner);
    }
    return child;
}

struct node *kids_next(const struct kids *k, struct kids_iter *it)
{
    const struct kids *leaf = k;

    if (!k)
        return NULL;
    if (k->inner) {
        if (it->leaf < k->n && it->slot == ((struct kids *)k->slot[it->leaf])->n) {
            it->leaf++;
            it->slot = 0;
        }
        if (it->leaf == k->n)
            return NULL;
        leaf = k->slot[it->leaf];
    }
    return it->slot < leaf->n ? leaf->slot[it->slot++] : NULL;
}
