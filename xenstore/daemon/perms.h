/* SPDX-License-Identifier: MIT */
/*
 * perms.h: permission lists: immutable, shared between nodes by reference count.
 *
 * Entry 0 names the owner (who may do everything) and what domains not listed may do; entries
 * 1.. grant to one domain each, the first match counts. A list bears the generation at which it
 * was set: an entry of a domain that was born later (a reused domid) does not count, so nobody
 * inherits the rights of the dead and no tree has to be searched when a domain dies.
 */
#ifndef XSD_PERMS_H
#define XSD_PERMS_H

#include <stdbool.h>
#include <stdint.h>

#include "xswire/perm.h"

/* Besides XSW_PERM_READ and XSW_PERM_WRITE: */
#define PERM_OWNER  0x08 /* may change permissions */
#define PERM_IGNORE 0x10 /* set in an entry whose domain did not exist when it was given */

/** An immutable list. */
struct perms {
    uint32_t refs;
    uint32_t n;
    uint64_t stamp;
    struct xsw_perm p[];
};

struct store;

/** Who asks: a connection's domain, and the domain it acts for (SET_TARGET) if any. */
struct who {
    uint16_t domid;
    bool has_target;
    uint16_t target;
};

struct perms *perms_new(const struct xsw_perm *p, uint32_t n, uint64_t stamp);
struct perms *perms_ref(struct perms *perms);
void perms_unref(struct perms *perms);

/** The permissions of a node created below one with `parent`: the same, owned by who. New ref. */
struct perms *perms_inherit(struct perms *parent, const struct who *who);

/** What who may do: XSW_PERM_READ | XSW_PERM_WRITE | PERM_OWNER. */
unsigned int perms_for(const struct store *s, const struct who *who, const struct perms *perms);

/** dom0 may do everything; quotas do not apply to it. */
static inline bool who_is_privileged(const struct who *who)
{
    return who->domid == 0;
}

#endif
