/* SPDX-License-Identifier: MIT */
/*
 * mullion-store: the store from a shell. One table of commands; each is a function of a
 * connection and its arguments and returns an exit status: 0, 1 (said why on stderr), 2 (usage).
 */
#include <stdio.h>
#include <string.h>
#include <xenstore.h>

#include "cli.h"

static const struct command commands[] = {
    {"ls", cmd_ls, 0, 1, "[-fp] [PATH]", "show a subtree; -f full paths, -p permissions"},
    {"list", cmd_list, 0, ANY_ARGS, "[-p] PATH...", "show the names of children; -p full paths"},
    {"read", cmd_read, 1, ANY_ARGS, "[-pr] PATH...", "show values; -p with paths, -r raw bytes"},
    {"write", cmd_write, 2, ANY_ARGS, "PATH VALUE...", "set values, all or none"},
    {"rm", cmd_rm, 1, ANY_ARGS, "[-t] PATH...", "remove subtrees; -t then parents left empty"},
    {"chmod", cmd_chmod, 2, ANY_ARGS, "[-r] PATH MODE...",
     "set permissions, e.g. n0 r5; -r the whole subtree"},
    {"exists", cmd_exists, 1, ANY_ARGS, "PATH...", "succeed if all exist"},
    {"watch", cmd_watch, 1, ANY_ARGS, "[-n COUNT] PATH...", "show changes as they happen"},
    {"control", cmd_control, 1, ANY_ARGS, "COMMAND [ARG...]", "ask the daemon; `control help`"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
    fputs("usage: mullion-store COMMAND ...\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-8s %-20s %s\n", commands[i].name, commands[i].args, commands[i].help);
}

int fail(const char *what, const char *path)
{
    fprintf(stderr, "mullion-store: cannot %s%s%s: %s\n", what, path ? " " : "", path ? path : "",
            strerror(errno));
    return 1;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct xs_handle *h;
    int status, first;

    first = 1;
    while (first < argc && argv[first][0] == '-' && argv[first][1] && strcmp(argv[first], "--"))
        first += c->run == cmd_watch && !strcmp(argv[first], "-n") ? 2 : 1;
    if (argc - first < c->min || (c->max != ANY_ARGS && argc - first > c->max)) {
        fprintf(stderr, "usage: mullion-store %s %s\n", c->name, c->args);
        return 2;
    }
    h = xs_open(0);
    if (!h) {
        fprintf(stderr, "mullion-store: cannot reach the store at %s: %s; is xenstored running?\n",
                xs_daemon_socket(), strerror(errno));
        return 1;
    }
    status = c->run(h, argc, argv);
    if (status == 2)
        fprintf(stderr, "usage: mullion-store %s %s\n", c->name, c->args);
    xs_close(h);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--commands")) { /* for shell completion */
        for (size_t i = 0; i < COMMANDS; i++)
            puts(commands[i].name);
        return 0;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name))
            return run(&commands[i], argc - 1, argv + 1);
    fprintf(stderr, "mullion-store: unknown command '%s'\n", argv[1]);
    usage(stderr);
    return 2;
}
