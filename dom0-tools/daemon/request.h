/* SPDX-License-Identifier: MIT */
/* One line of the API → a checked request: pure, for the daemon and its unit test. */
#ifndef MULLION_DAEMON_REQUEST_H
#define MULLION_DAEMON_REQUEST_H

#include "failure.h"
#include "json.h"

struct api_request {
    char id[72]; /* JSON text, "null" when there was none to be found */
    const char *op;
    const struct json *args; /* an object, or NULL when absent */
};

/* `doc` keeps the strings alive. Fills `id` even on failure where it can, so that the answer can
 * carry it. */
int api_request_read(const struct json_doc *doc, struct api_request *request,
                     struct failure *failure);

#endif
