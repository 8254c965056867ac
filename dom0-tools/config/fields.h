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
    FIELD_UINT,   /* uint32_t within [min, max]; absent: `initial` */
    FIELD_MEMORY, /* uint64_t bytes: a number or "128M", within [min, max] */
    FIELD_ENUM,   /* uint32_t index into `names`; absent: `initial` */
    FIELD_OBJECT, /* members by `fields`; absent: each as if absent */
    FIELD_ARRAY,  /* up to `max` objects by `fields`, `stride` apart; the count at `count_offset` */
};

struct field {
    const char *key;
    enum field_type type;
    bool required;
    size_t offset, size;
    uint64_t min, max, initial;
    const char *pattern;
    const char *expects; /* for people: "a name of letters, digits, dot, dash …" */
    const char *const *names;
    const struct field *fields;
    size_t stride, count_offset;
    bool live; /* with all below it: a change can take effect while the domain runs */
};

extern const struct field domain_fields[]; /* ends with a NULL key */

#endif
