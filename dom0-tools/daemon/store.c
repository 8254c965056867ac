/* SPDX-License-Identifier: MIT */
/* Connection, watches and small reads of store.h; the domain's nodes are in store_domain.c. */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "log.h"
#include "store_private.h"

struct xs_handle *store_handle;
static uint32_t own_domid;

uint32_t store_own_domid(void)
{
    return own_domid;
}

int store_fd(void)
{
    return xs_fileno(store_handle);
}

/* A broken connection cannot be told from an absent node by the callers, and must not be. */
static void check_connection(void)
{
    if (errno != EBADF && errno != EPIPE && errno != ECONNRESET && errno != ENOTCONN &&
        errno != EIO)
        return;
    log_line("the connection to xenstore is lost (%s): ending, to be started again",
             strerror(errno));
    exit(1);
}

static void write_if_absent(const char *path, const char *value)
{
    if (!store_exists(path))
        store_write(path, value);
}

/* What xen-init-dom0 writes on a machine that has it. */
static void init_own_nodes(uint64_t memory_kib)
{
    char number[24];

    write_if_absent("/local/domain/0/domid", "0");
    write_if_absent("/local/domain/0/name", "Domain-0");
    write_if_absent("/local/pool/0/name", "Pool-0");
    snprintf(number, sizeof(number), "%" PRIu64, memory_kib);
    write_if_absent("/local/domain/0/memory/target", number);
    write_if_absent("/local/domain/0/memory/static-max", number);
}

/* The folders that the first domain would leave behind: there from the start, so that create and
 * destroy return the tree to exactly what it was. */
static void make_parents(void)
{
    static const char *const parents[] = {"backend/vbd", "backend/vif"};
    char path[64];

    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", own_domid, parents[i]);
        xs_mkdir(store_handle, XBT_NULL, path);
    }
    xs_mkdir(store_handle, XBT_NULL, "/vm");
    xs_mkdir(store_handle, XBT_NULL, "/libxl");
}

int store_open(uint64_t own_memory_kib, struct failure *failure)
{
    char value[16];

    store_handle = xs_open(0);
    if (!store_handle) {
        fail(failure, FAIL_STORE, "connect", NULL, "cannot reach xenstore: %s", strerror(errno));
        return fail_hint(failure, "start mullion-xenstored first");
    }
    if (store_read("domid", value, sizeof(value)))
        own_domid = strtoul(value, NULL, 10);
    if (own_domid == 0)
        init_own_nodes(own_memory_kib);
    make_parents();
    return 0;
}

bool store_next_event(char *path, unsigned long path_size, char *token, unsigned long token_size)
{
    char **event;

    errno = 0;
    event = xs_check_watch(store_handle);
    if (!event) {
        check_connection();
        return false;
    }
    snprintf(path, path_size, "%s", event[XS_WATCH_PATH]);
    snprintf(token, token_size, "%s", event[XS_WATCH_TOKEN]);
    free(event);
    return true;
}

int store_watch(const char *path, const char *token)
{
    return xs_watch(store_handle, path, token) ? 0 : -errno;
}

void store_unwatch(const char *path, const char *token)
{
    xs_unwatch(store_handle, path, token);
}

bool store_read(const char *path, char *value, unsigned long size)
{
    unsigned length;
    char *text = xs_read(store_handle, XBT_NULL, path, &length);

    if (!text) {
        check_connection();
        return false;
    }
    snprintf(value, size, "%s", text);
    free(text);
    return true;
}

bool store_exists(const char *path)
{
    unsigned length;
    char *text = xs_read(store_handle, XBT_NULL, path, &length);

    if (!text)
        check_connection();
    free(text);
    return text != NULL;
}

int store_write(const char *path, const char *value)
{
    return xs_write(store_handle, XBT_NULL, path, value, strlen(value)) ? 0 : -errno;
}

void store_children(const char *path, void (*each)(void *ctx, const char *name), void *ctx)
{
    unsigned count = 0;
    char **names = xs_directory(store_handle, XBT_NULL, path, &count);

    for (unsigned i = 0; names && i < count; i++)
        each(ctx, names[i]);
    free(names);
}

void store_backend_path(char *path, unsigned long size, const char *kind, uint32_t domid,
                        uint32_t devid, const char *node)
{
    snprintf(path, size, "/local/domain/%u/backend/%s/%u/%u%s%s", own_domid, kind, domid, devid,
             node ? "/" : "", node ? node : "");
}
