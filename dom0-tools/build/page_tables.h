/* SPDX-License-Identifier: MIT */
/*
 * The bootstrap page tables of a layout, made in plain memory: pure, so that a unit test can walk
 * them.
 *
 * Invariant: a page-table frame is mapped read-only wherever it is mapped, as the hypervisor
 * demands when it pins; nothing else is read-only; every address of the layout's mappings
 * translates to its frame.
 */
#ifndef MULLION_BUILD_PAGE_TABLES_H
#define MULLION_BUILD_PAGE_TABLES_H

#include "layout.h"

/* Fill `tables`, zeroed room for layout->tables.count + layout->p2m_tables.count pages in that
 * order. `p2m` gives the machine frame of each pfn below layout->nr_pages. 0, or -1 when the
 * layout's counts do not suffice (a bug). */
int page_tables_build(const struct layout *layout, const uint64_t *p2m, uint64_t *tables);

#endif
