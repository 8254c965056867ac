/* SPDX-License-Identifier: MIT */
/* Memory that outlives the process: see journal.h. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sticky and for the backends' group alone: each backend may remove its own file and nobody else's.
 */
static int make_dir(const char *dir, gid_t gid)
{
    char parent[sizeof(JOURNAL_DIR) + 64];
    char *slash;

    if ((size_t)snprintf(parent, sizeof(parent), "%s", dir) >= sizeof(parent))
        return -ENAMETOOLONG;
    slash = strrchr(parent, '/');
    if (slash && slash != parent) {
        *slash = '\0';
        mkdir(parent, 0755); /* /run/mullion, when mulliond has not made it */
    }
    if (mkdir(dir, 01770)) {
        if (errno != EEXIST)
            return -errno;
        return 0;
    }
    return chown(dir, 0, gid) || chmod(dir, 01770) ? -errno : 0;
}

int journal_open(struct journal *j, const char *dir, const char *name, size_t bytes, uid_t uid,
                 gid_t gid, struct reason *why)
{
    struct stat st;
    int fd, err;

    *j = (struct journal){.bytes = bytes};
    snprintf(j->path, sizeof(j->path), "%s/%s", dir, name);
    err = geteuid() == 0 ? make_dir(dir, gid) : 0;
    if (err)
        return because(why, err, "cannot make %s: %s", dir, strerror(-err));
    fd = open(j->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return because(why, -errno, "cannot open the journal %s: %s", j->path, strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (st.st_uid != uid && st.st_uid != geteuid())) {
        close(fd);
        return because(why, -EPERM, "%s is not this device's journal: remove it", j->path);
    }
    if ((geteuid() == 0 && st.st_uid != uid && fchown(fd, uid, gid)) || ftruncate(fd, (off_t)bytes))
        err = -errno;
    if (!err) {
        j->head = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (j->head == MAP_FAILED) {
            err = -errno;
            j->head = NULL;
        }
    }
    close(fd);
    if (err)
        return because(why, err, "cannot map the journal %s: %s", j->path, strerror(-err));
    if (j->head->bytes != bytes)
        journal_end(j);
    return 0;
}

uint64_t journal_begin(struct journal *j)
{
    uint64_t epoch = 0;

    journal_end(j);
    memset(j->head + 1, 0, j->bytes - sizeof(*j->head));
    while (epoch == 0)
        if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch))
            epoch = 0;
    j->head->bytes = (uint32_t)j->bytes;
    __atomic_store_n(&j->head->epoch, epoch, __ATOMIC_RELEASE);
    return epoch;
}

void journal_end(struct journal *j)
{
    __atomic_store_n(&j->head->epoch, 0, __ATOMIC_RELEASE);
}

void journal_remove(struct journal *j)
{
    if (j->head) {
        journal_end(j);
        unlink(j->path);
    }
}

void journal_close(struct journal *j)
{
    if (j->head)
        munmap(j->head, j->bytes);
    j->head = NULL;
}
