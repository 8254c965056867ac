/* SPDX-License-Identifier: MIT */
/* hostile_tables in three rooms: ways.c (how an entry is written), foreign.c (THREATS 8), main.c
 * (1, 2 and 5). */
#ifndef TABLES_H
#define TABLES_H

#include <rt/attack.h>
#include <rt/test.h>

/* What dom0 tells the child of frames that are not the child's. */
extern struct aim {
    domid_t me, neighbour;
    mfn_t neighbours, neighbours_shared_info, dom0s, dom0s_l4, m2p, free;
} aim;

maddr_t entry_of(void *va);
/** The entry for `va` stays what it was, whatever writes e over it. `rc`: what hypercalls say; 0:
 * any error. */
void refused(void *va, pte_t e, long rc, const char *what);
/** The proof that nothing refers to an own page: it can be made a table, and data again. */
void unreferenced(void *page);

/** For .prepare: tells the child. */
void take_aim(struct child *c);
/** A child's attack that ends well. */
void map_itself(void);

void test_foreign_frames(void);
void test_restore(void);

#endif
