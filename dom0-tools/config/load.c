/* SPDX-License-Identifier: MIT */
/*
 * JSON tree → struct domain_config, driven by the tables of fields.c.
 *
 * Two steps: the tables decide everything that a schema can express; then check_whole() decides
 * what it cannot. Nothing is guessed: an unknown key, a wrong type or a value out of range is a
 * typed failure at its pointer.
 */
#include "fields.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define STEP           "check-document"
#define CPU_LIST_RULES "a range goes upwards, and a CPU's number is below 256"

struct loader {
    const struct json *root;
    struct failure *failure;
};

static int refuse(struct loader *l, enum failure_code code, const struct json *at, const char *key,
                  const char *message)
{
    char where[192];
    size_t length;

    json_pointer(l->root, at, where, sizeof(where));
    length = strlen(where);
    if (key && length + 1 < sizeof(where))
        snprintf(where + length, sizeof(where) - length, "/%s", key);
    return fail(l->failure, code, STEP, where, "%s", message);
}

static bool matches(const char *pattern, const char *text)
{
    regex_t regex;
    bool match;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    match = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

bool parse_memory(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    uint64_t value = 0;
    const char *at = text, *unit;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *at - '0', &value))
            return false;
    if (at == text)
        return false;
    if (*at) {
        unit = strchr(units, *at);
        if (!unit || at[1])
            return false;
        for (const char *u = units; u <= unit; u++)
            if (__builtin_mul_overflow(value, 1024, &value))
                return false;
    }
    *bytes = value;
    return true;
}

static int load_object(struct loader *l, const struct field *fields, const struct json *object,
                       char *base);

static int wrong_type(struct loader *l, const struct json *value, const char *expected)
{
    char message[128];

    snprintf(message, sizeof(message), "expected %s, found %s", expected,
             json_type_name(value->type));
    return refuse(l, FAIL_CONFIG_TYPE, value, NULL, message);
}

static int load_string(struct loader *l, const struct field *f, const struct json *value,
                       char *target)
{
    char message[256];

    if (value->type != JSON_STRING)
        return wrong_type(l, value, "a string");
    if (strlen(value->text) >= f->size) {
        snprintf(message, sizeof(message), "the text is longer than %zu characters", f->size - 1);
        return refuse(l, FAIL_CONFIG_RANGE, value, NULL, message);
    }
    if (f->type == FIELD_CONST && strcmp(value->text, f->pattern) != 0) {
        snprintf(message, sizeof(message), "expected \"%s\"", f->pattern);
        return refuse(l, FAIL_CONFIG_VALUE, value, NULL, message);
    }
    if (f->type == FIELD_STRING && !matches(f->pattern, value->text)) {
        snprintf(message, sizeof(message), "expected %s", f->expects);
        return refuse(l, FAIL_CONFIG_VALUE, value, NULL, message);
    }
    snprintf(target, f->size, "%s", value->text);
    return 0;
}

static int load_enum(struct loader *l, const struct field *f, const struct json *value,
                     uint32_t *target)
{
    char message[160] = "expected one of";

    if (value->type != JSON_STRING)
        return wrong_type(l, value, "a string");
    for (uint32_t i = 0; f->names[i]; i++) {
        size_t length = strlen(message);

        if (strcmp(value->text, f->names[i]) == 0) {
            *target = i;
            return 0;
        }
        snprintf(message + length, sizeof(message) - length, " \"%s\"", f->names[i]);
    }
    return refuse(l, FAIL_CONFIG_VALUE, value, NULL, message);
}

static int load_number(struct loader *l, const struct field *f, const struct json *value,
                       void *target)
{
    char message[128];
    uint64_t number;
    bool memory = f->type == FIELD_MEMORY;

    if (memory && value->type == JSON_STRING) {
        if (!matches(f->pattern, value->text) || !parse_memory(value->text, &number))
            return refuse(l, FAIL_CONFIG_VALUE, value, NULL,
                          "expected a size such as \"512M\" or \"2G\"");
    } else if (value->type != JSON_NUMBER) {
        return wrong_type(l, value, memory ? "a size such as \"512M\"" : "a whole number");
    } else if (!json_u64(value, &number)) {
        snprintf(message, sizeof(message),
                 "%.40s is not a whole number from %" PRIu64 " to %" PRIu64, value->text, f->min,
                 f->max);
        return refuse(l, FAIL_CONFIG_RANGE, value, NULL, message);
    }
    if (number < f->min || number > f->max) {
        if (memory)
            snprintf(message, sizeof(message),
                     "memory must be between %" PRIu64 "M and %" PRIu64 "T", f->min >> 20,
                     f->max >> 40);
        else
            snprintf(message, sizeof(message), "must be from %" PRIu64 " to %" PRIu64, f->min,
                     f->max);
        return refuse(l, FAIL_CONFIG_RANGE, value, NULL, message);
    }
    if (memory && number % 4096)
        return refuse(l, FAIL_CONFIG_VALUE, value, NULL,
                      "memory must be a multiple of 4096 bytes, the size of a page");
    if (memory)
        *(uint64_t *)target = number;
    else
        *(uint32_t *)target = number;
    return 0;
}

static int load_array(struct loader *l, const struct field *f, const struct json *value, char *base)
{
    char message[64];
    char *element = base + f->offset;

    if (value->type != JSON_ARRAY)
        return wrong_type(l, value, "an array");
    if (value->count > f->max) {
        snprintf(message, sizeof(message), "at most %" PRIu64 " are possible", f->max);
        return refuse(l, FAIL_CONFIG_RANGE, value, NULL, message);
    }
    for (const struct json *v = value->first; v; v = v->next, element += f->stride)
        if (load_object(l, f->fields, v, element))
            return -1;
    *(uint32_t *)(base + f->count_offset) = value->count;
    return 0;
}

static int load_field(struct loader *l, const struct field *f, const struct json *value, char *base)
{
    switch (f->type) {
    case FIELD_STRING:
    case FIELD_CONST:
        return load_string(l, f, value, base + f->offset);
    case FIELD_UINT:
    case FIELD_MEMORY:
        return load_number(l, f, value, base + f->offset);
    case FIELD_ENUM:
        return load_enum(l, f, value, (uint32_t *)(base + f->offset));
    case FIELD_OBJECT:
        return load_object(l, f->fields, value, base + f->offset);
    case FIELD_ARRAY:
        return load_array(l, f, value, base);
    }
    return -1;
}

static void set_defaults(const struct field *fields, char *base)
{
    for (const struct field *f = fields; f->key; f++)
        if (f->type == FIELD_ENUM || f->type == FIELD_UINT)
            *(uint32_t *)(base + f->offset) = f->initial;
        else if (f->type == FIELD_OBJECT)
            set_defaults(f->fields, base + f->offset);
}

static int load_object(struct loader *l, const struct field *fields, const struct json *object,
                       char *base)
{
    if (object->type != JSON_OBJECT)
        return wrong_type(l, object, "an object");
    set_defaults(fields, base);
    for (const struct json *v = object->first; v; v = v->next) {
        const struct field *f = fields;

        while (f->key && strcmp(f->key, v->key) != 0)
            f++;
        if (!f->key) {
            refuse(l, FAIL_CONFIG_UNKNOWN, v, NULL, "there is no such key");
            return fail_hint(l->failure, "docs/schema/domain.v1.json lists every key");
        }
        if (load_field(l, f, v, base))
            return -1;
    }
    for (const struct field *f = fields; f->key; f++)
        if (f->required && !json_get(object, f->key))
            return refuse(l, FAIL_CONFIG_MISSING, object, f->key, "this key is required");
    return 0;
}

static int check_cpus(const struct domain_config *c, struct failure *failure)
{
    const struct reservation_config *r = &c->cpu.reservation;
    struct cpu_set set;

    if (c->vcpus > c->vcpus_max)
        return fail(failure, FAIL_CONFIG_CONFLICT, STEP, "/vcpus",
                    "more vCPUs than \"vcpus_max\", %u", c->vcpus_max);
    if (r->budget_us > r->period_us)
        return fail(failure, FAIL_CONFIG_RANGE, STEP, "/cpu/reservation/budget_us",
                    "more than the period, %u us", r->period_us);
    if (!parse_cpu_list(c->cpu.affinity.hard, &set, NULL))
        return fail(failure, FAIL_CONFIG_VALUE, STEP, "/cpu/affinity/hard", CPU_LIST_RULES);
    if (!parse_cpu_list(c->cpu.affinity.soft, &set, NULL))
        return fail(failure, FAIL_CONFIG_VALUE, STEP, "/cpu/affinity/soft", CPU_LIST_RULES);
    return 0;
}

/* What no schema can say. */
static int check_whole(struct loader *l, const struct domain_config *c)
{
    char where[32];

    if (strcmp(c->name, "Domain-0") == 0)
        return fail(l->failure, FAIL_CONFIG_VALUE, STEP, "/name",
                    "\"Domain-0\" is the control domain's name");
    if (strspn(c->uuid, "0-") == 36)
        return fail(l->failure, FAIL_CONFIG_VALUE, STEP, "/uuid",
                    "the zero uuid belongs to the control domain");
    for (uint32_t i = 0; i < c->nr_disks; i++)
        for (uint32_t j = 0; j < i; j++) {
            snprintf(where, sizeof(where), "/disks/%u/target", i);
            if (strcmp(c->disks[i].target, c->disks[j].target) == 0)
                return fail(l->failure, FAIL_CONFIG_CONFLICT, STEP, where,
                            "disk %u already has the target \"%s\"", j, c->disks[j].target);
        }
    for (uint32_t i = 0; i < c->nr_nets; i++) {
        if (strcmp(c->nets[i].mac, "00:00:00:00:00:00") == 0) {
            snprintf(where, sizeof(where), "/nets/%u/mac", i);
            return fail(l->failure, FAIL_CONFIG_VALUE, STEP, where,
                        "the zero address is no address");
        }
        for (uint32_t j = 0; j < i; j++) {
            if (c->nets[i].name[0] && strcmp(c->nets[i].name, c->nets[j].name) == 0) {
                snprintf(where, sizeof(where), "/nets/%u/name", i);
                return fail(l->failure, FAIL_CONFIG_CONFLICT, STEP, where,
                            "interface %u already has this name", j);
            }
            if (c->nets[i].mac[0] && strcasecmp(c->nets[i].mac, c->nets[j].mac) == 0) {
                snprintf(where, sizeof(where), "/nets/%u/mac", i);
                return fail(l->failure, FAIL_CONFIG_CONFLICT, STEP, where,
                            "interface %u already has this address", j);
            }
        }
    }
    return check_cpus(c, l->failure);
}

static void lower_case(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text += 'a' - 'A';
}

int domain_config_load(const struct json *document, struct domain_config *config,
                       struct failure *failure)
{
    struct loader l = {document, failure};

    memset(config, 0, sizeof(*config));
    if (load_object(&l, domain_fields, document, (char *)config))
        return -1;
    lower_case(config->uuid);
    if (!config->vcpus_max)
        config->vcpus_max = config->vcpus;
    for (uint32_t i = 0; i < config->nr_nets; i++)
        lower_case(config->nets[i].mac);
    return check_whole(&l, config);
}

int domain_config_parse(const char *text, size_t size, struct domain_config *config,
                        struct failure *failure)
{
    struct json_doc *doc = json_parse(text, size, failure);
    int result;

    if (!doc)
        return -1;
    result = domain_config_load(json_root(doc), config, failure);
    json_free(doc);
    return result;
}
