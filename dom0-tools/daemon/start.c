/* SPDX-License-Identifier: MIT */
/*
 * From a definition to a running guest. Two halves: before the kernel is at hand (checks, perhaps a
 * child that unpacks it), and after (build, store nodes, go), which does not wait for anything.
 *
 * Invariant: whichever step fails, the hypervisor, the store, the definitions and the list are as
 * before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder.h"
#include "domain.h"
#include "kernel_cache.h"
#include "libvirt.h"
#include "log.h"
#include "paths.h"
#include "store.h"

static const struct domain_config *target_config(const struct domain *d)
{
    return d->pending ? d->pending : &d->config;
}

static void start_failed(struct domain *d, const struct failure *failure)
{
    log_line("%s: start failed in step %s: %s", target_config(d)->name, failure->step,
             failure->message);
    d->phase = PHASE_STOPPED;
    free(d->pending);
    d->pending = NULL;
    domain_set_outcome(d, OUTCOME_FAILED, "%s (%s)", failure->message, failure_name(failure->code));
    domain_record(d, false);
    domain_announce(d, "start-failed");
    domain_answer(d, failure);
    if (!d->defined)
        domain_forget(d);
}

/* Make the built domain known, in the store and on disk. */
static int publish(struct domain *d, const struct domain_config *config, struct built_domain *built,
                   struct failure *failure)
{
    uint64_t begin = now_ms(), stored;

    if (store_create_domain(config, built, failure))
        return -1;
    stored = now_ms();
    built_note_time(built, "store", stored - begin);
    if (domain_define(d, config, failure))
        return -1;
    built_note_time(built, "define", now_ms() - stored);
    return 0;
}

static int build_and_go(struct domain *d, int kernel_fd, int initrd_fd, struct built_domain *built,
                        struct failure *failure)
{
    const struct domain_config *config = target_config(d);
    struct build_request request = {config, kernel_fd, initrd_fd, store_own_domid()};
    int error;

    if (domain_build(&hyper, &request, built, failure))
        return -1;
    if (publish(d, config, built, failure) == 0) {
        d->domid = built->domid;
        d->phase = PHASE_RUNNING;
        domain_record(d, false);
        error = hyper_unpause(&hyper, built->domid);
        if (error == 0)
            return 0;
        fail(failure, FAIL_HYPERVISOR, "unpause", "", "the hypervisor did not start the domain: %s",
             strerror(-error));
    }
    store_remove_domain(built->domid, config->uuid);
    hyper_destroy(&hyper, built->domid);
    return -1;
}

static uint64_t console_log_size(const char *name)
{
    char path[192];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s.log", PATH_CONSOLE_LOG, name);
    return stat(path, &st) < 0 ? 0 : st.st_size;
}

/* The second half: everything is at hand. */
static void finish_start(struct domain *d, int kernel_fd)
{
    const struct domain_config *config = target_config(d);
    struct built_domain built;
    struct failure failure = {0};
    char path[64], token[32];
    uint64_t begin = now_ms();
    int initrd_fd = -1, result = -1;

    domain_record(d, true);
    if (config->kernel.initrd[0])
        initrd_fd = open(config->kernel.initrd, O_RDONLY | O_CLOEXEC);
    if (config->kernel.initrd[0] && initrd_fd < 0)
        fail(&failure, FAIL_INITRD_MISSING, "load-initrd", "/kernel/initrd", "cannot open %s: %s",
             config->kernel.initrd, strerror(errno));
    else
        result = build_and_go(d, kernel_fd, initrd_fd, &built, &failure);
    close(kernel_fd);
    if (initrd_fd >= 0)
        close(initrd_fd);
    if (result) {
        start_failed(d, &failure);
        return;
    }
    free(d->pending);
    d->pending = NULL;
    d->shutdown_asked = false;
    d->started_ms = now_ms();
    d->console_offset = console_log_size(d->config.name);
    domain_set_outcome(d, OUTCOME_NONE, "%s", "");
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", d->domid);
    snprintf(token, sizeof(token), "tty/%u", d->domid);
    store_watch(path, token);
    libvirt_tell(&d->config, d->domid, "");
    log_line("%s: running as domain %u after %llu ms (%s)", d->config.name, d->domid,
             (unsigned long long)(now_ms() - begin), built.times);
    domain_announce(d, "running");
    domain_answer(d, NULL);
}

static void kernel_ready(void *ctx, int fd, const struct failure *failure)
{
    struct domain *d = ctx;

    d->kernel = NULL;
    if (fd < 0)
        start_failed(d, failure);
    else
        finish_start(d, fd);
}

int domain_start(struct domain *d, struct ticket *ticket, struct failure *failure)
{
    const struct domain_config *config = target_config(d);
    int fd;

    if (domain_check(config, d, true, failure))
        return -1;
    fd = kernel_open(config->kernel.path, &d->kernel, kernel_ready, d, failure);
    if (fd == -1)
        return -1;
    d->phase = PHASE_PREPARING;
    if (ticket) {
        ticket->wait = WAIT_RUNNING;
        ticket->next = d->waiters;
        d->waiters = ticket;
        if (fd == KERNEL_PENDING)
            ticket_progress(ticket, "unpack-kernel", "unpacking the kernel, once");
    }
    if (fd != KERNEL_PENDING)
        finish_start(d, fd);
    return 0;
}
