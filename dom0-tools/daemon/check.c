/* SPDX-License-Identifier: MIT */
/*
 * The checks before anything is built: does everything that the document names exist, is it free,
 * does it fit? Each names the key of the document that is wrong. Nothing here changes anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain.h"

#define PAGE 4096ULL
#define OVERHEAD_PAGES \
    512 /* what the hypervisor takes for the domain itself: tables, vCPUs, grant frames */

static int check_file(const char *path, enum failure_code code, const char *step, const char *where,
                      const char *what, int mode, struct stat *st, struct failure *failure)
{
    if (stat(path, st) < 0) {
        fail(failure, code, step, where, "the %s %s cannot be used: %s", what, path,
             strerror(errno));
        return fail_hint(failure, "create the file in dom0 or correct %s", where);
    }
    if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
        return fail(failure, code, step, where, "the %s %s is neither a file nor a block device",
                    what, path);
    if (access(path, mode) < 0)
        return fail(failure, code, step, where, "the %s %s cannot be opened: %s", what, path,
                    strerror(errno));
    return 0;
}

static bool same_storage(const struct stat *a, const struct stat *b)
{
    if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
        return a->st_rdev == b->st_rdev;
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Two writers, or a writer and a reader, on one image destroy each other's data. */
static int check_image_free(const struct disk_config *disk, const struct stat *st,
                            const struct domain *self, const char *where, struct failure *failure)
{
    for (struct domain *d = domains; d; d = d->next) {
        if (d == self || d->phase == PHASE_STOPPED)
            continue;
        for (uint32_t i = 0; i < d->config.nr_disks; i++) {
            const struct disk_config *other = &d->config.disks[i];
            struct stat used;

            if (disk->mode == DISK_RO && other->mode == DISK_RO)
                continue;
            if (stat(other->image, &used) == 0 && same_storage(st, &used)) {
                fail(failure, FAIL_IMAGE_BUSY, "check-images", where,
                     "the image %s is in use by the domain \"%s\"", disk->image, d->config.name);
                return fail_hint(failure,
                                 "give each domain an image of its own, or make both \"ro\"");
            }
        }
    }
    return 0;
}

static int check_disks(const struct domain_config *c, const struct domain *self,
                       struct failure *failure)
{
    struct stat st[DOMAIN_MAX_DISKS];
    char where[32];

    for (uint32_t i = 0; i < c->nr_disks; i++) {
        const struct disk_config *disk = &c->disks[i];
        int mode = disk->mode == DISK_RO ? R_OK : R_OK | W_OK;

        snprintf(where, sizeof(where), "/disks/%u/image", i);
        if (check_file(disk->image, FAIL_IMAGE_MISSING, "check-images", where, "image", mode,
                       &st[i], failure) ||
            check_image_free(disk, &st[i], self, where, failure))
            return -1;
        for (uint32_t j = 0; j < i; j++)
            if ((disk->mode == DISK_RW || c->disks[j].mode == DISK_RW) &&
                same_storage(&st[i], &st[j]))
                return fail(failure, FAIL_IMAGE_BUSY, "check-images", where,
                            "disk %u is the same image", j);
    }
    return 0;
}

static int check_bridges(const struct domain_config *c, struct failure *failure)
{
    char path[64], where[32];

    for (uint32_t i = 0; i < c->nr_nets; i++) {
        if (!c->nets[i].bridge[0])
            continue;
        snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", c->nets[i].bridge);
        snprintf(where, sizeof(where), "/nets/%u/bridge", i);
        if (access(path, F_OK) < 0) {
            fail(failure, FAIL_BRIDGE_MISSING, "check-nets", where,
                 "dom0 has no bridge named \"%s\"", c->nets[i].bridge);
            return fail_hint(failure, "make it: ip link add %s type bridge && ip link set %s up",
                             c->nets[i].bridge, c->nets[i].bridge);
        }
    }
    return 0;
}

/* Each CPU that the affinity names is there. */
static int check_cpus(const struct affinity_config *a, struct failure *failure)
{
    static const char *const where[] = {"/cpu/affinity/hard", "/cpu/affinity/soft"};
    struct xen_sysctl_physinfo info;
    int error = hyper_physinfo(&hyper, &info);
    struct cpu_set set;
    uint32_t last = 0;

    if (error)
        return fail(failure, FAIL_HYPERVISOR, "check-cpus", "/cpu/affinity",
                    "cannot ask the hypervisor for its CPUs: %s", strerror(-error));
    for (unsigned i = 0; i < 2; i++)
        if (parse_cpu_list(i ? a->soft : a->hard, &set, &last) && last > info.max_cpu_id)
            return fail(failure, FAIL_CPU_MISSING, "check-cpus", where[i],
                        "there is no CPU %u; this host has 0 to %u", last, info.max_cpu_id);
    return 0;
}

static int check_memory(const struct domain_config *c, struct failure *failure)
{
    struct xen_sysctl_physinfo info;
    uint64_t need = c->memory / PAGE + OVERHEAD_PAGES, have;
    int error = hyper_physinfo(&hyper, &info);

    if (error)
        return fail(failure, FAIL_HYPERVISOR, "check-memory", "/memory",
                    "cannot ask the hypervisor for free memory: %s", strerror(-error));
    have =
        info.free_pages - (info.outstanding_pages < info.free_pages ? info.outstanding_pages : 0);
    if (need <= have)
        return 0;
    fail(failure, FAIL_MEMORY_UNAVAILABLE, "check-memory", "/memory",
         "the domain needs %llu MiB, but only %llu MiB are free",
         (unsigned long long)(need * PAGE >> 20), (unsigned long long)(have * PAGE >> 20));
    return fail_hint(failure, "lower \"memory\" or stop another domain (mullion list)");
}

int domain_check(const struct domain_config *config, const struct domain *self, bool memory,
                 struct failure *failure)
{
    const struct kernel_config *k = &config->kernel;
    struct stat st;

    if (check_file(k->path, FAIL_KERNEL_MISSING, "check-kernel", "/kernel/path", "kernel", R_OK,
                   &st, failure))
        return -1;
    if (k->initrd[0] && check_file(k->initrd, FAIL_INITRD_MISSING, "check-kernel", "/kernel/initrd",
                                   "initrd", R_OK, &st, failure))
        return -1;
    if (check_disks(config, self, failure) || check_bridges(config, failure) ||
        check_cpus(&config->cpu.affinity, failure))
        return -1;
    return memory ? check_memory(config, failure) : 0;
}
