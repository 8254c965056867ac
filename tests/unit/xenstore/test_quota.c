/* SPDX-License-Identifier: MIT */
/* test_quota.c: every limit is reached, refused beyond, and does not bind dom0. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "suites.h"

static struct store s;
static struct client *dom0, *d1;

static void begin(void)
{
    world_begin(&s);
    dom0 = client_new(&s, 0);
    d1 = client_new(&s, 1);
    do_ask(dom0, XS_MKDIR, 0, "/local/domain/1|");
    do_ask(dom0, XS_SET_PERMS, 0, "/local/domain/1|n1|");
}

static void end(void)
{
    struct message m;

    CU_ASSERT_EQUAL(ask(dom0, XS_CONTROL, 0, &m, "check|"), 0);
    CU_ASSERT_STRING_EQUAL(m.body, "OK");
    client_free(dom0);
    client_free(d1);
    world_end(&s);
}

static void nodes(void)
{
    uint32_t t;
    int made = 1; /* its home */

    begin();
    while (made < 2000 && do_ask(d1, XS_WRITE, 0, "n/%d|1", made) == 0)
        made += made == 1 ? 2 : 1;
    CU_ASSERT_EQUAL(domain_known(&s, 1)->nodes, 1000);
    CU_ASSERT_EQUAL(do_ask(d1, XS_MKDIR, 0, "one-more|"), ENOSPC);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "n/3|other value"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/local/domain/1/by-dom0|1"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RM, 0, "/local/domain/1/n|"), 0);
    CU_ASSERT_EQUAL(domain_known(&s, 1)->nodes, 2);
    t = txn_start(d1); /* inside a transaction as well */
    for (made = 0; made < 1500 && do_ask(d1, XS_WRITE, t, "t/%d|1", made) == 0; made++)
        ;
    CU_ASSERT_EQUAL(made, 997);
    CU_ASSERT_EQUAL(do_ask(d1, XS_TRANSACTION_END, t, "T|"), 0);
    CU_ASSERT_EQUAL(domain_known(&s, 1)->nodes, 1000);
    end();
}

/* A quota lowered while a transaction is open: the commit fails, nothing else does. */
static void shrink_then_commit(void)
{
    uint32_t t;

    begin();
    t = txn_start(d1);
    for (int i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, t, "t/%d|1", i), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_CONTROL, 0, "quota|set|nodes|10|"), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_TRANSACTION_END, t, "T|"), ENOSPC);
    CU_ASSERT_EQUAL(do_ask(d1, XS_READ, 0, "t|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_CONTROL, 0, "quota|set|nodes|100|1|"), 0); /* for one domain */
    t = txn_start(d1);
    for (int i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, t, "t/%d|1", i), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_TRANSACTION_END, t, "T|"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_CONTROL, 0, "quota|set|nodes|0|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_CONTROL, 0, "quota|set|nonsense|5|"), EINVAL);
    end();
}

static void sizes(void)
{
    char value[3000];

    begin();
    memset(value, 'v', sizeof(value));
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "v|%.2000s", value), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "perms|1"), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "v|%.2048s", value), ENOSPC);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "w|%.2048s", value), ENOSPC);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/v|%.3000s", value), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "%.2048s|", value), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "%.2049s|", value), EINVAL);
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "perms|n1|r2|r3|r4|r5|"), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "perms|n1|r2|r3|r4|r5|r6|"), ENOSPC);
    end();
}

static void memory(void)
{
    char value[2000];
    int rc = 0, i;

    begin();
    memset(value, 'v', sizeof(value));
    CU_ASSERT_EQUAL(do_ask(dom0, XS_CONTROL, 0, "quota|set|memory|100000|"), 0);
    for (i = 0; i < 1000 && !rc; i++)
        rc = do_ask(d1, XS_WRITE, 0, "m/%d|%.1900s", i, value);
    CU_ASSERT_EQUAL(rc, ENOMEM);
    CU_ASSERT(domain_known(&s, 1)->bytes <= 100000 && domain_known(&s, 1)->bytes > 90000);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "m/1|x"), 0); /* less is always possible */
    CU_ASSERT_EQUAL(do_ask(d1, XS_RM, 0, "m|"), 0);
    CU_ASSERT(domain_known(&s, 1)->bytes < 1000);
    end();
}

static void watches(void)
{
    int i;

    begin();
    for (i = 0; i < 200 && do_ask(d1, XS_WATCH, 0, "w/%d|t|", i) == 0; i++)
        ;
    CU_ASSERT_EQUAL(i, 128);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WATCH, 0, "w/x|t|"), E2BIG);
    CU_ASSERT_EQUAL(do_ask(d1, XS_UNWATCH, 0, "w/3|t|"), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WATCH, 0, "w/x|t|"), 0);
    for (i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(do_ask(dom0, XS_WATCH, 0, "/w/%d|t|", i), 0);
    forget_events(dom0);
    end();
}

static void transactions(void)
{
    uint32_t t[10];
    int i;

    begin();
    for (i = 0; i < 10; i++)
        CU_ASSERT_NOT_EQUAL(t[i] = txn_start(d1), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_TRANSACTION_START, 0, "|"), ENOSPC);
    CU_ASSERT_EQUAL(do_ask(d1, XS_TRANSACTION_END, t[4], "F|"), 0);
    CU_ASSERT_NOT_EQUAL(txn_start(d1), 0);

    for (i = 0; i < 2000 && do_ask(d1, XS_READ, t[0], "none/%d|", i) == ENOENT; i++)
        ;
    CU_ASSERT_EQUAL(i, 1022); /* and their parent, and the one above */
    CU_ASSERT_EQUAL(do_ask(d1, XS_TRANSACTION_END, t[0], "T|"), ENOMEM);
    end();
}

CU_TestInfo quota_tests[] = {
    {"nodes", nodes},
    {"a quota that shrinks before a commit", shrink_then_commit},
    {"sizes of values, paths, permissions", sizes},
    {"memory", memory},
    {"watches", watches},
    {"transactions and their nodes", transactions},
    CU_TEST_INFO_NULL,
};
