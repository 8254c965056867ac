/* SPDX-License-Identifier: MIT */
/*
 * lib.c: the functions of <xenstore_lib.h>: where the daemon is, writing, permission strings.
 * XENSTORED_RUNDIR and XENSTORED_PATH override the places, as with libxenstore. No state but
 * one buffer per thread.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#include "xswire/perm.h"

const char *xs_daemon_rundir(void)
{
    const char *dir = getenv("XENSTORED_RUNDIR");

    return dir ? dir : "/run/xenstored";
}

const char *xs_daemon_socket(void)
{
    static _Thread_local char path[PATH_MAX];
    const char *override = getenv("XENSTORED_PATH");

    if (override)
        return override;
    if (snprintf(path, sizeof(path), "%s/socket", xs_daemon_rundir()) >= (int)sizeof(path))
        return NULL;
    return path;
}

const char *xs_daemon_socket_ro(void)
{
    return xs_daemon_socket();
}

bool xs_write_all(int fd, const void *data, unsigned int len)
{
    const char *p = data;

    while (len) {
        ssize_t done = write(fd, p, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        len -= (unsigned int)done;
    }
    return true;
}

bool xs_strings_to_perms(struct xs_permissions *perms, unsigned int num, const char *strings)
{
    for (unsigned int i = 0; i < num; i++) {
        struct xsw_perm perm;
        size_t len = strlen(strings);

        if (!xsw_perm_parse(strings, len, &perm)) {
            errno = EINVAL;
            return false;
        }
        perms[i] = (struct xs_permissions){.id = perm.domid, .perms = perm.bits};
        strings += len + 1;
    }
    return true;
}

bool xs_path_is_subpath(const char *parent, const char *child)
{
    size_t len = strlen(parent);

    return !strncmp(parent, child, len) && (child[len] == 0 || child[len] == '/');
}
