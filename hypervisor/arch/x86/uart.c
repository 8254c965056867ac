/* SPDX-License-Identifier: MIT */
/*
 * 16550 serial port: polled output (a line of the log must be out before the machine stops), input
 * by interrupt. Lock: output under the console lock; input only in the port's own interrupt.
 */
#include <hv/console.h>
#include <hv/cmdline.h>
#include <hv/printk.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/irq.h>

/* While LCR_DLAB, DATA and IER are the divisor; FCR reads as what interrupts. */
enum { DATA, IER, FCR, LCR, MCR, LSR, SCR = 7 };
#define LSR_DATA  0x01
#define LSR_EMPTY 0x20
#define FIFO_SIZE 16
#define LCR_8N1   0x03
#define LCR_DLAB  0x80

static uint16_t port;
static unsigned room; /* characters that the FIFO takes before it must be looked at again */

uint16_t uart_port(void)
{
    return port;
}

bool uart_init(void)
{
    uint16_t base, divisor;

    if (!opt.com)
        return false;
    base = opt.com_port[opt.com - 1];
    divisor = (uint16_t)(115200 / opt.com_baud[opt.com - 1]);

    outb(base + SCR, 0x5a); /* no port: reads float to 0xff */
    if (inb(base + SCR) != 0x5a)
        return false;
    outb(base + IER, 0);
    outb(base + LCR, LCR_8N1 | LCR_DLAB);
    outb(base + DATA, divisor & 0xff);
    outb(base + IER, divisor >> 8);
    outb(base + LCR, LCR_8N1);
    outb(base + FCR, 0x07); /* FIFOs on and empty, interrupt at one byte */
    outb(base + MCR, 0x0b); /* DTR, RTS, and OUT2, which lets the interrupt out */
    port = base;
    return true;
}

void uart_putc(char c)
{
    /* Bounded: a port that never gets empty (flow control, broken hardware) must not stop the
     * machine. */
    for (unsigned spin = 0; !room && !(inb(port + LSR) & LSR_EMPTY) && spin < 100000; spin++)
        cpu_relax();
    room = (room ? room : FIFO_SIZE) - 1;
    outb(port + DATA, (uint8_t)c);
}

static void uart_interrupt(void)
{
    inb(port + FCR);
    for (unsigned n = 0; n < 64 && (inb(port + LSR) & LSR_DATA); n++)
        console_input((char)inb(port + DATA));
}

void uart_irq_init(void)
{
    int rc;

    if (!port)
        return;
    rc = irq_own(opt.com == 1 ? 4 : 3, uart_interrupt);
    if (rc) {
        pr_warn("Serial input is off: the port's interrupt cannot be routed (error %d).\n", rc);
        return;
    }
    outb(port + IER, 0x01);
}
