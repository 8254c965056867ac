/* SPDX-License-Identifier: MIT */
/*
 * JSON text from outside → a small read-only tree, by libyajl's event parser.
 *
 * Everything that an attacker can make large is bounded here: text size, depth, number of values,
 * and duplicate keys are refused. Numbers keep their spelling, so that 2^64 is a range error and
 * not a silent wrap. Strings with NUL or invalid UTF-8 are refused. Nothing recurses, so depth
 * costs no stack.
 *
 * Invariant: a tree that was returned is complete; every string is NUL-terminated; `parent` links
 * lead to the root.
 */
#ifndef MULLION_BASE_JSON_H
#define MULLION_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

#define JSON_MAX_TEXT   (256 * 1024)
#define JSON_MAX_DEPTH  24
#define JSON_MAX_VALUES 8192

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    bool boolean;
    unsigned count;   /* members of an object or array */
    const char *key;  /* inside an object: the member's name */
    const char *text; /* string value, or a number's spelling */
    struct json *parent, *next, *first, *last;
};

struct json_doc;

/* Parse `size` bytes. Returns NULL with a failure (json.syntax, json.limit, json.duplicate-key)
 * set; the failure's `where` is a JSON pointer, and its message gives line and column. */
struct json_doc *json_parse(const char *text, size_t size, struct failure *failure);

void json_free(struct json_doc *doc);

const struct json *json_root(const struct json_doc *doc);

/* The member of an object with this name, or NULL (also when `object` is NULL or no object). */
const struct json *json_get(const struct json *object, const char *key);

/* The text of a string member, or `otherwise` when it is absent or no string. */
const char *json_get_string(const struct json *object, const char *key, const char *otherwise);

/* Read a number as an unsigned integer: only digits, no sign, fraction or exponent, below 2^64. */
bool json_u64(const struct json *value, uint64_t *result);

/* As json_u64 for a member; `otherwise` when it is absent or no such number. */
uint64_t json_get_u64(const struct json *object, const char *key, uint64_t otherwise);

bool json_get_bool(const struct json *object, const char *key, bool otherwise);

/* The RFC 6901 pointer of `value` below `root` ("" for the root itself). Returns `buffer`. */
char *json_pointer(const struct json *root, const struct json *value, char *buffer, size_t size);

const char *json_type_name(enum json_type type);

#endif
