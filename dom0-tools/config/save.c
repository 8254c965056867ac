/* SPDX-License-Identifier: MIT */
/* struct domain_config → JSON, and the differences of two; both follow the tables of fields.c. */
#include "fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint32_t count_of(const struct field *f, const char *base)
{
    return *(const uint32_t *)(base + f->count_offset);
}

static void write_object(struct json_writer *w, const char *key, const struct field *fields,
                         const char *base)
{
    jw_object(w, key);
    for (const struct field *f = fields; f->key; f++) {
        const char *at = base + f->offset;

        switch (f->type) {
        case FIELD_STRING:
        case FIELD_CONST:
            if (*at || f->required)
                jw_string(w, f->key, at);
            break;
        case FIELD_UINT:
            jw_u64(w, f->key, *(const uint32_t *)at);
            break;
        case FIELD_MEMORY:
            jw_u64(w, f->key, *(const uint64_t *)at);
            break;
        case FIELD_ENUM:
            jw_string(w, f->key, f->names[*(const uint32_t *)at]);
            break;
        case FIELD_OBJECT:
            write_object(w, f->key, f->fields, at);
            break;
        case FIELD_ARRAY:
            jw_array(w, f->key);
            for (uint32_t i = 0; i < count_of(f, base); i++)
                write_object(w, NULL, f->fields, at + i * f->stride);
            jw_end_array(w);
            break;
        }
    }
    jw_end_object(w);
}

void domain_config_write(struct json_writer *w, const char *key, const struct domain_config *config)
{
    write_object(w, key, domain_fields, (const char *)config);
}

struct differ {
    config_changed *changed;
    void *ctx;
    unsigned count;
};

static void scalar_text(const struct field *f, const char *at, char *text, size_t size)
{
    switch (f->type) {
    case FIELD_UINT:
        snprintf(text, size, "%" PRIu32, *(const uint32_t *)at);
        break;
    case FIELD_MEMORY:
        snprintf(text, size, "%" PRIu64, *(const uint64_t *)at);
        break;
    case FIELD_ENUM:
        snprintf(text, size, "\"%s\"", f->names[*(const uint32_t *)at]);
        break;
    default: /* the patterns let no control character through; quotes are shown as they are */
        snprintf(text, size, *at ? "\"%s\"" : "none", at);
        break;
    }
}

static void report(struct differ *d, const char *pointer, const char *from, const char *to,
                   bool live)
{
    d->count++;
    if (d->changed)
        d->changed(d->ctx, pointer, from, to, live);
}

/* `from` or `to` may be NULL: an array element that only one side has. */
static void diff_object(struct differ *d, const struct field *fields, const char *pointer,
                        const char *from, const char *to, bool above_live)
{
    char here[64], old_text[1100], new_text[1100];

    for (const struct field *f = fields; f->key; f++) {
        bool live = above_live || f->live;

        snprintf(here, sizeof(here), "%s/%s", pointer, f->key);
        if (f->type == FIELD_OBJECT) {
            diff_object(d, f->fields, here, from + f->offset, to + f->offset, live);
        } else if (f->type == FIELD_ARRAY) {
            uint32_t n_from = count_of(f, from), n_to = count_of(f, to);

            for (uint32_t i = 0; i < n_from || i < n_to; i++) {
                snprintf(here, sizeof(here), "%s/%s/%u", pointer, f->key, i);
                if (i < n_from && i < n_to)
                    diff_object(d, f->fields, here, from + f->offset + i * f->stride,
                                to + f->offset + i * f->stride, live);
                else
                    report(d, here, i < n_from ? "present" : "none", i < n_to ? "present" : "none",
                           live);
            }
        } else {
            scalar_text(f, from + f->offset, old_text, sizeof(old_text));
            scalar_text(f, to + f->offset, new_text, sizeof(new_text));
            if (strcmp(old_text, new_text) != 0)
                report(d, here, old_text, new_text, live);
        }
    }
}

unsigned domain_config_diff(const struct domain_config *from, const struct domain_config *to,
                            config_changed *changed, void *ctx)
{
    struct differ d = {changed, ctx, 0};

    diff_object(&d, domain_fields, "", (const char *)from, (const char *)to, false);
    return d.count;
}
