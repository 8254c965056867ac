/* SPDX-License-Identifier: MIT */
/*
 * alloc.h: allocation that does not fail.
 *
 * What one domain can make the daemon allocate is bounded by its quotas, so running out of memory
 * means that dom0 itself has none left. The daemon then ends with a message; its successor takes
 * over from the journal.
 */
#ifndef XSD_ALLOC_H
#define XSD_ALLOC_H

#include <stddef.h>

/** malloc() or the end of the process. */
void *xmalloc(size_t size);

/** Zeroed memory, or the end of the process. */
void *xzalloc(size_t size);

/** realloc() to count elements of size bytes, or the end of the process. */
void *xrealloc(void *p, size_t count, size_t size);

/** A copy of len bytes with a NUL behind. */
char *xmemdup0(const char *s, size_t len);

#endif
