/* SPDX-License-Identifier: MIT */
/*
 * Whole files, read with a limit and written so that a crash at any instant leaves the old or the
 * new one. All return 0 or -errno.
 */
#ifndef MULLION_BASE_FILE_H
#define MULLION_BASE_FILE_H

#include <stddef.h>

/* Read at most `limit` bytes; -EFBIG when there is more. *text is malloc'ed and NUL-terminated. */
int file_read(const char *path, size_t limit, char **text, size_t *size);
int file_read_fd(int fd, size_t limit, char **text, size_t *size);

/* Replace `path` in one step: write PATH.new, fsync it, rename, fsync the folder. */
int file_replace(const char *path, const char *text, size_t size);

/* Create a folder and its parents; an existing folder is fine. */
int make_folders(const char *path);

/* write() until all is out. */
int write_all(int fd, const void *data, size_t size);

#endif
