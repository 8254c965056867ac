/* SPDX-License-Identifier: MIT */
/* Shared by store.c and store_domain.c only: the connection. */
#ifndef MULLION_DAEMON_STORE_PRIVATE_H
#define MULLION_DAEMON_STORE_PRIVATE_H

#include <xenstore.h>

extern struct xs_handle *store_handle;

#endif
