/* SPDX-License-Identifier: MIT */
/*
 * mullion-console: one process for the consoles of all guests. Options: --log-dir DIR (default
 * /var/log/mullion/console). It never ends by itself but for an error (status 1): whoever starts it
 * again gets all consoles back.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xenforeignmemory.h>

#include "console.h"
#include "report.h"
#include "sandbox.h"

#define LOG_DIR "/var/log/mullion/console"
#define FILES   4096 /* two for each guest */

static struct loop loop;
static struct consoles consoles;

static void *foreign_map(void *ctx, uint32_t domid, uint64_t frame)
{
    xen_pfn_t pfn = frame;
    int err = 0;

    return xenforeignmemory_map(ctx, domid, PROT_READ | PROT_WRITE, 1, &pfn, &err);
}

static void foreign_unmap(void *ctx, void *page)
{
    xenforeignmemory_unmap(ctx, page, 1);
}

static void on_store(void *ctx, uint32_t events)
{
    char path[STORE_PATH], token[STORE_PATH];
    bool fired = false;
    int r;

    while ((r = consoles.store->ops->next(consoles.store, path, token)) > 0)
        fired = true;
    if (r < 0) {
        report("lost xenstore: %s; starting again", strerror(-r));
        loop_stop(&loop, 1);
    } else if (fired) {
        consoles_refresh(&consoles);
    }
}

static void on_event(void *ctx, uint32_t events)
{
    int port = consoles.xen->ops->pending(consoles.xen);

    if (port >= 0)
        consoles_event(&consoles, port);
}

static void on_signal(void *ctx, uint32_t events)
{
    loop_stop(&loop, 0);
}

static int signal_fd(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return sigprocmask(SIG_BLOCK, &set, NULL) ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
}

/* The directories of the log, the last one ours to write when we are root no more. */
static void make_log_dir(const char *dir)
{
    char path[160];

    for (size_t i = 1; dir[i] && i < sizeof(path); i++)
        if (dir[i] == '/') {
            memcpy(path, dir, i);
            path[i] = '\0';
            mkdir(path, 0755);
        }
    mkdir(dir, 0750);
    if (chown(dir, SANDBOX_UID_CONSOLE, SANDBOX_GID))
        report("cannot give %s to user %u: %s", dir, SANDBOX_UID_CONSOLE, strerror(errno));
}

/* Beyond what every backend may do: pseudo terminals, log files, foreign pages. */
static int enter_sandbox(struct reason *why)
{
    static const int calls[] = {SCMP_SYS(openat), SCMP_SYS(rename), SCMP_SYS(timerfd_create), -1};
    static const unsigned long ioctls[] = {
        TCGETS,      TCSETS,      TCFLSH,      TIOCGPTN, TIOCSPTLCK,
        _IO('P', 2), _IO('P', 3), _IO('P', 4), 0, /* P: privcmd's mapping calls */
    };
    struct sandbox s = {.uid = SANDBOX_UID_CONSOLE, .calls = calls, .ioctls = ioctls};

    return sandbox_enter(&s, why);
}

static int open_all(struct reason *why)
{
    struct rlimit files = {FILES, FILES};

    consoles.store = store_open();
    if (!consoles.store)
        return because(why, -errno, "cannot reach xenstore: %s; is mullion-xenstored running?",
                       strerror(errno));
    consoles.xen = xen_open();
    consoles.foreign = (struct console_foreign){
        foreign_map, foreign_unmap, consoles.xen ? xenforeignmemory_open(NULL, 0) : NULL};
    if (!consoles.xen || !consoles.foreign.ctx)
        return because(why, -errno, "cannot open /dev/xen/gntdev, evtchn and privcmd: %s",
                       strerror(errno));
    setrlimit(RLIMIT_NOFILE, &files);
    make_log_dir(consoles.log_dir);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"log-dir", required_argument, NULL, 'l'}, {0}};
    static struct source store_source, event_source, signal_source;
    struct reason why = {""};
    int opt, status = 1;

    report_as("mullion-console");
    mallopt(M_ARENA_MAX, 1);
    consoles.log_dir = LOG_DIR;
    consoles.log_limit = LOG_LIMIT;
    consoles.loop = &loop;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt != 'l') {
            report("usage: mullion-console [--log-dir DIR]");
            return 2;
        }
        consoles.log_dir = optarg;
    }
    if (open_all(&why)) {
        report("%s", why.text);
        return 1;
    }
    if (loop_init(&loop) ||
        loop_add(&loop, &signal_source, signal_fd(), EPOLLIN, on_signal, NULL) ||
        loop_add(&loop, &store_source, consoles.store->fd, EPOLLIN, on_store, NULL) ||
        loop_add(&loop, &event_source, consoles.xen->evtchn_fd, EPOLLIN, on_event, NULL)) {
        report("cannot set up the main loop: %s", strerror(errno));
        return 1;
    }
    /* The first watch starts the store library's reader thread: before the sandbox, which has no
     * clone(). */
    if (consoles.store->ops->watch(consoles.store, "@introduceDomain", "start") ||
        enter_sandbox(&why) || consoles_start(&consoles))
        report("cannot start: %s", why.text[0] ? why.text : strerror(errno));
    else
        status = loop_run(&loop);
    consoles_stop(&consoles);
    return status;
}
