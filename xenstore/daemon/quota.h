/* SPDX-License-Identifier: MIT */
/*
 * quota.h: what one unprivileged domain may use, as a table of names and values.
 *
 * Defaults are Xen's. They can be changed at run time, for all domains or for one
 * (CONTROL quota). A lowered limit only refuses what is new. Limits do not apply to dom0.
 */
#ifndef XSD_QUOTA_H
#define XSD_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum quota_name {
    QUOTA_NODES,
    QUOTA_WATCHES,
    QUOTA_TRANSACTIONS,
    QUOTA_OUTSTANDING,
    QUOTA_TRANSACTION_NODES,
    QUOTA_MEMORY,
    QUOTA_NODE_SIZE,
    QUOTA_PATH_MAX,
    QUOTA_PERMISSIONS,
    QUOTA_MEMORY_SOFT,
    QUOTA_COUNT
};

/** One row per quota: its name for CONTROL, Xen's default, and what it counts. A soft one refuses
 * nothing: the log says who is over it. */
struct quota_def {
    const char *name;
    uint32_t initial;
    const char *help;
    bool soft;
};

extern const struct quota_def quota_defs[QUOTA_COUNT];

/** Values for all domains, or (with `set`) those of one domain that differ. */
struct quota {
    uint32_t limit[QUOTA_COUNT];
    uint32_t set; /* bit per enum quota_name; unused in the global one */
};

void quota_init(struct quota *global);

/** The hard or soft quota of that name, or -1. */
int quota_find(const char *name, size_t len, bool soft);

/** The limit that holds for a domain (own may be NULL). 0 means unlimited. */
static inline uint32_t quota_limit(const struct quota *global, const struct quota *own,
                                   enum quota_name q)
{
    return own && (own->set >> q & 1) ? own->limit[q] : global->limit[q];
}

#endif
