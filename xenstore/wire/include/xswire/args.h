/* SPDX-License-Identifier: MIT */
/*
 * args.h: the fields of a payload: NUL-terminated strings and decimal numbers.
 *
 * Pure functions; results point into the payload. Nothing reads past the length given, whether
 * or not the peer wrote its NULs.
 */
#ifndef XSWIRE_ARGS_H
#define XSWIRE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A string field; s[len] is its NUL except in the `rest` of xsw_split(). */
struct xsw_str {
    const char *s;
    size_t len;
};

/**
 * Find the NUL-terminated strings of a payload.
 * @param v,max  gets the first max strings
 * @param rest   (may be NULL) what follows the max-th string, or the last if there are fewer
 * @return how many NULs the whole payload has (may exceed max)
 */
size_t xsw_split(const char *body, size_t len, struct xsw_str *v, size_t max, struct xsw_str *rest);

/** Parse an unsigned decimal number without sign, blanks or leftovers. @return false: it is none.
 */
bool xsw_parse_u32(const char *s, size_t len, uint32_t *value);

/** Write value in decimal with a NUL (at most 11 bytes); returns the digits written. */
size_t xsw_format_u32(char *dst, uint32_t value);

#endif
