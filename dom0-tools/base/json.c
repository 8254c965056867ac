/* SPDX-License-Identifier: MIT */
/* The tree of json.h, built from libyajl's events into one arena that is freed whole. */
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) char data[];
};

struct json_doc {
    struct chunk *chunks;
    struct json *root;
    /* parser state */
    struct json *open;       /* the container being filled */
    const char *pending_key; /* of the next member of `open` */
    unsigned depth, values;
    struct failure *failure;
};

static void *arena(struct json_doc *doc, size_t size)
{
    struct chunk *c = doc->chunks;

    size = (size + 15) & ~(size_t)15;
    if (!c || c->size - c->used < size) {
        size_t room = size > 4000 ? size : 4000;

        c = malloc(sizeof(*c) + room);
        if (!c)
            return NULL;
        *c = (struct chunk){.next = doc->chunks, .size = room};
        doc->chunks = c;
    }
    c->used += size;
    return c->data + c->used - size;
}

static const char *arena_text(struct json_doc *doc, const void *text, size_t length)
{
    char *copy = arena(doc, length + 1);

    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

/* Stop the parse with a failure at the container being filled. */
static int refuse(struct json_doc *doc, enum failure_code code, const char *member,
                  const char *message)
{
    char where[192] = "";

    if (doc->open)
        json_pointer(NULL, doc->open, where, sizeof(where));
    if (member && strlen(where) + strlen(member) + 2 < sizeof(where)) {
        strcat(where, "/");
        strcat(where, member);
    }
    fail(doc->failure, code, "parse", where, "%s", message);
    return 0;
}

static struct json *add(struct json_doc *doc, enum json_type type)
{
    struct json *v;

    if (++doc->values > JSON_MAX_VALUES) {
        refuse(doc, FAIL_JSON_LIMIT, NULL, "the document holds too many values");
        return NULL;
    }
    v = arena(doc, sizeof(*v));
    if (!v) {
        refuse(doc, FAIL_RESOURCES, NULL, "out of memory");
        return NULL;
    }
    *v = (struct json){.type = type, .parent = doc->open, .key = doc->pending_key};
    doc->pending_key = NULL;
    if (!doc->open) {
        doc->root = v;
        return v;
    }
    if (doc->open->last)
        doc->open->last->next = v;
    else
        doc->open->first = v;
    doc->open->last = v;
    doc->open->count++;
    return v;
}

static int on_null(void *ctx)
{
    return add(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
    struct json *v = add(ctx, JSON_BOOL);

    if (v)
        v->boolean = value;
    return v != NULL;
}

static int add_text(struct json_doc *doc, enum json_type type, const void *text, size_t length)
{
    struct json *v;

    if (memchr(text, 0, length))
        return refuse(doc, FAIL_JSON_SYNTAX, doc->pending_key, "a string holds a NUL character");
    v = add(doc, type);
    if (!v)
        return 0;
    v->text = arena_text(doc, text, length);
    return v->text || refuse(doc, FAIL_RESOURCES, NULL, "out of memory");
}

static int on_number(void *ctx, const char *text, size_t length)
{
    return add_text(ctx, JSON_NUMBER, text, length);
}

static int on_string(void *ctx, const unsigned char *text, size_t length)
{
    return add_text(ctx, JSON_STRING, text, length);
}

static int on_key(void *ctx, const unsigned char *text, size_t length)
{
    struct json_doc *doc = ctx;

    if (memchr(text, 0, length))
        return refuse(doc, FAIL_JSON_SYNTAX, NULL, "a key holds a NUL character");
    doc->pending_key = arena_text(doc, text, length);
    if (!doc->pending_key)
        return refuse(doc, FAIL_RESOURCES, NULL, "out of memory");
    if (json_get(doc->open, doc->pending_key))
        return refuse(doc, FAIL_JSON_DUPLICATE, doc->pending_key, "the key appears twice");
    return 1;
}

static int open_container(struct json_doc *doc, enum json_type type)
{
    struct json *v;

    if (doc->depth == JSON_MAX_DEPTH)
        return refuse(doc, FAIL_JSON_LIMIT, NULL, "the document is nested too deeply");
    v = add(doc, type);
    if (!v)
        return 0;
    doc->depth++;
    doc->open = v;
    return 1;
}

static int on_start_map(void *ctx)
{
    return open_container(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
    return open_container(ctx, JSON_ARRAY);
}

static int on_close(void *ctx)
{
    struct json_doc *doc = ctx;

    doc->depth--;
    doc->open = doc->open->parent;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_close,
};

/* yajl's own message, first line only, with the place in the text. */
static void syntax_failure(yajl_handle parser, const char *text, size_t size,
                           struct failure *failure)
{
    size_t at = yajl_get_bytes_consumed(parser);
    unsigned char *message = yajl_get_error(parser, 0, (const unsigned char *)text, size);
    unsigned line = 1, column = 1;

    for (size_t i = 0; i < at && i < size; i++, column++)
        if (text[i] == '\n') {
            line++;
            column = 0;
        }
    if (message)
        message[strcspn((char *)message, "\n")] = 0;
    fail(failure, FAIL_JSON_SYNTAX, "parse", NULL, "not valid JSON at line %u, column %u: %s", line,
         column, message ? (char *)message : "cut short");
    fail_hint(failure, "the document must be one JSON object; check commas, quotes and brackets");
    if (message)
        yajl_free_error(parser, message);
}

struct json_doc *json_parse(const char *text, size_t size, struct failure *failure)
{
    struct json_doc *doc;
    yajl_handle parser;
    yajl_status status;

    if (size > JSON_MAX_TEXT) {
        fail(failure, FAIL_JSON_LIMIT, "parse", NULL, "the document is longer than %u KiB",
             JSON_MAX_TEXT / 1024);
        return NULL;
    }
    doc = calloc(1, sizeof(*doc));
    parser = yajl_alloc(&callbacks, NULL, doc);
    if (!doc || !parser) {
        fail(failure, FAIL_RESOURCES, "parse", NULL, "out of memory");
        goto out;
    }
    doc->failure = failure;
    status = yajl_parse(parser, (const unsigned char *)text, size);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(parser);
    if (status != yajl_status_ok && failure->code == FAIL_NONE)
        syntax_failure(parser, text, size, failure);
out:
    if (parser)
        yajl_free(parser);
    if (failure->code != FAIL_NONE) {
        json_free(doc);
        return NULL;
    }
    return doc;
}

void json_free(struct json_doc *doc)
{
    struct chunk *next;

    if (!doc)
        return;
    for (struct chunk *c = doc->chunks; c; c = next) {
        next = c->next;
        free(c);
    }
    free(doc);
}

const struct json *json_root(const struct json_doc *doc)
{
    return doc->root;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *v = object->first; v; v = v->next)
        if (strcmp(v->key, key) == 0)
            return v;
    return NULL;
}

const char *json_get_string(const struct json *object, const char *key, const char *otherwise)
{
    const struct json *v = json_get(object, key);

    return v && v->type == JSON_STRING ? v->text : otherwise;
}

bool json_u64(const struct json *value, uint64_t *result)
{
    char *end;

    if (!value || value->type != JSON_NUMBER || value->text[0] < '0' || value->text[0] > '9')
        return false;
    errno = 0;
    *result = strtoull(value->text, &end, 10);
    return errno == 0 && *end == 0;
}

uint64_t json_get_u64(const struct json *object, const char *key, uint64_t otherwise)
{
    uint64_t value;

    return json_u64(json_get(object, key), &value) ? value : otherwise;
}

bool json_get_bool(const struct json *object, const char *key, bool otherwise)
{
    const struct json *v = json_get(object, key);

    return v && v->type == JSON_BOOL ? v->boolean : otherwise;
}

/* Append one reference token, escaped as RFC 6901 asks; a token that does not fit is cut. */
static size_t append_token(char *buffer, size_t size, size_t at, const char *token)
{
    for (; *token && at + 3 < size; token++) {
        if (*token == '~' || *token == '/') {
            buffer[at++] = '~';
            buffer[at++] = *token == '~' ? '0' : '1';
        } else {
            buffer[at++] = *token;
        }
    }
    buffer[at] = 0;
    return at;
}

char *json_pointer(const struct json *root, const struct json *value, char *buffer, size_t size)
{
    const struct json *path[JSON_MAX_DEPTH + 2];
    unsigned depth = 0;
    size_t at = 0;

    buffer[0] = 0;
    for (; value && value != root && value->parent; value = value->parent)
        path[depth++] = value;
    while (depth--) {
        char number[16];
        const char *token = path[depth]->key;

        if (!token) {
            unsigned index = 0;

            for (const struct json *v = path[depth]->parent->first; v != path[depth]; v = v->next)
                index++;
            snprintf(number, sizeof(number), "%u", index);
            token = number;
        }
        if (at + 2 >= size)
            break;
        buffer[at++] = '/';
        at = append_token(buffer, size, at, token);
    }
    return buffer;
}

const char *json_type_name(enum json_type type)
{
    static const char *const type_names[] = {
        [JSON_NULL] = "null",       [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
    };

    return type_names[type];
}
