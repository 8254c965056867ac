/* SPDX-License-Identifier: MIT */
/* The checks of request.h. */
#include "request.h"

#include <stdio.h>
#include <string.h>

#include "api.h"

static bool plain_text(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    return true;
}

static int read_id(const struct json *id, char *out, size_t size, struct failure *failure)
{
    if (!id)
        return 0;
    if (id->type == JSON_NUMBER && strlen(id->text) < size) {
        snprintf(out, size, "%s", id->text);
        return 0;
    }
    if (id->type == JSON_STRING && strlen(id->text) + 2 < size && plain_text(id->text)) {
        snprintf(out, size, "\"%s\"", id->text);
        return 0;
    }
    return fail(failure, FAIL_REQUEST, "request", "/id",
                "the id must be a number or a plain text of at most 64 characters");
}

int api_request_read(const struct json_doc *doc, struct api_request *request,
                     struct failure *failure)
{
    const struct json *root = json_root(doc), *version, *op;
    uint64_t number;

    *request = (struct api_request){.id = "null"};
    if (root->type != JSON_OBJECT)
        return fail(failure, FAIL_REQUEST, "request", "", "a request is one JSON object");
    if (read_id(json_get(root, "id"), request->id, sizeof(request->id), failure))
        return -1;
    for (const struct json *v = root->first; v; v = v->next)
        if (strcmp(v->key, "id") != 0 && strcmp(v->key, "v") != 0 && strcmp(v->key, "op") != 0 &&
            strcmp(v->key, "args") != 0)
            return fail(failure, FAIL_REQUEST, "request", v->key, "there is no such key");
    version = json_get(root, "v");
    if (!json_u64(version, &number) || number != API_VERSION) {
        fail(failure, FAIL_VERSION, "request", "/v", "this daemon speaks version %d", API_VERSION);
        return fail_hint(failure, "mullion and mulliond must come from the same release");
    }
    op = json_get(root, "op");
    if (!op || op->type != JSON_STRING)
        return fail(failure, FAIL_REQUEST, "request", "/op", "an operation's name is required");
    request->op = op->text;
    request->args = json_get(root, "args");
    if (request->args && request->args->type != JSON_OBJECT)
        return fail(failure, FAIL_REQUEST, "request", "/args", "the arguments are one JSON object");
    return 0;
}
