/* SPDX-License-Identifier: MIT */
/*
 * The host's end of a guest's interface: a TAP device with virtio headers, in a bridge.
 *
 * The link is persistent: it stays (in its bridge, with its name) when a backend is killed, and its
 * successor attaches to it again. tap_forget() removes it. The link is up from the start; its
 * carrier says whether a guest is connected.
 */
#pragma once

#include <stdbool.h>

#include "report.h"

struct tap_config {
    const char *name;
    const char *bridge; /* NULL: in none */
};

/* What the frontend can take in large or unfinished packets. */
struct tap_offload {
    bool csum, tso4, tso6;
};

/* Creates or attaches to the link and puts it into its bridge; a descriptor, or a negative errno
 * with the reason. */
int tap_open(const struct tap_config *c, struct reason *why);
void tap_offload(int fd, const struct tap_offload *o);
void tap_carrier(int fd, bool on);
/* The link is removed when `fd` is closed. */
void tap_not_persistent(int fd);
/* Removes a link that a killed predecessor left. */
void tap_forget(const char *name);
