/* SPDX-License-Identifier: MIT */
/* inherit.c: see inherit.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "alloc.h"
#include "inherit.h"

/* All open descriptors above 2, the caller frees; -1 ends them. */
static int *open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int *fds = xmalloc(sizeof(int)), n = 0;
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        int fd = atoi(e->d_name);

        if (fd <= 2 || fd == dirfd(dir))
            continue;
        fds = xrealloc(fds, (size_t)n + 2, sizeof(int));
        fds[n++] = fd;
    }
    fds[n] = -1;
    if (dir)
        closedir(dir);
    return fds;
}

static bool bound_to(int fd, const char *path)
{
    struct sockaddr_un addr = {0};
    socklen_t len = sizeof(addr) - 1;

    return !getsockname(fd, (struct sockaddr *)&addr, &len) && addr.sun_family == AF_UNIX &&
           !strcmp(addr.sun_path, path);
}

static bool listens(int fd)
{
    int yes = 0;
    socklen_t len = sizeof(yes);

    return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) && yes;
}

static bool is_one_of(int fd, const int *set, int n)
{
    for (int i = 0; i < n; i++)
        if (set[i] == fd)
            return true;
    return false;
}

void inherit_sockets(struct inherited *in, const char *path, const int *keep, int kept)
{
    int *fds = open_fds();

    *in = (struct inherited){.listener = -1};
    for (int *fd = fds; *fd >= 0; fd++) {
        if (is_one_of(*fd, keep, kept))
            continue;
        if (!bound_to(*fd, path)) {
            close(*fd);
        } else if (listens(*fd)) {
            in->listener = *fd;
        } else {
            in->client = xrealloc(in->client, in->n + 1, sizeof(int));
            in->client[in->n++] = *fd;
        }
    }
    free(fds);
}

void inherit_pass_on(void)
{
    int *fds = open_fds();

    for (int *fd = fds; *fd >= 0; fd++)
        fcntl(*fd, F_SETFD, 0);
    free(fds);
}

int inherit_file(const char *path)
{
    int *fds = open_fds(), found = -1;
    struct stat want, st;

    for (int *fd = fds; *fd >= 0 && found < 0; fd++)
        if (!stat(path, &want) && !fstat(*fd, &st) && st.st_dev == want.st_dev &&
            st.st_ino == want.st_ino)
            found = *fd;
    free(fds);
    return found;
}
