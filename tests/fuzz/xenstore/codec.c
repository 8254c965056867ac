/* SPDX-License-Identifier: MIT */
/* codec.c: fuzz target: the codec on any bytes; what it accepts must survive its own encoding. */
#include <stdlib.h>
#include <string.h>

#include "xswire/args.h"
#include "xswire/frame.h"
#include "xswire/names.h"
#include "xswire/path.h"
#include "xswire/perm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

/* A copy of its own, so that a read beyond its end is seen. */
static char *copy_of(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

static void frames(const char *buf, size_t size)
{
    struct xsw_frame f;
    size_t at = 0;
    int used;

    while ((used = xsw_frame_next(buf + at, size - at, &f)) > 0) {
        require(f.hdr.len <= XENSTORE_PAYLOAD_MAX && f.body + f.hdr.len <= buf + size);
        require(xsw_frame_missing(buf + at, size - at) == 0);
        at += (size_t)used;
    }
    require(used == 0 || used == -1);
}

static void strings(const char *buf, size_t size)
{
    struct xsw_str v[3], rest;
    size_t n = xsw_split(buf, size, v, 3, &rest), whole = rest.len;

    for (size_t i = 0; i < n && i < 3; i++) {
        require(v[i].s[v[i].len] == 0 && !memchr(v[i].s, 0, v[i].len));
        whole += v[i].len + 1;
    }
    require(whole == size);
    for (size_t i = 0; i < n && i < 3; i++) {
        struct xsw_perm p;
        uint32_t value;
        char text[12];

        if (xsw_perm_parse(v[i].s, v[i].len, &p)) {
            struct xsw_perm again;

            require(xsw_perm_parse(text, xsw_perm_format(text, p), &again));
            require(again.domid == p.domid && again.bits == p.bits);
        }
        if (xsw_parse_u32(v[i].s, v[i].len, &value)) {
            uint32_t again;

            require(xsw_parse_u32(text, xsw_format_u32(text, value), &again) && again == value);
        }
        xsw_error_number(v[i].s, v[i].len);
    }
}

static void paths(const char *buf, size_t size)
{
    char out[XENSTORE_PAYLOAD_MAX + XSW_HOME_MAX];
    const char *name;
    size_t pos = 0, step, len = xsw_path_resolve(out, sizeof(out), 7, buf, size), total = 0;

    require(len < sizeof(out));
    if (!len || !xsw_path_valid(out, len, XENSTORE_REL_PATH_MAX))
        return;
    require(out[0] == '/' && !strstr(out, "//") && (len == 1 || out[len - 1] != '/'));
    while ((step = xsw_path_step(out, len, &pos, &name)))
        total += step + 1;
    require(total == (len == 1 ? 0 : len));
    require(xsw_path_is_below("/", 1, out, len) && xsw_path_is_below(out, len, out, len));
    if (len > 1)
        require(xsw_path_is_below(out, xsw_path_parent(out, len), out, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *buf = copy_of(data, size);

    frames(buf, size);
    strings(buf, size);
    paths(buf, size);
    xsw_type_name(size > 4 ? data[4] : 0);
    free(buf);
    return 0;
}
