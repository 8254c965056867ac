/* SPDX-License-Identifier: MIT */
/*
 * The operations on one domain, and their table. Reading is in ops_read.c. Each first decides
 * (which may fail and changes nothing), then acts through domain.h.
 */
#include "ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "libvirt.h"
#include "log.h"
#include "ops_read.h"
#include "paths.h"
#include "store.h"

static struct domain *find_named(const struct json *args, struct failure *failure)
{
    const char *name = json_get_string(args, "name", NULL);
    struct domain *d;

    if (!name) {
        fail(failure, FAIL_REQUEST, "request", "/args/name", "a domain's name is required");
        return NULL;
    }
    d = domain_find(name);
    if (!d) {
        fail(failure, FAIL_DOMAIN_UNKNOWN, "find-domain", name, "there is no domain \"%s\"", name);
        fail_hint(failure, "mullion list shows the domains of this host");
    }
    return d;
}

/* The named domain, if the request is possible in its phase. */
static struct domain *find_for(const struct json *args, enum request request,
                               struct failure *failure)
{
    static const char *const hints[PHASES] = {
        [PHASE_STOPPED] = "mullion start NAME starts it",
        [PHASE_RUNNING] = "mullion shutdown NAME or mullion destroy NAME stops it",
        [PHASE_PRESERVED] = "mullion destroy NAME removes it",
    };
    struct domain *d = find_named(args, failure);
    const char *refusal = d ? request_refusal(request, d->phase) : NULL;

    if (!refusal)
        return d;
    fail(failure, FAIL_DOMAIN_STATE, "check-state", d->config.name, "%s", refusal);
    if (hints[d->phase])
        fail_hint(failure, "%s", hints[d->phase]);
    return NULL;
}

static enum op_status wait_for(struct domain *d, struct ticket *t, enum wait_for what)
{
    t->wait = what;
    t->next = d->waiters;
    d->waiters = t;
    return OP_LATER;
}

/* --- apply
 * ---------------------------------------------------------------------------------------------------
 */

/* The document comes as an object, or as text, so that what is wrong with the text itself can be
 * said. */
static int read_document(const struct json *args, struct domain_config *config,
                         struct failure *failure)
{
    const struct json *document = json_get(args, "document");

    if (!document)
        return fail(failure, FAIL_REQUEST, "request", "/args/document", "a document is required");
    if (document->type == JSON_STRING)
        return domain_config_parse(document->text, strlen(document->text), config, failure);
    return domain_config_load(document, config, failure);
}

static int resolve(const struct json *args, struct domain_config *config, struct domain **known,
                   struct failure *failure)
{
    struct domain *other;

    if (read_document(args, config, failure))
        return -1;
    *known = domain_find(config->name);
    domain_config_complete(config, *known ? &(*known)->config : NULL);
    if (*known && strcmp(config->uuid, (*known)->config.uuid) != 0) {
        fail(failure, FAIL_CONFIG_CONFLICT, "check-document", "/uuid",
             "the domain \"%s\" has the uuid %s", config->name, (*known)->config.uuid);
        return fail_hint(failure, "leave the uuid out, or delete the domain first");
    }
    other = domain_find_uuid(config->uuid);
    if (other && other != *known)
        return fail(failure, FAIL_CONFIG_CONFLICT, "check-document", "/uuid",
                    "the domain \"%s\" has this uuid already", other->config.name);
    return 0;
}

static void describe_apply(struct json_writer *w, const struct domain *d, unsigned changes,
                           bool later)
{
    jw_string(w, "name", d->config.name);
    jw_string(w, "uuid", d->config.uuid);
    jw_string(w, "state", domain_state_name(d, NULL));
    jw_u64(w, "changes", changes);
    jw_bool(w, "needs_restart", later);
}

/* Not stopped: it follows where it can; the rest is kept for the next start. */
static enum op_status apply_running(struct domain *d, const struct domain_config *config,
                                    struct json_writer *result, struct failure *failure)
{
    unsigned changes = domain_config_diff(&d->config, config, NULL, NULL);
    bool later = false;

    if (d->phase != PHASE_RUNNING && changes) {
        fail(failure, FAIL_DOMAIN_STATE, "check-state", d->config.name,
             "the domain is between states (%s)", domain_state_name(d, NULL));
        return OP_FAILED;
    }
    if (changes &&
        (domain_check(config, d, false, failure) || domain_follow(d, config, &later, failure)))
        return OP_FAILED;
    describe_apply(result, d, changes, later);
    return OP_DONE;
}

static enum op_status op_apply(const struct json *args, struct ticket *t,
                               struct json_writer *result, struct failure *failure)
{
    struct domain_config config;
    struct domain *d;

    if (resolve(args, &config, &d, failure))
        return OP_FAILED;
    if (d && d->phase != PHASE_STOPPED)
        return apply_running(d, &config, result, failure);
    t->created = !d;
    if (!d)
        d = domain_new(&config);
    if (d)
        d->pending = malloc(sizeof(*d->pending));
    if (!d || !d->pending) {
        if (d && !d->defined)
            domain_forget(d);
        fail(failure, FAIL_RESOURCES, "apply", "", "out of memory");
        return OP_FAILED;
    }
    *d->pending = config;
    d->quick_restarts = 0;
    if (domain_start(d, t, failure) == 0)
        return OP_LATER;
    free(d->pending);
    d->pending = NULL;
    if (!d->defined)
        domain_forget(d);
    return OP_FAILED;
}

/* --- plan
 * ----------------------------------------------------------------------------------------------------
 */

struct planned {
    struct json_writer *w;
    bool later; /* some of it at the next start only */
};

static void write_change(void *ctx, const char *pointer, const char *old_value,
                         const char *new_value, bool live)
{
    struct planned *p = ctx;
    struct json_writer *w = p->w;

    p->later |= !live;

    jw_object(w, NULL);
    jw_string(w, "path", pointer);
    jw_string(w, "from", old_value);
    jw_string(w, "to", new_value);
    jw_bool(w, "live", live);
    jw_end_object(w);
}

static enum op_status op_plan(const struct json *args, struct ticket *t, struct json_writer *result,
                              struct failure *failure)
{
    struct domain_config config;
    struct domain *d;
    struct planned planned = {result, false};
    const char *action;
    unsigned changes = 0;

    if (resolve(args, &config, &d, failure) ||
        domain_check(&config, d, !d || d->phase == PHASE_STOPPED, failure))
        return OP_FAILED;
    jw_string(result, "name", config.name);
    jw_array(result, "changes");
    if (d)
        changes = domain_config_diff(&d->config, &config, write_change, &planned);
    jw_end_array(result);
    if (!d)
        action = "create";
    else if (d->phase == PHASE_STOPPED)
        action = "start";
    else
        action = !changes ? "nothing" : planned.later ? "define" : "change";
    jw_string(result, "action", action);
    domain_config_write(result, "document", &config);
    return OP_DONE;
}

/* --- life
 * ----------------------------------------------------------------------------------------------------
 */

static enum op_status op_start(const struct json *args, struct ticket *t,
                               struct json_writer *result, struct failure *failure)
{
    struct domain *d = find_for(args, REQUEST_START, failure);

    if (!d)
        return OP_FAILED;
    d->quick_restarts = 0;
    return domain_start(d, t, failure) == 0 ? OP_LATER : OP_FAILED;
}

/* Ask the guest through xenstore; it decides. */
static enum op_status ask_guest(const struct json *args, struct ticket *t, enum request request,
                                const char *word, struct json_writer *result,
                                struct failure *failure)
{
    struct domain *d = find_for(args, request, failure);
    char path[64];
    int error;

    if (!d)
        return OP_FAILED;
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", d->domid);
    error = store_write(path, word);
    if (error) {
        fail(failure, FAIL_STORE, "ask-guest", d->config.name, "cannot write %s: %s", path,
             strerror(-error));
        return OP_FAILED;
    }
    d->shutdown_asked = true;
    domain_announce(d, "shutdown-asked");
    if (json_get_bool(args, "wait", false) && request == REQUEST_SHUTDOWN)
        return wait_for(d, t, WAIT_STOPPED);
    jw_string(result, "name", d->config.name);
    jw_string(result, "state", domain_state_name(d, NULL));
    return OP_DONE;
}

static enum op_status op_shutdown(const struct json *args, struct ticket *t,
                                  struct json_writer *result, struct failure *failure)
{
    return ask_guest(args, t, REQUEST_SHUTDOWN, "poweroff", result, failure);
}

static enum op_status op_reboot(const struct json *args, struct ticket *t,
                                struct json_writer *result, struct failure *failure)
{
    return ask_guest(args, t, REQUEST_REBOOT, "reboot", result, failure);
}

static enum op_status run_or_hold(const struct json *args, enum request request,
                                  int (*call)(struct hyper *h, uint32_t domid), const char *what,
                                  struct json_writer *result, struct failure *failure)
{
    struct domain *d = find_for(args, request, failure);
    domain_info info;
    bool paused;
    int error;

    if (!d)
        return OP_FAILED;
    /* The hypervisor counts pauses; a person does not. */
    error = hyper_info(&hyper, d->domid, &info);
    paused = info.flags & XEN_DOMINF_paused;
    if (!error && paused == (request == REQUEST_UNPAUSE))
        error = call(&hyper, d->domid);
    if (!error)
        error = hyper_info(&hyper, d->domid, &info);
    if (error) {
        fail(failure, FAIL_HYPERVISOR, what, d->config.name, "the hypervisor refused: %s",
             strerror(-error));
        return OP_FAILED;
    }
    domain_announce(d, what);
    jw_string(result, "name", d->config.name);
    jw_string(result, "state", domain_state_name(d, &info));
    return OP_DONE;
}

static enum op_status op_pause(const struct json *args, struct ticket *t,
                               struct json_writer *result, struct failure *failure)
{
    return run_or_hold(args, REQUEST_PAUSE, hyper_pause, "pause", result, failure);
}

static enum op_status op_unpause(const struct json *args, struct ticket *t,
                                 struct json_writer *result, struct failure *failure)
{
    return run_or_hold(args, REQUEST_UNPAUSE, hyper_unpause, "unpause", result, failure);
}

static enum op_status op_destroy(const struct json *args, struct ticket *t,
                                 struct json_writer *result, struct failure *failure)
{
    struct domain *d = find_for(args, REQUEST_DESTROY, failure);

    if (!d)
        return OP_FAILED;
    if (d->phase != PHASE_PRESERVED)
        domain_set_outcome(d, OUTCOME_DESTROYED, "destroyed on request");
    wait_for(d, t, WAIT_STOPPED);
    domain_stop(d, false);
    return OP_LATER;
}

static enum op_status op_delete(const struct json *args, struct ticket *t,
                                struct json_writer *result, struct failure *failure)
{
    struct domain *d = find_for(args, REQUEST_DELETE, failure);

    if (!d)
        return OP_FAILED;
    log_line("%s: definition deleted", d->config.name);
    jw_string(result, "name", d->config.name);
    jw_string(result, "state", "deleted");
    domain_announce(d, "deleted");
    domain_forget(d);
    return OP_DONE;
}

/* --- console
 * -------------------------------------------------------------------------------------------------
 */

static bool read_tty(const struct domain *d, char *tty, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", d->domid);
    return store_read(path, tty, size) && tty[0] == '/';
}

static void describe_console(struct json_writer *w, const struct domain *d, const char *tty)
{
    char log[192];

    snprintf(log, sizeof(log), "%s/%s.log", PATH_CONSOLE_LOG, d->config.name);
    jw_string(w, "name", d->config.name);
    jw_string(w, "log", log);
    if (tty)
        jw_string(w, "tty", tty);
}

static enum op_status op_console_info(const struct json *args, struct ticket *t,
                                      struct json_writer *result, struct failure *failure)
{
    struct domain *d = find_named(args, failure);
    char tty[64];
    bool has_tty, wait = json_get_bool(args, "wait", false);

    if (!d)
        return OP_FAILED;
    has_tty =
        (d->phase == PHASE_RUNNING || d->phase == PHASE_PRESERVED) && read_tty(d, tty, sizeof(tty));
    if (!has_tty && wait && d->config.console == CONSOLE_NONE) {
        fail(failure, FAIL_DOMAIN_STATE, "console", d->config.name,
             "the domain was defined without a console");
        return OP_FAILED;
    }
    if (!has_tty && wait && d->phase == PHASE_STOPPED) {
        fail(failure, FAIL_DOMAIN_STATE, "console", d->config.name, "the domain is not running");
        fail_hint(failure, "mullion console --log %s shows what it wrote", d->config.name);
        return OP_FAILED;
    }
    if (!has_tty && wait) {
        t->want_tty = true;
        return wait_for(d, t, WAIT_NONE);
    }
    describe_console(result, d, has_tty ? tty : NULL);
    return OP_DONE;
}

void console_tty_changed(uint32_t domid)
{
    struct domain *d = domain_find_domid(domid);
    struct ticket **at = d ? &d->waiters : NULL;
    char tty[64];

    if (!d || !read_tty(d, tty, sizeof(tty)))
        return;
    if (d->phase != PHASE_STOPPING)
        libvirt_tell(&d->config, domid, tty);
    while (*at) {
        struct ticket *t = *at;
        struct json_writer *w = t->want_tty ? jw_new(false) : NULL;

        if (!w) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        jw_object(w, NULL);
        describe_console(w, d, tty);
        jw_end_object(w);
        ticket_answer(t, w);
        jw_free(w);
    }
}

static enum op_status op_events(const struct json *args, struct ticket *t,
                                struct json_writer *result, struct failure *failure)
{
    api_subscribe(t);
    return OP_DONE;
}

const struct operation operations[] = {
    {"hello", op_hello},
    {"apply", op_apply},
    {"plan", op_plan},
    {"list", op_list},
    {"get", op_get},
    {"start", op_start},
    {"shutdown", op_shutdown},
    {"reboot", op_reboot},
    {"pause", op_pause},
    {"unpause", op_unpause},
    {"destroy", op_destroy},
    {"delete", op_delete},
    {"console-info", op_console_info},
    {"events", op_events},
    {"dmesg", op_dmesg},
    {0},
};
