/* SPDX-License-Identifier: MIT */
/*
 * A kernel file → an ELF that can be built from, unpacked at most once.
 *
 * An ELF is opened as it is. Anything else is unpacked by a child of ours in a sandbox, into a
 * folder whose file names say which file, in which version, they come from (device, inode, size,
 * both times); a kernel that was replaced gets another name. A few are kept.
 */
#ifndef MULLION_DAEMON_KERNEL_CACHE_H
#define MULLION_DAEMON_KERNEL_CACHE_H

#include "failure.h"

#define KERNEL_PENDING (-2)

struct kernel_job;

/* Returns a descriptor of the ELF; or -1 and a failure; or KERNEL_PENDING, and then `done` is
 * called later, with a descriptor or with -1 and the failure. */
int kernel_open(const char *path, struct kernel_job **job,
                void (*done)(void *ctx, int fd, const struct failure *failure), void *ctx,
                struct failure *failure);

/* Remove what a predecessor left half unpacked. Its child may still write: into a file that has no
 * name any more. */
void kernel_cache_clean(void);

/* The other end: what the child of kernel_open() runs. Descriptors 3 and 4 are the input and the
 * output; the failure goes to stdout as JSON. Returns the exit status. */
int kernel_unpack_child(void);

#endif
