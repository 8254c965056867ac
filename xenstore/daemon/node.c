/* SPDX-License-Identifier: MIT */
/* node.c: making, copying and dropping nodes and values; see node.h for the rule of sharing. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "kids.h"
#include "node.h"

struct value *value_new(const char *data, size_t len)
{
    struct value *value;

    if (!len)
        return NULL;
    value = xmalloc(sizeof(*value) + len);
    value->refs = 1;
    value->len = (uint32_t)len;
    memcpy(value->data, data, len);
    return value;
}

struct value *value_ref(struct value *value)
{
    if (value)
        value->refs++;
    return value;
}

void value_unref(struct value *value)
{
    if (value && --value->refs == 0)
        free(value);
}

struct node *node_new(const char *name, size_t name_len, struct perms *perms, uint64_t gen)
{
    struct node *node = xmalloc(sizeof(*node) + name_len + 1);

    *node = (struct node){
        .refs = 1, .name_len = (uint16_t)name_len, .gen = gen, .kids_gen = gen, .perms = perms};
    memcpy(node->name, name, name_len);
    node->name[name_len] = 0;
    return node;
}

struct node *node_ref(struct node *node)
{
    node->refs++;
    return node;
}

void node_unref(struct node *node)
{
    if (!node || --node->refs)
        return;
    perms_unref(node->perms);
    value_unref(node->value);
    kids_unref(node->kids);
    free(node);
}

struct node *node_own(struct node **slot)
{
    struct node *old = *slot, *copy;

    if (old->refs == 1)
        return old;
    copy = node_new(old->name, old->name_len, perms_ref(old->perms), old->gen);
    copy->kids_gen = old->kids_gen;
    copy->value = value_ref(old->value);
    copy->kids = kids_ref(old->kids);
    old->refs--; /* others still hold it */
    *slot = copy;
    return copy;
}
