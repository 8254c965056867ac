/* SPDX-License-Identifier: MIT */
/* The guest's own grant table, version 1: mapped by gnttab_init(), entries filled by grant_set().
 */
#ifndef RT_GRANT_H
#define RT_GRANT_H

#include <rt/hypercall.h>

#define GRANT_FRAMES  4
#define GRANT_ENTRIES (GRANT_FRAMES * PAGE_SIZE / sizeof(grant_entry_v1_t))

/** The table, valid after gnttab_init(). */
extern grant_entry_v1_t grant_table[GRANT_ENTRIES];

/** Sets the table up with GRANT_FRAMES frames and maps it; 0, or the errno or status that stopped
 * it. */
long gnttab_init(void);
/** Publishes a grant: the flags last. */
void grant_set(grant_ref_t ref, domid_t dom, mfn_t frame, uint16_t flags);
void grant_clear(grant_ref_t ref);
#endif
