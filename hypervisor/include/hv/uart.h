/* SPDX-License-Identifier: MIT */
/* The serial line behind the console (arch/x86/uart.c): polled output, interrupt-driven input. */
#ifndef HV_UART_H
#define HV_UART_H

#include <hv/types.h>

/* Choose and set up the port that opt.console names. False: none there (the log still fills the
 * ring). */
bool uart_init(void);
void uart_putc(char c); /* waits for room, bounded; '\n' is sent as it is. Under the console lock */
void uart_irq_init(void); /* after the IO-APIC is up: receive by interrupt */
uint16_t uart_port(void); /* I/O base of the console's port, 0: none. Not even dom0 may touch it */
#endif
