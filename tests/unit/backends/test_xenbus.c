/* SPDX-License-Identifier: MIT */
/* The handshake: the decision for every pair of states, and whole lives of a device against the
 * fake store. */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "xenbus.h"

#define BACK  "/local/domain/0/backend/vbd/7/51712"
#define FRONT "/local/domain/7/device/vbd/51712"

/* Rows: ours; columns: the frontend's 0 Unknown … 6 Closed; a device that is wanted. */
static const char wanted[7][8] = {
    /*           U  I  W  D  C  g  c */
    [0] = "OOOOODO", /* Unknown: a toolstack that wrote no state */
    [1] = "OOOOODO", /* Initialising */
    [2] = "WWWCCDW", /* InitWait */
    [3] = "XWWWWDX", /* Initialised: not a state of ours */
    [4] = "XXXWWDX", /* Connected */
    [5] = "XOOWWWX", /* Closing */
    [6] = "WOOWWWW", /* Closed */
};

static const enum xenbus_action action_of[] = {
    ['W'] = XENBUS_WAIT,       ['O'] = XENBUS_OFFER, ['C'] = XENBUS_CONNECT,
    ['D'] = XENBUS_DISCONNECT, ['X'] = XENBUS_CLOSE, ['G'] = XENBUS_GONE,
};

static void every_pair(void)
{
    for (int mine = 0; mine < 7; mine++)
        for (int front = 0; front < 7; front++) {
            struct xenbus_view v = {.mine = (enum xenbus_state)mine,
                                    .front = (enum xenbus_state)front,
                                    .exists = true,
                                    .online = true};

            CU_ASSERT_EQUAL(xenbus_decide(&v), action_of[(unsigned char)wanted[mine][front]]);
            v.exists = false;
            CU_ASSERT_EQUAL(xenbus_decide(&v), XENBUS_GONE);
        }
}

/* Whatever the start: a device that nobody wants, whose frontend is gone, ends. */
static void unwanted_always_ends(void)
{
    for (int mine = 0; mine < 7; mine++)
        for (int front = 0; front < 7; front += 6) {
            struct xenbus_view v = {.mine = (enum xenbus_state)mine,
                                    .front = (enum xenbus_state)front,
                                    .exists = true,
                                    .asked_to_close = true};

            if (xenbus_decide(&v) == XENBUS_CLOSE)
                v.mine = XenbusStateClosed;
            CU_ASSERT_EQUAL(xenbus_decide(&v), XENBUS_GONE);
        }
}

static int connects, disconnects, takeovers, connect_error;

static void offer(void *ctx, struct store_kv *kv, unsigned *n)
{
    store_put(kv, n, "feature-test", "1");
}

static int connect_it(void *ctx, bool takeover, struct store_kv *kv, unsigned *n,
                      struct reason *why)
{
    if (connect_error)
        return because(why, connect_error, "the ring is not a ring");
    connects++;
    takeovers += takeover;
    store_put(kv, n, "sectors", "8");
    return 0;
}

static void disconnect_it(void *ctx)
{
    disconnects++;
}

static const struct xenbus_driver driver = {offer, connect_it, disconnect_it};

static void make(struct fake *f, struct xenbus *x)
{
    connects = disconnects = takeovers = connect_error = 0;
    *x = (struct xenbus){.store = &f->store, .driver = &driver, .dir = BACK};
    fake_set(f, BACK "/frontend", FRONT);
    fake_set(f, BACK "/frontend-id", "7");
    fake_set(f, BACK "/online", "1");
    fake_set(f, BACK "/state", "1");
    fake_set(f, FRONT "/state", "1");
}

static int state(struct fake *f)
{
    const char *s = fake_get(f, BACK "/state");

    return s ? atoi(s) : -1;
}

static void front(struct fake *f, struct xenbus *x, int s)
{
    fake_set(f, FRONT "/state", "%d", s);
    xenbus_step(x);
}

static void a_whole_life(void)
{
    struct fake *f = fake_new();
    struct xenbus x;
    struct reason why;

    make(f, &x);
    CU_ASSERT_EQUAL_FATAL(xenbus_start(&x, &why), 0);
    xenbus_step(&x);
    CU_ASSERT_EQUAL(state(f), XenbusStateInitWait);
    CU_ASSERT_STRING_EQUAL(fake_get(f, BACK "/feature-test"), "1");
    CU_ASSERT_STRING_EQUAL(fake_get(f, BACK "/hotplug-status"), "connected");
    front(f, &x, XenbusStateInitialised);
    CU_ASSERT_EQUAL(state(f), XenbusStateConnected);
    CU_ASSERT_STRING_EQUAL(fake_get(f, BACK "/sectors"), "8");
    front(f, &x, XenbusStateConnected);
    CU_ASSERT_EQUAL(connects, 1);
    /* A boot loader hands over to a kernel: closes, and the kernel starts anew. */
    front(f, &x, XenbusStateClosing);
    CU_ASSERT_EQUAL(state(f), XenbusStateClosing);
    CU_ASSERT_EQUAL(disconnects, 1);
    front(f, &x, XenbusStateClosed);
    CU_ASSERT_EQUAL(state(f), XenbusStateClosed);
    front(f, &x, XenbusStateInitialising);
    CU_ASSERT_EQUAL(state(f), XenbusStateInitWait);
    front(f, &x, XenbusStateConnected);
    CU_ASSERT_EQUAL(connects, 2);
    /* The toolstack detaches. */
    fake_set(f, BACK "/online", "0");
    fake_set(f, BACK "/state", "5");
    xenbus_step(&x);
    CU_ASSERT_EQUAL(disconnects, 1); /* the frontend goes first */
    front(f, &x, XenbusStateClosing);
    front(f, &x, XenbusStateClosed);
    CU_ASSERT_EQUAL(disconnects, 2);
    CU_ASSERT_EQUAL(state(f), XenbusStateClosed);
    CU_ASSERT(x.gone);
    fake_free(f);
}

static void removed_is_not_resurrected(void)
{
    struct fake *f = fake_new();
    struct xenbus x;
    struct reason why;

    make(f, &x);
    xenbus_start(&x, &why);
    front(f, &x, XenbusStateConnected);
    CU_ASSERT_EQUAL(connects, 1);
    fake_rm(f, BACK);
    fake_rm(f, FRONT);
    xenbus_step(&x);
    CU_ASSERT(x.gone);
    CU_ASSERT_EQUAL(disconnects, 1);
    CU_ASSERT_EQUAL(f->shared->nodes, 0);
    fake_free(f);
}

static void successor_takes_over(void)
{
    struct fake *f = fake_new();
    struct xenbus x;
    struct reason why;

    make(f, &x);
    fake_set(f, BACK "/state", "4");
    fake_set(f, FRONT "/state", "4");
    xenbus_start(&x, &why);
    xenbus_step(&x);
    CU_ASSERT_EQUAL(takeovers, 1);
    CU_ASSERT_EQUAL(connects, 1);
    CU_ASSERT_EQUAL(state(f), XenbusStateConnected);
    fake_free(f);
}

static void errors_are_told(void)
{
    struct fake *f = fake_new();
    struct xenbus x;
    struct reason why;

    make(f, &x);
    xenbus_start(&x, &why);
    connect_error = -5;
    front(f, &x, XenbusStateConnected);
    CU_ASSERT_EQUAL(state(f), XenbusStateClosing);
    CU_ASSERT_STRING_EQUAL(fake_get(f, BACK "/error"), "the ring is not a ring");
    CU_ASSERT_EQUAL(disconnects, 0);
    connect_error = 0;
    front(f, &x, XenbusStateClosing);
    front(f, &x, XenbusStateClosed);
    front(f, &x, XenbusStateInitialising);
    front(f, &x, XenbusStateConnected);
    CU_ASSERT_EQUAL(state(f), XenbusStateConnected);
    fake_free(f);
}

static void bad_configuration(void)
{
    struct fake *f = fake_new();
    struct xenbus x;
    struct reason why;

    make(f, &x);
    fake_set(f, BACK "/frontend-id", "seven");
    CU_ASSERT(xenbus_start(&x, &why) < 0);
    fake_rm(f, BACK "/frontend");
    CU_ASSERT(xenbus_start(&x, &why) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "frontend"));
    fake_free(f);
}

static void numbers(void)
{
    static const struct {
        const char *text;
        uint64_t max, value;
        int err;
    } row[] = {
        {"0", 9, 0, 0},
        {"10", 9, 0, -22},
        {"4294967295", UINT32_MAX, UINT32_MAX, 0},
        {"4294967296", UINT32_MAX, 0, -22},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, 0},
        {"18446744073709551616", UINT64_MAX, 0, -22},
        {"-1", 9, 0, -22},
        {"", 9, 0, -22},
        {" 1", 9, 0, -22},
        {"1x", 99, 0, -22},
    };
    struct fake *f = fake_new();

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
        uint64_t v = 0;

        fake_set(f, "/d/n", "%s", row[i].text);
        CU_ASSERT_EQUAL(store_number(&f->store, "/d", "n", row[i].max, &v), row[i].err);
        CU_ASSERT_EQUAL(v, row[i].value);
    }
    fake_free(f);
}

static const struct test tests[] = {
    {"every pair of states", every_pair},
    {"an unwanted device always ends", unwanted_always_ends},
    {"a whole life", a_whole_life},
    {"a removed device is not resurrected", removed_is_not_resurrected},
    {"a successor takes over", successor_takes_over},
    {"errors are told", errors_are_told},
    {"bad configuration", bad_configuration},
    {"numbers", numbers},
};

int main(void)
{
    return suite_run("xenbus handshake", tests, sizeof(tests) / sizeof(*tests));
}
