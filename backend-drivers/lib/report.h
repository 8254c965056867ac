/* SPDX-License-Identifier: MIT */
/*
 * Messages for people.
 *
 * Interface: report_as() once names the speaker ("mullion-block vbd/3/51712"); report() prints one
 * line on stderr. struct reason carries the one sentence that explains a failure from where it is
 * known to where it is shown: the device's `error` node and stderr.
 */
#pragma once

#include <stdarg.h>

/* Why something failed: what, where, and what to do about it. Empty when nothing failed. */
struct reason {
    char text[256];
};

void report_as(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Sets `why` and returns `err` (a negative errno), so that a failing step is one statement. */
int because(struct reason *why, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
