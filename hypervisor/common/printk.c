/* SPDX-License-Identifier: MIT */
/*
 * Formatting of the hypervisor's log and the last words before a stop (panic).
 *
 * Interface: printk_level, panic. A line is formatted on the stack of whoever says it, then handed
 * to console.c whole, so that lines of two CPUs never mix. A text that does not end in '\n'
 * continues on the same line.
 */
#include <hv/printk.h>
#include <hv/console.h>
#include <hv/cmdline.h>
#include <hv/control.h>
#include <hv/string.h>
#include <asm/cpu.h>
#include <asm/traps.h>

#define PREFIX "(mullion) "

void printk_level(enum loglevel level, const char *fmt, ...)
{
    char line[320];
    const size_t prefix = sizeof(PREFIX) - 1;
    va_list ap;
    int n;

    memcpy(line, PREFIX, prefix);
    va_start(ap, fmt);
    n = vsnprintf(line + prefix, sizeof(line) - prefix, fmt, ap);
    va_end(ap);
    console_write_log(line, MIN(prefix + (size_t)n, sizeof(line) - 1), (int)level <= opt.loglvl);
}

void panic(const char *fmt, ...)
{
    static _Atomic bool panicking;
    char reason[200];
    va_list ap;

    irq_disable();
    if (__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST))
        machine_halt(); /* another CPU, or the same one while it was reporting */
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);

    machine_stop_others();
    console_force_unlock();
    pr_err("\n");
    pr_err("*** The hypervisor stops: %s\n", reason);
    show_machine_state();
    if (opt.noreboot) {
        pr_err("*** The machine stays halted (noreboot). Reset it by hand.\n");
        machine_halt();
    }
    pr_err(
        "*** The machine restarts. Say noreboot on the command line to keep this on the screen.\n");
    machine_restart();
}
