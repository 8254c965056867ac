/* SPDX-License-Identifier: MIT */
/* The real store behind store.h, through <xenstore.h>, and the helpers that work on any store. */
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

struct real {
    struct store store;
    struct xs_handle *xs;
};

static struct xs_handle *xs_of(struct store *s)
{
    return ((struct real *)s)->xs; /* `store` is the first member */
}

static char *real_read(struct store *s, const char *path)
{
    return xs_read(xs_of(s), XBT_NULL, path, NULL);
}

static char **real_list(struct store *s, const char *path, unsigned *n)
{
    return xs_directory(xs_of(s), XBT_NULL, path, n);
}

static int write_once(struct xs_handle *xs, const char *dir, const struct store_kv *kv, unsigned n)
{
    xs_transaction_t t = xs_transaction_start(xs);
    char path[STORE_PATH];
    char *there;
    int err = 0;

    if (t == XBT_NULL)
        return -errno;
    there = xs_read(xs, t, dir, NULL);
    if (!there)
        err = -errno;
    free(there);
    for (unsigned i = 0; i < n && !err; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, kv[i].key);
        if (!xs_write(xs, t, path, kv[i].value, strlen(kv[i].value)))
            err = -errno;
    }
    if (!xs_transaction_end(xs, t, err != 0) && !err)
        err = -errno;
    return err;
}

static int real_write(struct store *s, const char *dir, const struct store_kv *kv, unsigned n)
{
    int err;

    do
        err = write_once(xs_of(s), dir, kv, n);
    while (err == -EAGAIN);
    return err;
}

static int real_watch(struct store *s, const char *path, const char *token)
{
    return xs_watch(xs_of(s), path, token) ? 0 : -errno;
}

static int real_unwatch(struct store *s, const char *path, const char *token)
{
    return xs_unwatch(xs_of(s), path, token) ? 0 : -errno;
}

static int real_next(struct store *s, char path[STORE_PATH], char token[STORE_PATH])
{
    char **w;

    errno = 0;
    w = xs_check_watch(xs_of(s));
    if (!w)
        return errno == 0 || errno == EAGAIN ? 0 : -errno;
    snprintf(path, STORE_PATH, "%s", w[XS_WATCH_PATH]);
    snprintf(token, STORE_PATH, "%s", w[XS_WATCH_TOKEN]);
    free(w);
    return 1;
}

static bool real_introduced(struct store *s, unsigned domid)
{
    return xs_is_domain_introduced(xs_of(s), domid);
}

static void real_close(struct store *s)
{
    xs_close(xs_of(s));
    free(s);
}

static const struct store_ops real_ops = {
    .read = real_read,
    .list = real_list,
    .write = real_write,
    .watch = real_watch,
    .unwatch = real_unwatch,
    .next = real_next,
    .introduced = real_introduced,
    .close = real_close,
};

struct store *store_open(void)
{
    struct real *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->store.ops = &real_ops;
    r->xs = xs_open(0);
    if (!r->xs) {
        free(r);
        return NULL;
    }
    r->store.fd = xs_fileno(r->xs);
    return &r->store;
}

char *store_text(struct store *s, const char *dir, const char *key)
{
    char path[STORE_PATH];

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, key) >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return s->ops->read(s, path);
}

int store_number(struct store *s, const char *dir, const char *key, uint64_t max, uint64_t *out)
{
    char *text = store_text(s, dir, key);
    uint64_t v = 0;
    int err = 0;

    if (!text)
        return -ENOENT;
    if (!*text)
        err = -EINVAL;
    for (const char *p = text; *p && !err; p++) {
        unsigned digit = (unsigned)(*p - '0');

        if (digit > 9 || digit > max || v > (max - digit) / 10)
            err = -EINVAL;
        else
            v = v * 10 + digit;
    }
    free(text);
    if (!err)
        *out = v;
    return err;
}

uint64_t store_number_or(struct store *s, const char *dir, const char *key, uint64_t max,
                         uint64_t fallback)
{
    uint64_t v;

    return store_number(s, dir, key, max, &v) ? fallback : v;
}

void store_put(struct store_kv *kv, unsigned *n, const char *key, const char *fmt, ...)
{
    va_list ap;

    kv[*n].key = key;
    va_start(ap, fmt);
    vsnprintf(kv[*n].value, sizeof(kv[*n].value), fmt, ap);
    va_end(ap);
    (*n)++;
}
