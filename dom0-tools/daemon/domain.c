/* SPDX-License-Identifier: MIT */
/* The registry of domain.h and its two files per domain. */
#include "domain.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "paths.h"

struct hyper hyper;
struct domain *domains;

struct domain *domain_find(const char *name)
{
    for (struct domain *d = domains; d; d = d->next)
        if (strcmp(d->config.name, name) == 0)
            return d;
    return NULL;
}

struct domain *domain_find_uuid(const char *uuid)
{
    for (struct domain *d = domains; d; d = d->next)
        if (strcmp(d->config.uuid, uuid) == 0)
            return d;
    return NULL;
}

struct domain *domain_find_domid(uint32_t domid)
{
    for (struct domain *d = domains; d; d = d->next)
        if (d->domid == domid && (d->phase == PHASE_RUNNING || d->phase == PHASE_PRESERVED ||
                                  d->phase == PHASE_STOPPING))
            return d;
    return NULL;
}

struct domain *domain_new(const struct domain_config *config)
{
    struct domain *d = calloc(1, sizeof(*d)), **at = &domains;

    if (!d)
        return NULL;
    d->config = *config;
    while (*at && strcmp((*at)->config.name, config->name) < 0)
        at = &(*at)->next;
    d->next = *at;
    *at = d;
    return d;
}

static void file_of(const char *folder, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s.json", folder, name);
}

static int write_file(const char *path, struct json_writer *w)
{
    size_t length;
    const char *text = w ? jw_text(w, &length) : NULL;
    int error = text ? file_replace(path, text, length) : -ENOMEM;

    jw_free(w);
    return error;
}

int domain_define(struct domain *d, const struct domain_config *config, struct failure *failure)
{
    struct json_writer *w = jw_new(true);
    char path[PATH_MAX];
    int error;

    if (w)
        domain_config_write(w, NULL, config);
    file_of(PATH_DEFINITIONS, config->name, path, sizeof(path));
    error = write_file(path, w);
    if (error)
        return fail(failure, FAIL_IO, "write-definition", path, "cannot keep the definition: %s",
                    strerror(-error));
    if (config != &d->config)
        d->config = *config;
    d->defined = true;
    return 0;
}

void domain_forget(struct domain *d)
{
    char path[PATH_MAX];

    if (d->defined) {
        file_of(PATH_DEFINITIONS, d->config.name, path, sizeof(path));
        unlink(path);
    }
    file_of(PATH_RECORDS, d->config.name, path, sizeof(path));
    unlink(path);
    for (struct domain **at = &domains; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    timer_stop(&d->stop_timer);
    free(d->pending);
    free(d);
}

static const char *const phase_names[PHASES] = {"stopped", "preparing", "running", "preserved",
                                                "stopping"};

void domain_record(const struct domain *d, bool unfinished)
{
    const struct domain_config *c = d->pending ? d->pending : &d->config;
    struct json_writer *w = jw_new(true);
    char path[PATH_MAX];
    int error;

    if (w) {
        jw_object(w, NULL);
        jw_string(w, "name", c->name);
        jw_string(w, "uuid", c->uuid);
        jw_string(w, "phase", phase_names[d->phase]);
        jw_bool(w, "unfinished", unfinished);
        jw_bool(w, "restart", d->restart_after_stop);
        jw_u64(w, "domid", d->domid);
        jw_string(w, "outcome", outcome_name(d->outcome));
        jw_string(w, "reason", d->reason);
        jw_end_object(w);
    }
    file_of(PATH_RECORDS, c->name, path, sizeof(path));
    error = write_file(path, w);
    if (error)
        log_line("cannot write %s: %s", path, strerror(-error));
}

void domain_set_outcome(struct domain *d, enum outcome outcome, const char *format, ...)
{
    va_list args;

    d->outcome = outcome;
    d->words_noted = false;
    va_start(args, format);
    vsnprintf(d->reason, sizeof(d->reason), format, args);
    va_end(args);
    make_printable(d->reason);
}

const char *domain_state_name(const struct domain *d, const domain_info *info)
{
    if (d->phase == PHASE_RUNNING) {
        if (info && info->flags & XEN_DOMINF_paused)
            return "paused";
        return d->shutdown_asked ? "shutting-down" : "running";
    }
    if (d->phase == PHASE_STOPPED && d->outcome == OUTCOME_CRASHED)
        return "crashed";
    if (d->phase == PHASE_STOPPED && d->outcome == OUTCOME_FAILED)
        return "failed";
    return phase_names[d->phase];
}

void domain_announce(const struct domain *d, const char *what)
{
    struct json_writer *w = jw_new(false);

    if (!w)
        return;
    jw_object(w, NULL);
    jw_string(w, "type", "domain");
    jw_string(w, "what", what);
    jw_string(w, "name", d->config.name);
    jw_string(w, "state", domain_state_name(d, NULL));
    if (d->phase != PHASE_STOPPED && d->phase != PHASE_PREPARING)
        jw_u64(w, "domid", d->domid);
    if (d->reason[0])
        jw_string(w, "reason", d->reason);
    jw_end_object(w);
    api_event(w);
    jw_free(w);
}

static bool satisfied(const struct ticket *t, const struct domain *d, const struct failure *failure)
{
    if (failure)
        return true;
    if (t->wait == WAIT_RUNNING)
        return d->phase == PHASE_RUNNING;
    return d->phase == PHASE_STOPPED || d->phase == PHASE_PRESERVED;
}

void domain_answer(struct domain *d, const struct failure *failure)
{
    struct ticket **at = &d->waiters;

    while (*at) {
        struct ticket *t = *at;
        struct json_writer *w;

        if (t->want_tty && d->phase == PHASE_STOPPED) {
            struct failure gone = {0};

            *at = t->next;
            fail(&gone, FAIL_DOMAIN_STATE, "console", d->config.name,
                 "the domain stopped before it had a console");
            ticket_fail(t, &gone);
            continue;
        }
        if (t->want_tty || !satisfied(t, d, failure)) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        w = failure ? NULL : jw_new(false);
        if (!w) {
            struct failure out = {0};

            fail(&out, FAIL_RESOURCES, "answer", "", "out of memory");
            ticket_fail(t, failure ? failure : &out);
            continue;
        }
        jw_object(w, NULL);
        jw_string(w, "name", d->config.name);
        jw_string(w, "uuid", d->config.uuid);
        jw_string(w, "state", domain_state_name(d, NULL));
        if (d->phase == PHASE_RUNNING)
            jw_u64(w, "domid", d->domid);
        if (d->reason[0])
            jw_string(w, "reason", d->reason);
        if (t->created)
            jw_bool(w, "created", true);
        jw_u64(w, "elapsed_ms", now_ms() - t->since);
        jw_end_object(w);
        ticket_answer(t, w);
        jw_free(w);
    }
}
