/* SPDX-License-Identifier: MIT */
/*
 * The nodes of one domain, as libxl lays them out: home, /vm, devices with both their ends, console
 * and store rings.
 *
 * Who may what: the home directory is ours and readable by the guest; the few nodes a guest writes
 * (control/shutdown, data, its ends of devices …) are its own; a backend directory is ours and
 * readable by the guest. Invariant: one transaction makes all of it and one removes all of it, so
 * nobody ever sees a half.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "store.h"
#include "store_private.h"

#define RETRIES 100 /* of a transaction that others disturbed */

enum access {
    OURS_ONLY,      /* nobody else */
    GUEST_READS,    /* ours, the guest may read */
    GUEST_OWNS,     /* the guest's */
    GUEST_OWNS_OPEN /* the guest's, and we (as the backend's domain) may read */
};

struct writer {
    xs_transaction_t t;
    uint32_t domid;
    char base[96];
    int error;
};

static void put(struct writer *w, const char *node, const char *value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s%s", w->base, node[0] ? "/" : "", node);
    if (!w->error && !xs_write(store_handle, w->t, path, value, strlen(value)))
        w->error = -errno;
}

static void putf(struct writer *w, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void putf(struct writer *w, const char *node, const char *format, ...)
{
    char value[512];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    put(w, node, value);
}

static void make(struct writer *w, const char *node, enum access access)
{
    uint32_t own = store_own_domid();
    struct xs_permissions perms[2] = {
        {.id = access >= GUEST_OWNS ? w->domid : own, .perms = XS_PERM_NONE},
        {.id = access >= GUEST_OWNS ? own : w->domid, .perms = XS_PERM_READ},
    };
    unsigned count = access == GUEST_READS || access == GUEST_OWNS_OPEN ? 2 : 1;
    char path[256];

    put(w, node, "");
    snprintf(path, sizeof(path), "%s%s%s", w->base, node[0] ? "/" : "", node);
    if (!w->error && !xs_set_permissions(store_handle, w->t, path, perms, count))
        w->error = -errno;
}

static void write_vm(struct writer *w, const struct domain_config *c)
{
    snprintf(w->base, sizeof(w->base), "/vm/%s", c->uuid);
    make(w, "", GUEST_READS);
    put(w, "uuid", c->uuid);
    put(w, "name", c->name);
    snprintf(w->base, sizeof(w->base), "/libxl/%u", w->domid);
    make(w, "", OURS_ONLY);
    put(w, "type", "pv");
}

/* Which of its vCPUs a guest is to use: it watches these nodes. */
static void write_vcpus(struct writer *w, uint32_t vcpus, uint32_t has)
{
    char node[32];

    for (uint32_t i = 0; i < has; i++) {
        snprintf(node, sizeof(node), "cpu/%u/availability", i);
        put(w, node, i < vcpus ? "online" : "offline");
    }
}

static void write_home(struct writer *w, const struct domain_config *c,
                       const struct built_domain *b)
{
    /* cpu, memory, device and control come with their first child and inherit the home's access. */
    static const struct {
        const char *node;
        enum access access;
    } folders[] = {
        {"device/suspend/event-channel", GUEST_OWNS},
        {"control/shutdown", GUEST_OWNS},
        {"control/feature-poweroff", GUEST_OWNS},
        {"control/feature-reboot", GUEST_OWNS},
        {"control/feature-suspend", GUEST_OWNS},
        {"control/sysrq", GUEST_OWNS},
        {"data", GUEST_OWNS},
        {"drivers", GUEST_OWNS},
        {"feature", GUEST_OWNS},
        {"attr", GUEST_OWNS},
        {"error", GUEST_OWNS},
    };

    snprintf(w->base, sizeof(w->base), "/local/domain/%u", w->domid);
    make(w, "", GUEST_READS);
    putf(w, "vm", "/vm/%s", c->uuid);
    put(w, "name", c->name);
    putf(w, "domid", "%u", w->domid);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        make(w, folders[i].node, folders[i].access);
    put(w, "control/platform-feature-multiprocessor-suspend", "1");
    put(w, "control/platform-feature-xs_reset_watches", "1");
    putf(w, "memory/static-max", "%" PRIu64, c->memory >> 10);
    putf(w, "memory/target", "%" PRIu64, c->memory >> 10);
    put(w, "memory/videoram", "0");
    write_vcpus(w, c->vcpus, c->vcpus_max);
    putf(w, "store/ring-ref", "%" PRIu64, b->store_mfn);
    putf(w, "store/port", "%u", b->store_port);
}

static void write_console(struct writer *w, const struct domain_config *c,
                          const struct built_domain *b)
{
    if (c->console == CONSOLE_NONE)
        return;
    snprintf(w->base, sizeof(w->base), "/local/domain/%u/console", w->domid);
    make(w, "", GUEST_READS);
    putf(w, "ring-ref", "%" PRIu64, b->console_mfn);
    putf(w, "port", "%u", b->console_port);
    put(w, "type", "xenconsoled");
    put(w, "output", "pty");
    put(w, "limit", "1048576");
}

/* Both ends of a device up to what every kind has. Leaves w->base at the backend's directory. */
static void write_device(struct writer *w, const char *kind, uint32_t devid)
{
    char backend[96];
    uint32_t own = store_own_domid();

    store_backend_path(backend, sizeof(backend), kind, w->domid, devid, NULL);
    snprintf(w->base, sizeof(w->base), "/local/domain/%u/device/%s/%u", w->domid, kind, devid);
    make(w, "", GUEST_OWNS_OPEN);
    put(w, "backend", backend);
    putf(w, "backend-id", "%u", own);
    put(w, "state", "1");
    put(w, "trusted", "1");
}

static void write_backend(struct writer *w, const char *kind, uint32_t devid)
{
    char path[sizeof(w->base)];

    store_backend_path(path, sizeof(path), kind, w->domid, devid, NULL);
    memcpy(w->base, path, sizeof(path));
    make(w, "", GUEST_READS);
    putf(w, "frontend", "/local/domain/%u/device/%s/%u", w->domid, kind, devid);
    putf(w, "frontend-id", "%u", w->domid);
    put(w, "online", "1");
    put(w, "state", "1");
}

static void write_disk(struct writer *w, const struct disk_config *disk)
{
    uint32_t devid = disk_device_number(disk->target);

    write_device(w, "vbd", devid);
    putf(w, "virtual-device", "%u", devid);
    put(w, "device-type", "disk");
    put(w, "protocol", "x86_64-abi");
    write_backend(w, "vbd", devid);
    put(w, "params", disk->image);
    put(w, "mode", disk->mode == DISK_RO ? "r" : "w");
    put(w, "device-type", "disk");
    put(w, "dev", disk->target);
    put(w, "type", "phy");
    put(w, "removable", "0");
    put(w, "bootable", "1");
}

static void write_net(struct writer *w, const struct net_config *net, uint32_t index)
{
    write_device(w, "vif", index);
    putf(w, "handle", "%u", index);
    put(w, "mac", net->mac);
    put(w, "protocol", "x86_64-abi");
    write_backend(w, "vif", index);
    putf(w, "handle", "%u", index);
    put(w, "mac", net->mac);
    put(w, "type", "vif");
    if (net->bridge[0])
        put(w, "bridge", net->bridge);
    if (net->name[0])
        put(w, "vifname", net->name);
}

struct new_domain {
    const struct domain_config *config;
    const struct built_domain *built;
};

static void write_all_nodes(struct writer *w, const void *of)
{
    const struct new_domain *n = of;
    const struct domain_config *c = n->config;

    write_home(w, c, n->built);
    write_vm(w, c);
    write_console(w, c, n->built);
    for (uint32_t i = 0; i < c->nr_disks; i++)
        write_disk(w, &c->disks[i]);
    for (uint32_t i = 0; i < c->nr_nets; i++)
        write_net(w, &c->nets[i], i);
}

/* `write` in one transaction, again when others disturbed it. 0 or -errno. */
static int at_once(uint32_t domid, void (*write)(struct writer *w, const void *of), const void *of)
{
    int error = -EAGAIN;

    for (unsigned try = 0; error == -EAGAIN && try < RETRIES; try++) {
        struct writer w = {.t = xs_transaction_start(store_handle), .domid = domid};

        if (w.t == XBT_NULL)
            return -errno;
        write(&w, of);
        error = w.error;
        if (!xs_transaction_end(store_handle, w.t, error != 0) && !error)
            error = -errno;
    }
    return error;
}

int store_create_domain(const struct domain_config *config, const struct built_domain *built,
                        struct failure *failure)
{
    struct new_domain n = {config, built};
    int error;

    store_remove_domain(built->domid, config->uuid); /* a former owner's leavings */
    error = at_once(built->domid, write_all_nodes, &n);
    if (error)
        return fail(failure, FAIL_STORE, "write-store", "", "cannot write the domain's nodes: %s",
                    strerror(-error));
    if (!xs_introduce_domain(store_handle, built->domid, built->store_mfn, built->store_port))
        return fail(failure, FAIL_STORE, "introduce", "",
                    "xenstore did not accept the new domain: %s", strerror(errno));
    return 0;
}

struct vcpus_asked {
    uint32_t vcpus, has;
};

static void write_asked(struct writer *w, const void *of)
{
    const struct vcpus_asked *a = of;

    snprintf(w->base, sizeof(w->base), "/local/domain/%u", w->domid);
    write_vcpus(w, a->vcpus, a->has);
}

int store_ask_vcpus(uint32_t domid, uint32_t vcpus, uint32_t has)
{
    return at_once(domid, write_asked, &(struct vcpus_asked){vcpus, has});
}

static void remove_in(xs_transaction_t t, uint32_t domid, const char *uuid)
{
    static const char *const kinds[] = {"vbd", "vif"};
    char path[128];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u", store_own_domid(), kinds[i],
                 domid);
        xs_rm(store_handle, t, path);
    }
    if (uuid && uuid[0]) {
        snprintf(path, sizeof(path), "/vm/%s", uuid);
        xs_rm(store_handle, t, path);
    }
    snprintf(path, sizeof(path), "/libxl/%u", domid);
    xs_rm(store_handle, t, path);
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    xs_rm(store_handle, t, path);
}

void store_remove_domain(uint32_t domid, const char *uuid)
{
    bool done = false;

    for (unsigned try = 0; !done && try < RETRIES; try++) {
        xs_transaction_t t = xs_transaction_start(store_handle);

        if (t == XBT_NULL)
            break;
        remove_in(t, domid, uuid);
        done = xs_transaction_end(store_handle, t, false);
        if (!done && errno != EAGAIN)
            break;
    }
    if (!done)
        log_line("cannot remove the nodes of domain %u: %s", domid, strerror(errno));
}

void store_release(uint32_t domid)
{
    xs_release_domain(store_handle, domid); /* it may have noticed by itself */
}
