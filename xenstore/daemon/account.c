/* SPDX-License-Identifier: MIT */
/* account.c: see account.h. An operation concerns one or two owners: a list is enough. */
#include <stdlib.h>

#include "account.h"
#include "alloc.h"

void account_add(struct account *a, uint16_t domid, int nodes, int64_t bytes)
{
    for (unsigned int i = 0; i < a->n; i++) {
        if (a->line[i].domid == domid) {
            a->line[i].nodes += nodes;
            a->line[i].bytes += bytes;
            return;
        }
    }
    if (a->n == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 4;
        a->line = xrealloc(a->line, a->cap, sizeof(*a->line));
    }
    a->line[a->n++] = (struct account_line){domid, nodes, bytes};
}

void account_free(struct account *a)
{
    free(a->line);
    *a = (struct account){0};
}
