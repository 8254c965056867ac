/* SPDX-License-Identifier: MIT */
/* frame.c: headers and message boundaries; see xswire/frame.h. Stateless. */
#include <string.h>

#include "xswire/frame.h"

int xsw_frame_next(const char *buf, size_t len, struct xsw_frame *frame)
{
    if (len < XSW_HEADER_LEN)
        return 0;
    memcpy(&frame->hdr, buf, XSW_HEADER_LEN);
    if (frame->hdr.len > XENSTORE_PAYLOAD_MAX)
        return -1;
    if (len - XSW_HEADER_LEN < frame->hdr.len)
        return 0;
    frame->body = buf + XSW_HEADER_LEN;
    return (int)(XSW_HEADER_LEN + frame->hdr.len);
}

void xsw_header_put(char *dst, uint32_t type, uint32_t req_id, uint32_t tx_id, uint32_t len)
{
    struct xsd_sockmsg hdr = {.type = type, .req_id = req_id, .tx_id = tx_id, .len = len};

    memcpy(dst, &hdr, sizeof(hdr));
}

size_t xsw_frame_missing(const char *buf, size_t len)
{
    struct xsd_sockmsg hdr;
    size_t whole;

    if (len < XSW_HEADER_LEN)
        return XSW_HEADER_LEN - len;
    memcpy(&hdr, buf, sizeof(hdr));
    whole = XSW_HEADER_LEN + (size_t)hdr.len;
    return len < whole ? whole - len : 0;
}
