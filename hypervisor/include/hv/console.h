/* SPDX-License-Identifier: MIT */
/* Inside of the console: printk.c (formatting, panic) on console.c (ring, serial line, input). */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include <hv/types.h>

/* Append text to the log ring and, if `to_serial`, send it. Takes the console lock. */
void console_write_log(const char *text, size_t n, bool to_serial);
/* From now on ignore the console lock: its holder may be a CPU that has been stopped. */
void console_force_unlock(void);

#endif
