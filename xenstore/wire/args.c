/* SPDX-License-Identifier: MIT */
/* args.c: splitting payloads, reading and writing numbers; see xswire/args.h. Stateless. */
#include <string.h>

#include "find.h"
#include "xswire/args.h"

size_t xsw_split(const char *body, size_t len, struct xsw_str *v, size_t max, struct xsw_str *rest)
{
    size_t count = 0, start = 0, rest_at = 0;

    for (;;) {
        size_t end = start + xsw_find(body + start, len - start, 0);

        if (end == len)
            break;
        if (count < max) {
            v[count] = (struct xsw_str){body + start, end - start};
            rest_at = end + 1;
        }
        count++;
        start = end + 1;
    }
    if (rest)
        *rest = (struct xsw_str){body + rest_at, len - rest_at};
    return count;
}

bool xsw_parse_u32(const char *s, size_t len, uint32_t *value)
{
    uint64_t v = 0;

    if (!len || len > 10)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    *value = (uint32_t)v;
    return v <= UINT32_MAX;
}

size_t xsw_format_u32(char *dst, uint32_t value)
{
    char digits[10];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++)
        dst[i] = digits[n - 1 - i];
    dst[n] = 0;
    return n;
}
