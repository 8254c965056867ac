/* SPDX-License-Identifier: MIT */
/* Numbers and sizes as people write them on a command line. Overflow wraps: callers check ranges.
 */
#include <hv/string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

uint64_t parse_u64(const char *s, const char **end)
{
    uint64_t v = 0;
    int base = 10;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2]) < 16) {
        base = 16;
        s += 2;
    } else if (s[0] == '0') {
        base = 8;
    }
    for (; digit(*s) < base; s++)
        v = v * base + digit(*s);
    if (end)
        *end = s;
    return v;
}

uint64_t parse_size(const char *s, const char **end, uint64_t unit)
{
    const char *e;
    uint64_t v = parse_u64(s, &e);

    switch (*e) {
    case 'k':
    case 'K':
        v <<= 10;
        e++;
        break;
    case 'm':
    case 'M':
        v <<= 20;
        e++;
        break;
    case 'g':
    case 'G':
        v <<= 30;
        e++;
        break;
    case 'b':
    case 'B':
        e++;
        break;
    default:
        v *= unit;
    }
    if (end)
        *end = e;
    return v;
}
