/* SPDX-License-Identifier: MIT */
/* What a command gets and where commands are listed. main.c parses, one file per group of commands
 * acts. */
#ifndef MULLION_CLI_COMMAND_H
#define MULLION_CLI_COMMAND_H

#include <stdbool.h>

#include "client.h"

struct options {
    bool json; /* -o json */
    bool log;  /* --log */
    bool wait; /* --wait */
    const char *argument[2];
    int arguments;
};

struct command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;
    const char *help; /* paragraphs of `mullion help NAME` */
    int min_arguments, max_arguments;
    bool takes_log, takes_wait, local; /* local: needs no daemon */
    /* 0, or -1 and a failure. */
    int (*run)(struct client *c, const struct options *o, struct failure *failure);
};

int run_apply(struct client *c, const struct options *o, struct failure *failure);
int run_plan(struct client *c, const struct options *o, struct failure *failure);
int run_list(struct client *c, const struct options *o, struct failure *failure);
int run_get(struct client *c, const struct options *o, struct failure *failure);
int run_start(struct client *c, const struct options *o, struct failure *failure);
int run_shutdown(struct client *c, const struct options *o, struct failure *failure);
int run_reboot(struct client *c, const struct options *o, struct failure *failure);
int run_pause(struct client *c, const struct options *o, struct failure *failure);
int run_unpause(struct client *c, const struct options *o, struct failure *failure);
int run_destroy(struct client *c, const struct options *o, struct failure *failure);
int run_delete(struct client *c, const struct options *o, struct failure *failure);
int run_console(struct client *c, const struct options *o, struct failure *failure);
int run_events(struct client *c, const struct options *o, struct failure *failure);
int run_dmesg(struct client *c, const struct options *o, struct failure *failure);
int run_unpack_kernel(struct client *c, const struct options *o, struct failure *failure);

/* Print the result of a call as the daemon gave it. */
void print_json(const struct json *value);

#endif
