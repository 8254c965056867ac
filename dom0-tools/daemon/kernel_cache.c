/* SPDX-License-Identifier: MIT */
/* The cache and its sandboxed child; see kernel_cache.h. */
#include "kernel_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "json_write.h"
#include "log.h"
#include "loop.h"
#include "paths.h"
#include "sandbox.h"
#include "unpack.h"

#define STEP  "unpack-kernel"
#define KEEP  4
#define FRESH ".new-" /* how a file's name begins until it is whole */

struct kernel_job {
    struct watcher watcher; /* pidfd of the child */
    int report;             /* its stdout */
    char final[PATH_MAX], fresh[PATH_MAX];
    void (*done)(void *ctx, int fd, const struct failure *failure);
    void *ctx;
};

int kernel_unpack_child(void)
{
    struct failure failure = {0};
    struct json_writer *w;
    const char *text;
    size_t length;

    if (sandbox_enter(&failure) == 0 && unpack_kernel(3, 4, &failure) == 0)
        return 0;
    w = jw_new(false);
    if (w) {
        jw_failure(w, NULL, &failure);
        text = jw_text(w, &length);
        if (text)
            write_all(STDOUT_FILENO, text, length);
    }
    return 1;
}

static void cache_name(const struct stat *st, char *path, size_t size)
{
    snprintf(path, size, "%s/%llx-%llx-%llx-%llx%09lx-%llx%09lx.elf", PATH_KERNELS,
             (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
             (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec,
             st->st_mtim.tv_nsec, (unsigned long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

/* Remove the least recently made until KEEP are left. */
static void prune(void)
{
    for (;;) {
        DIR *folder = opendir(PATH_KERNELS);
        char oldest[PATH_MAX] = "";
        time_t oldest_time = 0;
        unsigned count = 0;
        struct dirent *e;

        while (folder && (e = readdir(folder))) {
            struct stat st;

            if (e->d_name[0] == '.' || fstatat(dirfd(folder), e->d_name, &st, 0) < 0)
                continue;
            count++;
            if (!oldest[0] || st.st_mtime < oldest_time) {
                oldest_time = st.st_mtime;
                snprintf(oldest, sizeof(oldest), "%s/%s", PATH_KERNELS, e->d_name);
            }
        }
        if (folder)
            closedir(folder);
        if (count <= KEEP || unlink(oldest) < 0)
            return;
    }
}

void kernel_cache_clean(void)
{
    DIR *folder = opendir(PATH_KERNELS);
    struct dirent *e;

    while (folder && (e = readdir(folder)))
        if (strncmp(e->d_name, FRESH, strlen(FRESH)) == 0)
            unlinkat(dirfd(folder), e->d_name, 0);
    if (folder)
        closedir(folder);
}

/* What the child said about its failure; it is in a sandbox, so its words are checked like
 * anyone's. */
static void read_report(int fd, struct failure *failure)
{
    struct failure ignored = {0};
    struct json_doc *doc = NULL;
    size_t size;
    char *text = NULL;

    if (file_read_fd(fd, 4096, &text, &size) == 0)
        doc = json_parse(text, size, &ignored);
    free(text);
    if (doc) {
        const struct json *root = json_root(doc);

        fail(failure, failure_from_name(json_get_string(root, "code", "")),
             json_get_string(root, "step", STEP), "/kernel/path", "%s",
             json_get_string(root, "message", ""));
        fail_hint(failure, "%s", json_get_string(root, "hint", ""));
    }
    if (failure->code == FAIL_NONE)
        fail(failure, FAIL_KERNEL_FORMAT, STEP, "/kernel/path",
             "the kernel could not be unpacked: its data made the decoder stop");
    json_free(doc);
}

static void on_child_end(struct watcher *w, uint32_t events)
{
    struct kernel_job *job = container_of(w, struct kernel_job, watcher);
    struct failure failure = {0};
    siginfo_t info = {0};
    int fd = -1;

    waitid(P_PIDFD, w->fd, &info, WEXITED);
    loop_unwatch(w);
    close(w->fd);
    if (info.si_code != CLD_EXITED || info.si_status != 0)
        read_report(job->report, &failure);
    else if (rename(job->fresh, job->final) < 0)
        fail(&failure, FAIL_IO, STEP, "/kernel/path", "cannot keep the unpacked kernel: %s",
             strerror(errno));
    else
        fd = open(job->final, O_RDONLY | O_CLOEXEC);
    if (failure.code == FAIL_NONE && fd < 0)
        fail(&failure, FAIL_IO, STEP, "/kernel/path", "cannot open the unpacked kernel: %s",
             strerror(errno));
    if (fd < 0)
        unlink(job->fresh);
    else
        prune();
    close(job->report);
    job->done(job->ctx, fd, &failure);
    free(job);
}

static pid_t spawn_child(int in, int out, int report)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    /* Move clear of 3 and 4 first, then into place. */
    in = fcntl(in, F_DUPFD, 10);
    out = fcntl(out, F_DUPFD, 10);
    dup2(report, STDOUT_FILENO);
    dup2(in, 3);
    dup2(out, 4);
    close_range(5, ~0U, 0);
    execl("/proc/self/exe", "mulliond", "--unpack-kernel", NULL);
    _exit(127);
}

static int start_job(int in, const char *final, struct kernel_job **out_job,
                     void (*done)(void *ctx, int fd, const struct failure *failure), void *ctx,
                     struct failure *failure)
{
    struct kernel_job *job = calloc(1, sizeof(*job));
    int report[2] = {-1, -1}, out = -1, pidfd = -1;
    pid_t pid = -1;

    if (!job || pipe2(report, O_CLOEXEC) < 0)
        goto failed;
    snprintf(job->final, sizeof(job->final), "%s", final);
    snprintf(job->fresh, sizeof(job->fresh), "%s/" FRESH "XXXXXX", PATH_KERNELS);
    out = mkostemp(job->fresh, O_CLOEXEC);
    if (out < 0)
        goto failed;
    pid = spawn_child(in, out, report[1]);
    if (pid > 0)
        pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        goto failed;
    close(out);
    close(report[1]);
    job->report = report[0];
    job->done = done;
    job->ctx = ctx;
    job->watcher = (struct watcher){pidfd, on_child_end};
    loop_watch(&job->watcher, EPOLLIN);
    *out_job = job;
    return KERNEL_PENDING;

failed:
    fail(failure, FAIL_IO, STEP, "/kernel/path", "cannot unpack the kernel: %s", strerror(errno));
    if (out >= 0) {
        unlink(job->fresh);
        close(out);
    }
    for (int i = 0; i < 2; i++)
        if (report[i] >= 0)
            close(report[i]);
    free(job);
    return -1;
}

int kernel_open(const char *path, struct kernel_job **job,
                void (*done)(void *ctx, int fd, const struct failure *failure), void *ctx,
                struct failure *failure)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), cached;
    char name[PATH_MAX];
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        fail(failure, FAIL_KERNEL_MISSING, "check-kernel", "/kernel/path", "cannot open %s: %s",
             path, strerror(errno));
        return -1;
    }
    if (kernel_kind(fd) == KERNEL_ELF)
        return fd;
    cache_name(&st, name, sizeof(name));
    cached = open(name, O_RDONLY | O_CLOEXEC);
    if (cached < 0) {
        log_line("unpacking %s", path);
        cached = start_job(fd, name, job, done, ctx, failure);
    }
    close(fd);
    return cached;
}
