/* SPDX-License-Identifier: MIT */
/*
 * What guests do by themselves, and what happened while nobody looked: compare our registry with
 * the hypervisor's list. Runs at every @releaseDomain and once at start; it reads the truth and
 * moves each domain to where it belongs.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"
#include "domain.h"
#include "file.h"
#include "libvirt.h"
#include "log.h"
#include "paths.h"
#include "store.h"

static void guest_stopped(struct domain *d, unsigned code)
{
    bool quick = now_ms() - d->started_ms < RESTART_QUICK_MS;
    struct stop_decision decision = decide_stop(&d->config, code, quick ? d->quick_restarts : 0);

    log_line("%s: the guest %s (code %u); %s", d->config.name, decision.reason, code,
             shutdown_action_name(decision.action));
    domain_set_outcome(d, decision.outcome, "%s", decision.reason);
    if (decision.action == ACTION_PRESERVE) {
        d->phase = PHASE_PRESERVED;
        domain_note_last_words(d);
        domain_record(d, false);
        domain_announce(d, "preserved");
        domain_answer(d, NULL);
        return;
    }
    if (decision.action == ACTION_RESTART)
        d->quick_restarts = quick ? d->quick_restarts + 1 : 0;
    domain_stop(d, decision.action == ACTION_RESTART);
}

void domains_reconcile(void)
{
    struct domain *next;
    domain_info info;

    for (struct domain *d = domains; d; d = next) {
        int error;

        next = d->next;
        if (d->phase == PHASE_STOPPING)
            domain_stop_progress(d->domid);
        if (d->phase != PHASE_RUNNING && d->phase != PHASE_PRESERVED)
            continue;
        error = hyper_info(&hyper, d->domid, &info);
        if (error == -ESRCH || (!error && info.flags & XEN_DOMINF_dying)) {
            domain_set_outcome(d, OUTCOME_DESTROYED, "destroyed by another tool");
            domain_stop(d, false);
        } else if (!error && d->phase == PHASE_RUNNING && info.flags & XEN_DOMINF_shutdown) {
            guest_stopped(d, info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask);
        }
    }
}

static void load_definition(const char *name)
{
    struct failure failure = {0};
    struct domain_config config;
    struct domain *d;
    char path[PATH_MAX], *text;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", PATH_DEFINITIONS, name);
    if (file_read(path, JSON_MAX_TEXT, &text, &size))
        return;
    if (domain_config_parse(text, size, &config, &failure)) {
        log_line("the definition %s is not usable: %s at %s", path, failure.message, failure.where);
    } else if (config.uuid[0] && !domain_find(config.name) && (d = domain_new(&config))) {
        d->defined = true;
    }
    free(text);
}

static void each_file(const char *folder, const char *suffix, void (*each)(const char *name))
{
    DIR *dir = opendir(folder);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        size_t length = strlen(e->d_name), cut = strlen(suffix);

        if (length > cut && strcmp(e->d_name + length - cut, suffix) == 0)
            each(e->d_name);
    }
    if (dir)
        closedir(dir);
}

static bool uuid_matches(const char *uuid, const domain_info *info)
{
    uint8_t bytes[16];

    uuid_bytes(uuid, bytes);
    return memcmp(bytes, info->handle, 16) == 0;
}

/* The domain with this uuid, if the hypervisor has one. */
static bool find_running(const char *uuid, domain_info *found)
{
    domain_info infos[32];
    uint32_t first = 1;
    int count;

    while ((count = hyper_list(&hyper, first, infos, 32)) > 0) {
        for (int i = 0; i < count; i++)
            if (uuid_matches(uuid, &infos[i])) {
                *found = infos[i];
                return true;
            }
        first = infos[count - 1].domain + 1;
    }
    return false;
}

/* A predecessor died while it built this domain: nobody runs in it yet. */
static void clear_half_built(const char *name, const char *uuid)
{
    domain_info info;

    if (!find_running(uuid, &info))
        return;
    log_line("%s: domain %u was left half made: removed", name, info.domain);
    store_remove_domain(info.domain, uuid);
    hyper_destroy(&hyper, info.domain);
    store_release(info.domain);
}

static enum outcome outcome_from_name(const char *name)
{
    for (enum outcome o = OUTCOME_NONE; o <= OUTCOME_FAILED; o++)
        if (strcmp(outcome_name(o), name) == 0)
            return o;
    return OUTCOME_NONE;
}

static void load_record(const char *name)
{
    struct failure ignored = {0};
    char path[PATH_MAX], *text;
    const struct json *root;
    const char *phase;
    struct json_doc *doc;
    struct domain *d;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", PATH_RECORDS, name);
    if (file_read(path, 65536, &text, &size))
        return;
    doc = json_parse(text, size, &ignored);
    free(text);
    if (!doc)
        return;
    root = json_root(doc);
    phase = json_get_string(root, "phase", "");
    d = domain_find(json_get_string(root, "name", ""));
    if (json_get_bool(root, "unfinished", false) && strcmp(phase, "stopping") != 0)
        clear_half_built(json_get_string(root, "name", "?"), json_get_string(root, "uuid", ""));
    if (d) {
        domain_set_outcome(d, outcome_from_name(json_get_string(root, "outcome", "")), "%s",
                           json_get_string(root, "reason", ""));
        if (strcmp(phase, "preserved") == 0)
            d->phase = PHASE_PRESERVED;
        if (strcmp(phase, "stopping") == 0)
            d->phase = PHASE_STOPPING;
        d->restart_after_stop = json_get_bool(root, "restart", false);
    }
    json_free(doc);
}

/* Our predecessor was stopping it, perhaps to start it again. */
static void go_on_stopping(struct domain *d, bool exists, uint32_t domid)
{
    struct failure failure = {0};
    bool restart = d->restart_after_stop;

    if (exists) {
        d->domid = domid;
        domain_stop(d, restart);
        return;
    }
    d->phase = PHASE_STOPPED;
    d->restart_after_stop = false;
    if (restart && domain_start(d, NULL, &failure))
        log_line("%s: cannot be started again: %s", d->config.name, failure.message);
}

static void adopt(struct domain *d)
{
    domain_info info = {0};
    bool exists = find_running(d->config.uuid, &info);
    char path[64], token[32];

    d->console_offset = ~0ULL;
    if (d->phase == PHASE_STOPPING) {
        go_on_stopping(d, exists, info.domain);
        return;
    }
    if (!exists) {
        d->phase = PHASE_STOPPED;
        libvirt_untell(&d->config);
        return;
    }
    d->domid = info.domain;
    d->started_ms = now_ms();
    if (d->phase != PHASE_PRESERVED)
        d->phase = PHASE_RUNNING;
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", d->domid);
    snprintf(token, sizeof(token), "tty/%u", d->domid);
    store_watch(path, token);
    log_line("%s: runs already as domain %u: taken over", d->config.name, d->domid);
}

int domains_recover(struct failure *failure)
{
    struct domain *next;

    each_file(PATH_DEFINITIONS, ".json", load_definition);
    each_file(PATH_RECORDS, ".json", load_record);
    for (struct domain *d = domains; d; d = next) {
        next = d->next;
        adopt(d);
    }
    domains_reconcile();
    return 0;
}
