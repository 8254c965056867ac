/* SPDX-License-Identifier: MIT */
/*
 * One backend process per device directory of ours in xenstore, whoever wrote it, and the one
 * console daemon.
 *
 * Driven by two watches: backends_scan() for the first event and for removed folders,
 * backends_changed() for a path below. The truth is always read from the store, never from the
 * event.
 */
#ifndef MULLION_DAEMON_BACKENDS_H
#define MULLION_DAEMON_BACKENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "json_write.h"

/* Watch the store and start the console daemon. */
void backends_open(void);

/* A path below backend/<kind> changed. */
void backends_changed(const char *kind, const char *path);

/* How many backend processes of this domain still run. */
unsigned backends_running(uint32_t domid);

/* End them now: the grace period is over. */
void backends_kill(uint32_t domid);

/* Members about the backend of one device: pid, restarts, state, error. */
void backends_describe(struct json_writer *w, const char *kind, uint32_t domid, uint32_t devid);

#endif
