/* SPDX-License-Identifier: MIT */
/*
 * Taking a domain apart: its nodes go first, so that backends and console let go; then the
 * hypervisor's domain; then we wait until nothing holds its memory any more. Waiting is by process
 * ends, with a timer for what has no event.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "domain.h"
#include "libvirt.h"
#include "log.h"
#include "paths.h"
#include "store.h"

#define FIRST_WAIT   10 /* ms */
#define LONGEST_WAIT 250
#define KILL_AFTER   4000
#define GIVE_UP      20000 /* the requester is told; we go on trying */

#define LOG_TAIL 16384

/* What this run wrote to the console log last; false when that is not known. */
static bool read_console_tail(const struct domain *d, char *text, size_t size)
{
    char path[192];
    struct stat st;
    off_t from;
    ssize_t got = -1;
    int fd;

    snprintf(path, sizeof(path), "%s/%s.log", PATH_CONSOLE_LOG, d->config.name);
    fd = d->console_offset == ~0ULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0) {
        /* A log that is shorter than it was has been rotated: all of it is new. */
        from = (off_t)d->console_offset <= st.st_size ? (off_t)d->console_offset : 0;
        if (st.st_size - from > (off_t)size)
            from = st.st_size - size;
        got = pread(fd, text, size, from);
    }
    close(fd);
    if (got < 0)
        return false;
    text[got] = 0;
    return true;
}

/* The line of a crashed guest's console that tells most: the last that speaks of a panic, else the
 * last. */
static void last_words(const struct domain *d, char *line, size_t size)
{
    static const char *const signs[] = {"panic", "BUG:", "Oops", "fatal"};
    static char text[LOG_TAIL + 1];
    char *save = NULL;
    bool found = false;

    line[0] = 0;
    if (!read_console_tail(d, text, LOG_TAIL))
        return;
    for (char *l = strtok_r(text, "\r\n", &save); l; l = strtok_r(NULL, "\r\n", &save)) {
        bool sign = false;

        for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
            sign |= strstr(l, signs[i]) != NULL;
        if (strstr(l, "end Kernel panic"))
            sign = false;
        if (sign || !found)
            snprintf(line, size, "%.150s", l);
        found |= sign;
    }
    make_printable(line);
}

void domain_note_last_words(struct domain *d)
{
    char line[160], reason[sizeof(d->reason)];

    if (d->outcome != OUTCOME_CRASHED || d->words_noted)
        return;
    d->words_noted = true;
    last_words(d, line, sizeof(line));
    if (!line[0])
        return;
    snprintf(reason, sizeof(reason), "%.30s: %s", d->reason, line);
    memcpy(d->reason, reason, sizeof(reason));
}

static void complete(struct domain *d)
{
    struct failure failure = {0};
    bool restart = d->restart_after_stop;

    timer_stop(&d->stop_timer);
    domain_note_last_words(d);
    d->phase = PHASE_STOPPED;
    d->restart_after_stop = false;
    domain_record(d, false);
    log_line("%s: domain %u is gone%s%s", d->config.name, d->domid, d->reason[0] ? ": " : "",
             d->reason);
    if (restart) {
        if (domain_start(d, NULL, &failure) == 0)
            return;
        domain_set_outcome(d, OUTCOME_FAILED, "%s", failure.message);
        domain_record(d, false);
        log_line("%s: cannot be started again: %s", d->config.name, failure.message);
    }
    domain_announce(d, "stopped");
    domain_answer(d, NULL);
}

static void check(struct domain *d)
{
    uint64_t elapsed = now_ms() - d->stop_since;
    struct failure failure = {0};
    domain_info info;

    if (backends_running(d->domid) == 0 && hyper_info(&hyper, d->domid, &info) == -ESRCH) {
        complete(d);
        return;
    }
    if (elapsed > KILL_AFTER)
        backends_kill(d->domid);
    if (elapsed > GIVE_UP && !d->stop_complained) {
        d->stop_complained = true;
        log_line("%s: domain %u does not go away: somebody holds its memory", d->config.name,
                 d->domid);
        fail(&failure, FAIL_TIMEOUT, "destroy", d->config.name,
             "the domain was destroyed, but some of its memory is still held");
        fail_hint(&failure, "look for a backend or console program that maps its pages");
        domain_answer(d, &failure);
    }
    d->stop_wait = d->stop_wait * 2 < LONGEST_WAIT ? d->stop_wait * 2 : LONGEST_WAIT;
    timer_start(&d->stop_timer, d->stop_wait);
}

static void on_timer(struct timer *t)
{
    check(container_of(t, struct domain, stop_timer));
}

void domain_stop_progress(uint32_t domid)
{
    for (struct domain *d = domains; d; d = d->next)
        if (d->phase == PHASE_STOPPING && d->domid == domid) {
            d->stop_wait = FIRST_WAIT;
            timer_start(&d->stop_timer, 0);
        }
}

void domain_stop(struct domain *d, bool restart)
{
    char path[64], token[32];
    int error;

    d->phase = PHASE_STOPPING;
    d->restart_after_stop = restart;
    d->stop_complained = false;
    d->stop_since = now_ms();
    d->stop_wait = FIRST_WAIT;
    d->stop_timer.fire = on_timer;
    domain_record(d, true);
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", d->domid);
    snprintf(token, sizeof(token), "tty/%u", d->domid);
    store_unwatch(path, token);
    libvirt_untell(&d->config);
    hyper_pause(&hyper, d->domid);
    store_remove_domain(d->domid, d->config.uuid);
    error = hyper_destroy(&hyper, d->domid);
    if (error && error != -ESRCH)
        log_line("%s: destroying domain %u: %s", d->config.name, d->domid, strerror(-error));
    store_release(d->domid);
    domain_announce(d, "stopping");
    timer_start(&d->stop_timer, FIRST_WAIT);
}
