/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's log: every line goes to the ring (XEN_SYSCTL_readconsole reads it) and, if its level passes
 * loglvl=, to the serial console. Any context, interrupts included. Lock: console lock (innermost).
 */
#ifndef HV_PRINTK_H
#define HV_PRINTK_H

#include <hv/types.h>

enum loglevel { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void printk_level(enum loglevel level, const char *fmt, ...) __printf(2, 3);
#define pr_err(...)   printk_level(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)  printk_level(LOG_WARN, __VA_ARGS__)
#define pr_info(...)  printk_level(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) printk_level(LOG_DEBUG, __VA_ARGS__)

/*
 * A broken invariant of the hypervisor itself: print the reason, registers and a stack trace, stop every CPU.
 * Never reachable from anything a guest does; each use says why in a comment.
 */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/* Called by the UART's receive path (interrupt context): queue input for dom0 and raise VIRQ_CONSOLE. */
void console_input(char c);
/* The boot order calls these. */
void console_init(void);

#endif
