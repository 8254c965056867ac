/* SPDX-License-Identifier: MIT */
/*
 * path.h: the syntax of xenstore paths (docs/misc/xenstore.txt of the Xen project).
 *
 * Pure functions on strings with a length; nothing is allocated. A *node path* is absolute
 * ("/a/b"); a *relative* one does not begin with '/' and is resolved against the caller's
 * /local/domain/<domid>; a *special* one begins with '@' and only names a watch.
 */
#ifndef XSWIRE_PATH_H
#define XSWIRE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Length of the longest "/local/domain/<domid>" (domid <= 65535) with its NUL. */
#define XSW_HOME_MAX 20

/**
 * Is this an absolute node path of legal characters, without "//" and without a trailing '/'?
 * @param max  longest allowed length, not counting a leading "/local/domain/<domid>/" (so that a
 *             relative path of max bytes is legal for every domain).
 */
bool xsw_path_valid(const char *path, size_t len, size_t max);

/** Is child equal to parent or below it? Both absolute node paths. */
bool xsw_path_is_below(const char *parent, size_t parent_len, const char *child, size_t child_len);

/** Write "/local/domain/<domid>" and a NUL to dst; returns the length without the NUL. */
size_t xsw_path_home(char dst[XSW_HOME_MAX], uint32_t domid);

/**
 * Resolve a path as a caller gave it: an absolute or special path is copied, a relative one gets
 * the caller's home in front. Syntax is not checked here.
 * @return the length written (without the NUL), or 0 when it does not fit into size or is empty.
 */
size_t xsw_path_resolve(char *dst, size_t size, uint32_t domid, const char *path, size_t len);

/** Length of path's parent ("/a/b" -> 2, "/a" -> 1 which is "/"). The root has no parent: 0. */
size_t xsw_path_parent(const char *path, size_t len);

/**
 * Step through the components of a node path: *pos starts at 0.
 * @return the next component's length with *name pointing at it, 0 at the end.
 */
size_t xsw_path_step(const char *path, size_t len, size_t *pos, const char **name);

#endif
