/* SPDX-License-Identifier: MIT */
/* The writer of json_write.h over yajl_gen. */
#include "json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

struct json_writer {
    yajl_gen gen;
    bool broken;
};

struct json_writer *jw_new(bool pretty)
{
    struct json_writer *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->gen = yajl_gen_alloc(NULL);
    if (!w->gen) {
        free(w);
        return NULL;
    }
    yajl_gen_config(w->gen, yajl_gen_beautify, pretty);
    yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
    yajl_gen_config(w->gen, yajl_gen_validate_utf8, 1);
    return w;
}

void jw_free(struct json_writer *w)
{
    if (!w)
        return;
    yajl_gen_free(w->gen);
    free(w);
}

static void check(struct json_writer *w, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok)
        w->broken = true;
}

/* A string that is not UTF-8 is written with every odd byte shown as '?'. */
static void put_string(struct json_writer *w, const char *text)
{
    size_t length = strlen(text);
    yajl_gen_status status = yajl_gen_string(w->gen, (const unsigned char *)text, length);
    char *safe;

    if (status != yajl_gen_invalid_string) {
        check(w, status);
        return;
    }
    safe = strdup(text);
    if (!safe) {
        w->broken = true;
        return;
    }
    make_printable(safe);
    check(w, yajl_gen_string(w->gen, (const unsigned char *)safe, length));
    free(safe);
}

static void put_key(struct json_writer *w, const char *key)
{
    if (key)
        put_string(w, key);
}

void jw_object(struct json_writer *w, const char *key)
{
    put_key(w, key);
    check(w, yajl_gen_map_open(w->gen));
}

void jw_end_object(struct json_writer *w)
{
    check(w, yajl_gen_map_close(w->gen));
}

void jw_array(struct json_writer *w, const char *key)
{
    put_key(w, key);
    check(w, yajl_gen_array_open(w->gen));
}

void jw_end_array(struct json_writer *w)
{
    check(w, yajl_gen_array_close(w->gen));
}

void jw_string(struct json_writer *w, const char *key, const char *value)
{
    put_key(w, key);
    put_string(w, value);
}

void jw_u64(struct json_writer *w, const char *key, uint64_t value)
{
    char text[24];

    put_key(w, key);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    check(w, yajl_gen_number(w->gen, text, strlen(text)));
}

void jw_bool(struct json_writer *w, const char *key, bool value)
{
    put_key(w, key);
    check(w, yajl_gen_bool(w->gen, value));
}

void jw_null(struct json_writer *w, const char *key)
{
    put_key(w, key);
    check(w, yajl_gen_null(w->gen));
}

void jw_failure(struct json_writer *w, const char *key, const struct failure *f)
{
    jw_object(w, key);
    jw_string(w, "code", failure_name(f->code));
    jw_string(w, "step", f->step);
    jw_string(w, "where", f->where);
    jw_string(w, "message", f->message);
    if (f->hint[0])
        jw_string(w, "hint", f->hint);
    jw_end_object(w);
}

/* Depth is bounded by JSON_MAX_DEPTH, so this may recurse. */
void jw_copy(struct json_writer *w, const char *key, const struct json *value)
{
    put_key(w, key);
    switch (value->type) {
    case JSON_NULL:
        check(w, yajl_gen_null(w->gen));
        break;
    case JSON_BOOL:
        check(w, yajl_gen_bool(w->gen, value->boolean));
        break;
    case JSON_NUMBER:
        check(w, yajl_gen_number(w->gen, value->text, strlen(value->text)));
        break;
    case JSON_STRING:
        put_string(w, value->text);
        break;
    case JSON_ARRAY:
        check(w, yajl_gen_array_open(w->gen));
        for (const struct json *v = value->first; v; v = v->next)
            jw_copy(w, NULL, v);
        check(w, yajl_gen_array_close(w->gen));
        break;
    case JSON_OBJECT:
        check(w, yajl_gen_map_open(w->gen));
        for (const struct json *v = value->first; v; v = v->next)
            jw_copy(w, v->key, v);
        check(w, yajl_gen_map_close(w->gen));
        break;
    }
}

const char *jw_text(struct json_writer *w, size_t *length)
{
    const unsigned char *text;
    size_t size;

    if (w->broken || yajl_gen_get_buf(w->gen, &text, &size) != yajl_gen_status_ok)
        return NULL;
    if (length)
        *length = size;
    return (const char *)text;
}
