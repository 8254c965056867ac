/* SPDX-License-Identifier: MIT */
/*
 * mulliond: owns this host's domains. Start-up is one list: become the only one, open the
 * hypervisor, the store and the API, take over what runs, then serve events. It may be killed at
 * any instant and started again: guests, their backends and the console go on meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "backends.h"
#include "domain.h"
#include "file.h"
#include "kernel_cache.h"
#include "log.h"
#include "loop.h"
#include "ops.h"
#include "paths.h"
#include "process.h"
#include "store.h"
#include "version.h"

static int become_the_only_one(struct failure *failure)
{
    int fd = open(PATH_RUN "/mulliond.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(failure, FAIL_IO, "lock", PATH_RUN, "cannot make the lock file: %s",
                    strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        fail(failure, FAIL_IO, "lock", PATH_RUN "/mulliond.lock", "mulliond runs already");
        return fail_hint(failure, "mullion list talks to it");
    }
    return 0; /* held until we end */
}

static int make_room(struct failure *failure)
{
    static const char *const folders[] = {PATH_DEFINITIONS, PATH_KERNELS,
                                          PATH_CONSOLE_LOG, PATH_RECORDS,
                                          PATH_PROCESSES,   "/var/lib/mullion/images"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        int error = make_folders(folders[i]);

        if (error)
            return fail(failure, FAIL_IO, "start", folders[i], "cannot make the folder: %s",
                        strerror(-error));
    }
    return 0;
}

static int open_hypervisor(uint64_t *own_memory_kib, struct failure *failure)
{
    int error = hyper_open(&hyper);
    domain_info self;

    if (error) {
        fail(failure, FAIL_HYPERVISOR, "start", "/dev/xen/privcmd",
             "cannot reach the hypervisor: %s", strerror(-error));
        return fail_hint(failure,
                         "this must be the control domain, with the xen-privcmd module loaded");
    }
    error = hyper_info(&hyper, 0, &self);
    if (error) {
        fail(failure, FAIL_HYPERVISOR, "start", "", "the hypervisor refused us: %s",
             strerror(-error));
        return fail_hint(failure, "its control interface must be that of Xen 4.17, and this dom0");
    }
    *own_memory_kib = self.tot_pages * 4;
    return 0;
}

static void handle_store_event(const char *path, const char *token)
{
    uint32_t domid;

    if (strcmp(token, "release") == 0)
        domains_reconcile();
    else if (sscanf(token, "tty/%u", &domid) == 1)
        console_tty_changed(domid);
    else
        backends_changed(token, path);
}

/* Before each wait, not only when the descriptor is readable: the client library may have read
 * events along with the answer to a request. */
static void drain_store(void)
{
    char path[256], token[64];

    while (store_next_event(path, sizeof(path), token, sizeof(token)))
        handle_store_event(path, token);
}

static void store_ready(struct watcher *w, uint32_t events)
{
    drain_store();
}

static void on_signal(struct watcher *w, uint32_t events)
{
    struct signalfd_siginfo info;

    if (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
        log_line("ending on signal %u; domains and their backends go on", info.ssi_signo);
        loop_stop();
    }
}

static void catch_signals(void)
{
    static struct watcher watcher = {.ready = on_signal};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    watcher.fd = signalfd(-1, &set, SFD_CLOEXEC);
    loop_watch(&watcher, EPOLLIN);
}

static int start(struct failure *failure)
{
    static struct watcher store_watcher = {.ready = store_ready};
    uint64_t own_memory = 0;
    int error;

    umask(022);
    if (make_room(failure) || become_the_only_one(failure))
        return -1;
    error = log_open(PATH_LOG);
    if (error)
        return fail(failure, FAIL_IO, "start", PATH_LOG, "cannot open the log: %s",
                    strerror(-error));
    error = loop_open();
    if (error)
        return fail(failure, FAIL_RESOURCES, "start", "", "cannot make an event loop: %s",
                    strerror(-error));
    catch_signals(); /* first: libxenstore's thread inherits the mask */
    if (open_hypervisor(&own_memory, failure) || store_open(own_memory, failure))
        return -1;
    log_line("mulliond %s, pid %d", MULLION_VERSION, getpid());
    kernel_cache_clean();
    process_set_folder(PATH_PROCESSES);
    store_watcher.fd = store_fd();
    if (loop_watch(&store_watcher, EPOLLIN) || store_watch("@releaseDomain", "release"))
        return fail(failure, FAIL_STORE, "start", "@releaseDomain", "cannot watch the store");
    backends_open();
    if (domains_recover(failure))
        return -1;
    return api_open(PATH_SOCKET, failure);
}

/* Tell whoever started us that requests are answered from now on. */
static void say_ready(int fd)
{
    if (fd < 0)
        return;
    write_all(fd, "\n", 1);
    close(fd);
}

int main(int argc, char **argv)
{
    struct failure failure = {0};
    char text[1200];
    int ready_fd = -1;

    if (argc == 2 && strcmp(argv[1], "--unpack-kernel") == 0)
        return kernel_unpack_child();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("mulliond %s\n", MULLION_VERSION);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--ready-fd") == 0 && argv[2][0] >= '0' && argv[2][0] <= '9') {
        ready_fd = atoi(argv[2]);
        fcntl(ready_fd, F_SETFD, FD_CLOEXEC); /* children must not hold it open */
    } else if (argc != 1) {
        fprintf(stderr, "usage: mulliond [--version | --ready-fd N]\n"
                        "Runs in the foreground; mullion(1) talks to it on " PATH_SOCKET ".\n"
                        "A newline is written to descriptor N when it listens.\n");
        return 2;
    }
    if (start(&failure)) {
        fprintf(stderr, "mulliond: %s\n", failure_render(&failure, text, sizeof(text)));
        log_line("cannot start: %s", failure.message);
        return 1;
    }
    say_ready(ready_fd);
    loop_run(drain_store);
    unlink(PATH_SOCKET);
    return 0;
}
