/* SPDX-License-Identifier: MIT */
/* The typed error of failure.h: its names, how it is filled and how it is shown. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[FAILURE_CODES] = {
    [FAIL_NONE] = "none",
    [FAIL_JSON_SYNTAX] = "json.syntax",
    [FAIL_JSON_LIMIT] = "json.limit",
    [FAIL_JSON_DUPLICATE] = "json.duplicate-key",
    [FAIL_CONFIG_UNKNOWN] = "config.unknown-key",
    [FAIL_CONFIG_MISSING] = "config.missing-key",
    [FAIL_CONFIG_TYPE] = "config.type",
    [FAIL_CONFIG_RANGE] = "config.range",
    [FAIL_CONFIG_VALUE] = "config.value",
    [FAIL_CONFIG_CONFLICT] = "config.conflict",
    [FAIL_IMAGE_MISSING] = "image.missing",
    [FAIL_IMAGE_BUSY] = "image.busy",
    [FAIL_KERNEL_MISSING] = "kernel.missing",
    [FAIL_KERNEL_FORMAT] = "kernel.format",
    [FAIL_INITRD_MISSING] = "initrd.missing",
    [FAIL_BRIDGE_MISSING] = "bridge.missing",
    [FAIL_MEMORY_UNAVAILABLE] = "memory.unavailable",
    [FAIL_CPU_MISSING] = "cpu.missing",
    [FAIL_CPU_UNAVAILABLE] = "cpu.unavailable",
    [FAIL_HYPERVISOR] = "hypervisor",
    [FAIL_STORE] = "store",
    [FAIL_IO] = "io",
    [FAIL_DOMAIN_UNKNOWN] = "domain.unknown",
    [FAIL_DOMAIN_STATE] = "domain.state",
    [FAIL_REQUEST] = "request.invalid",
    [FAIL_VERSION] = "request.version",
    [FAIL_TIMEOUT] = "timeout",
    [FAIL_RESOURCES] = "resources",
    [FAIL_CONNECT] = "connect",
};

int fail(struct failure *f, enum failure_code code, const char *step, const char *where,
         const char *format, ...)
{
    va_list args;

    if (f->code != FAIL_NONE)
        return -1;
    f->code = code;
    snprintf(f->step, sizeof(f->step), "%s", step ? step : "");
    snprintf(f->where, sizeof(f->where), "%s", where ? where : "");
    va_start(args, format);
    vsnprintf(f->message, sizeof(f->message), format, args);
    va_end(args);
    make_printable(f->where);
    make_printable(f->message);
    return -1;
}

int fail_hint(struct failure *f, const char *format, ...)
{
    va_list args;

    if (f->hint[0])
        return -1;
    va_start(args, format);
    vsnprintf(f->hint, sizeof(f->hint), format, args);
    va_end(args);
    make_printable(f->hint);
    return -1;
}

const char *failure_name(enum failure_code code)
{
    return (unsigned)code < FAILURE_CODES ? names[code] : "unknown";
}

enum failure_code failure_from_name(const char *name)
{
    for (unsigned i = 0; i < FAILURE_CODES; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return FAIL_NONE;
}

char *failure_render(const struct failure *f, char *buffer, unsigned long size)
{
    char where[224] = "", step[56] = "", hint[280] = "";

    if (f->where[0])
        snprintf(where, sizeof(where), "\n  where: %s", f->where);
    if (f->step[0])
        snprintf(step, sizeof(step), "\n  step:  %s", f->step);
    if (f->hint[0])
        snprintf(hint, sizeof(hint), "\n  hint:  %s", f->hint);
    snprintf(buffer, size, "%s (%s)%s%s%s", f->message, failure_name(f->code), where, step, hint);
    return buffer;
}

void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}
