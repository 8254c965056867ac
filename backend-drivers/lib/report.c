/* SPDX-License-Identifier: MIT */
/* Messages for people: see report.h. No lock: only the main thread reports. */
#include "report.h"

#include <stdio.h>
#include <unistd.h>

static char speaker[64] = "mullion-backend";

void report_as(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(speaker, sizeof(speaker), fmt, ap);
    va_end(ap);
}

void report(const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    /* One write, so that the lines of several backends on one log do not mix. */
    dprintf(STDERR_FILENO, "%s: %s\n", speaker, line);
}

int because(struct reason *why, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why->text, sizeof(why->text), fmt, ap);
    va_end(ap);
    return err;
}
