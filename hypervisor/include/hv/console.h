/* SPDX-License-Identifier: MIT */
/* Inside of the console: printk.c (formatting, panic) on console.c (ring, serial line, input). */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include <hv/types.h>

/* Append text to the log ring and, if `to_serial`, send it. Takes the console lock. */
void console_write_log(const char *text, size_t n, bool to_serial);
/* From now on ignore the console lock: its holder may be a CPU that has been stopped. */
void console_force_unlock(void);

/* --- the serial line behind it (arch/x86/uart.c): polled output, interrupt-driven input --- */
/* Choose and set up the port that console= names. False: none there (the log still fills the ring). */
bool uart_init(void);
void uart_putc(char c);   /* waits for room, bounded; '\n' is sent as it is. Under the console lock */
void uart_irq_init(void); /* after the IO-APIC is up: receive by interrupt */
uint16_t uart_port(void); /* I/O base of the console's port, 0: none. Not even dom0 may touch it */

#endif
