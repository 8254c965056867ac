/* SPDX-License-Identifier: MIT */
/*
 * account.h: what an operation changes in its owners' use of the store, before it counts.
 *
 * Every edit of a tree notes here whose nodes came and went. Edits of the store's root are
 * applied at once, those of a transaction when it commits.
 */
#ifndef XSD_ACCOUNT_H
#define XSD_ACCOUNT_H

#include <stdint.h>

struct account_line {
    uint16_t domid;
    int32_t nodes;
    int64_t bytes;
};

/** Zeroed: empty. */
struct account {
    struct account_line *line;
    unsigned int n, cap;
};

void account_add(struct account *a, uint16_t domid, int nodes, int64_t bytes);
void account_free(struct account *a);

#endif
