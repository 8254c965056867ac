/* SPDX-License-Identifier: MIT */
/* The log of log.h. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file.h"

#define LIMIT (8 << 20)

static char log_path[PATH_MAX];
static int fd = STDERR_FILENO;

int log_open(const char *path)
{
    int fresh = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    if (fresh < 0)
        return -errno;
    if (fd != STDERR_FILENO)
        close(fd);
    fd = fresh;
    snprintf(log_path, sizeof(log_path), "%s", path);
    return 0;
}

int log_fd(void)
{
    return fd;
}

static void rotate_when_large(void)
{
    char old[PATH_MAX + 4];
    struct stat st;

    if (!log_path[0] || fstat(fd, &st) < 0 || st.st_size < LIMIT)
        return;
    snprintf(old, sizeof(old), "%s.1", log_path);
    if (rename(log_path, old) == 0)
        log_open(log_path);
}

void log_line(const char *format, ...)
{
    char line[1024];
    struct timespec t;
    struct tm utc;
    va_list args;
    int head, body;

    rotate_when_large();
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &utc);
    head = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    head += snprintf(line + head, sizeof(line) - head, ".%03ldZ ", t.tv_nsec / 1000000);
    va_start(args, format);
    body = vsnprintf(line + head, sizeof(line) - head - 1, format, args);
    va_end(args);
    if (body > (int)sizeof(line) - head - 2)
        body = sizeof(line) - head - 2;
    line[head + body] = '\n';
    write_all(fd, line, head + body + 1);
}
