/* SPDX-License-Identifier: MIT */
/*
 * The part of JSON Schema 2020-12 that docs/schema/domain.v1.json uses, straight from the
 * specification and knowing nothing of the loader: that is what makes their agreement evidence.
 */
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests.h"

static bool equal(const struct json *a, const struct json *b)
{
    return a->type == b->type && a->type == JSON_STRING && strcmp(a->text, b->text) == 0;
}

static bool listed(const struct json *list, const struct json *value)
{
    for (const struct json *v = list->first; v; v = v->next)
        if (equal(v, value))
            return true;
    return false;
}

static bool has_type(const struct json *value, const char *type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object"};

    if (strcmp(type, "integer") == 0) /* 1.0 is an integer to the specification */
        return value->type == JSON_NUMBER && fmod(atof(value->text), 1) == 0;
    return strcmp(names[value->type], type) == 0;
}

static bool pattern_matches(const char *pattern, const char *text)
{
    regex_t regex;
    bool match;

    CU_ASSERT_EQUAL_FATAL(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    match = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

static const struct json *resolve(const struct json *root, const char *reference)
{
    CU_ASSERT_EQUAL_FATAL(strncmp(reference, "#/$defs/", 8), 0);
    return json_get(json_get(root, "$defs"), reference + 8);
}

static bool object_ok(const struct json *root, const struct json *schema, const struct json *value)
{
    const struct json *properties = json_get(schema, "properties"),
                      *required = json_get(schema, "required");

    if (value->type != JSON_OBJECT)
        return true;
    for (const struct json *r = required ? required->first : NULL; r; r = r->next)
        if (!json_get(value, r->text))
            return false;
    for (const struct json *v = value->first; v; v = v->next) {
        const struct json *p = json_get(properties, v->key);

        if (!p && properties && !json_get_bool(schema, "additionalProperties", true))
            return false;
        if (p && !schema_accepts(root, p, v))
            return false;
    }
    return true;
}

static bool array_ok(const struct json *root, const struct json *schema, const struct json *value)
{
    const struct json *items = json_get(schema, "items");

    if (value->type != JSON_ARRAY)
        return true;
    if (value->count > json_get_u64(schema, "maxItems", ~0ULL))
        return false;
    for (const struct json *v = value->first; items && v; v = v->next)
        if (!schema_accepts(root, items, v))
            return false;
    return true;
}

static bool string_ok(const struct json *schema, const struct json *value)
{
    const char *pattern = json_get_string(schema, "pattern", NULL);

    if (value->type != JSON_STRING)
        return true;
    return strlen(value->text) <= json_get_u64(schema, "maxLength", ~0ULL) &&
           (!pattern || pattern_matches(pattern, value->text));
}

static bool number_ok(const struct json *schema, const struct json *value)
{
    double number;

    if (value->type != JSON_NUMBER)
        return true;
    number = atof(value->text);
    if (json_get(schema, "minimum") && number < (double)json_get_u64(schema, "minimum", 0))
        return false;
    if (json_get(schema, "maximum") && number > (double)json_get_u64(schema, "maximum", 0))
        return false;
    return fmod(number, (double)json_get_u64(schema, "multipleOf", 1)) == 0 ||
           !json_get(schema, "multipleOf");
}

static void check_keywords(const struct json *schema)
{
    static const char *const known[] = {"$schema",     "$id",        "title",
                                        "description", "type",       "properties",
                                        "required",    "pattern",    "maxLength",
                                        "enum",        "const",      "minimum",
                                        "maximum",     "items",      "maxItems",
                                        "oneOf",       "$ref",       "$defs",
                                        "default",     "multipleOf", "additionalProperties"};

    for (const struct json *k = schema->first; k; k = k->next) {
        bool found = false;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found |= strcmp(known[i], k->key) == 0;
        if (!found)
            printf("the validator does not know the keyword %s\n", k->key);
        CU_ASSERT_TRUE_FATAL(found);
    }
}

bool schema_accepts(const struct json *root, const struct json *schema, const struct json *value)
{
    const struct json *one_of = json_get(schema, "oneOf"), *constant = json_get(schema, "const");
    const struct json *choices = json_get(schema, "enum");
    const char *type = json_get_string(schema, "type", NULL),
               *reference = json_get_string(schema, "$ref", NULL);
    unsigned matches = 0;

    check_keywords(schema);
    if (reference && !schema_accepts(root, resolve(root, reference), value))
        return false;
    for (const struct json *s = one_of ? one_of->first : NULL; s; s = s->next)
        matches += schema_accepts(root, s, value);
    if (one_of && matches != 1)
        return false;
    return (!type || has_type(value, type)) && (!constant || equal(constant, value)) &&
           (!choices || listed(choices, value)) && object_ok(root, schema, value) &&
           array_ok(root, schema, value) && string_ok(schema, value) && number_ok(schema, value);
}
