/* SPDX-License-Identifier: MIT */
/*
 * JSON out: a thin shape over yajl_gen that cannot be left half-checked.
 *
 * Interface: jw_new(), then jw_object/jw_array … jw_end_*, keyed variants for members, jw_text()
 * for the result. Strings are made valid UTF-8 first, so text that came from a guest never breaks a
 * line of the protocol. Invariant: errors (out of memory) stick; jw_text() returns NULL then.
 */
#ifndef MULLION_BASE_JSON_WRITE_H
#define MULLION_BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "json.h"

struct json_writer;

/* `pretty`: indented, for files and people; otherwise one line. */
struct json_writer *jw_new(bool pretty);
void jw_free(struct json_writer *w);

void jw_object(struct json_writer *w, const char *key); /* key NULL: array element or root */
void jw_end_object(struct json_writer *w);
void jw_array(struct json_writer *w, const char *key);
void jw_end_array(struct json_writer *w);
void jw_string(struct json_writer *w, const char *key, const char *value);
void jw_u64(struct json_writer *w, const char *key, uint64_t value);
void jw_bool(struct json_writer *w, const char *key, bool value);
void jw_null(struct json_writer *w, const char *key);

/* The members of a failure: {code, step, where, message, hint} as an object. */
void jw_failure(struct json_writer *w, const char *key, const struct failure *f);

/* Write a parsed value back. */
void jw_copy(struct json_writer *w, const char *key, const struct json *value);

/* The text so far (owned by the writer), or NULL after an error. */
const char *jw_text(struct json_writer *w, size_t *length);

#endif
