/* SPDX-License-Identifier: MIT */
/*
 * frame.h: messages of the xenstore protocol as bytes (header + payload, <xen/io/xs_wire.h>).
 *
 * Pure functions: no I/O, no allocation, nothing kept. Used by the daemon, the client library and
 * by frontends in kernels; needs only memcpy from its surroundings.
 *
 * Interface: xsw_frame_next() takes the next whole message off a byte stream, xsw_header_put()
 * writes a header. Every length that came from a peer is checked here, before anybody uses it.
 */
#ifndef XSWIRE_FRAME_H
#define XSWIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

#define XSW_HEADER_LEN  sizeof(struct xsd_sockmsg)
#define XSW_MESSAGE_MAX (XSW_HEADER_LEN + XENSTORE_PAYLOAD_MAX)

/** One message inside a buffer: its header copied out, its payload where it lies. */
struct xsw_frame {
    struct xsd_sockmsg hdr;
    const char *body; /* hdr.len bytes, not NUL-terminated */
};

/**
 * Take the first message of buf[0..len).
 * @return the bytes it occupies (>= 16); 0: not complete yet; -1: the header announces more than
 *         XENSTORE_PAYLOAD_MAX bytes, the stream cannot be trusted any more.
 */
int xsw_frame_next(const char *buf, size_t len, struct xsw_frame *frame);

/** Write a header to dst (XSW_HEADER_LEN bytes, any alignment). */
void xsw_header_put(char *dst, uint32_t type, uint32_t req_id, uint32_t tx_id, uint32_t len);

/**
 * How many more bytes the message at buf[0..len) needs before anything can be done with it: the
 * rest of the header, or of the payload. 0: it is complete. For readers that take no more than one
 * message at a time (kernels on a ring).
 */
size_t xsw_frame_missing(const char *buf, size_t len);

#endif
