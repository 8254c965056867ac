/* SPDX-License-Identifier: MIT */
/*
 * The seam to xenstore: what a backend needs of it, as a table of functions.
 *
 * store_open() gives the real store through <xenstore.h>; the unit tests give one in memory.
 * Invariant: nothing is ever written below a directory that no longer exists (a toolstack that
 * removed a device must not find it again because its backend was still saying goodbye), hence
 * store_write() with its guard inside one transaction.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define STORE_PATH 256

struct store;

struct store_kv {
    const char *key; /* relative to the directory */
    char value[256];
};

struct store_ops {
    char *(*read)(struct store *s, const char *path); /* malloc'd text, or NULL (errno) */
    char **(*list)(struct store *s, const char *path,
                   unsigned *n); /* one malloc'd block, or NULL */
    /* One transaction: if `dir` exists, writes all of `kv` below it; -ENOENT when it does not. */
    int (*write)(struct store *s, const char *dir, const struct store_kv *kv, unsigned n);
    int (*watch)(struct store *s, const char *path, const char *token);
    int (*unwatch)(struct store *s, const char *path, const char *token);
    /* The next fired watch without waiting: 1 and its path and token, 0 when there is none,
     * negative when the store is lost. */
    int (*next)(struct store *s, char path[STORE_PATH], char token[STORE_PATH]);
    bool (*introduced)(struct store *s, unsigned domid);
    void (*close)(struct store *s);
};

struct store {
    const struct store_ops *ops;
    int fd; /* readable when next() may have something */
};

struct store *store_open(void);

/* Reads dir/key: text to free(), or NULL. */
char *store_text(struct store *s, const char *dir, const char *key);
/* Reads dir/key as an unsigned decimal number: 0, -ENOENT, or -EINVAL for anything else or a number
 * above `max`. */
int store_number(struct store *s, const char *dir, const char *key, uint64_t max, uint64_t *out);
/* The same, with `fallback` for a node that is absent or not such a number. */
uint64_t store_number_or(struct store *s, const char *dir, const char *key, uint64_t max,
                         uint64_t fallback);
/* Adds one formatted node to an array under construction. */
void store_put(struct store_kv *kv, unsigned *n, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
