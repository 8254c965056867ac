/* SPDX-License-Identifier: MIT */
/*
 * mulliond's use of xenstore: the nodes of a domain, written and removed in one transaction each,
 * and watches.
 *
 * The layout is libxl's (docs/architecture.md), so that kernels, xl and libvirt find what they look
 * for. All functions return 0 or -errno. When the connection dies, mulliond ends and its supervisor
 * starts it again: it is crash-only, and everything it must remember is in files.
 */
#ifndef MULLION_DAEMON_STORE_H
#define MULLION_DAEMON_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "builder.h"
#include "domain_config.h"
#include "failure.h"

/* Connect, learn our own domid, and make dom0's own nodes when nobody has. */
int store_open(uint64_t own_memory_kib, struct failure *failure);
uint32_t store_own_domid(void);
int store_fd(void);

/* A changed path and the token it was watched with; false when there is none. Never waits. */
bool store_next_event(char *path, unsigned long path_size, char *token, unsigned long token_size);
int store_watch(const char *path, const char *token);
void store_unwatch(const char *path, const char *token);

/* The value of a node: false when it is absent. */
bool store_read(const char *path, char *value, unsigned long size);
int store_write(const char *path, const char *value);
bool store_exists(const char *path);

/* Call `each` with the name of each child. */
void store_children(const char *path, void (*each)(void *ctx, const char *name), void *ctx);

/* Everything a new domain and its devices need, then introduce it. */
int store_create_domain(const struct domain_config *config, const struct built_domain *built,
                        struct failure *failure);

/* Ask a running guest to use the first `vcpus` of the `has` vCPUs that it was made with. 0 or
 * -errno. */
int store_ask_vcpus(uint32_t domid, uint32_t vcpus, uint32_t has);

/* Remove every node of a domain, those of its backends here included. */
void store_remove_domain(uint32_t domid, const char *uuid);

/* The hypervisor's domain is destroyed: let the store drop its ring now rather than at the next
 * exception. */
void store_release(uint32_t domid);

/* "/local/domain/<own>/backend/<kind>/<domid>/<devid>[/node]" */
void store_backend_path(char *path, unsigned long size, const char *kind, uint32_t domid,
                        uint32_t devid, const char *node);

#endif
