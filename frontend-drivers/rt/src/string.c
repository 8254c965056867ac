/* SPDX-License-Identifier: MIT */
/* The C library functions that gcc may call in freestanding code, and the command line. */
#include <rt/print.h>

void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n)::"memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    char *d = dst;
    const char *s = src;

    if (d <= s || d >= s + n)
        return memcpy(dst, src, n);
    while (n--)
        *(volatile char *)(d + n) = s[n];
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    const volatile char *p = s;

    while (*p)
        p++;
    return (const char *)p - s;
}

int strcmp(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n && *a && *a == *b; a++, b++, n--)
        ;
    return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

const char *cmdline_value(const char *key, char *buf, size_t size)
{
    const char *p = (const char *)start_info->cmd_line;
    size_t len = strlen(key), n = 0;

    for (; *p; p++) {
        if (p != (const char *)start_info->cmd_line && p[-1] != ' ')
            continue;
        if (strncmp(p, key, len) || p[len] != '=')
            continue;
        for (p += len + 1; *p && *p != ' ' && n + 1 < size; p++)
            buf[n++] = *p;
        buf[n] = 0;
        return buf;
    }
    return NULL;
}

uint64_t cmdline_number(const char *key, uint64_t otherwise)
{
    char buf[32];
    const char *p = cmdline_value(key, buf, sizeof(buf));
    uint64_t v = 0;
    unsigned int base = 10;

    if (!p)
        return otherwise;
    if (p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
    }
    for (; *p; p++)
        v = v * base + (*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
    return v;
}
