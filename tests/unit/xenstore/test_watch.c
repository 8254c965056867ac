/* SPDX-License-Identifier: MIT */
/* test_watch.c: which events reach whom, with which path; and those who do not read them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "suites.h"

static struct store s;
static struct client *a, *b, *d1;

#define EVENT(c, text)                        \
    do {                                      \
        const char *e_ = event(c);            \
        CU_ASSERT_PTR_NOT_NULL(e_);           \
        if (e_)                               \
            CU_ASSERT_STRING_EQUAL(e_, text); \
    } while (0)
#define NO_EVENT(c) CU_ASSERT_PTR_NULL(event(c))

static void begin(void)
{
    world_begin(&s);
    a = client_new(&s, 0);
    b = client_new(&s, 0);
    d1 = client_new(&s, 1);
    do_ask(a, XS_MKDIR, 0, "/local/domain/1|");
    do_ask(a, XS_SET_PERMS, 0, "/local/domain/1|n1|");
}

static void end(void)
{
    client_free(a);
    client_free(b);
    client_free(d1);
    world_end(&s);
}

static void basics(void)
{
    begin();
    CU_ASSERT_EQUAL(do_ask(a, XS_WATCH, 0, "/w|t|"), 0);
    EVENT(a, "/w t"); /* once at once */
    CU_ASSERT_EQUAL(do_ask(a, XS_WATCH, 0, "/w|t|"), EEXIST);
    CU_ASSERT_EQUAL(do_ask(a, XS_WATCH, 0, "/w|other|"), 0);
    EVENT(a, "/w other");
    do_ask(b, XS_WRITE, 0, "/w/x/y|1");
    CU_ASSERT_PTR_NOT_NULL(event(a));
    CU_ASSERT_PTR_NOT_NULL(event(a));
    NO_EVENT(a);
    CU_ASSERT_EQUAL(do_ask(a, XS_UNWATCH, 0, "/w|other|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_UNWATCH, 0, "/w|other|"), ENOENT);
    do_ask(b, XS_WRITE, 0, "/w/x|1");
    EVENT(a, "/w/x t");
    do_ask(b, XS_WRITE, 0, "/ww|1"); /* not below */
    do_ask(b, XS_READ, 0, "/w/x|");
    NO_EVENT(a);
    do_ask(b, XS_SET_PERMS, 0, "/w|r0|");
    EVENT(a, "/w t");
    CU_ASSERT_EQUAL(do_ask(a, XS_WATCH, 0, "/w|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(a, XS_WATCH, 0, "w w|t|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(a, XS_RESET_WATCHES, 0, "|"), 0);
    do_ask(b, XS_WRITE, 0, "/w/x|2");
    NO_EVENT(a);
    CU_ASSERT_PTR_NULL(s.watches); /* the index is empty again */
    end();
}

static void removal(void)
{
    begin();
    do_ask(a, XS_WRITE, 0, "/p/q/r|1");
    do_ask(a, XS_WATCH, 0, "/p/q/r|deep|");
    do_ask(a, XS_WATCH, 0, "/p/none|none|");
    do_ask(a, XS_WATCH, 0, "/|root|");
    forget_events(a);
    do_ask(b, XS_RM, 0, "/p|");
    EVENT(a, "/p/q/r deep"); /* its own path, not the one that was removed */
    EVENT(a, "/p root");
    NO_EVENT(a); /* what did not exist was not removed */
    end();
}

static void depth(void)
{
    begin();
    do_ask(a, XS_WATCH, 0, "/d|zero|0|");
    do_ask(a, XS_WATCH, 0, "/d|one|1|");
    CU_ASSERT_EQUAL(do_ask(a, XS_WATCH, 0, "/d|bad|x|"), EINVAL);
    forget_events(a);
    do_ask(b, XS_WRITE, 0, "/d/x/y|1");
    NO_EVENT(a);
    do_ask(b, XS_WRITE, 0, "/d/x|1");
    EVENT(a, "/d/x one");
    NO_EVENT(a);
    do_ask(b, XS_WRITE, 0, "/d|1");
    CU_ASSERT_PTR_NOT_NULL(event(a));
    CU_ASSERT_PTR_NOT_NULL(event(a));
    NO_EVENT(a);
    end();
}

static void relative(void)
{
    begin();
    do_ask(d1, XS_WATCH, 0, "data|t|");
    EVENT(d1, "data t");
    do_ask(a, XS_WRITE, 0, "/local/domain/1/data/x|1");
    EVENT(d1, "data/x t");
    CU_ASSERT_EQUAL(do_ask(d1, XS_UNWATCH, 0, "data|t|"), 0);
    end();
}

static void permitted(void)
{
    begin();
    do_ask(a, XS_WRITE, 0, "/hidden/x|1");
    do_ask(a, XS_WRITE, 0, "/open|1");
    do_ask(a, XS_SET_PERMS, 0, "/open|n0|r1|");
    do_ask(d1, XS_WATCH, 0, "/hidden|t|");
    do_ask(d1, XS_WATCH, 0, "/open|t|");
    forget_events(d1);
    do_ask(a, XS_WRITE, 0, "/hidden/x|2");
    do_ask(a, XS_RM, 0, "/hidden|");
    NO_EVENT(d1);
    do_ask(a, XS_WRITE, 0, "/open|2");
    EVENT(d1, "/open t");
    do_ask(a, XS_SET_PERMS, 0, "/open|n0|"); /* losing the right to read is told */
    EVENT(d1, "/open t");
    do_ask(a, XS_WRITE, 0, "/open|3");
    NO_EVENT(d1);
    end();
}

static void transactions(void)
{
    uint32_t t;

    begin();
    do_ask(a, XS_WRITE, 0, "/t/old/kid|1");
    do_ask(a, XS_WATCH, 0, "/t|t|");
    do_ask(a, XS_WATCH, 0, "/t/old/kid|kid|");
    forget_events(a);
    t = txn_start(b);
    do_ask(b, XS_WRITE, t, "/t/x|1");
    do_ask(b, XS_WRITE, t, "/t/x|2");
    do_ask(b, XS_RM, t, "/t/old|");
    NO_EVENT(a);
    CU_ASSERT_EQUAL(do_ask(b, XS_TRANSACTION_END, t, "T|"), 0);
    EVENT(a, "/t/x t"); /* once */
    EVENT(a, "/t/old/kid kid");
    EVENT(a, "/t/old t");
    NO_EVENT(a);
    t = txn_start(b);
    do_ask(b, XS_WRITE, t, "/t/x|1");
    do_ask(b, XS_TRANSACTION_END, t, "F|");
    NO_EVENT(a);
    end();
}

static void special(void)
{
    begin();
    do_ask(a, XS_WATCH, 0, "@introduceDomain|i|");
    do_ask(a, XS_WATCH, 0, "@releaseDomain|r|");
    do_ask(a, XS_WATCH, 0, "@releaseDomain|which|1|");
    do_ask(a, XS_WATCH, 0, "@releaseDomain/9|nine|");
    CU_ASSERT_EQUAL(do_ask(d1, XS_WATCH, 0, "@releaseDomain|r|"), 0);
    forget_events(a);
    forget_events(d1);
    do_ask(b, XS_INTRODUCE, 0, "8|1|1|");
    EVENT(a, "@introduceDomain i");
    NO_EVENT(a);
    do_ask(b, XS_RELEASE, 0, "8|");
    CU_ASSERT_PTR_NOT_NULL(event(a));
    CU_ASSERT_PTR_NOT_NULL(event(a));
    NO_EVENT(a);
    NO_EVENT(d1); /* not permitted */
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "@releaseDomain|n0|r1|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(a, XS_SET_PERMS, 0, "@releaseDomain|n0|r1|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_SET_PERMS, 0, "@other|n0|r1|"), EINVAL);
    do_ask(b, XS_INTRODUCE, 0, "9|1|1|");
    forget_events(a);
    do_ask(b, XS_RELEASE, 0, "9|");
    EVENT(d1, "@releaseDomain r");
    CU_ASSERT_EQUAL(do_ask(a, XS_UNWATCH, 0, "@releaseDomain|r|"), 0);
    end();
}

/* One that never drains: bounded, nobody else is held up, and nothing is lost in the end. */
static void never_drains(void)
{
    int events = 0, root = 0;
    const char *e;

    begin();
    CU_ASSERT_EQUAL(do_ask(d1, XS_WATCH, 0, "data|t|"), 0);
    forget_events(d1);
    d1->drain = false;
    for (int i = 0; i < 20000; i++)
        CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, 0, "/local/domain/1/data/%d|1", i), 0);
    CU_ASSERT(d1->conn->out_end - d1->conn->stream->out_start <= CONN_EVENT_LIMIT);
    CU_ASSERT_EQUAL(d1->conn->overdue, 1);
    d1->drain = true;
    conn_touch(d1->conn);
    conn_flush_all(&s);
    while ((e = event(d1))) {
        events++;
        root += !strcmp(e, "data t");
    }
    CU_ASSERT(events > 100 && events < 20000);
    CU_ASSERT_EQUAL(root, 1); /* "look again", after those that fitted */
    CU_ASSERT_EQUAL(d1->conn->overdue, 0);
    do_ask(a, XS_WRITE, 0, "/local/domain/1/data/7|2");
    EVENT(d1, "data/7 t");
    end();
}

/* 35: a tree is deleted, again and again, under as many watches as several domains may have, none
 * of whom reads: each is owed no more than the limit, and in the end each of its watches is told.
 */
#define WATCHERS 8
#define QUOTA    128

static void make_tree(void)
{
    CU_ASSERT_EQUAL(do_ask(a, XS_MKDIR, 0, "/t|"), 0);
    CU_ASSERT_EQUAL(do_ask(a, XS_SET_PERMS, 0, "/t|r0|"), 0);
    for (int i = 0; i < QUOTA; i++)
        CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, 0, "/t/%d/node|1", i), 0);
}

static int watches_told(struct client *c)
{
    bool told[QUOTA] = {false};
    const char *e;
    int n = 0, i;

    while ((e = event(c)))
        if (sscanf(e, "/t/%d/node t", &i) == 1 && i >= 0 && i < QUOTA && !told[i]) {
            told[i] = true;
            n++;
        }
    return n;
}

static void deleted_under_many(void)
{
    struct client *watcher[WATCHERS];

    begin();
    make_tree();
    for (uint16_t d = 0; d < WATCHERS; d++) {
        watcher[d] = client_new(&s, 2 + d);
        for (int i = 0; i < QUOTA; i++)
            CU_ASSERT_EQUAL(do_ask(watcher[d], XS_WATCH, 0, "/t/%d/node|t|", i), 0);
        CU_ASSERT_EQUAL(do_ask(watcher[d], XS_WATCH, 0, "/t|t|"), E2BIG);
        forget_events(watcher[d]);
        watcher[d]->drain = false;
    }
    for (int round = 0; round < 50; round++) {
        CU_ASSERT_EQUAL(do_ask(a, XS_RM, 0, "/t|"), 0);
        for (int d = 0; d < WATCHERS; d++) {
            struct conn *c = watcher[d]->conn;

            CU_ASSERT(c->out_end - c->stream->out_start <= CONN_EVENT_LIMIT);
        }
        make_tree();
    }
    for (int d = 0; d < WATCHERS; d++) {
        watcher[d]->drain = true;
        conn_touch(watcher[d]->conn);
    }
    conn_flush_all(&s);
    for (int d = 0; d < WATCHERS; d++) {
        CU_ASSERT_EQUAL(watches_told(watcher[d]), QUOTA);
        CU_ASSERT_EQUAL(watcher[d]->conn->overdue, 0);
    }
    CU_ASSERT_EQUAL(do_ask(a, XS_RM, 0, "/t|"), 0); /* they still hear */
    for (int d = 0; d < WATCHERS; d++) {
        CU_ASSERT_EQUAL(watches_told(watcher[d]), QUOTA);
        client_free(watcher[d]);
    }
    end();
}

static void duplicates(void)
{
    begin();
    CU_ASSERT_EQUAL(do_ask(b, XS_WATCH, 0, "/w|t|"), 0);
    forget_events(b);
    b->drain = false;
    for (int i = 0; i < 100; i++)
        do_ask(a, XS_WRITE, 0, "/w|%d", i);
    b->drain = true;
    conn_touch(b->conn);
    conn_flush_all(&s);
    EVENT(b, "/w t");
    NO_EVENT(b);
    end();
}

/* Requests of a client that reads no replies wait; they are answered when it reads. */
static void backpressure(void)
{
    struct message m;
    char msg[XSW_HEADER_LEN + 2];
    int replies = 0;

    begin();
    do_ask(a, XS_SET_PERMS, 0, "/|r0|");
    d1->drain = false;
    memcpy(msg + XSW_HEADER_LEN, "/", 2);
    for (uint32_t i = 0; i < 500; i++) {
        xsw_header_put(msg, XS_READ, i, 0, 2);
        client_send(d1, msg, sizeof(msg));
    }
    CU_ASSERT_EQUAL(d1->conn->unsent_replies, 20); /* the quota */
    CU_ASSERT(d1->conn->blocked);
    CU_ASSERT(reads(a, 0, "/", ""));
    d1->drain = true;
    conn_touch(d1->conn);
    conn_flush_all(&s);
    while (client_take(d1, &m))
        CU_ASSERT_EQUAL(m.hdr.req_id, (uint32_t)replies++);
    CU_ASSERT_EQUAL(replies, 500);
    end();
}

CU_TestInfo watch_tests[] = {
    {"set, fire, unset", basics},
    {"removal of a parent", removal},
    {"depth", depth},
    {"relative", relative},
    {"only what may be read", permitted},
    {"transactions fire at commit", transactions},
    {"@introduceDomain, @releaseDomain", special},
    {"a watcher that never drains", never_drains},
    {"a tree deleted under watches of many", deleted_under_many},
    {"pending duplicates", duplicates},
    {"a client that reads no replies", backpressure},
    CU_TEST_INFO_NULL,
};
