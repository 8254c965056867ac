/* SPDX-License-Identifier: MIT */
/*
 * test_kids.c: the sorted set of children against a plain array, with snapshots taken on the way:
 * a snapshot must still hold exactly what it held, whatever was added and taken since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kids.h"
#include "node.h"
#include "suites.h"

#define UNIVERSE 400
#define ROUNDS   20000
#define SNAPS    8

static const struct xsw_perm nobody = {0, 0};

static struct node *make(int i)
{
    char name[16];
    int len = snprintf(name, sizeof(name), "%d", i);

    return node_new(name, (size_t)len, perms_new(&nobody, 1, 0), (uint64_t)i);
}

static void same(const struct kids *kids, const bool *in)
{
    struct kids_iter it = {0};
    struct node *child;

    for (int i = 0; i < UNIVERSE; i++) { /* decimal numbers come out in their order */
        char name[16];
        int len = snprintf(name, sizeof(name), "%d", i);
        struct node *found = kids_find(kids, name, (size_t)len);

        CU_ASSERT_EQUAL(found != NULL, in[i]);
        if (!in[i])
            continue;
        child = kids_next(kids, &it);
        CU_ASSERT_PTR_EQUAL(child, found);
    }
    CU_ASSERT_PTR_NULL(kids_next(kids, &it));
}

static void against_model(void)
{
    struct kids *kids = NULL, *snap[SNAPS] = {NULL};
    bool in[UNIVERSE] = {false}, snap_in[SNAPS][UNIVERSE];

    memset(snap_in, 0, sizeof(snap_in));
    srandom(1);
    for (int round = 0; round < ROUNDS; round++) {
        int i = (int)(random() % UNIVERSE), len, s = (int)(random() % SNAPS);
        char name[16];

        len = snprintf(name, sizeof(name), "%d", i);
        if (!in[i]) {
            kids_add(&kids, make(i));
        } else if (random() % 3) {
            struct node *gone = kids_take(&kids, name, (size_t)len);

            CU_ASSERT_PTR_NOT_NULL_FATAL(gone);
            node_unref(gone);
        } else { /* edit in place */
            struct node *node = node_own(kids_own_slot(&kids, name, (size_t)len));

            node->gen++;
            in[i] = false; /* undone below */
        }
        in[i] = !in[i];
        if (random() % 50 == 0) {
            same(snap[s], snap_in[s]);
            kids_unref(snap[s]);
            snap[s] = kids_ref(kids);
            memcpy(snap_in[s], in, sizeof(in));
        }
    }
    same(kids, in);
    for (int s = 0; s < SNAPS; s++) {
        same(snap[s], snap_in[s]);
        kids_unref(snap[s]);
    }
    kids_unref(kids);
}

static void ascending(void)
{
    struct kids *kids = NULL;
    bool in[UNIVERSE];

    memset(in, 1, sizeof(in));
    for (int i = 0; i < UNIVERSE; i++)
        kids_add(&kids, make(i));
    same(kids, in);
    CU_ASSERT_PTR_NULL(kids_take(&kids, "x", 1));
    for (int i = UNIVERSE - 1; i >= 0; i--) {
        char name[16];
        int len = snprintf(name, sizeof(name), "%d", i);

        node_unref(kids_take(&kids, name, (size_t)len));
    }
    CU_ASSERT_PTR_NULL(kids);
}

CU_TestInfo kids_tests[] = {
    {"random edits and snapshots against an array", against_model},
    {"ascending names, then all taken", ascending},
    CU_TEST_INFO_NULL,
};
