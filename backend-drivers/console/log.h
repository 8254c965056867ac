/* SPDX-License-Identifier: MIT */
/*
 * A guest's console log: append only, at most LOG_LIMIT bytes and one older copy (NAME.log.1) of as
 * many.
 *
 * It outlives the guest, so that the last words of one that crashed can be read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LOG_LIMIT (8u << 20)

struct log {
    int fd; /* -1: not open; what is written is lost, and that was reported */
    off_t size;
    off_t limit;
    char path[192];
};

/* A domain's name as a file name: everything but letters, digits, `.`, `_` and `-` becomes `_`, a
 * leading dot too. */
void log_safe_name(char *out, size_t size, const char *name);
/* Opens `dir`/`name`.log; `limit` is LOG_LIMIT outside tests. */
void log_open(struct log *l, const char *dir, const char *name, off_t limit);
void log_write(struct log *l, const char *text, size_t n);
void log_close(struct log *l);
