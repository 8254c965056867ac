/* SPDX-License-Identifier: MIT */
/*
 * The API's transport: a unix socket, one JSON object per line in each direction (docs/api.md has
 * the operations).
 *
 * Request  {"v":1, "id":<any string or number>, "op":"apply", "args":{…}}
 * Answer   {"id":…, "ok":true, "result":{…}}  or  {"id":…, "ok":false,
 * "error":{code,step,where,message,hint}} Between  {"id":…, "progress":{step,message}}  and, after
 * "events",  {"id":…, "event":{…}}
 *
 * A ticket is the right to answer one request later; its connection may die first, and answering is
 * harmless then. Invariant: each request gets exactly one answer; a client that does not read is
 * cut off at a bounded backlog.
 */
#ifndef MULLION_DAEMON_API_H
#define MULLION_DAEMON_API_H

#include "failure.h"
#include "json.h"
#include "json_write.h"

#define API_VERSION 1

enum wait_for { WAIT_NONE, WAIT_RUNNING, WAIT_STOPPED };

struct ticket {
    struct ticket *next;
    unsigned long connection; /* serial number, not an address */
    char id[72];              /* JSON text of the request's id */
    enum wait_for wait;
    bool created;             /* of apply: the domain was new */
    bool want_tty;            /* of console-info */
    unsigned long long since; /* ms, when the request came */
};

/* One operation: fill `result` (an open object) and return OP_DONE; or keep `ticket` and return
 * OP_LATER; or set the failure and return OP_FAILED. */
enum op_status { OP_DONE, OP_LATER, OP_FAILED };

struct operation {
    const char *name;
    enum op_status (*run)(const struct json *args, struct ticket *ticket,
                          struct json_writer *result, struct failure *failure);
};

extern const struct operation operations[]; /* ends with a NULL name */

int api_open(const char *path, struct failure *failure);

/* Answer later: `result` is a writer that holds one complete object. The ticket is freed. */
void ticket_answer(struct ticket *t, struct json_writer *result);
void ticket_fail(struct ticket *t, const struct failure *failure);
void ticket_progress(const struct ticket *t, const char *step, const char *message);

/* This ticket's connection wants events from now on. */
void api_subscribe(const struct ticket *t);
/* Send one event object to all who asked. */
void api_event(struct json_writer *event);

#endif
