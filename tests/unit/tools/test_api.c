/* SPDX-License-Identifier: MIT */
/* One line of the API: what is a request, and which id its answer must carry. */
#include "request.h"
#include "tests.h"

static enum failure_code read_line(const char *line, struct api_request *r, struct json_doc **doc)
{
    struct failure f = {0};

    *doc = json_parse(line, strlen(line), &f);
    if (*doc)
        api_request_read(*doc, r, &f);
    return f.code;
}

static void good_requests(void)
{
    struct api_request r;
    struct json_doc *doc;

    CU_ASSERT_EQUAL(read_line("{\"v\":1,\"id\":7,\"op\":\"list\"}", &r, &doc), FAIL_NONE);
    CU_ASSERT_STRING_EQUAL(r.id, "7");
    CU_ASSERT_STRING_EQUAL(r.op, "list");
    CU_ASSERT_PTR_NULL(r.args);
    json_free(doc);
    CU_ASSERT_EQUAL(
        read_line("{\"op\":\"get\",\"args\":{\"name\":\"web\"},\"id\":\"a-1\",\"v\":1}", &r, &doc),
        FAIL_NONE);
    CU_ASSERT_STRING_EQUAL(r.id, "\"a-1\"");
    CU_ASSERT_STRING_EQUAL(json_get_string(r.args, "name", ""), "web");
    json_free(doc);
    CU_ASSERT_EQUAL(read_line("{\"v\":1,\"op\":\"hello\"}", &r, &doc), FAIL_NONE);
    CU_ASSERT_STRING_EQUAL(r.id, "null");
    json_free(doc);
}

static void bad_requests(void)
{
    static const struct {
        const char *line;
        enum failure_code code;
        const char *id;
    } rows[] = {
        {"[]", FAIL_REQUEST, "null"},
        {"{\"id\":1,\"op\":\"list\"}", FAIL_VERSION, "1"},
        {"{\"v\":2,\"id\":1,\"op\":\"list\"}", FAIL_VERSION, "1"},
        {"{\"v\":\"1\",\"id\":1,\"op\":\"list\"}", FAIL_VERSION, "1"},
        {"{\"v\":1,\"id\":5}", FAIL_REQUEST, "5"},
        {"{\"v\":1,\"id\":5,\"op\":7}", FAIL_REQUEST, "5"},
        {"{\"v\":1,\"id\":5,\"op\":\"list\",\"args\":[]}", FAIL_REQUEST, "5"},
        {"{\"v\":1,\"id\":5,\"op\":\"list\",\"extra\":1}", FAIL_REQUEST, "5"},
        {"{\"v\":1,\"id\":{},\"op\":\"list\"}", FAIL_REQUEST, "null"},
        {"{\"v\":1,\"id\":\"a\\\"b\",\"op\":\"list\"}", FAIL_REQUEST, "null"},
        {"{\"v\":1,\"id\":\"\\u00e4\",\"op\":\"list\"}", FAIL_REQUEST, "null"},
        {"{\"v\":1,\"id\":"
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "\"}",
         FAIL_REQUEST, "null"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct api_request r;
        struct json_doc *doc;

        CU_ASSERT_EQUAL(read_line(rows[i].line, &r, &doc), rows[i].code);
        CU_ASSERT_STRING_EQUAL(r.id, rows[i].id);
        json_free(doc);
    }
}

void add_api_suite(void)
{
    CU_pSuite s = CU_add_suite("api requests", NULL, NULL);

    CU_add_test(s, "good requests", good_requests);
    CU_add_test(s, "bad requests", bad_requests);
}
