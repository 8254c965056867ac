/* SPDX-License-Identifier: MIT */
/* quota.c: the table of quotas; see quota.h. */
#include <stdint.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#include "quota.h"

const struct quota_def quota_defs[QUOTA_COUNT] = {
    [QUOTA_NODES] = {"nodes", 1000, "Nodes per domain"},
    [QUOTA_WATCHES] = {"watches", 128, "Watches per domain"},
    [QUOTA_TRANSACTIONS] = {"transactions", 10, "Transactions per domain"},
    [QUOTA_OUTSTANDING] = {"outstanding", 20, "Outstanding requests per domain"},
    [QUOTA_TRANSACTION_NODES] = {"transaction-nodes", 1024,
                                 "Max. number of accessed nodes per transaction"},
    [QUOTA_MEMORY] = {"memory", 2560 * 1024, "Total Xenstore memory per domain (error level)"},
    [QUOTA_NODE_SIZE] = {"node-size", 2048, "Max. size of a node"},
    [QUOTA_PATH_MAX] = {"path-max", XENSTORE_REL_PATH_MAX, "Max. length of a node path"},
    [QUOTA_PERMISSIONS] = {"permissions", 5, "Max. number of permissions per node"},
    [QUOTA_MEMORY_SOFT] = {"memory", 2048 * 1024, "Total Xenstore memory per domain (soft level)",
                           true},
};

void quota_init(struct quota *global)
{
    for (int q = 0; q < QUOTA_COUNT; q++)
        global->limit[q] = quota_defs[q].initial;
    global->set = 0;
}

int quota_find(const char *name, size_t len, bool soft)
{
    for (int q = 0; q < QUOTA_COUNT; q++)
        if (quota_defs[q].soft == soft && strlen(quota_defs[q].name) == len &&
            !memcmp(quota_defs[q].name, name, len))
            return q;
    return -1;
}
