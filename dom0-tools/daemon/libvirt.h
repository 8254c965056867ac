/* SPDX-License-Identifier: MIT */
/*
 * What libvirt is told of our guests, so that `virsh list` shows them: one file for each that runs,
 * in the folder where libvirtd looks for running guests when it starts, in its own form
 * (domstatus).
 *
 * libvirtd then watches such a guest and forgets it when it is gone. Its lifecycle actions are all
 * "preserve" there: what a stopped guest needs is our business. A file of a libvirt guest with the
 * same name is left alone. Without libvirt on this host nothing is written.
 */
#ifndef MULLION_DAEMON_LIBVIRT_H
#define MULLION_DAEMON_LIBVIRT_H

#include "domain_config.h"

/* `sign`: a path that exists where libvirt is installed; `state`: the folder of the files. */
void libvirt_set_folders(const char *sign, const char *state);

/* The guest runs as `domid`; `tty` is its console's terminal, "" while it has none. */
void libvirt_tell(const struct domain_config *config, uint32_t domid, const char *tty);

/* It does not run any more. */
void libvirt_untell(const struct domain_config *config);

#endif
