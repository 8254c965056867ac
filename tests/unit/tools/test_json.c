/* SPDX-License-Identifier: MIT */
/* The JSON reader against hostile text, its pointers, and the writer. THREATS 42: depth,
 * duplicates, huge numbers. */
#include <stdio.h>
#include <stdlib.h>

#include "json_write.h"
#include "tests.h"

static enum failure_code code_of(const char *text, size_t size, char *where)
{
    struct failure f = {0};
    struct json_doc *doc = json_parse(text, size, &f);

    CU_ASSERT((doc != NULL) == (f.code == FAIL_NONE));
    json_free(doc);
    if (where)
        strcpy(where, f.where);
    return f.code;
}

static void refuses_malformed_text(void)
{
    static const char *const bad[] = {
        "",      " ",    "{",         "}",         "{]",       "[1,]",     "{\"a\":}",
        "{a:1}", "nul",  "[1 2]",     "{} {}",     "{}x",      "\"a",      "[01]",
        "[1.]",  "[+1]", "[\"\\x\"]", "{\"a\" 1}", "// hi\n1", "[\"\t\"]", "[-]"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (code_of(bad[i], strlen(bad[i]), NULL) != FAIL_JSON_SYNTAX) {
            printf("not refused: %s\n", bad[i]);
            CU_FAIL("malformed text accepted");
        }
    CU_ASSERT_EQUAL(code_of("[\"\xff\"]", 5, NULL), FAIL_JSON_SYNTAX);
    CU_ASSERT_EQUAL(code_of("[\"a\\u0000b\"]", 12, NULL), FAIL_JSON_SYNTAX);
    CU_ASSERT_EQUAL(code_of("{\"a\\u0000b\":1}", 14, NULL), FAIL_JSON_SYNTAX);
    CU_ASSERT_EQUAL(code_of("[\0]", 3, NULL), FAIL_JSON_SYNTAX);
}

static void bounds_depth_and_size(void)
{
    size_t size = 1000000;
    char *text = malloc(size + 1), where[192];

    memset(text, '[', size);
    CU_ASSERT_EQUAL(code_of(text, 200000, NULL), FAIL_JSON_LIMIT);
    CU_ASSERT_EQUAL(code_of(text, size, NULL), FAIL_JSON_LIMIT);
    for (size_t i = 0; i + 5 < 200000; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    CU_ASSERT_EQUAL(code_of(text, 199995, where), FAIL_JSON_LIMIT);
    CU_ASSERT_EQUAL(strncmp(where, "/a/a/a", 6), 0);
    text[0] = '[';
    for (size_t i = 1; i + 2 < 100000; i += 2)
        memcpy(text + i, "1,", 2);
    CU_ASSERT_EQUAL(code_of(text, 99999, NULL), FAIL_JSON_LIMIT);
    free(text);
    /* the deepest that is allowed */
    CU_ASSERT_EQUAL(code_of("[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]", 48, NULL),
                    FAIL_NONE);
    CU_ASSERT_EQUAL(code_of("[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]", 50, NULL),
                    FAIL_JSON_LIMIT);
}

static void refuses_duplicate_keys(void)
{
    char where[192];
    const char *text = "{\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}";

    CU_ASSERT_EQUAL(code_of(text, strlen(text), where), FAIL_JSON_DUPLICATE);
    CU_ASSERT_STRING_EQUAL(where, "/x/0/a");
    /* the same key spelled with an escape */
    text = "{\"a\":1,\"\\u0061\":2}";
    CU_ASSERT_EQUAL(code_of(text, strlen(text), NULL), FAIL_JSON_DUPLICATE);
    text = "{\"a\":{\"a\":1},\"b\":{\"a\":1}}";
    CU_ASSERT_EQUAL(code_of(text, strlen(text), NULL), FAIL_NONE);
}

static void numbers_do_not_wrap(void)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } numbers[] = {
        {"0", true, 0},
        {"18446744073709551615", true, ~0ULL},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999999", false, 0},
        {"-1", false, 0},
        {"-0", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct failure f = {0};
        struct json_doc *doc = json_parse(numbers[i].text, strlen(numbers[i].text), &f);
        uint64_t value = 1;

        CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
        CU_ASSERT_EQUAL(json_u64(json_root(doc), &value), numbers[i].valid);
        if (numbers[i].valid)
            CU_ASSERT_EQUAL(value, numbers[i].value);
        json_free(doc);
    }
}

static void pointers_are_escaped(void)
{
    struct failure f = {0};
    const char *text = "{\"a/b\":[0,{\"m~n\":true}]}";
    struct json_doc *doc = json_parse(text, strlen(text), &f);
    const struct json *v;
    char pointer[64];

    CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
    v = json_get(json_get(json_root(doc), "a/b")->last, "m~n");
    CU_ASSERT_STRING_EQUAL(json_pointer(NULL, v, pointer, sizeof(pointer)), "/a~1b/1/m~0n");
    CU_ASSERT_STRING_EQUAL(json_pointer(v->parent, v, pointer, sizeof(pointer)), "/m~0n");
    CU_ASSERT_STRING_EQUAL(json_pointer(v, v, pointer, sizeof(pointer)), "");
    /* a buffer that is too small cuts, never overruns */
    CU_ASSERT_TRUE(strlen(json_pointer(NULL, v, pointer, 6)) < 6);
    json_free(doc);
}

static void writer_makes_valid_text(void)
{
    struct json_writer *w = jw_new(false);
    struct failure f = {0};
    struct json_doc *doc;
    size_t length;
    const char *text;

    jw_object(w, NULL);
    jw_string(w, "quote\"d", "line\n\x01\xff end");
    jw_u64(w, "n", ~0ULL);
    jw_array(w, "a");
    jw_bool(w, NULL, true);
    jw_null(w, NULL);
    jw_end_array(w);
    jw_end_object(w);
    text = jw_text(w, &length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NULL(strchr(text, '\n'));
    doc = json_parse(text, length, &f);
    CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
    CU_ASSERT_STRING_EQUAL(json_get_string(json_root(doc), "quote\"d", ""), "line??? end");
    CU_ASSERT_EQUAL(json_get_u64(json_root(doc), "n", 0), ~0ULL);
    json_free(doc);
    jw_free(w);
}

static void failure_keeps_the_first_and_renders(void)
{
    struct failure f = {0};
    char text[1024];

    CU_ASSERT_EQUAL(fail(&f, FAIL_IMAGE_MISSING, "check", "/disks/0", "no \x1b[31m%s", "file"), -1);
    CU_ASSERT_EQUAL(fail(&f, FAIL_IO, "later", "/x", "another"), -1);
    fail_hint(&f, "make it");
    fail_hint(&f, "or not");
    CU_ASSERT_EQUAL(f.code, FAIL_IMAGE_MISSING);
    CU_ASSERT_STRING_EQUAL(
        failure_render(&f, text, sizeof(text)),
        "no ?[31mfile (image.missing)\n  where: /disks/0\n  step:  check\n  hint:  make it");
    for (unsigned i = 0; i < FAILURE_CODES; i++)
        CU_ASSERT_EQUAL(failure_from_name(failure_name(i)), i);
    CU_ASSERT_STRING_EQUAL(failure_name(FAILURE_CODES), "unknown");
    f = (struct failure){.code = FAIL_IO, .message = "m"};
    CU_ASSERT_STRING_EQUAL(failure_render(&f, text, sizeof(text)), "m (io)");
}

void add_json_suite(void)
{
    CU_pSuite s = CU_add_suite("json and failures", NULL, NULL);

    CU_add_test(s, "refuses malformed text", refuses_malformed_text);
    CU_add_test(s, "bounds depth and size", bounds_depth_and_size);
    CU_add_test(s, "refuses duplicate keys", refuses_duplicate_keys);
    CU_add_test(s, "numbers do not wrap", numbers_do_not_wrap);
    CU_add_test(s, "pointers are escaped", pointers_are_escaped);
    CU_add_test(s, "the writer makes valid text", writer_makes_valid_text);
    CU_add_test(s, "a failure keeps the first cause and renders",
                failure_keeps_the_first_and_renders);
}
