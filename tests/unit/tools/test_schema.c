/* SPDX-License-Identifier: MIT */
/*
 * docs/schema/domain.v1.json and the loader's tables are one contract. Twice: key by key (every
 * limit, pattern, name and default equal, nothing on one side only), and by verdict on the corpus.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fields.h"
#include "file.h"
#include "tests.h"

static struct json_doc *schema_doc;
static const struct json *root;

static int load_schema(void)
{
    struct failure f = {0};
    char *text;
    size_t size;

    if (file_read(SCHEMA_FILE, JSON_MAX_TEXT, &text, &size))
        return 1;
    schema_doc = json_parse(text, size, &f);
    free(text);
    if (!schema_doc) {
        printf("%s\n", f.message);
        return 1;
    }
    root = json_root(schema_doc);
    return 0;
}

static int free_schema(void)
{
    json_free(schema_doc);
    return 0;
}

static const struct json *follow(const struct json *schema)
{
    const char *reference = json_get_string(schema, "$ref", NULL);

    return reference ? json_get(json_get(root, "$defs"), reference + strlen("#/$defs/")) : schema;
}

static void differs(const struct field *f, const char *what)
{
    printf("\nschema and loader differ about \"%s\": %s\n", f->key, what);
    CU_FAIL("schema and loader differ");
}

static void compare_names(const struct field *f, const struct json *schema, const char *fallback)
{
    const struct json *choice = json_get(schema, "enum");
    unsigned i = 0;

    choice = choice ? choice->first : NULL;
    for (; choice && f->names[i]; choice = choice->next, i++)
        if (strcmp(choice->text, f->names[i]) != 0)
            differs(f, "a name");
    if (choice || f->names[i])
        differs(f, "the number of names");
    if (strcmp(fallback, f->names[f->initial]) != 0)
        differs(f, "the default");
}

static void compare_memory(const struct field *f, const struct json *schema)
{
    const struct json *number = json_get(schema, "oneOf")->first, *text = number->next;

    if (json_get_u64(number, "minimum", 0) != f->min ||
        json_get_u64(number, "maximum", 0) != f->max)
        differs(f, "the range");
    if (strcmp(json_get_string(text, "pattern", ""), f->pattern) != 0)
        differs(f, "the pattern");
}

static void compare_fields(const struct field *fields, const struct json *object);

static void compare_field(const struct field *f, const struct json *property)
{
    const struct json *schema = follow(property);

    switch (f->type) {
    case FIELD_STRING:
        if (strcmp(json_get_string(schema, "pattern", ""), f->pattern) != 0)
            differs(f, "the pattern");
        if (json_get_u64(schema, "maxLength", 0) != f->size - 1)
            differs(f, "the length");
        break;
    case FIELD_CONST:
        if (strcmp(json_get_string(schema, "const", ""), f->pattern) != 0)
            differs(f, "the constant");
        break;
    case FIELD_UINT:
        if (json_get_u64(schema, "minimum", 0) != f->min ||
            json_get_u64(schema, "maximum", 0) != f->max)
            differs(f, "the range");
        if (json_get_u64(property, "default", 0) != f->initial)
            differs(f, "the default");
        break;
    case FIELD_MEMORY:
        compare_memory(f, schema);
        break;
    case FIELD_ENUM:
        compare_names(f, schema, json_get_string(property, "default", ""));
        break;
    case FIELD_OBJECT:
        compare_fields(f->fields, schema);
        break;
    case FIELD_ARRAY:
        if (json_get_u64(schema, "maxItems", 0) != f->max)
            differs(f, "the number of items");
        compare_fields(f->fields, json_get(schema, "items"));
        break;
    }
}

static void compare_fields(const struct field *fields, const struct json *object)
{
    const struct json *properties = json_get(object, "properties"),
                      *required = json_get(object, "required");
    unsigned count = 0, needed = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(properties);
    CU_ASSERT_FALSE(json_get_bool(object, "additionalProperties", true));
    for (const struct field *f = fields; f->key; f++, count++) {
        const struct json *property = json_get(properties, f->key);

        if (!property) {
            differs(f, "only the loader knows it");
            continue;
        }
        compare_field(f, property);
        if (f->required)
            needed++;
        for (const struct json *r = required->first; r; r = r->next)
            if (strcmp(r->text, f->key) == 0 && !f->required)
                differs(f, "whether it is required");
    }
    CU_ASSERT_EQUAL(properties->count, count);
    CU_ASSERT_EQUAL(required->count, needed);
}

static void tables_and_schema_say_the_same(void)
{
    compare_fields(domain_fields, root);
}

static void verdicts_agree_on_the_corpus(void)
{
    unsigned both_accept = 0, both_refuse = 0;

    for (const struct corpus_entry *e = corpus; e->text; e++) {
        struct failure parse = {0}, f = {0};
        struct json_doc *doc = json_parse(e->text, strlen(e->text), &parse);
        struct domain_config c;
        bool schema_says, loader_says;

        if (!doc)
            continue; /* not JSON: no schema has an opinion */
        schema_says = schema_accepts(root, root, json_root(doc));
        loader_says = domain_config_load(json_root(doc), &c, &f) == 0;
        if (e->beyond_schema ? !schema_says || loader_says : schema_says != loader_says) {
            printf("\nschema %s, loader %s (%s): %s\n", schema_says ? "accepts" : "refuses",
                   loader_says ? "accepts" : "refuses", f.message, e->text);
            CU_FAIL("schema and loader disagree");
        }
        both_accept += schema_says && loader_says;
        both_refuse += !schema_says && !loader_says;
        json_free(doc);
    }
    CU_ASSERT_TRUE(both_accept >= 10);
    CU_ASSERT_TRUE(both_refuse >= 50);
}

/* A value put in place of any other anywhere in a full document must get the same verdict from
 * both. */
static void verdicts_agree_on_mutations(void)
{
    static const char document[] =
        "{\"schema\":\"mullion/domain/"
        "v1\",\"name\":\"web\",\"uuid\":\"1b4e28ba-2fa1-41d2-883f-0016d3cca427\","
        "\"memory\":134217728,\"vcpus\":1,\"vcpus_max\":4,\"cpu\":{\"weight\":512,\"cap\":20,"
        "\"reservation\":{\"period_us\":20000,\"budget_us\":4000},"
        "\"affinity\":{\"hard\":\"0-3\",\"soft\":\"2\"}},\"kernel\":{\"path\":\"/boot/"
        "vmlinuz\",\"initrd\":\"/"
        "boot/initrd\","
        "\"cmdline\":\"console=hvc0\"},\"disks\":[{\"image\":\"/"
        "i\",\"target\":\"xvda\",\"mode\":\"rw\"}],"
        "\"nets\":[{\"bridge\":\"br0\",\"mac\":\"00:16:3e:00:00:01\",\"name\":\"vif1\"}],\"on_"
        "poweroff\":\"destroy\","
        "\"on_reboot\":\"restart\",\"on_crash\":\"destroy\",\"console\":\"pty\"}";
    static const char *const values[] = {
        "null",    "true",   "0",           "1",         "4194304",
        "-1",      "\"\"",   "\"x\"",       "\"0-1,5\"", "\"/x\"",
        "\"br0\"", "\"rw\"", "\"destroy\"", "\"xvdb\"",  "[]",
        "{}",      "[{}]",   "\"128M\"",    "\"pty\"",   "99999999999999999999"};
    unsigned tried = 0;

    for (size_t at = 1; at < sizeof(document) - 1; at++) {
        size_t end;
        int depth = 0;

        if (document[at - 1] != ':')
            continue;
        if (document[at] == '"')
            end = strchr(document + at + 1, '"') + 1 - document;
        else if (document[at] == '{' || document[at] == '[') {
            for (end = at; depth || end == at; end++)
                depth += (document[end] == '{' || document[end] == '[') -
                         (document[end] == '}' || document[end] == ']');
        } else
            end = at + strspn(document + at, "0123456789");
        if (document[at] == '1' && document[at - 2] != '"')
            continue; /* inside a mac address */
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            struct failure parse = {0}, f = {0};
            struct domain_config c;
            struct json_doc *doc;
            char text[1280];

            snprintf(text, sizeof(text), "%.*s%s%s", (int)at, document, values[v], document + end);
            doc = json_parse(text, strlen(text), &parse);
            if (!doc)
                continue;
            if (schema_accepts(root, root, json_root(doc)) !=
                (domain_config_load(json_root(doc), &c, &f) == 0)) {
                printf("\n%s: %s\n", f.message, text);
                CU_FAIL("schema and loader disagree");
            }
            tried++;
            json_free(doc);
        }
    }
    CU_ASSERT_TRUE(tried > 300);
}

void add_schema_suite(void)
{
    CU_pSuite s = CU_add_suite("schema and loader", load_schema, free_schema);

    CU_add_test(s, "tables and schema say the same", tables_and_schema_say_the_same);
    CU_add_test(s, "verdicts agree on the corpus", verdicts_agree_on_the_corpus);
    CU_add_test(s, "verdicts agree on mutations", verdicts_agree_on_mutations);
}
