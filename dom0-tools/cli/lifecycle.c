/* SPDX-License-Identifier: MIT */
/* Commands that change a domain: apply, plan, start, shutdown, reboot, pause, unpause, destroy,
 * delete. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "file.h"

void print_json(const struct json *value)
{
    struct json_writer *w = jw_new(true);
    const char *text;

    if (!w)
        return;
    jw_copy(w, NULL, value);
    text = jw_text(w, NULL);
    if (text)
        fputs(text, stdout);
    jw_free(w);
}

static const struct json *result_of(struct json_doc *doc)
{
    return json_get(json_root(doc), "result");
}

/* The document goes to the daemon as text, so that it can say where the text is wrong. */
static struct json_doc *call_with_file(struct client *c, const char *op, const char *path,
                                       struct failure *failure)
{
    struct json_writer *args;
    struct json_doc *doc;
    char *text;
    size_t size;
    int error = strcmp(path, "-") == 0 ? file_read_fd(STDIN_FILENO, JSON_MAX_TEXT / 2, &text, &size)
                                       : file_read(path, JSON_MAX_TEXT / 2, &text, &size);

    if (error) {
        fail(failure, error == -EFBIG ? FAIL_JSON_LIMIT : FAIL_IO, "read-document", path,
             "cannot read the document: %s", error == -EFBIG ? "too long" : strerror(-error));
        return NULL;
    }
    args = strlen(text) == size ? jw_new(false) : NULL;
    if (!args) {
        fail(failure, FAIL_JSON_SYNTAX, "read-document", path,
             "the document holds a NUL character");
        free(text);
        return NULL;
    }
    jw_object(args, NULL);
    jw_string(args, "document", text);
    jw_end_object(args);
    doc = client_call(c, op, args, failure);
    jw_free(args);
    free(text);
    return doc;
}

int run_apply(struct client *c, const struct options *o, struct failure *failure)
{
    struct json_doc *doc = call_with_file(c, "apply", o->argument[0], failure);
    const struct json *r;

    if (!doc)
        return -1;
    r = result_of(doc);
    if (o->json) {
        print_json(r);
    } else if (json_get(r, "domid")) {
        printf("%s: %s as domain %" PRIu64 " (%" PRIu64 " ms)\n", json_get_string(r, "name", ""),
               json_get_bool(r, "created", false) ? "created, running" : "running",
               json_get_u64(r, "domid", 0), json_get_u64(r, "elapsed_ms", 0));
    } else if (json_get_bool(r, "needs_restart", false)) {
        printf("%s: definition changed in %" PRIu64
               " places; some of it takes effect at the next start\n",
               json_get_string(r, "name", ""), json_get_u64(r, "changes", 0));
    } else if (json_get_u64(r, "changes", 0)) {
        printf("%s: changed in %" PRIu64 " places, in effect\n", json_get_string(r, "name", ""),
               json_get_u64(r, "changes", 0));
    } else {
        printf("%s: unchanged, %s\n", json_get_string(r, "name", ""),
               json_get_string(r, "state", ""));
    }
    json_free(doc);
    return 0;
}

int run_plan(struct client *c, const struct options *o, struct failure *failure)
{
    static const char *const words[][2] = {
        {"create", "would be created and started"},
        {"start", "is stopped and would be started"},
        {"change", "runs; the changes would take effect at once"},
        {"define", "runs; changes marked * would take effect at its next start"},
        {"nothing", "runs as described; nothing to do"},
    };
    struct json_doc *doc = call_with_file(c, "plan", o->argument[0], failure);
    const struct json *r, *changes;
    const char *action;

    if (!doc)
        return -1;
    r = result_of(doc);
    if (o->json) {
        print_json(r);
        json_free(doc);
        return 0;
    }
    action = json_get_string(r, "action", "");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i][0], action) == 0)
            printf("%s: %s\n", json_get_string(r, "name", ""), words[i][1]);
    changes = json_get(r, "changes");
    for (const struct json *v = changes ? changes->first : NULL; v; v = v->next)
        printf("%s %s: %s -> %s\n", json_get_bool(v, "live", false) ? " " : "*",
               json_get_string(v, "path", ""), json_get_string(v, "from", ""),
               json_get_string(v, "to", ""));
    json_free(doc);
    return 0;
}

static int call_named(struct client *c, const struct options *o, const char *op,
                      struct failure *failure)
{
    struct json_writer *args = jw_new(false);
    struct json_doc *doc;
    const struct json *r;

    jw_object(args, NULL);
    jw_string(args, "name", o->argument[0]);
    if (o->wait)
        jw_bool(args, "wait", true);
    jw_end_object(args);
    doc = client_call(c, op, args, failure);
    jw_free(args);
    if (!doc)
        return -1;
    r = result_of(doc);
    if (o->json) {
        print_json(r);
    } else {
        const char *reason = json_get_string(r, "reason", "");

        printf("%s: %s%s%s%s\n", json_get_string(r, "name", ""),
               json_get_string(r, "state", "done"), reason[0] ? " (" : "", reason,
               reason[0] ? ")" : "");
    }
    json_free(doc);
    return 0;
}

int run_start(struct client *c, const struct options *o, struct failure *failure)
{
    return call_named(c, o, "start", failure);
}

int run_shutdown(struct client *c, const struct options *o, struct failure *failure)
{
    return call_named(c, o, "shutdown", failure);
}

int run_reboot(struct client *c, const struct options *o, struct failure *failure)
{
    return call_named(c, o, "reboot", failure);
}

int run_pause(struct client *c, const struct options *o, struct failure *failure)
{
    return call_named(c, o, "pause", failure);
}

int run_unpause(struct client *c, const struct options *o, struct failure *failure)
{
    return call_named(c, o, "unpause", failure);
}

int run_destroy(struct client *c, const struct options *o, struct failure *failure)
{
    return call_named(c, o, "destroy", failure);
}

int run_delete(struct client *c, const struct options *o, struct failure *failure)
{
    return call_named(c, o, "delete", failure);
}
