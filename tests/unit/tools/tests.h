/* SPDX-License-Identifier: MIT */
/* The suites of the control tools' unit tests, and what they share. */
#ifndef MULLION_TESTS_TOOLS_H
#define MULLION_TESTS_TOOLS_H

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <string.h>

#include "failure.h"
#include "json.h"

void add_json_suite(void);
void add_config_suite(void);
void add_schema_suite(void);
void add_kernel_suite(void);
void add_layout_suite(void);
void add_api_suite(void);
void add_libvirt_suite(void);
void add_policy_suite(void);
void add_process_suite(void);
void add_builder_suite(void);

/* A document of the corpus and what the loader must say about it. */
struct corpus_entry {
    const char *text;
    enum failure_code code; /* FAIL_NONE: accepted */
    const char *where;      /* NULL: not compared */
    bool beyond_schema;     /* refused for a reason that a JSON schema cannot express */
};
extern const struct corpus_entry corpus[]; /* ends with a NULL text */

/* Does `value` satisfy `schema`? Only the keywords that domain.v1.json uses; an unknown keyword
 * fails the test. */
bool schema_accepts(const struct json *root, const struct json *schema, const struct json *value);

#endif
