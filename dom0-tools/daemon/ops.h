/* SPDX-License-Identifier: MIT */
/* The operations of the API (docs/api.md) beyond their table, which api.h declares. */
#ifndef MULLION_DAEMON_OPS_H
#define MULLION_DAEMON_OPS_H

#include <stdint.h>

/* The console of a domain has a terminal now: answer those who wait for it. */
void console_tty_changed(uint32_t domid);

#endif
