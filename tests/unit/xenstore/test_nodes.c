/* SPDX-License-Identifier: MIT */
/* test_nodes.c: reading, writing, permissions, domains: what the protocol promises, and denials. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "suites.h"

static struct store s;
static struct client *dom0, *d1, *d2;

static void begin(void)
{
    world_begin(&s);
    dom0 = client_new(&s, 0);
    d1 = client_new(&s, 1);
    d2 = client_new(&s, 2);
    do_ask(dom0, XS_MKDIR, 0, "/local/domain/1|");
    do_ask(dom0, XS_SET_PERMS, 0, "/local/domain/1|n1|");
}

static void end(void)
{
    struct message m;

    CU_ASSERT_EQUAL(ask(dom0, XS_CONTROL, 0, &m, "check|"), 0);
    CU_ASSERT_STRING_EQUAL(m.body, "OK");
    client_free(d1);
    client_free(d2);
    client_free(dom0);
    world_end(&s);
}

static void read_write(void)
{
    struct message m;

    begin();
    CU_ASSERT_EQUAL(do_ask(dom0, XS_READ, 0, "/a|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/a/b/c|v"), 0);
    CU_ASSERT(reads(dom0, 0, "/a/b/c", "v"));
    CU_ASSERT(reads(dom0, 0, "/a/b", ""));
    CU_ASSERT_EQUAL(ask(dom0, XS_WRITE, 0, &m, "/a/bin|1|2|3"), 0); /* NULs in a value */
    CU_ASSERT_EQUAL(ask(dom0, XS_READ, 0, &m, "/a/bin|"), 0);
    CU_ASSERT_EQUAL(m.hdr.len, 5);
    CU_ASSERT_EQUAL(ask(dom0, XS_DIRECTORY, 0, &m, "/a|"), 0);
    CU_ASSERT_EQUAL(m.hdr.len, 6);
    CU_ASSERT_EQUAL(memcmp(m.body, "b\0bin", 6), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_MKDIR, 0, "/a/b/c|"), 0);
    CU_ASSERT(reads(dom0, 0, "/a/b/c", "v")); /* an existing value stays */
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RM, 0, "/a/none|"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RM, 0, "/a/none/x|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RM, 0, "/a|"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_READ, 0, "/a/b/c|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RM, 0, "/|"), EINVAL);
    CU_ASSERT_EQUAL(ask(dom0, XS_WRITE, 0, &m, "/e|"), 0);
    CU_ASSERT_EQUAL(ask(dom0, XS_READ, 0, &m, "/e|"), 0);
    CU_ASSERT_EQUAL(m.hdr.len, 0);
    end();
}

static void relative(void)
{
    begin();
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "data/x|7"), 0);
    CU_ASSERT(reads(dom0, 0, "/local/domain/1/data/x", "7"));
    CU_ASSERT(reads(d1, 0, "data/x", "7"));
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "name|Domain-0"), 0);
    CU_ASSERT(reads(dom0, 0, "/local/domain/0/name", "Domain-0"));
    end();
}

static void malformed(void)
{
    static const uint32_t one_path[] = {XS_READ, XS_MKDIR, XS_RM, XS_DIRECTORY, XS_GET_PERMS};
    char huge[XSW_HEADER_LEN];

    begin();
    for (size_t i = 0; i < sizeof(one_path) / sizeof(one_path[0]); i++) {
        CU_ASSERT_EQUAL(do_ask(dom0, one_path[i], 0, "%s", ""), EINVAL);
        CU_ASSERT_EQUAL(do_ask(dom0, one_path[i], 0, "/a"), EINVAL); /* no NUL */
        CU_ASSERT_EQUAL(do_ask(dom0, one_path[i], 0, "/a|b|"), EINVAL);
        CU_ASSERT_EQUAL(do_ask(dom0, one_path[i], 0, "|"), EINVAL);
        CU_ASSERT_EQUAL(do_ask(dom0, one_path[i], 0, "/local/domain/|"), EINVAL);
        CU_ASSERT_EQUAL(do_ask(dom0, one_path[i], 0, "@releaseDomain|"), EINVAL);
    }
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/a"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_DIRECTORY_PART, 0, "/|x|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_DIRECTORY_PART, 0, "/|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WATCH_EVENT, 0, "/|t|"), ENOSYS);
    CU_ASSERT_EQUAL(do_ask(dom0, 20, 0, "5|"), ENOSYS);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_INVALID, 0, "|"), ENOSYS);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_READ, 99, "/|"), ENOENT); /* no such transaction */

    xsw_header_put(huge, XS_READ, 1, 0, XENSTORE_PAYLOAD_MAX + 1);
    client_send(d2, huge, sizeof(huge));
    CU_ASSERT(d2->closed); /* and only that client */
    CU_ASSERT(reads(dom0, 0, "/tool", ""));
    end();
}

static void split_messages(void)
{
    char msg[64];
    struct message m;

    begin();
    memcpy(msg + XSW_HEADER_LEN, "/p", 3);
    xsw_header_put(msg, XS_MKDIR, 5, 0, 3);
    for (size_t i = 0; i < XSW_HEADER_LEN + 3; i++) {
        CU_ASSERT(!client_take(dom0, &m));
        client_send(dom0, msg + i, 1);
    }
    CU_ASSERT(client_take(dom0, &m) && m.hdr.req_id == 5 && m.hdr.type == XS_MKDIR);
    end();
}

static void permissions(void)
{
    struct message m;

    begin();
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "k|1"), 0);
    CU_ASSERT_EQUAL(ask(d1, XS_GET_PERMS, 0, &m, "k|"), 0);
    CU_ASSERT_STRING_EQUAL(m.body, "n1");
    CU_ASSERT_EQUAL(do_ask(d2, XS_READ, 0, "/local/domain/1/k|"), EACCES);
    /* whether a node exists is not told to who may not see its parent */
    CU_ASSERT_EQUAL(do_ask(d2, XS_READ, 0, "/local/domain/1/none|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d1, XS_READ, 0, "none|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "k|n1|r2|"), 0);
    CU_ASSERT(reads(d2, 0, "/local/domain/1/k", "1"));
    CU_ASSERT_EQUAL(do_ask(d2, XS_WRITE, 0, "/local/domain/1/k|2"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d2, XS_SET_PERMS, 0, "/local/domain/1/k|n2|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "k|b1|"), 0); /* everybody, entry 0 */
    CU_ASSERT_EQUAL(do_ask(d2, XS_WRITE, 0, "/local/domain/1/k|2"), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "k|n2|"), EPERM); /* not the owner's to give away */
    CU_ASSERT_EQUAL(do_ask(dom0, XS_SET_PERMS, 0, "/local/domain/1/k|n2|"), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_READ, 0, "k|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "k|x1|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(d1, XS_SET_PERMS, 0, "k|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "/tool/mine|1"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d1, XS_CONTROL, 0, "check|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d1, XS_INTRODUCE, 0, "5|1|1|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d1, XS_RELEASE, 0, "2|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(d1, XS_IS_DOMAIN_INTRODUCED, 0, "2|"), EACCES);
    end();
}

static void target(void)
{
    begin();
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "secret|1"), 0);
    CU_ASSERT_EQUAL(do_ask(d2, XS_READ, 0, "/local/domain/1/secret|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_SET_TARGET, 0, "2|1|"), 0);
    CU_ASSERT(reads(d2, 0, "/local/domain/1/secret", "1"));
    CU_ASSERT_EQUAL(do_ask(d2, XS_WRITE, 0, "/local/domain/1/secret|2"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_SET_TARGET, 0, "2|99|"), ENOENT);
    end();
}

static void long_directory(void)
{
    static struct message m;
    size_t offset = 0, names = 0;
    char gen[24] = "";
    bool last = false;

    begin();
    for (int i = 0; i < 1500; i++)
        CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/big/node-%d|", i), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_DIRECTORY, 0, "/big|"), E2BIG);
    while (!last) {
        size_t at;

        CU_ASSERT_EQUAL_FATAL(ask(dom0, XS_DIRECTORY_PART, 0, &m, "/big|%zu|", offset), 0);
        CU_ASSERT(!*gen || !strcmp(gen, m.body));
        strcpy(gen, m.body);
        at = strlen(m.body) + 1;
        while (at < m.hdr.len && m.body[at]) {
            at += strlen(m.body + at) + 1;
            names++;
        }
        last = at < m.hdr.len;
        offset += at - strlen(gen) - 1;
    }
    CU_ASSERT_EQUAL(names, 1500);
    CU_ASSERT_EQUAL(ask(dom0, XS_DIRECTORY_PART, 0, &m, "/big|%u|", UINT32_MAX), 0);
    CU_ASSERT_EQUAL(m.hdr.len, strlen(gen) + 2); /* beyond the end: an empty name */
    do_ask(dom0, XS_RM, 0, "/big/node-7|");
    CU_ASSERT_EQUAL(ask(dom0, XS_DIRECTORY_PART, 0, &m, "/big|0|"), 0);
    CU_ASSERT_STRING_NOT_EQUAL(gen, m.body);
    end();
}

static void domains(void)
{
    struct message m;

    begin();
    CU_ASSERT_EQUAL(ask(dom0, XS_GET_DOMAIN_PATH, 0, &m, "77|"), 0);
    CU_ASSERT_STRING_EQUAL(m.body, "/local/domain/77");
    CU_ASSERT_EQUAL(ask(dom0, XS_IS_DOMAIN_INTRODUCED, 0, &m, "77|"), 0);
    CU_ASSERT_STRING_EQUAL(m.body, "F");
    CU_ASSERT_EQUAL(do_ask(dom0, XS_INTRODUCE, 0, "77|0|0|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_INTRODUCE, 0, "32752|0|3|"), EINVAL);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_INTRODUCE, 0, "77|-1|3|"), 0); /* the frame is signed */
    CU_ASSERT_EQUAL(ask(dom0, XS_IS_DOMAIN_INTRODUCED, 0, &m, "77|"), 0);
    CU_ASSERT_STRING_EQUAL(m.body, "T");
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RESUME, 0, "77|"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RELEASE, 0, "0|"), ENOENT);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RELEASE, 0, "77|"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RELEASE, 0, "77|"), ENOENT);
    end();
}

static bool any_domain(struct platform *p, uint16_t domid)
{
    return true;
}

static int no_ring(struct platform *p, struct domain *d)
{
    return 0;
}

/* A domid that is used again must neither own nor read what its former bearer could. */
static void reused_domid(void)
{
    static struct platform platform = {any_domain, no_ring, no_ring};

    world_begin(&s);
    s.platform = &platform;
    dom0 = client_new(&s, 0);
    d1 = client_new(&s, 1);
    d2 = client_new(&s, 2);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/secret|1"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_SET_PERMS, 0, "/secret|n0|r1|"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/owned/deep/node|1"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_SET_PERMS, 0, "/owned/deep|n1|"), 0);
    CU_ASSERT(reads(d1, 0, "/secret", "1"));
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RELEASE, 0, "1|"), 0);
    CU_ASSERT(d1->closed);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_READ, 0, "/owned/deep/node|"), ENOENT);
    CU_ASSERT(reads(dom0, 0, "/owned", ""));
    free(d1->from);
    free(d1);
    d1 = client_new(&s, 1);
    CU_ASSERT_EQUAL(do_ask(d1, XS_READ, 0, "/secret|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_WRITE, 0, "/secret|2"), 0); /* a write does not revive it */
    CU_ASSERT_EQUAL(do_ask(d1, XS_READ, 0, "/secret|"), EACCES);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_SET_PERMS, 0, "/secret|n0|r1|"), 0);
    CU_ASSERT(reads(d1, 0, "/secret", "2"));
    end();
}

/* The root cannot go with its owner; nor does what else its list says change. */
static void root_of_the_dead(void)
{
    static struct platform platform = {any_domain, no_ring, no_ring};
    struct message m;

    world_begin(&s);
    s.platform = &platform;
    dom0 = client_new(&s, 0);
    d1 = client_new(&s, 1);
    d2 = client_new(&s, 2);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_SET_PERMS, 0, "/|n1|r2|"), 0);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "/of-the-roots-owner|1"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_RELEASE, 0, "1|"), 0);
    CU_ASSERT_EQUAL(do_ask(dom0, XS_READ, 0, "/of-the-roots-owner|"), ENOENT);
    CU_ASSERT_EQUAL(ask(dom0, XS_GET_PERMS, 0, &m, "/|"), 0);
    CU_ASSERT(m.hdr.len == 6 && !memcmp(m.body, "n0\0r2", 6));
    free(d1->from);
    free(d1);
    d1 = client_new(&s, 1);
    CU_ASSERT_EQUAL(do_ask(d1, XS_WRITE, 0, "/x|1"), EACCES);
    end();
}

CU_TestInfo node_tests[] = {
    {"read, write, mkdir, rm, directory", read_write},
    {"relative paths", relative},
    {"malformed requests", malformed},
    {"messages cut anywhere", split_messages},
    {"permissions", permissions},
    {"SET_TARGET", target},
    {"DIRECTORY_PART", long_directory},
    {"domains", domains},
    {"a reused domid inherits nothing", reused_domid},
    {"the root outlives its owner", root_of_the_dead},
    CU_TEST_INFO_NULL,
};
