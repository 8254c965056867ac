/* SPDX-License-Identifier: MIT */
/* alloc.c: see alloc.h. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static void *checked(void *p, size_t size)
{
    if (p)
        return p;
    fprintf(stderr, "xenstored: no memory for %zu more bytes; dom0 needs more memory\n", size);
    abort();
}

void *xmalloc(size_t size)
{
    return checked(malloc(size), size);
}

void *xzalloc(size_t size)
{
    return checked(calloc(1, size), size);
}

void *xrealloc(void *p, size_t count, size_t size)
{
    return checked(reallocarray(p, count, size), count * size);
}

char *xmemdup0(const char *s, size_t len)
{
    char *copy = xmalloc(len + 1);

    memcpy(copy, s, len);
    copy[len] = 0;
    return copy;
}
