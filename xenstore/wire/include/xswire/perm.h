/* SPDX-License-Identifier: MIT */
/*
 * perm.h: permission strings: one letter (n, r, w, b) and a decimal domid, e.g. "r3".
 *
 * Pure functions. The first entry of a node's list names its owner and what everybody not listed
 * may do; that meaning belongs to the daemon, this file knows the syntax only.
 */
#ifndef XSWIRE_PERM_H
#define XSWIRE_PERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same bits as XS_PERM_* of <xenstore.h>. */
#define XSW_PERM_NONE  0x00
#define XSW_PERM_READ  0x01
#define XSW_PERM_WRITE 0x02

/** Longest permission string with its NUL: "b65535". */
#define XSW_PERM_STR_MAX 8

/** One entry: a domain and what it may do. */
struct xsw_perm {
    uint16_t domid;
    uint16_t bits;
};

/** Parse one entry (without NUL). @return false: a wrong letter, or no domid in 0..65535. */
bool xsw_perm_parse(const char *s, size_t len, struct xsw_perm *perm);

/** Write one entry and its NUL; returns the length without the NUL. */
size_t xsw_perm_format(char dst[XSW_PERM_STR_MAX], struct xsw_perm perm);

#endif
