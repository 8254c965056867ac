/* SPDX-License-Identifier: MIT */
/*
 * mullion unpack-kernel: a bzImage (or packed ELF) to the ELF that the hypervisor loads as dom0's
 * kernel. Needs no Xen: the build host runs it too. The work is done behind a seccomp filter.
 */
#include "../build/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "sandbox.h"

/* The sandbox is for good, and we must still rename the result: a child does the work. It hands its
 * failure back as bytes through a pipe. */
static int unpack_in_child(int in, int out, struct failure *failure)
{
    struct failure report = {0};
    int channel[2], status = 0;
    ssize_t got;
    pid_t pid;

    if (pipe2(channel, O_CLOEXEC) < 0)
        return fail(failure, FAIL_RESOURCES, "unpack-kernel", "", "cannot make a pipe: %s",
                    strerror(errno));
    pid = fork();
    if (pid == 0) {
        if (sandbox_enter(&report) == 0)
            unpack_kernel(in, out, &report);
        _exit(write(channel[1], &report, sizeof(report)) != sizeof(report));
    }
    close(channel[1]);
    got = pid < 0 ? -1 : read(channel[0], &report, sizeof(report));
    close(channel[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (got != sizeof(report))
        return fail(failure, FAIL_KERNEL_FORMAT, "unpack-kernel", "",
                    "the image made its decoder stop (status %d)", status);
    /* it comes from the sandbox: end its strings before they are used */
    report.step[sizeof(report.step) - 1] = report.where[sizeof(report.where) - 1] = 0;
    report.message[sizeof(report.message) - 1] = report.hint[sizeof(report.hint) - 1] = 0;
    *failure = report;
    return failure->code == FAIL_NONE ? 0 : -1;
}

int run_unpack_kernel(struct client *c, const struct options *o, struct failure *failure)
{
    const char *source = o->argument[0], *target = o->argument[1];
    char fresh[4096];
    int in, out, result;

    in = open(source, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return fail(failure, FAIL_KERNEL_MISSING, "unpack-kernel", source, "cannot open it: %s",
                    strerror(errno));
    if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", target) >= sizeof(fresh))
        return fail(failure, FAIL_IO, "unpack-kernel", target, "the path is too long");
    out = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out < 0) {
        close(in);
        return fail(failure, FAIL_IO, "unpack-kernel", fresh, "cannot write it: %s",
                    strerror(errno));
    }
    result = unpack_in_child(in, out, failure);
    if (result && !failure->where[0])
        snprintf(failure->where, sizeof(failure->where), "%.180s", source);
    if (!result && rename(fresh, target) < 0)
        result = fail(failure, FAIL_IO, "unpack-kernel", target, "cannot name the result: %s",
                      strerror(errno));
    if (result)
        unlink(fresh);
    close(in);
    close(out);
    return result;
}
