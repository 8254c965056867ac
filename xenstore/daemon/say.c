/* SPDX-License-Identifier: MIT */
/* say.c: see say.h. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "say.h"
#include "streams.h"

void say_to(int fd, const char *format, ...)
{
    char text[6000];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof(text) - 1, format, ap);
    va_end(ap);
    if (n < 0)
        return;
    if (n > (int)sizeof(text) - 2)
        n = sizeof(text) - 2;
    text[n] = '\n';
    n = (int)write(fd, text, (size_t)n + 1);
    if (n > 0)
        io_count(0, (size_t)n);
}
