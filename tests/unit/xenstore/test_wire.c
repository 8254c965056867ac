/* SPDX-License-Identifier: MIT */
/* test_wire.c: the codec: every length and syntax that a peer can get wrong. */
#include <errno.h>
#include <string.h>

#include "suites.h"
#include "xswire/args.h"
#include "xswire/frame.h"
#include "xswire/names.h"
#include "xswire/path.h"
#include "xswire/perm.h"

static void frames(void)
{
    char buf[XSW_MESSAGE_MAX + 10] = "";
    struct xsw_frame f;

    xsw_header_put(buf + 1, XS_READ, 7, 9, 5); /* at an odd address */
    CU_ASSERT_EQUAL(xsw_frame_next(buf + 1, 0, &f), 0);
    CU_ASSERT_EQUAL(xsw_frame_next(buf + 1, 15, &f), 0);
    CU_ASSERT_EQUAL(xsw_frame_next(buf + 1, 20, &f), 0);
    CU_ASSERT_EQUAL(xsw_frame_next(buf + 1, 21, &f), 21);
    CU_ASSERT_EQUAL(xsw_frame_next(buf + 1, 30, &f), 21);
    CU_ASSERT_EQUAL(f.hdr.req_id, 7);
    CU_ASSERT_EQUAL(f.hdr.tx_id, 9);
    CU_ASSERT_PTR_EQUAL(f.body, buf + 17);
    CU_ASSERT_EQUAL(xsw_frame_missing(buf + 1, 3), 13);
    CU_ASSERT_EQUAL(xsw_frame_missing(buf + 1, 16), 5);
    CU_ASSERT_EQUAL(xsw_frame_missing(buf + 1, 21), 0);

    xsw_header_put(buf, XS_WRITE, 0, 0, XENSTORE_PAYLOAD_MAX);
    CU_ASSERT_EQUAL(xsw_frame_next(buf, XSW_MESSAGE_MAX, &f), (int)XSW_MESSAGE_MAX);
    xsw_header_put(buf, XS_WRITE, 0, 0, XENSTORE_PAYLOAD_MAX + 1);
    CU_ASSERT_EQUAL(xsw_frame_next(buf, 16, &f), -1);
    xsw_header_put(buf, XS_WRITE, 0, 0, UINT32_MAX);
    CU_ASSERT_EQUAL(xsw_frame_next(buf, sizeof(buf), &f), -1);
}

static bool valid(const char *path)
{
    return xsw_path_valid(path, strlen(path), XENSTORE_REL_PATH_MAX);
}

/* Every octet in every place, alone and beside its like: what is looked for eight at a time. */
static void octets(void)
{
    static const char legal[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_@/";
    char path[] = "/aaaaaaaaaaaaaaaaaaa";
    struct xsw_str v[2];

    for (size_t at = 1; at < sizeof(path) - 1; at++) {
        for (unsigned int c = 0; c < 256; c++) {
            bool good =
                c && strchr(legal, (int)c) && (c != '/' || (at > 1 && at < sizeof(path) - 2));
            size_t pos = 0, len = sizeof(path) - 1, first;
            const char *name;

            path[at] = (char)c;
            CU_ASSERT_EQUAL_FATAL(xsw_path_valid(path, len, 2048), good);
            first = xsw_path_step(path, len, &pos, &name);
            CU_ASSERT_EQUAL_FATAL(first, c == '/' ? at - 1 : len - 1);
            CU_ASSERT_EQUAL_FATAL(xsw_split(path, len, v, 2, NULL), c == 0);
            CU_ASSERT_FATAL(c || (v[0].s == path && v[0].len == at));
        }
        path[at] = 'a';
    }
    CU_ASSERT(!valid("/aaaaaa//aaaaaaaaaa") && !valid("/aaaaaaa//aaaaaaaaa"));
}

static void paths(void)
{
    char longest[4096];

    CU_ASSERT(valid("/"));
    CU_ASSERT(valid("/a"));
    CU_ASSERT(valid("/A-z/0_9/@x"));
    CU_ASSERT(!valid(""));
    CU_ASSERT(!valid("a"));
    CU_ASSERT(!valid("//"));
    CU_ASSERT(!valid("/a/"));
    CU_ASSERT(!valid("/a//b"));
    CU_ASSERT(!valid("/local/domain/"));
    CU_ASSERT(!valid("/a b"));
    CU_ASSERT(!valid("/a.b"));
    CU_ASSERT(!valid("/\xc3\xa4"));
    CU_ASSERT(!xsw_path_valid("/a\0b", 4, 2048));
    for (int c = 1; c < 256; c++) {
        char one[2] = {'/', (char)c};
        bool want = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '@';

        CU_ASSERT_EQUAL(xsw_path_valid(one, 2, 2048), want);
    }

    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    CU_ASSERT(xsw_path_valid(longest, 2048, 2048));
    CU_ASSERT(!xsw_path_valid(longest, 2049, 2048));
    memcpy(longest, "/local/domain/123/", 18); /* a relative path may be as long for everybody */
    CU_ASSERT(xsw_path_valid(longest, 18 + 2048, 2048));
    CU_ASSERT(!xsw_path_valid(longest, 18 + 2049, 2048));
}

static void path_relations(void)
{
    char buf[64];
    const char *name;
    size_t pos = 0;

    CU_ASSERT(xsw_path_is_below("/", 1, "/a", 2));
    CU_ASSERT(xsw_path_is_below("/a", 2, "/a", 2));
    CU_ASSERT(xsw_path_is_below("/a", 2, "/a/b", 4));
    CU_ASSERT(!xsw_path_is_below("/a", 2, "/ab", 3));
    CU_ASSERT(!xsw_path_is_below("/a/b", 4, "/a", 2));
    CU_ASSERT_EQUAL(xsw_path_parent("/a/b", 4), 2);
    CU_ASSERT_EQUAL(xsw_path_parent("/a", 2), 1);
    CU_ASSERT_EQUAL(xsw_path_parent("/", 1), 0);

    CU_ASSERT_EQUAL(xsw_path_resolve(buf, sizeof(buf), 3, "x/y", 3), 19);
    CU_ASSERT_STRING_EQUAL(buf, "/local/domain/3/x/y");
    CU_ASSERT_EQUAL(xsw_path_resolve(buf, sizeof(buf), 3, "/x", 2), 2);
    CU_ASSERT_EQUAL(xsw_path_resolve(buf, sizeof(buf), 3, "@releaseDomain", 14), 14);
    CU_ASSERT_EQUAL(xsw_path_resolve(buf, sizeof(buf), 3, "", 0), 0);
    CU_ASSERT_EQUAL(xsw_path_resolve(buf, 19, 3, "x/y", 3), 0);
    CU_ASSERT_EQUAL(xsw_path_resolve(buf, 20, 3, "x/y", 3), 19);

    CU_ASSERT_EQUAL(xsw_path_step("/ab/c", 5, &pos, &name), 2);
    CU_ASSERT_EQUAL(*name, 'a');
    CU_ASSERT_EQUAL(xsw_path_step("/ab/c", 5, &pos, &name), 1);
    CU_ASSERT_EQUAL(*name, 'c');
    CU_ASSERT_EQUAL(xsw_path_step("/ab/c", 5, &pos, &name), 0);
    pos = 0;
    CU_ASSERT_EQUAL(xsw_path_step("/", 1, &pos, &name), 0);
}

static void strings(void)
{
    struct xsw_str v[2], rest;

    CU_ASSERT_EQUAL(xsw_split("a\0bc\0\0xy", 8, v, 2, &rest), 3);
    CU_ASSERT_EQUAL(v[1].len, 2);
    CU_ASSERT_EQUAL(rest.len, 3);
    CU_ASSERT_EQUAL(xsw_split("abc", 3, v, 2, &rest), 0);
    CU_ASSERT_EQUAL(rest.len, 3);
    CU_ASSERT_EQUAL(xsw_split("", 0, v, 2, &rest), 0);
    CU_ASSERT_EQUAL(xsw_split("\0", 1, v, 2, &rest), 1);
    CU_ASSERT_EQUAL(v[0].len, 0);
    CU_ASSERT_EQUAL(rest.len, 0);
}

static void numbers(void)
{
    char text[12];
    uint32_t v;

    CU_ASSERT(xsw_parse_u32("0", 1, &v) && v == 0);
    CU_ASSERT(xsw_parse_u32("4294967295", 10, &v) && v == UINT32_MAX);
    CU_ASSERT(!xsw_parse_u32("4294967296", 10, &v));
    CU_ASSERT(!xsw_parse_u32("18446744073709551616", 20, &v));
    CU_ASSERT(!xsw_parse_u32("", 0, &v));
    CU_ASSERT(!xsw_parse_u32("-1", 2, &v));
    CU_ASSERT(!xsw_parse_u32("1 ", 2, &v));
    CU_ASSERT(!xsw_parse_u32("0x1", 3, &v));
    CU_ASSERT_EQUAL(xsw_format_u32(text, UINT32_MAX), 10);
    CU_ASSERT_STRING_EQUAL(text, "4294967295");
    CU_ASSERT_EQUAL(xsw_format_u32(text, 0), 1);
    CU_ASSERT_STRING_EQUAL(text, "0");
}

static void permissions(void)
{
    static const char *const good[] = {"n0", "r1", "w65535", "b32752"};
    static const char *const bad[] = {"", "r", "x1", "r-1", "r65536", "r1x", "R1", "1", "r 1"};
    char text[XSW_PERM_STR_MAX];
    struct xsw_perm p;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT(xsw_perm_parse(good[i], strlen(good[i]), &p));
        CU_ASSERT_EQUAL(xsw_perm_format(text, p), strlen(good[i]));
        CU_ASSERT_STRING_EQUAL(text, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT(!xsw_perm_parse(bad[i], strlen(bad[i]), &p));
}

static void names(void)
{
    static const int all[] = {EINVAL,    EACCES, EEXIST, EISDIR, ENOENT, ENOMEM,  ENOSPC, EIO,
                              ENOTEMPTY, ENOSYS, EROFS,  EBUSY,  EAGAIN, EISCONN, E2BIG,  EPERM};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const char *name = xsw_error_name(all[i]);

        CU_ASSERT_EQUAL(xsw_error_number(name, strlen(name)), all[i]);
    }
    CU_ASSERT_STRING_EQUAL(xsw_error_name(EPIPE), "EINVAL");
    CU_ASSERT_EQUAL(xsw_error_number("ENOEN", 5), EINVAL);
    CU_ASSERT_STRING_EQUAL(xsw_type_name(XS_DIRECTORY_PART), "DIRECTORY_PART");
    CU_ASSERT_STRING_EQUAL(xsw_type_name(20), "?"); /* the removed RESTRICT */
    CU_ASSERT_STRING_EQUAL(xsw_type_name(XS_INVALID), "?");
}

CU_TestInfo wire_tests[] = {
    {"frames", frames},
    {"paths", paths},
    {"every octet in every place", octets},
    {"path relations", path_relations},
    {"strings", strings},
    {"numbers", numbers},
    {"permissions", permissions},
    {"names of errors", names},
    CU_TEST_INFO_NULL,
};
