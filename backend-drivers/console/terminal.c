/* SPDX-License-Identifier: MIT */
/* A guest's pseudo terminal: see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

int terminal_open(struct terminal *t, char *name, size_t size)
{
    struct termios raw;
    int err;

    t->n = 0;
    t->slave = -1;
    t->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (t->master >= 0 && grantpt(t->master) == 0 && unlockpt(t->master) == 0 &&
        ptsname_r(t->master, name, size) == 0)
        t->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (t->slave < 0) {
        err = -errno;
        terminal_close(t);
        return err;
    }
    if (tcgetattr(t->slave, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(t->slave, TCSANOW, &raw);
    }
    return 0;
}

void terminal_close(struct terminal *t)
{
    if (t->slave >= 0)
        close(t->slave);
    if (t->master >= 0)
        close(t->master);
    t->master = t->slave = -1;
}

void terminal_flush(struct terminal *t)
{
    ssize_t taken = t->n ? write(t->master, t->kept, t->n) : 0;

    if (taken <= 0)
        return;
    t->n -= (size_t)taken;
    memmove(t->kept, t->kept + taken, t->n);
}

void terminal_write(struct terminal *t, const char *text, size_t n)
{
    if (t->master < 0)
        return;
    if (n > sizeof(t->kept) - t->n) {
        tcflush(t->slave, TCIFLUSH);
        terminal_flush(t);
    }
    if (n > sizeof(t->kept) - t->n)
        t->n = 0;
    memcpy(t->kept + t->n, text, n);
    t->n += n;
    terminal_flush(t);
}

size_t terminal_read(struct terminal *t, char *text, size_t room)
{
    ssize_t n = t->master < 0 ? 0 : read(t->master, text, room);

    return n < 0 ? 0 : (size_t)n;
}
