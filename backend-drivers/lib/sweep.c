/* SPDX-License-Identifier: MIT */
/*
 * Cleaning up after backends that were killed and whose device was removed before a successor could
 * see to it: their journals, and what those name (a network interface's link). Each backend does it
 * for its class when it starts, while it still may.
 *
 * A backend that is alive but has not noticed yet that its device is gone is not disturbed: its
 * link is busy, and it needs its journal no more.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "device.h"

/* Is `name` the journal of a device of this class that no toolstack knows any more? Fills in which.
 */
static bool is_stale(const struct device *dev, const char *name, struct device *stale)
{
    size_t n = strlen(dev->driver->class);
    char path[STORE_PATH];
    char *there;
    int end = 0;

    if (strncmp(name, dev->driver->class, n) || !strcmp(name, dev->name) ||
        sscanf(name + n, "-%5u-%10u%n", &stale->domid, &stale->devid, &end) != 2 ||
        name[n + (size_t)end])
        return false;
    snprintf(stale->name, sizeof(stale->name), "%s-%u-%u", dev->driver->class, stale->domid,
             stale->devid);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u/%u", dev->own_domid,
             dev->driver->class, stale->domid, stale->devid);
    there = dev->store->ops->read(dev->store, path);
    if (there) {
        free(there);
        return false;
    }
    return !strcmp(name, stale->name);
}

void device_sweep(struct device *dev, const char *journal_dir)
{
    DIR *dir = opendir(journal_dir);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        struct device stale = {.driver = dev->driver};
        struct reason why;

        if (!is_stale(dev, e->d_name, &stale) ||
            journal_open(&stale.journal, journal_dir, stale.name, dev->driver->journal_bytes,
                         SANDBOX_UID + stale.domid, SANDBOX_GID, &why))
            continue;
        report("removing what a killed backend left of %s", stale.name);
        if (dev->driver->forget)
            dev->driver->forget(&stale);
        journal_remove(&stale.journal);
        journal_close(&stale.journal);
    }
    if (dir)
        closedir(dir);
}
