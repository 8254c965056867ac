/* SPDX-License-Identifier: MIT */
/*
 * say.h: messages for whoever reads the log. Each is one write(), and is counted (streams.h): no
 * other way of printing may be used while the daemon serves.
 */
#ifndef XSD_SAY_H
#define XSD_SAY_H

/** A line to a descriptor, cut off where it is too long; the newline is added. */
void say_to(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define say(...) say_to(2, "xenstored: " __VA_ARGS__)

#endif
