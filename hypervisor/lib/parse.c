/* SPDX-License-Identifier: MIT */
/* Numbers and sizes as people write them on a command line. Overflow wraps: callers check ranges.
 */
#include <hv/string.h>

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 'a' - 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

uint64_t parse_u64(const char *s, const char **end)
{
    uint64_t v = 0;
    unsigned base = 10;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2]) < 16) {
        base = 16;
        s += 2;
    }
    for (; digit(*s) < base; s++)
        v = v * base + digit(*s);
    *end = s;
    return v;
}

uint64_t parse_size(const char *s, const char **end, uint64_t unit)
{
    static const char suffixes[] = "bkmg";
    uint64_t v = parse_u64(s, end);
    const char *suffix = **end ? strchr(suffixes, **end | ('a' - 'A')) : NULL;

    if (!suffix)
        return v * unit;
    ++*end;
    return v << 10 * (suffix - suffixes);
}
