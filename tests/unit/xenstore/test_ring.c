/* SPDX-License-Identifier: MIT */
/*
 * test_ring.c: the ring transport against a domain that is honest, slow, or hostile. A hostile
 * one loses its connection, is told why, and nobody else notices.
 */
#include <errno.h>
#include <string.h>

#include "guest.h"
#include "harness.h"
#include "ring.h"
#include "suites.h"

static struct store s;
static struct client *dom0;
static struct xenstore_domain_interface page;
static struct ring ring;
static struct conn *conn;
static int kicks;
static bool unmapped;

static void kick(struct ring *r)
{
    kicks++;
}

static void unmap(struct ring *r)
{
    unmapped = true;
}

static void begin(bool empty)
{
    struct domain *d;

    world_begin(&s);
    dom0 = client_new(&s, 0);
    do_ask(dom0, XS_MKDIR, 0, "/local/domain/1|");
    do_ask(dom0, XS_SET_PERMS, 0, "/local/domain/1|n1|");
    d = domain_get(&s, 1);
    d->introduced = true;
    ring = (struct ring){.page = &page, .notify = kick, .unmap = unmap};
    unmapped = false;
    kicks = 0;
    conn = d->conn = conn_new(&s, NULL, NULL, d);
    ring_attach(conn, &ring, empty);
    conn_flush_all(&s);
}

static void end(void)
{
    CU_ASSERT(reads(dom0, 0, "/tool", "")); /* the others are served */
    client_free(dom0);
    world_end(&s);
}

static void event_now(void)
{
    ring_event(conn);
    conn_flush_all(&s);
}

static size_t message(char *buf, uint32_t type, const char *body, size_t len)
{
    xsw_header_put(buf, type, 42, 0, (uint32_t)len);
    memcpy(buf + XSW_HEADER_LEN, body, len);
    return XSW_HEADER_LEN + len;
}

static void honest(void)
{
    char buf[256];
    size_t len;

    memset(&page, 0xa5, sizeof(page)); /* indices need not start at 0 */
    page.req_cons = page.req_prod = 0xfffffff0;
    page.rsp_cons = page.rsp_prod = 0xfffffffa;
    begin(false);
    CU_ASSERT_EQUAL(page.server_features & 3, 3);
    CU_ASSERT_EQUAL(page.error, XENSTORE_ERROR_NONE);
    for (int i = 0; i < 200; i++) { /* over the wrap of the indices and of the ring */
        len = message(buf, XS_WRITE, "k\0value", 7);
        CU_ASSERT_EQUAL(guest_put(&page, buf, len), len);
        event_now();
        CU_ASSERT_EQUAL(guest_get(&page, buf, sizeof(buf)), XSW_HEADER_LEN + 3);
        CU_ASSERT_STRING_EQUAL(buf + XSW_HEADER_LEN, "OK");
        CU_ASSERT_EQUAL(page.req_cons, page.req_prod);
    }
    CU_ASSERT(kicks >= 200);
    end();
}

/* A message longer than the ring, and a reply longer than the ring, in bits. */
static void large(void)
{
    static char buf[XSW_MESSAGE_MAX], in[2 * XSW_MESSAGE_MAX];
    char body[2000] = "big";
    size_t len, put = 0, got = 0;

    memset(&page, 0, sizeof(page));
    begin(true);
    memset(body + 4, 'x', sizeof(body) - 4);
    len = message(buf, XS_WRITE, body, sizeof(body));
    len += message(buf + len, XS_READ, "big", 4);
    for (int i = 0; i < 100 && got < XSW_HEADER_LEN * 2 + 3 + 1996; i++) {
        put += guest_put(&page, buf + put, len - put);
        event_now();
        got += guest_get(&page, in + got, 300);
    }
    CU_ASSERT_EQUAL(put, len);
    CU_ASSERT_EQUAL(got, XSW_HEADER_LEN * 2 + 3 + 1996);
    CU_ASSERT_EQUAL(memcmp(in + XSW_HEADER_LEN * 2 + 3, body + 4, 1996), 0);
    end();
}

static void expect_cut_off(uint32_t error)
{
    CU_ASSERT(unmapped);
    CU_ASSERT_EQUAL(page.error, error);
    CU_ASSERT_PTR_NULL(domain_known(&s, 1)->conn);
    CU_ASSERT(domain_known(&s, 1)->introduced); /* until it dies: @releaseDomain is for then */
}

static void lies(void)
{
    static const uint32_t lie[] = {1025, 4096, 0x80000000, UINT32_MAX};
    char buf[XSW_HEADER_LEN];

    for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        memset(&page, 0, sizeof(page));
        begin(true);
        page.req_prod = lie[i];
        event_now();
        expect_cut_off(XENSTORE_ERROR_RINGIDX);
        end();

        memset(&page, 0, sizeof(page));
        begin(true);
        guest_put(&page, buf, message(buf, XS_TRANSACTION_START, "", 0));
        page.rsp_cons = lie[i];
        event_now();
        if (lie[i] != UINT32_MAX) { /* that one is "-1 bytes read": prod - cons = 1, believable */
            expect_cut_off(XENSTORE_ERROR_RINGIDX);
        } else {
            CU_ASSERT(!unmapped);
        }
        end();
    }
}

static void too_long(void)
{
    char buf[XSW_HEADER_LEN];

    memset(&page, 0, sizeof(page));
    begin(true);
    xsw_header_put(buf, XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1);
    guest_put(&page, buf, sizeof(buf));
    event_now();
    expect_cut_off(XENSTORE_ERROR_PROTO);
    end();
}

/* What the domain scribbles over our indices does not move us. */
static void scribbled(void)
{
    char buf[64];
    size_t len;

    memset(&page, 0, sizeof(page));
    begin(true);
    page.req_cons = 77;
    page.rsp_prod = 99;
    len = message(buf, XS_GET_DOMAIN_PATH, "1", 2);
    page.req_prod = 0;
    for (size_t i = 0; i < len; i++)
        page.req[i] = buf[i];
    page.req_prod = (uint32_t)len;
    event_now();
    CU_ASSERT_EQUAL(page.req_cons, len);
    CU_ASSERT_EQUAL(page.rsp_prod, XSW_HEADER_LEN + 16);
    CU_ASSERT_STRING_EQUAL(page.rsp + XSW_HEADER_LEN, "/local/domain/1");
    end();
}

static void reconnect(void)
{
    char buf[256];
    size_t len;

    memset(&page, 0, sizeof(page));
    begin(true);
    len = message(buf, XS_WATCH, "w\0t", 4);
    guest_put(&page, buf, len);
    guest_put(&page, "half a header", 13);
    event_now();
    CU_ASSERT_PTR_NOT_NULL(conn->watches);
    page.connection = XENSTORE_RECONNECT;
    event_now();
    CU_ASSERT_EQUAL(page.connection, XENSTORE_CONNECTED);
    CU_ASSERT_PTR_NULL(conn->watches);
    CU_ASSERT_EQUAL(page.req_prod + page.req_cons + page.rsp_prod + page.rsp_cons, 0);
    guest_put(&page, buf, message(buf, XS_GET_DOMAIN_PATH, "1", 2));
    event_now();
    CU_ASSERT_EQUAL(guest_get(&page, buf, sizeof(buf)), XSW_HEADER_LEN + 16);
    end();
}

static void never_drains(void)
{
    char buf[64];
    size_t len, sent = 0;

    memset(&page, 0, sizeof(page));
    begin(true);
    len = message(buf, XS_GET_DOMAIN_PATH, "1", 2);
    for (int i = 0; i < 10000; i++) {
        if (guest_put(&page, buf, len) == len)
            sent++;
        else
            page.req_prod -= (page.req_prod - page.req_cons) % (uint32_t)len;
        event_now();
    }
    CU_ASSERT(sent < 200); /* then its ring was full: nobody reads it */
    CU_ASSERT(conn->unsent_replies <= 32 + 20);
    end();
}

CU_TestInfo ring_tests[] = {
    {"an honest domain", honest},
    {"messages larger than the ring", large},
    {"indices that lie", lies},
    {"a payload that is too long", too_long},
    {"our indices overwritten", scribbled},
    {"reconnection", reconnect},
    {"a domain that never drains", never_drains},
    CU_TEST_INFO_NULL,
};
