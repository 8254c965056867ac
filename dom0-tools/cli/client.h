/* SPDX-License-Identifier: MIT */
/*
 * The client's end of the API: one connection, one request at a time, progress shown while waiting.
 */
#ifndef MULLION_CLI_CLIENT_H
#define MULLION_CLI_CLIENT_H

#include "failure.h"
#include "json.h"
#include "json_write.h"

struct client {
    int fd;
    char *buffer;
    unsigned long used, room;
    unsigned next_id;
};

/* Connect to mulliond ($MULLION_SOCKET, else /run/mullion/api.sock). 0, or -1 and a failure. */
int client_open(struct client *c, struct failure *failure);
void client_close(struct client *c);

/* Send `op` with the members that `args` holds (a complete object, or NULL) and wait for its
 * answer. Returns the document whose "result" is the answer; NULL and a failure otherwise. */
struct json_doc *client_call(struct client *c, const char *op, struct json_writer *args,
                             struct failure *failure);

/* The next line from the daemon, parsed. NULL at the end. */
struct json_doc *client_next(struct client *c, struct failure *failure);

#endif
