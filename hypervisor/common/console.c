/* SPDX-License-Identifier: MIT */
/*
 * The console: a ring that keeps the log's last 64 KiB, the serial line, and what a person types,
 * queued for dom0.
 *
 * Interface: console_init, console_write_log, do_console_io, sysctl_readconsole, console_input.
 * Invariant: bytes [producer - min(producer, RING), producer) are valid; indices run freely and are
 * masked on use. Lock: console_lock, innermost of all, irqsave; nothing is called under it but the
 * UART.
 */
#include <hv/console.h>
#include <hv/printk.h>
#include <hv/evtchn.h>
#include <asm/uaccess.h>
#include "sysctl/sysctl.h"

#define RING_SIZE  (64u << 10)
#define INPUT_SIZE 1024u
#define CHUNK      128u

static spinlock_t console_lock = SPINLOCK_INIT;
static char ring[RING_SIZE];
static uint32_t ring_producer, ring_consumer; /* consumer: moved by a clearing read */
static char input[INPUT_SIZE];
static uint32_t input_producer, input_consumer;
static bool serial_up, lock_broken;

static unsigned long lock_console(void)
{
    return lock_broken ? irq_save() : spin_lock_irqsave(&console_lock);
}

static void unlock_console(unsigned long flags)
{
    if (lock_broken)
        irq_restore(flags);
    else
        spin_unlock_irqrestore(&console_lock, flags);
}

void console_force_unlock(void)
{
    lock_broken = true;
}

static void serial_write(const char *s, size_t n)
{
    if (!serial_up)
        return;
    for (; n--; s++) {
        if (*s == '\n')
            uart_putc('\r');
        uart_putc(*s);
    }
}

void console_write_log(const char *text, size_t n, bool to_serial)
{
    unsigned long flags = lock_console();

    for (size_t i = 0; i < n; i++)
        ring[ring_producer++ % RING_SIZE] = text[i];
    if (ring_producer - ring_consumer > RING_SIZE)
        ring_consumer = ring_producer - RING_SIZE;
    if (to_serial)
        serial_write(text, n);
    unlock_console(flags);
}

/* Bring the serial line up and send what was logged before (messages about the command line, for
 * one). */
void console_init(void)
{
    unsigned long flags;

    if (!uart_init())
        return;
    flags = lock_console();
    serial_up = true;
    for (uint32_t i = ring_consumer; i != ring_producer; i++)
        serial_write(&ring[i % RING_SIZE], 1);
    unlock_console(flags);
}

/* --- what guests may ask
 * ---------------------------------------------------------------------------------------- */

/* Text of dom0's goes to the serial line as it is, a chunk at a time: the line is slow, so the call
 * may be preempted. */
static long console_write_guest(struct hypercall *hc, uint64_t buffer, uint32_t count)
{
    while (hc->progress[0] < count) {
        char chunk[CHUNK];
        uint32_t n = MIN(count - (uint32_t)hc->progress[0], CHUNK);
        unsigned long flags;

        if (copy_from_guest(chunk, buffer + hc->progress[0], n))
            return -EFAULT;
        flags = lock_console();
        serial_write(chunk, n);
        unlock_console(flags);
        hc->progress[0] += n;
        if (hc->progress[0] < count && preempt_needed())
            return -HC_RESTART;
    }
    return 0;
}

static long console_read_guest(uint64_t buffer, uint32_t count)
{
    char text[INPUT_SIZE];
    uint32_t n = 0;
    unsigned long flags = lock_console();

    while (n < count && input_consumer != input_producer)
        text[n++] = input[input_consumer++ % INPUT_SIZE];
    unlock_console(flags);
    if (n && copy_to_guest(buffer, text, n))
        return -EFAULT;
    return n;
}

/* HYPERVISOR_console_io(cmd, count, buffer): dom0 only, as in a release build of Xen. */
long do_console_io(struct hypercall *hc)
{
    if (!current->domain->is_dom0)
        return -EPERM;
    switch ((int)hc->arg[0]) {
    case CONSOLEIO_write:
        return console_write_guest(hc, hc->arg[2], (uint32_t)hc->arg[1]);
    case CONSOLEIO_read:
        return console_read_guest(hc->arg[2], (uint32_t)hc->arg[1]);
    default:
        return -ENOSYS;
    }
}

long sysctl_readconsole(struct xen_sysctl *sysctl)
{
    struct xen_sysctl_readconsole *op = &sysctl->u.readconsole;
    unsigned long flags = lock_console();
    uint32_t pos = ring_consumer, end = ring_producer, done = 0;

    unlock_console(flags);
    if (op->incremental && (int32_t)(op->index - pos) > 0)
        pos = (int32_t)(op->index - end) > 0 ? end : op->index;

    while (pos != end && done < op->count) {
        char chunk[CHUNK];
        uint32_t n = MIN(MIN(end - pos, op->count - done), CHUNK);

        flags = lock_console();
        for (uint32_t i = 0; i < n; i++)
            chunk[i] = ring[(pos + i) % RING_SIZE];
        unlock_console(flags);
        if (copy_to_guest((uint64_t)op->buffer.p + done, chunk, n))
            return -EFAULT;
        pos += n;
        done += n;
    }
    if (op->clear) {
        flags = lock_console();
        ring_consumer = ring_producer;
        unlock_console(flags);
    }
    op->count = done;
    op->index = pos;
    return 0;
}

void console_input(char c)
{
    unsigned long flags = lock_console();

    if (input_producer - input_consumer < INPUT_SIZE)
        input[input_producer++ % INPUT_SIZE] =
            c; /* a full queue drops what is typed, as a terminal does */
    unlock_console(flags);
    send_dom0_virq(VIRQ_CONSOLE);
}
