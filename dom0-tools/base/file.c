/* SPDX-License-Identifier: MIT */
/* Whole-file reads and crash-safe replacement; see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_fd(int fd, size_t limit, char **text, size_t *size)
{
    size_t used = 0, room = 4096;
    char *buffer = malloc(room + 1);

    if (!buffer)
        return -ENOMEM;
    for (;;) {
        ssize_t got = read(fd, buffer + used, room - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = -errno;

            free(buffer);
            return error;
        }
        if (got == 0)
            break;
        used += got;
        if (used > limit) {
            free(buffer);
            return -EFBIG;
        }
        if (used == room) {
            char *larger = realloc(buffer, room * 2 + 1);

            if (!larger) {
                free(buffer);
                return -ENOMEM;
            }
            buffer = larger;
            room *= 2;
        }
    }
    buffer[used] = 0;
    *text = buffer;
    *size = used;
    return 0;
}

int file_read(const char *path, size_t limit, char **text, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error;

    if (fd < 0)
        return -errno;
    error = file_read_fd(fd, limit, text, size);
    close(fd);
    return error;
}

int write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size) {
        ssize_t put = write(fd, at, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        at += put;
        size -= put;
    }
    return 0;
}

static int sync_folder_of(const char *path)
{
    char copy[PATH_MAX];
    int fd, error = 0;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* Some file systems (tmpfs is fine, some overlays are not) cannot sync a folder; the rename
     * stands anyway. */
    if (fsync(fd) < 0 && errno != EINVAL)
        error = -errno;
    close(fd);
    return error;
}

int file_replace(const char *path, const char *text, size_t size)
{
    char fresh[PATH_MAX];
    int fd, error;

    if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
        return -ENAMETOOLONG;
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    error = write_all(fd, text, size);
    if (!error && fsync(fd) < 0)
        error = -errno;
    close(fd);
    if (!error && rename(fresh, path) < 0)
        error = -errno;
    if (error) {
        unlink(fresh);
        return error;
    }
    return sync_folder_of(path);
}

int make_folders(const char *path)
{
    char part[PATH_MAX];

    if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
        return -ENAMETOOLONG;
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (!slash)
            return 0;
        *slash = '/';
    }
}
