/* SPDX-License-Identifier: MIT */
/* The table of backend processes; see backends.h. */
#include "backends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "domain.h"
#include "log.h"
#include "paths.h"
#include "process.h"
#include "store.h"

#define GONE_GRACE 3000 /* ms for a backend to notice that its device is gone */
#define KILL_GRACE 500

struct backend {
    struct backend *next;
    const char *kind;
    uint32_t domid, devid;
    struct process process;
    bool gone;     /* its directory was removed */
    bool finished; /* it ended for good */
    struct timer gone_timer;
    char error[192];
};

static const struct kind {
    const char *name, *program;
} kinds[] = {
    {"vbd", PATH_LIBEXEC "/mullion-block"},
    {"vif", PATH_LIBEXEC "/mullion-net"},
};

static struct backend *backends;
static struct process console;

static struct backend *find(const char *kind, uint32_t domid, uint32_t devid)
{
    for (struct backend *b = backends; b; b = b->next)
        if (b->domid == domid && b->devid == devid && strcmp(b->kind, kind) == 0)
            return b;
    return NULL;
}

static bool read_node(const struct backend *b, const char *node, char *value, size_t size)
{
    char path[128];

    store_backend_path(path, sizeof(path), b->kind, b->domid, b->devid, node);
    return store_read(path, value, size);
}

static void announce(const struct backend *b, const char *what)
{
    struct json_writer *w = jw_new(false);

    if (!w)
        return;
    jw_object(w, NULL);
    jw_string(w, "type", "backend");
    jw_string(w, "what", what);
    jw_string(w, "kind", b->kind);
    jw_u64(w, "domid", b->domid);
    jw_u64(w, "devid", b->devid);
    if (b->error[0])
        jw_string(w, "error", b->error);
    jw_end_object(w);
    api_event(w);
    jw_free(w);
}

static void drop(struct backend *b)
{
    uint32_t domid = b->domid;

    for (struct backend **at = &backends; *at; at = &(*at)->next)
        if (*at == b) {
            *at = b->next;
            break;
        }
    timer_stop(&b->gone_timer);
    process_release(&b->process);
    free(b);
    domain_stop_progress(domid);
}

static bool on_end(struct process *p, enum process_end end)
{
    struct backend *b = container_of(p, struct backend, process);
    char state[16] = "";

    if (b->gone || !read_node(b, "frontend", b->error, sizeof(b->error))) {
        drop(b);
        return false;
    }
    b->error[0] = 0;
    read_node(b, "state", state, sizeof(state));
    if (end == ENDED_DONE || (end == ENDED_UNKNOWN && strcmp(state, "6") == 0)) {
        b->finished = true;
    } else if (end == ENDED_CONFIG) {
        b->finished = true;
        if (!read_node(b, "error", b->error, sizeof(b->error)))
            snprintf(b->error, sizeof(b->error), "the backend refused its configuration");
        make_printable(b->error);
        log_line("%s failed for good: %s", p->name, b->error);
        announce(b, "failed");
    } else {
        announce(b, "restarted");
    }
    return !b->finished;
}

static void still_there(struct timer *t)
{
    struct backend *b = container_of(t, struct backend, gone_timer);

    process_stop(&b->process, KILL_GRACE);
}

static void add(const struct kind *kind, uint32_t domid, uint32_t devid)
{
    struct backend *b = calloc(1, sizeof(*b));
    struct process *p;

    if (!b)
        return;
    p = &b->process;
    b->kind = kind->name;
    b->domid = domid;
    b->devid = devid;
    b->gone_timer.fire = still_there;
    b->next = backends;
    backends = b;
    snprintf(p->name, sizeof(p->name), "%s-%u-%u", kind->name, domid, devid);
    snprintf(p->program, sizeof(p->program), "%s", kind->program);
    snprintf(p->argument[0], sizeof(p->argument[0]), "--path");
    snprintf(p->argument[1], sizeof(p->argument[1]), "backend/%s/%u/%u", kind->name, domid, devid);
    p->restart = on_end;
    process_start(p);
}

/* Make the table agree with the store about one device. */
static void refresh(const struct kind *kind, uint32_t domid, uint32_t devid)
{
    struct backend *b = find(kind->name, domid, devid);
    char path[128];
    bool exists;

    store_backend_path(path, sizeof(path), kind->name, domid, devid, "frontend");
    exists = store_exists(path);
    if (exists && !b)
        add(kind, domid, devid);
    if (exists || !b || b->gone)
        return;
    b->gone = true;
    if (b->process.state == PROCESS_RUNNING)
        timer_start(&b->gone_timer, GONE_GRACE);
    else
        drop(b);
}

struct scan {
    const struct kind *kind;
    uint32_t domid;
};

static void scan_device(void *ctx, const char *name)
{
    const struct scan *s = ctx;

    refresh(s->kind, s->domid, strtoul(name, NULL, 10));
}

static void scan_domain(void *ctx, const char *name)
{
    struct scan *s = ctx;
    char path[128];

    s->domid = strtoul(name, NULL, 10);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u", store_own_domid(), s->kind->name,
             s->domid);
    store_children(path, scan_device, s);
}

static void scan(const struct kind *kind)
{
    struct scan s = {kind, 0};
    char path[128];
    struct backend *next;

    snprintf(path, sizeof(path), "/local/domain/%u/backend/%s", store_own_domid(), kind->name);
    store_children(path, scan_domain, &s);
    for (struct backend *b = backends; b; b = next) {
        next = b->next;
        if (strcmp(b->kind, kind->name) == 0)
            refresh(kind, b->domid, b->devid);
    }
}

void backends_changed(const char *kind_name, const char *path)
{
    uint32_t own, domid, devid;
    char name[8];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, kind_name) != 0)
            continue;
        if (sscanf(path, "/local/domain/%u/backend/%7[a-z]/%u/%u", &own, name, &domid, &devid) == 4)
            refresh(&kinds[i], domid, devid);
        else
            scan(&kinds[i]);
    }
}

unsigned backends_running(uint32_t domid)
{
    unsigned count = 0;

    for (struct backend *b = backends; b; b = b->next)
        count += b->domid == domid && b->process.state == PROCESS_RUNNING;
    return count;
}

void backends_kill(uint32_t domid)
{
    for (struct backend *b = backends; b; b = b->next)
        if (b->domid == domid)
            process_stop(&b->process, KILL_GRACE);
}

void backends_describe(struct json_writer *w, const char *kind, uint32_t domid, uint32_t devid)
{
    static const char *const states[] = {"unknown",   "initialising", "init-wait", "initialised",
                                         "connected", "closing",      "closed"};
    const struct backend *b = find(kind, domid, devid);
    char state[8] = "0";
    unsigned number;

    if (!b) {
        jw_string(w, "state", "none");
        return;
    }
    read_node(b, "state", state, sizeof(state));
    number = strtoul(state, NULL, 10);
    jw_string(w, "state", b->error[0] ? "failed" : states[number < 7 ? number : 0]);
    if (b->process.state == PROCESS_RUNNING)
        jw_u64(w, "pid", b->process.pid);
    jw_u64(w, "restarts", b->process.restarts);
    if (b->error[0])
        jw_string(w, "error", b->error);
}

static bool console_ended(struct process *p, enum process_end end)
{
    return true;
}

void backends_open(void)
{
    char path[64];

    snprintf(console.name, sizeof(console.name), "console");
    snprintf(console.program, sizeof(console.program), PATH_LIBEXEC "/mullion-console");
    console.restart = console_ended;
    process_start(&console);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/backend/%s", store_own_domid(),
                 kinds[i].name);
        store_watch(path, kinds[i].name);
    }
}
