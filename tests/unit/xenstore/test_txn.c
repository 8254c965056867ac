/* SPDX-License-Identifier: MIT */
/* test_txn.c: transactions: isolation, conflicts at the level of nodes, merging, limits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "suites.h"

static struct store s;
static struct client *a, *b;

static void begin(void)
{
    world_begin(&s);
    a = client_new(&s, 0);
    b = client_new(&s, 0);
    do_ask(a, XS_WRITE, 0, "/x|0");
    do_ask(a, XS_WRITE, 0, "/y|0");
    do_ask(a, XS_WRITE, 0, "/dir/one|1");
}

static void end(void)
{
    struct message m;

    CU_ASSERT_EQUAL(ask(a, XS_CONTROL, 0, &m, "check|"), 0);
    CU_ASSERT_STRING_EQUAL(m.body, "OK");
    client_free(a);
    client_free(b);
    world_end(&s);
}

static int commit(struct client *c, uint32_t tx)
{
    return do_ask(c, XS_TRANSACTION_END, tx, "T|");
}

static void isolation(void)
{
    uint32_t t;

    begin();
    t = txn_start(a);
    CU_ASSERT_NOT_EQUAL(t, 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/new/node|1"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_READ, 0, "/new/node|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/x|5"), 0);
    CU_ASSERT(reads(a, t, "/x", "0")); /* what others do is not seen */
    CU_ASSERT(reads(a, t, "/new/node", "1"));
    CU_ASSERT_EQUAL(do_ask(a, XS_TRANSACTION_END, t, "F|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_READ, 0, "/new|"), ENOENT);
    CU_ASSERT_EQUAL(commit(a, t), ENOENT);
    CU_ASSERT_EQUAL(do_ask(a, XS_TRANSACTION_END, 0, "T|"), ENOENT);
    t = txn_start(a);
    CU_ASSERT_EQUAL(do_ask(a, XS_TRANSACTION_END, t, "X|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(a, XS_TRANSACTION_START, t, "|"), EBUSY);
    CU_ASSERT_EQUAL(do_ask(b, XS_READ, t, "/x|"), ENOENT); /* another's */
    CU_ASSERT_EQUAL(commit(a, t), 0);
    end();
}

static void conflicts(void)
{
    uint32_t t;

    begin();
    t = txn_start(a); /* read, changed by another, write elsewhere */
    CU_ASSERT(reads(a, t, "/x", "0"));
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/x|1"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/y|1"), 0);
    CU_ASSERT_EQUAL(commit(a, t), EAGAIN);
    CU_ASSERT(reads(a, 0, "/y", "0"));

    t = txn_start(a); /* both wrote */
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/y|2"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/y|3"), 0);
    CU_ASSERT_EQUAL(commit(a, t), EAGAIN);
    CU_ASSERT(reads(a, 0, "/y", "3"));

    t = txn_start(a); /* listed, and another added a child */
    CU_ASSERT_EQUAL(do_ask(a, XS_DIRECTORY, t, "/dir|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/z|1"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/dir/two|1"), 0);
    CU_ASSERT_EQUAL(commit(a, t), EAGAIN);

    t = txn_start(a); /* absent, then created by another */
    CU_ASSERT_EQUAL(do_ask(a, XS_READ, t, "/lock|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/lock|a"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/lock|b"), 0);
    CU_ASSERT_EQUAL(commit(a, t), EAGAIN);

    t = txn_start(a); /* removed a subtree in which another changed something */
    CU_ASSERT_EQUAL(do_ask(a, XS_RM, t, "/dir|"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/dir/one|9"), 0);
    CU_ASSERT_EQUAL(commit(a, t), EAGAIN);

    t = txn_start(a); /* created below what another removed */
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/dir/sub/x|1"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_RM, 0, "/dir|"), 0);
    CU_ASSERT_EQUAL(commit(a, t), EAGAIN);
    CU_ASSERT_EQUAL(do_ask(a, XS_READ, 0, "/dir|"), ENOENT);

    t = txn_start(a); /* permissions are part of what was read */
    CU_ASSERT(reads(a, t, "/x", "1"));
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/y|7"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_SET_PERMS, 0, "/x|r0|"), 0);
    CU_ASSERT_EQUAL(commit(a, t), EAGAIN);
    end();
}

static void merging(void)
{
    uint32_t t;

    begin();
    t = txn_start(a); /* siblings do not disturb each other, neither changed nor created */
    CU_ASSERT(reads(a, t, "/x", "0"));
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/x|1"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/dir/mine/deep|1"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_SET_PERMS, t, "/dir/mine|n5|r6|"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/y|1"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/dir/yours|1"), 0);
    CU_ASSERT_EQUAL(commit(a, t), 0);
    CU_ASSERT(reads(a, 0, "/x", "1"));
    CU_ASSERT(reads(a, 0, "/y", "1"));
    CU_ASSERT(reads(a, 0, "/dir/yours", "1"));
    CU_ASSERT(reads(a, 0, "/dir/mine/deep", "1"));
    CU_ASSERT_EQUAL(domain_known(&s, 5)->nodes, 1);

    t = txn_start(a); /* removed, made again with other children, and something made and removed */
    CU_ASSERT_EQUAL(do_ask(a, XS_RM, t, "/dir|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/dir/again|1"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/gone/soon|1"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_RM, t, "/gone|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/half/gone|1"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_RM, t, "/half/gone|"), 0);
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/y|2"), 0);
    CU_ASSERT_EQUAL(commit(a, t), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_READ, 0, "/dir/one|"), ENOENT);
    CU_ASSERT(reads(a, 0, "/dir/again", "1"));
    CU_ASSERT_EQUAL(do_ask(a, XS_READ, 0, "/gone|"), ENOENT);
    CU_ASSERT(reads(a, 0, "/half", ""));
    CU_ASSERT(reads(a, 0, "/y", "2"));
    CU_ASSERT_EQUAL(domain_known(&s, 5)->nodes, 0);

    t = txn_start(a); /* only read: it saw one consistent tree, whatever happened since */
    CU_ASSERT(reads(a, t, "/y", "2"));
    CU_ASSERT_EQUAL(do_ask(b, XS_WRITE, 0, "/y|3"), 0);
    CU_ASSERT_EQUAL(commit(a, t), 0);
    end();
}

/* Random transactions of two clients against a model that has only whole-tree copies. */
static void against_model(void)
{
    enum { NODES = 12, ROUNDS = 4000 };
    char store[NODES], view[2][NODES], read_mask[2][NODES];
    uint32_t tx[2] = {0, 0};
    struct client *c[2];
    long commits = 0, retries = 0;

    begin();
    c[0] = a;
    c[1] = b;
    memset(store, '0', sizeof(store));
    for (int i = 0; i < NODES; i++)
        do_ask(a, XS_WRITE, 0, "/m/%d|0", i);
    srandom(3);
    for (int round = 0; round < ROUNDS; round++) {
        int w = (int)(random() % 2), i = (int)(random() % NODES);
        char value = (char)('1' + random() % 9);
        char path[16], text[2] = {0};

        snprintf(path, sizeof(path), "/m/%d", i);
        if (!tx[w]) {
            tx[w] = txn_start(c[w]);
            memcpy(view[w], store, sizeof(store));
            memset(read_mask[w], 0, NODES);
        }
        read_mask[w][i] |= 1;
        text[0] = view[w][i];
        CU_ASSERT(reads(c[w], tx[w], path, text));
        if (random() % 2) {
            CU_ASSERT_EQUAL(do_ask(c[w], XS_WRITE, tx[w], "%s|%c", path, value), 0);
            view[w][i] = value;
            read_mask[w][i] |= 2;
        }
        if (random() % 4 == 0) {
            int rc = commit(c[w], tx[w]);

            CU_ASSERT(rc == 0 || rc == EAGAIN);
            tx[w] = 0;
            commits += rc == 0;
            retries += rc == EAGAIN;
            for (int k = 0; rc == 0 && k < NODES; k++)
                if (read_mask[w][k] & 2)
                    store[k] = view[w][k];
        }
        for (int k = 0; k < NODES; k++) {
            snprintf(path, sizeof(path), "/m/%d", k);
            text[0] = store[k];
            CU_ASSERT(reads(a, 0, path, text));
        }
    }
    CU_ASSERT(commits > 100);
    CU_ASSERT(retries > 0);
    end();
}

/* RESET_WATCHES while a transaction is open, named in that transaction. */
static void reset_inside(void)
{
    uint32_t t;

    begin();
    t = txn_start(a);
    CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t, "/x|1"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_RESET_WATCHES, t, "|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_READ, t, "/x|"), ENOENT);
    CU_ASSERT(reads(a, 0, "/x", "0"));
    end();
}

/* A snapshot is a reference: starting one does not depend on how big the tree is. */
static void cheap_snapshot(void)
{
    uint32_t t;

    begin();
    for (int i = 0; i < 5000; i++)
        do_ask(a, XS_WRITE, 0, "/many/%d|v", i);
    CU_ASSERT_EQUAL(s.root->refs, 1);
    t = txn_start(b);
    CU_ASSERT_EQUAL(s.root->refs, 3); /* the store's, the kept one, the private one */
    CU_ASSERT_EQUAL(do_ask(b, XS_TRANSACTION_END, t, "F|"), 0);
    CU_ASSERT_EQUAL(s.root->refs, 1);
    end();
}

CU_TestInfo txn_tests[] = {
    {"isolation", isolation},
    {"conflicts", conflicts},
    {"merging", merging},
    {"random transactions against a model", against_model},
    {"RESET_WATCHES inside", reset_inside},
    {"a snapshot copies nothing", cheap_snapshot},
    CU_TEST_INFO_NULL,
};
