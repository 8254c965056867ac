/* SPDX-License-Identifier: MIT */
/*
 * names.h: the names the protocol uses for errors ("ENOENT"), and ours for requests.
 *
 * Pure functions over the constant tables of <xen/io/xs_wire.h>. Error numbers are this system's.
 */
#ifndef XSWIRE_NAMES_H
#define XSWIRE_NAMES_H

#include <stddef.h>
#include <stdint.h>

/** The wire name of an error number; one the protocol has no name for becomes "EINVAL". */
const char *xsw_error_name(int err);

/** The error number of a wire name of len bytes (its NUL not counted); unknown: EINVAL. */
int xsw_error_number(const char *name, size_t len);

/** A request's or reply's name as in the specification ("DIRECTORY_PART"); unknown: "?". */
const char *xsw_type_name(uint32_t type);

#endif
