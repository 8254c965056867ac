/* SPDX-License-Identifier: MIT */
/* names.c: names of errors and requests; see xswire/names.h. Constant tables only. */
#include <stdint.h>
#include <errno.h> /* before xs_wire.h: it makes the table of error names appear */
#include <string.h>

#include "xswire/frame.h"
#include "xswire/names.h"

#define ERRORS (sizeof(xsd_errors) / sizeof(xsd_errors[0]))

static const char *const type_names[XS_TYPE_COUNT] = {
    [XS_CONTROL] = "CONTROL",
    [XS_DIRECTORY] = "DIRECTORY",
    [XS_READ] = "READ",
    [XS_GET_PERMS] = "GET_PERMS",
    [XS_WATCH] = "WATCH",
    [XS_UNWATCH] = "UNWATCH",
    [XS_TRANSACTION_START] = "TRANSACTION_START",
    [XS_TRANSACTION_END] = "TRANSACTION_END",
    [XS_INTRODUCE] = "INTRODUCE",
    [XS_RELEASE] = "RELEASE",
    [XS_GET_DOMAIN_PATH] = "GET_DOMAIN_PATH",
    [XS_WRITE] = "WRITE",
    [XS_MKDIR] = "MKDIR",
    [XS_RM] = "RM",
    [XS_SET_PERMS] = "SET_PERMS",
    [XS_WATCH_EVENT] = "WATCH_EVENT",
    [XS_ERROR] = "ERROR",
    [XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
    [XS_RESUME] = "RESUME",
    [XS_SET_TARGET] = "SET_TARGET",
    [XS_RESET_WATCHES] = "RESET_WATCHES",
    [XS_DIRECTORY_PART] = "DIRECTORY_PART",
};

const char *xsw_error_name(int err)
{
    for (size_t i = 0; i < ERRORS; i++)
        if (xsd_errors[i].errnum == err)
            return xsd_errors[i].errstring;
    return "EINVAL";
}

int xsw_error_number(const char *name, size_t len)
{
    for (size_t i = 0; i < ERRORS; i++)
        if (strlen(xsd_errors[i].errstring) == len && !memcmp(xsd_errors[i].errstring, name, len))
            return xsd_errors[i].errnum;
    return EINVAL;
}

const char *xsw_type_name(uint32_t type)
{
    return type < XS_TYPE_COUNT && type_names[type] ? type_names[type] : "?";
}
