/* SPDX-License-Identifier: MIT */
/*
 * inherit.h: the descriptors that a daemon finds open because its keeper kept them (keeper.h).
 *
 * Nothing tells which they are; it can be seen: sockets bound to our path are clients or the
 * listener, the file with the lock is known by its inode. All others were the predecessor's own.
 */
#ifndef XSD_INHERIT_H
#define XSD_INHERIT_H

#include <stdbool.h>

/** Sockets of a predecessor. */
struct inherited {
    int listener; /* -1: none */
    int *client;
    unsigned int n;
};

/** Find the sockets bound to `path`; close everything else above 2 but keep[]. */
void inherit_sockets(struct inherited *in, const char *path, const int *keep, int kept);

/** Let everything that is open stay so over exec(). */
void inherit_pass_on(void);

/** An open descriptor of that very file, or -1. */
int inherit_file(const char *path);

#endif
