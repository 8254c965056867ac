/* SPDX-License-Identifier: MIT */
/* The operations that only look: hello, list, get, dmesg. */
#ifndef MULLION_DAEMON_OPS_READ_H
#define MULLION_DAEMON_OPS_READ_H

#include "api.h"

enum op_status op_hello(const struct json *args, struct ticket *t, struct json_writer *result,
                        struct failure *failure);
enum op_status op_list(const struct json *args, struct ticket *t, struct json_writer *result,
                       struct failure *failure);
enum op_status op_get(const struct json *args, struct ticket *t, struct json_writer *result,
                      struct failure *failure);
enum op_status op_dmesg(const struct json *args, struct ticket *t, struct json_writer *result,
                        struct failure *failure);

#endif
