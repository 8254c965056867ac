/* SPDX-License-Identifier: MIT */
/*
 * control.c: CONTROL: what an administrator asks of the daemon itself.
 * A table of commands; each writes its answer to a text, or returns an errno value.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conn.h"
#include "journal.h"
#include "records.h"
#include "request.h"
#include "say.h"
#include "streams.h"
#include "txn.h"

#define CONTROL_ARGS 4

struct answer {
    size_t len;
    char text[XENSTORE_PAYLOAD_MAX];
};

typedef int control_handler(struct store *s, struct xsw_str *arg, size_t n, struct answer *out);

static void add(struct answer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append; what does not fit into a payload is cut off. */
static void add(struct answer *out, const char *format, ...)
{
    size_t room = sizeof(out->text) - out->len;
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(out->text + out->len, room, format, ap);
    va_end(ap);
    if (n > 0)
        out->len += (size_t)n < room ? (size_t)n : room - 1;
}

static bool is(struct xsw_str s, const char *word)
{
    return s.len == strlen(word) && !memcmp(s.s, word, s.len);
}

static void say_wrong(void *arg, const struct domain *d)
{
    add(arg, "domain %u: %d nodes counted, %d found\n", d->domid, d->nodes, d->found);
}

static int control_check(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    add(out, "%s", domain_check(s, say_wrong, out) ? "OK" : "WRONG");
    return 0;
}

int control_trace(struct store *s)
{
    int fd = s->trace_to[0] == '-' ? 2 : 0;

    if (s->trace_to[0] && !fd) {
        fd = open(s->trace_to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
            return errno;
    }
    if (s->trace > 2)
        close(s->trace);
    s->trace = fd;
    return 0;
}

/* Trace to there from now on, in successors, too; where it cannot be, all stays as it is. */
static int trace_to(struct store *s, const char *to, size_t len)
{
    char before[sizeof(s->trace_to)];

    memcpy(before, s->trace_to, sizeof(before));
    if (len >= sizeof(s->trace_to))
        return EINVAL;
    memcpy(s->trace_to, to, len);
    s->trace_to[len] = 0;
    if (control_trace(s)) {
        memcpy(s->trace_to, before, sizeof(before));
        return EINVAL;
    }
    journal_trace(s->journal);
    return 0;
}

static int control_log(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    if (n != 1 || !(is(arg[0], "on") || is(arg[0], "off")))
        return EINVAL;
    add(out, "OK");
    return is(arg[0], "on") ? trace_to(s, "-", 1) : trace_to(s, "", 0);
}

static int control_memreport(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    unsigned int known = 0, introduced = 0, conns = 0, txns = 0;
    int64_t nodes = 0, bytes = 0;
    struct mallinfo2 heap = mallinfo2();

    for (const struct domain *d = domain_from(s, 0); d; d = domain_from(s, d->domid + 1u)) {
        known++;
        introduced += d->introduced;
        nodes += d->nodes;
        bytes += d->bytes;
    }
    for (const struct conn *c = s->conns; c; c = c->next) {
        conns++;
        txns += c->txn_count;
    }
    add(out, "domains      : %u known, %u introduced\n", known, introduced);
    add(out, "connections  : %u, with %u transactions\n", conns, txns);
    add(out, "nodes        : %lld in %lld bytes\n", (long long)nodes, (long long)bytes);
    add(out, "heap         : %zu bytes used of %zu\n", heap.uordblks, heap.arena + heap.hblkhd);
    add(out, "journal      : %zu bytes\n", journal_size(s->journal));
    return 0;
}

static int control_print(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    if (n != 1)
        return EINVAL;
    say("control: %.*s", (int)arg[0].len, arg[0].s);
    add(out, "OK");
    return 0;
}

static int quota_show(const struct store *s, bool soft, struct answer *out)
{
    add(out, "Quota settings:\n");
    for (int q = 0; q < QUOTA_COUNT; q++)
        if (quota_defs[q].soft == soft)
            add(out, "%-17s: %8u %s\n", quota_defs[q].name, s->quota.limit[q], quota_defs[q].help);
    return 0;
}

/* What one domain uses, and where its own limits differ. */
static int quota_domain(const struct store *s, struct xsw_str arg, struct answer *out)
{
    const struct domain *d;
    uint32_t domid;

    if (!xsw_parse_u32(arg.s, arg.len, &domid) || domid > UINT16_MAX)
        return EINVAL;
    d = domain_known(s, (uint16_t)domid);
    if (!d)
        return ENOENT;
    add(out, "Domain %u:\n", domid);
    add(out, "%-16s: %8d\n", "nodes", d->nodes);
    add(out, "%-16s: %8u\n", "watches", d->watches);
    add(out, "%-16s: %8u\n", "transactions", d->conn ? d->conn->txn_count : 0);
    add(out, "%-16s: %8u\n", "outstanding", d->conn ? d->conn->unsent_replies : 0);
    add(out, "%-16s: %8lld\n", "memory", (long long)d->bytes);
    for (int q = 0; q < QUOTA_COUNT; q++)
        if (d->quota.set >> q & 1)
            add(out, "%s %-10s: %8u\n", quota_defs[q].soft ? "soft " : "limit", quota_defs[q].name,
                d->quota.limit[q]);
    return 0;
}

/* set <name> <value> [<domid>] */
static int quota_set(struct store *s, struct xsw_str *arg, size_t n, bool soft, struct answer *out)
{
    uint32_t value, domid;
    struct domain *d;
    int q;

    if (n < 3 || n > 4 || !xsw_parse_u32(arg[2].s, arg[2].len, &value) || !value)
        return EINVAL;
    q = quota_find(arg[1].s, arg[1].len, soft);
    if (q < 0)
        return EINVAL;
    if (n == 4) {
        if (!xsw_parse_u32(arg[3].s, arg[3].len, &domid) || domid > UINT16_MAX)
            return EINVAL;
        d = domain_get(s, (uint16_t)domid);
        if (!d)
            return ENOENT;
        d->quota.limit[q] = value;
        d->quota.set |= 1u << q;
        journal_domain(s->journal, d);
    } else {
        s->quota.limit[q] = value;
        journal_quota(s->journal);
    }
    add(out, "OK");
    return 0;
}

static int control_quota(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    if (!n)
        return quota_show(s, false, out);
    if (is(arg[0], "set"))
        return quota_set(s, arg, n, false, out);
    return n == 1 ? quota_domain(s, arg[0], out) : EINVAL;
}

static int control_quota_soft(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    if (!n)
        return quota_show(s, true, out);
    return is(arg[0], "set") ? quota_set(s, arg, n, true, out) : EINVAL;
}

/* Requests are traced to this file from now on; "log" alone still means the daemon's messages. */
static int control_logfile(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    if (n != 1 || !arg[0].len || arg[0].s[0] == '-')
        return EINVAL;
    add(out, "OK");
    return trace_to(s, arg[0].s, arg[0].len);
}

/* Does the program say that it can take over? */
static bool can_take_over(const char *program)
{
    int out[2], status = 1;
    char text[64] = "";
    ssize_t n = 0;
    pid_t pid;

    if (pipe2(out, O_CLOEXEC))
        return false;
    pid = fork();
    if (pid == 0) {
        dup2(out[1], 1);
        execl(program, program, "--journal-version", NULL);
        _exit(127);
    }
    close(out[1]);
    if (pid > 0) {
        n = read(out[0], text, sizeof(text) - 1);
        waitpid(pid, &status, 0);
    }
    close(out[0]);
    if (n > 0)
        io_count((size_t)n, 0);
    return status == 0 && !strcmp(text, LIVE_UPDATE_ANSWER "\n");
}

static const char *update_file(struct store *s, struct xsw_str file)
{
    if (access(file.s, F_OK))
        return "File not accessible.";
    if (access(file.s, X_OK))
        return "File not executable.";
    if (file.len >= sizeof(s->update_file) || !can_take_over(file.s))
        return "Not a program that can read this one's journal.";
    memcpy(s->update_file, file.s, file.len + 1);
    return "OK";
}

/*
 * -f <file>, then -s: the daemon ends and the keeper goes on as <file>, which answers: then the new
 * one serves. There is nothing to wait for (-t) or to force (-F): transactions go on in the
 * successor.
 */
static int control_live_update(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    if (!n)
        return EINVAL;
    if (!s->journal) {
        add(out, "Not without a journal.");
    } else if (is(arg[0], "-a")) {
        add(out, s->update_file[0] ? "OK" : "No live-update session active.");
        s->update_file[0] = 0;
    } else if (is(arg[0], "-f") && n == 2) {
        add(out, "%s", update_file(s, arg[1]));
    } else if (is(arg[0], "-s") && s->update_file[0]) {
        say("live update to %s", s->update_file);
        strcpy(s->update, s->update_file);
        add(out, "OK");
    } else if (is(arg[0], "-s")) {
        add(out, "Not in live-update session.");
    } else {
        return EINVAL;
    }
    return 0;
}

static control_handler control_help;

static const struct {
    const char *name;
    control_handler *handle;
    const char *args;
} commands[] = {
    {"check", control_check, ""},
    {"log", control_log, "on|off"},
    {"memreport", control_memreport, ""},
    {"print", control_print, "<string>"},
    {"quota", control_quota, "[set <name> <val> [<domid>]|<domid>]"},
    {"quota-soft", control_quota_soft, "[set <name> <val> [<domid>]]"},
    {"logfile", control_logfile, "<file>"},
    {"live-update", control_live_update, "-a|-f <file>|-s [-t <seconds>] [-F]"},
    {"help", control_help, ""},
};

static int control_help(struct store *s, struct xsw_str *arg, size_t n, struct answer *out)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        add(out, "%s\t%s\n", commands[i].name, commands[i].args);
    return 0;
}

int do_control(struct request *r)
{
    struct xsw_str arg[CONTROL_ARGS];
    struct answer out = {.len = 0};
    size_t n = xsw_split(r->rest.s, r->rest.len, arg, CONTROL_ARGS, NULL);

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        int rc;

        if (!is(r->arg[0], commands[i].name))
            continue;
        rc = n > CONTROL_ARGS ? EINVAL : commands[i].handle(r->conn->store, arg, n, &out);
        if (rc)
            return rc;
        out.text[out.len] = 0;
        reply(r, out.text, out.len + 1);
        return 0;
    }
    return EINVAL;
}
