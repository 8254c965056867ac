/* SPDX-License-Identifier: MIT */
/* Commands that show: list, get, events, dmesg. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

/* Colour of a state, on a terminal. */
static const char *colour(const char *state)
{
    static const struct {
        const char *state, *code;
    } colours[] = {
        {"running", "\033[32m"},  {"paused", "\033[33m"},    {"shutting-down", "\033[33m"},
        {"crashed", "\033[31m"},  {"failed", "\033[31m"},    {"preserved", "\033[31m"},
        {"stopping", "\033[33m"}, {"preparing", "\033[33m"}, {"dying", "\033[33m"},
    };

    for (size_t i = 0; isatty(STDOUT_FILENO) && i < sizeof(colours) / sizeof(colours[0]); i++)
        if (strcmp(colours[i].state, state) == 0)
            return colours[i].code;
    return "";
}

static void print_row(const struct json *d, int width)
{
    const char *state = json_get_string(d, "state", ""), *reason = json_get_string(d, "reason", "");
    const char *code = colour(state);
    uint64_t cpu = json_get_u64(d, "cpu_ms", 0);
    char domid[12] = "-";

    if (json_get(d, "domid"))
        snprintf(domid, sizeof(domid), "%" PRIu64, json_get_u64(d, "domid", 0));
    printf("%-*s %4s  %s%-13s%s %5" PRIu64 " %9" PRIu64 " %7" PRIu64 ".%" PRIu64 "  %s\n", width,
           json_get_string(d, "name", ""), domid, code, state, code[0] ? "\033[0m" : "",
           json_get_u64(d, "vcpus", 0), json_get_u64(d, "memory", 0) >> 20, cpu / 1000,
           cpu / 100 % 10, reason);
}

int run_list(struct client *c, const struct options *o, struct failure *failure)
{
    struct json_doc *doc = client_call(c, "list", NULL, failure);
    const struct json *r, *domains, *host;
    int width = 12;

    if (!doc)
        return -1;
    r = json_get(json_root(doc), "result");
    if (o->json) {
        print_json(r);
        json_free(doc);
        return 0;
    }
    domains = json_get(r, "domains");
    for (const struct json *d = domains ? domains->first : NULL; d; d = d->next) {
        int length = strlen(json_get_string(d, "name", ""));

        width = length > width ? length : width;
    }
    printf("%-*s %4s  %-13s %5s %9s %9s  %s\n", width, "NAME", "ID", "STATE", "VCPUS", "MEM(MiB)",
           "CPU(s)", "REASON");
    for (const struct json *d = domains ? domains->first : NULL; d; d = d->next)
        print_row(d, width);
    host = json_get(r, "host");
    if (host && isatty(STDOUT_FILENO))
        printf("\nhost: %" PRIu64 " CPUs, %" PRIu64 " of %" PRIu64 " MiB free\n",
               json_get_u64(host, "cpus", 0), json_get_u64(host, "memory_free", 0) >> 20,
               json_get_u64(host, "memory", 0) >> 20);
    json_free(doc);
    return 0;
}

static void print_cpu(const struct json *status)
{
    const struct json *cpu = json_get(status, "cpu"), *r = json_get(cpu, "reservation");

    printf("\n  vcpus   %" PRIu64, json_get_u64(status, "vcpus", 0));
    if (json_get(status, "vcpus_max"))
        printf(" of %" PRIu64, json_get_u64(status, "vcpus_max", 0));
    if (!cpu)
        return;
    printf("\n  cpu     weight %" PRIu64, json_get_u64(cpu, "weight", 0));
    if (json_get_u64(cpu, "cap", 0))
        printf(", at most %" PRIu64 " %%", json_get_u64(cpu, "cap", 0));
    if (json_get_u64(r, "budget_us", 0))
        printf(", each vCPU at least %" PRIu64 " of %" PRIu64 " us",
               json_get_u64(r, "budget_us", 0), json_get_u64(r, "period_us", 0));
}

static void print_status(const struct json *status)
{
    const struct json *devices = json_get(status, "devices");

    printf("%s: %s", json_get_string(status, "name", ""), json_get_string(status, "state", ""));
    if (json_get(status, "domid"))
        printf(", domain %" PRIu64, json_get_u64(status, "domid", 0));
    if (json_get_string(status, "reason", "")[0])
        printf(" (%s)", json_get_string(status, "reason", ""));
    printf("\n  uuid    %s", json_get_string(status, "uuid", ""));
    print_cpu(status);
    printf("\n  memory  %" PRIu64 " MiB\n", json_get_u64(status, "memory", 0) >> 20);
    for (const struct json *d = devices ? devices->first : NULL; d; d = d->next) {
        const char *type = json_get_string(d, "type", "");

        if (strcmp(type, "disk") == 0)
            printf("  disk    %s: %s", json_get_string(d, "target", ""),
                   json_get_string(d, "state", ""));
        else
            printf("  net     %s: %s", json_get_string(d, "mac", ""),
                   json_get_string(d, "state", ""));
        if (json_get_u64(d, "restarts", 0))
            printf(", backend restarted %" PRIu64 " times", json_get_u64(d, "restarts", 0));
        if (json_get(d, "error"))
            printf(" (%s)", json_get_string(d, "error", ""));
        printf("\n");
    }
}

int run_get(struct client *c, const struct options *o, struct failure *failure)
{
    struct json_writer *args = jw_new(false);
    struct json_doc *doc;
    const struct json *r;

    jw_object(args, NULL);
    jw_string(args, "name", o->argument[0]);
    jw_end_object(args);
    doc = client_call(c, "get", args, failure);
    jw_free(args);
    if (!doc)
        return -1;
    r = json_get(json_root(doc), "result");
    if (o->json) {
        print_json(r);
    } else {
        print_status(json_get(r, "status"));
        printf("document:\n");
        print_json(json_get(r, "document"));
    }
    json_free(doc);
    return 0;
}

int run_dmesg(struct client *c, const struct options *o, struct failure *failure)
{
    struct json_doc *doc = client_call(c, "dmesg", NULL, failure);
    const struct json *r;

    if (!doc)
        return -1;
    r = json_get(json_root(doc), "result");
    if (o->json)
        print_json(r);
    else
        fputs(json_get_string(r, "text", ""), stdout);
    json_free(doc);
    return 0;
}

static void print_event(const struct json *e)
{
    const char *reason = json_get_string(e, "reason", json_get_string(e, "error", ""));

    if (strcmp(json_get_string(e, "type", ""), "backend") == 0)
        printf("%s/%" PRIu64 "/%" PRIu64 ": backend %s", json_get_string(e, "kind", ""),
               json_get_u64(e, "domid", 0), json_get_u64(e, "devid", 0),
               json_get_string(e, "what", ""));
    else
        printf("%s: %s", json_get_string(e, "name", ""), json_get_string(e, "what", ""));
    printf("%s%s%s\n", reason[0] ? " (" : "", reason, reason[0] ? ")" : "");
}

/* Until interrupted, or the daemon ends. */
int run_events(struct client *c, const struct options *o, struct failure *failure)
{
    struct json_doc *doc = client_call(c, "events", NULL, failure);

    if (!doc)
        return -1;
    json_free(doc);
    while ((doc = client_next(c, failure))) {
        const struct json *event = json_get(json_root(doc), "event");

        if (event && o->json)
            print_json(event);
        else if (event)
            print_event(event);
        fflush(stdout);
        json_free(doc);
    }
    return -1;
}
