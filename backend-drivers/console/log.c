/* SPDX-License-Identifier: MIT */
/* A guest's console log: see log.h. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

void log_safe_name(char *out, size_t size, const char *name)
{
    size_t i;

    for (i = 0; name[i] && i + 1 < size; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || (c == '.' && i > 0);

        out[i] = plain ? c : '_';
    }
    out[i] = '\0';
}

static void open_file(struct log *l)
{
    struct stat st;

    l->size = 0;
    l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (l->fd < 0)
        report("cannot open the console log %s: %s; this guest's output is not kept", l->path,
               strerror(errno));
    else if (fstat(l->fd, &st) == 0)
        l->size = st.st_size;
}

void log_open(struct log *l, const char *dir, const char *name, off_t limit)
{
    char safe[100];

    log_safe_name(safe, sizeof(safe), name);
    snprintf(l->path, sizeof(l->path), "%s/%s.log", dir, safe);
    l->limit = limit;
    open_file(l);
}

static void rotate(struct log *l)
{
    char old[sizeof(l->path) + 2];

    snprintf(old, sizeof(old), "%s.1", l->path);
    close(l->fd);
    if (rename(l->path, old))
        report("cannot rename %s: %s", l->path, strerror(errno));
    open_file(l);
}

void log_write(struct log *l, const char *text, size_t n)
{
    if (l->fd >= 0 && l->size > 0 && l->size + (off_t)n > l->limit)
        rotate(l);
    while (n && l->fd >= 0) {
        ssize_t done = write(l->fd, text, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            report("cannot write the console log %s: %s; this guest's output is no longer kept",
                   l->path, strerror(errno));
            log_close(l);
            return;
        }
        l->size += done;
        text += done;
        n -= (size_t)done;
    }
}

void log_close(struct log *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
