/* SPDX-License-Identifier: MIT */
/*
 * mullion console: the terminal of a guest on this terminal, raw, until Ctrl-] or the guest goes
 * away; or, with --log, what the guest has written so far.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "command.h"
#include "file.h"

#define ESCAPE 0x1d /* Ctrl-] */

static int show_log(const char *path, struct failure *failure)
{
    char buffer[16384];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        fail(failure, FAIL_IO, "console-log", path, "there is no console log: %s", strerror(errno));
        return fail_hint(failure, "the domain has not written anything yet, or was never started");
    }
    while ((got = read(fd, buffer, sizeof(buffer))) > 0)
        write_all(STDOUT_FILENO, buffer, got);
    close(fd);
    return 0;
}

/* Copy both ways until the escape key, the end of input, or the end of the console. */
static void copy(int tty)
{
    struct pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {tty, POLLIN, 0}};
    char buffer[4096];
    ssize_t got;

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[1].revents) {
            got = read(tty, buffer, sizeof(buffer));
            if (got <= 0)
                return;
            write_all(STDOUT_FILENO, buffer, got);
        }
        if (fds[0].revents) {
            char *escape;

            got = read(STDIN_FILENO, buffer, sizeof(buffer));
            if (got <= 0) {
                fds[0].fd = -1; /* input ended: go on showing */
                continue;
            }
            escape = memchr(buffer, ESCAPE, got);
            write_all(tty, buffer, escape ? escape - buffer : got);
            if (escape)
                return;
        }
    }
}

static int attach(const char *path, struct failure *failure)
{
    int tty = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool terminal = isatty(STDIN_FILENO);
    struct termios before, raw;

    if (tty < 0)
        return fail(failure, FAIL_IO, "console", path, "cannot open the console: %s",
                    strerror(errno));
    if (terminal) {
        fprintf(stderr, "(console of the guest; Ctrl-] leaves)\r\n");
        tcgetattr(STDIN_FILENO, &before);
        raw = before;
        cfmakeraw(&raw);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    copy(tty);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
        fprintf(stderr, "\n(left the console)\n");
    }
    close(tty);
    return 0;
}

int run_console(struct client *c, const struct options *o, struct failure *failure)
{
    struct json_writer *args = jw_new(false);
    struct json_doc *doc;
    const struct json *r;
    int result;

    jw_object(args, NULL);
    jw_string(args, "name", o->argument[0]);
    if (!o->log)
        jw_bool(args, "wait", true);
    jw_end_object(args);
    doc = client_call(c, "console-info", args, failure);
    jw_free(args);
    if (!doc)
        return -1;
    r = json_get(json_root(doc), "result");
    if (o->json) {
        print_json(r);
        result = 0;
    } else if (o->log) {
        result = show_log(json_get_string(r, "log", ""), failure);
    } else {
        result = attach(json_get_string(r, "tty", ""), failure);
    }
    json_free(doc);
    return result;
}
