/* SPDX-License-Identifier: MIT */
/*
 * The tables behind domain_config.h: one row per key of the document. Loader, writer, differ and
 * the test that compares us with the JSON schema all read these and nothing else.
 */
#ifndef MULLION_CONFIG_FIELDS_H
#define MULLION_CONFIG_FIELDS_H

#include "domain_config.h"

enum field_type {
    FIELD_STRING, /* char[size]; `pattern` is an extended regular expression, the same text as in
                     the schema */
    FIELD_CONST,  /* a string that must equal pattern */
    FIELD_UINT,   /* uint32_t within [min, max] */
    FIELD_MEMORY, /* uint64_t bytes: a number or "128M", within [min, max] */
    FIELD_ENUM,   /* uint32_t index into `names`; the initial value is `min` */
    FIELD_OBJECT, /* members by `fields` */
    FIELD_ARRAY,  /* up to `max` objects by `fields`, `stride` apart; the count at `count_offset` */
};

struct field {
    const char *key;
    enum field_type type;
    bool required;
    size_t offset, size;
    uint64_t min, max;
    const char *pattern;
    const char *expects; /* for people: "a name of letters, digits, dot, dash …" */
    const char *const *names;
    const struct field *fields;
    size_t stride, count_offset;
};

extern const struct field domain_fields[]; /* ends with a NULL key */

#endif
