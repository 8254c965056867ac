/* SPDX-License-Identifier: MIT */
/*
 * A typed error: every failure of the control tools travels as one of these, from the place that
 * noticed it to the person who typed the command. `code` is for programs, the rest is for people.
 *
 * Interface: fail() fills it once and returns -1, so `return fail(...)` is the whole idiom;
 * failure_name() gives the stable text of a code. Invariant: all strings are NUL-terminated,
 * printable and bounded; a failure that is already set is never overwritten, because the first
 * cause is the one worth telling.
 */
#ifndef MULLION_BASE_FAILURE_H
#define MULLION_BASE_FAILURE_H

#include <stdbool.h>

enum failure_code {
    FAIL_NONE,
    FAIL_JSON_SYNTAX,
    FAIL_JSON_LIMIT,
    FAIL_JSON_DUPLICATE,
    FAIL_CONFIG_UNKNOWN,
    FAIL_CONFIG_MISSING,
    FAIL_CONFIG_TYPE,
    FAIL_CONFIG_RANGE,
    FAIL_CONFIG_VALUE,
    FAIL_CONFIG_CONFLICT,
    FAIL_IMAGE_MISSING,
    FAIL_IMAGE_BUSY,
    FAIL_KERNEL_MISSING,
    FAIL_KERNEL_FORMAT,
    FAIL_INITRD_MISSING,
    FAIL_BRIDGE_MISSING,
    FAIL_MEMORY_UNAVAILABLE,
    FAIL_CPU_MISSING,
    FAIL_CPU_UNAVAILABLE,
    FAIL_HYPERVISOR,
    FAIL_STORE,
    FAIL_IO,
    FAIL_DOMAIN_UNKNOWN,
    FAIL_DOMAIN_STATE,
    FAIL_REQUEST,
    FAIL_VERSION,
    FAIL_TIMEOUT,
    FAIL_RESOURCES,
    FAIL_CONNECT,
    FAILURE_CODES
};

struct failure {
    enum failure_code code;
    char step[40];     /* what was being done: "parse", "check-memory", "populate" … */
    char where[192];   /* JSON pointer into the document, or a device, path or domain */
    char message[384]; /* what is wrong, one sentence */
    char hint[256];    /* what to do about it; may be empty */
};

/* Record a failure and return -1. `where` and `step` may be NULL. Keeps the first failure. */
int fail(struct failure *f, enum failure_code code, const char *step, const char *where,
         const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Add advice to a failure that has none yet; returns -1 so that it can be chained. */
int fail_hint(struct failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The stable name of a code, e.g. "config.unknown-key"; never NULL. */
const char *failure_name(enum failure_code code);

/* The code with this name, or FAIL_NONE. */
enum failure_code failure_from_name(const char *name);

/* Render for a person: "what (code)", then where, step and hint on lines of their own. Returns
 * `buffer`. */
char *failure_render(const struct failure *f, char *buffer, unsigned long size);

/* Replace everything that is not printable ASCII, in place: text that came from a guest is shown
 * this way. */
void make_printable(char *text);

#endif
