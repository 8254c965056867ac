/* SPDX-License-Identifier: MIT */
/* An interval timer redraws one line; see progress.h. The handler only writes prepared text. */
#include "progress.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static char text[128];
static volatile sig_atomic_t ticks;
static bool active;

static void draw(int signal_number)
{
    static const char *const frames[] = {"|", "/", "-", "\\"};
    char line[200];
    int length, now = ++ticks;

    if (now < 3)
        return;
    length = snprintf(line, sizeof(line), "\r\033[K%s %s (%d s)", frames[now % 4], text, now / 5);
    if (length > 0 && write(STDERR_FILENO, line, length) < 0)
        return;
}

void progress_begin(const char *what)
{
    struct itimerval interval = {{0, 200000}, {0, 200000}};
    struct sigaction action = {.sa_handler = draw, .sa_flags = SA_RESTART};

    active = isatty(STDERR_FILENO);
    if (!active)
        return;
    snprintf(text, sizeof(text), "%s", what);
    ticks = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &interval, NULL);
}

void progress_note(const char *note)
{
    if (active)
        snprintf(text, sizeof(text), "%s", note);
}

void progress_end(void)
{
    static const char clear[] = "\r\033[K";
    struct itimerval off = {0};

    if (!active)
        return;
    setitimer(ITIMER_REAL, &off, NULL);
    signal(SIGALRM, SIG_IGN);
    active = false;
    if (ticks >= 3 && write(STDERR_FILENO, clear, sizeof(clear) - 1) < 0)
        return;
}
