/* SPDX-License-Identifier: MIT */
/* cli.h: between mullion-store's table of commands (main.c) and the commands. */
#ifndef STORE_CLI_H
#define STORE_CLI_H

#include <stddef.h>
#include <xenstore.h>

#define ANY_ARGS (-1)

typedef int command_run(struct xs_handle *h, int argc, char **argv);

struct command {
    const char *name;
    command_run *run;
    int min, max; /* arguments that are not options */
    const char *args, *help;
};

/* show.c */
command_run cmd_ls, cmd_list, cmd_read, cmd_exists, cmd_watch;
/* change.c */
command_run cmd_write, cmd_rm, cmd_chmod, cmd_control;

/** Say on stderr what failed and errno; returns 1. */
int fail(const char *what, const char *path);

/** Print a value with what is not printable as \xNN. */
void print_value(const char *value, size_t len);

/** path/name in a buffer that the next call overwrites. */
const char *child_path(const char *path, const char *name);

#endif
