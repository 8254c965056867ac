/* SPDX-License-Identifier: MIT */
/* find.h: looking for an octet eight at a time: every request is searched for its NULs and slashes.
 */
#ifndef XSWIRE_FIND_H
#define XSWIRE_FIND_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Index of the first c in s[0..len), len if there is none. */
static inline size_t xsw_find(const char *s, size_t len, unsigned char c)
{
    const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= len; i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, s + i, sizeof(word));
        word ^= ones * c;
        word = (word - ones) & ~word & high; /* the lowest bit set is right, those above may lie */
        if (word)
            return i + (size_t)__builtin_ctzll(word) / 8;
    }
    while (i < len && (unsigned char)s[i] != c)
        i++;
    return i;
}

#endif
