/* SPDX-License-Identifier: MIT */
/* The end of the machine's run: power off, restart, halt. Each tries what the firmware offers first
 * and never returns. */
#include <hv/control.h>
#include <hv/printk.h>
#include <asm/acpi.h>
#include <asm/io.h>
#include <asm/pv.h>
#include <asm/traps.h>

#define PM1_SCI_ENABLE  1
#define PM1_SLEEP_TYPE  (7 << 10)
#define PM1_SLEEP_GO    (1 << 13)
#define PM1_WAKE_STATUS 0x8000

void machine_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void wait_a_little(void)
{
    for (unsigned i = 0; i < 1000000; i++)
        cpu_relax();
}

/* ACPI 4.8.3.2: clear the wake status, set the type, then the type again with the enable bit. */
void machine_enter_s5(uint16_t value_a, uint16_t value_b)
{
    machine_stop_others();
    if (acpi.pm1a_event)
        port_write(acpi.pm1a_event, 2, PM1_WAKE_STATUS);
    port_write(acpi.pm1a_control, 2, value_a & ~PM1_SLEEP_GO);
    if (acpi.pm1b_control)
        port_write(acpi.pm1b_control, 2, value_b & ~PM1_SLEEP_GO);
    port_write(acpi.pm1a_control, 2, value_a | PM1_SLEEP_GO);
    if (acpi.pm1b_control)
        port_write(acpi.pm1b_control, 2, value_b | PM1_SLEEP_GO);
    for (unsigned i = 0; i < 100; i++)
        wait_a_little();
    pr_err("The machine did not switch off; it is halted and may be switched off by hand.\n");
    machine_halt();
}

void machine_power_off(void)
{
    uint8_t a, b;
    uint16_t keep;

    if (!acpi.pm1a_control || !acpi_find_s5(&a, &b)) {
        pr_err("The firmware does not say how to switch off; the machine is halted and may be "
               "switched off by hand.\n");
        machine_stop_others();
        machine_halt();
    }
    /* The control registers work only in ACPI mode, which a dom0 that is no Linux may never have
     * entered. */
    if (!(port_read(acpi.pm1a_control, 2) & PM1_SCI_ENABLE) && acpi.smi_command &&
        acpi.acpi_enable) {
        outb((uint16_t)acpi.smi_command, acpi.acpi_enable);
        for (unsigned i = 0; i < 1000000 && !(port_read(acpi.pm1a_control, 2) & PM1_SCI_ENABLE);
             i++)
            cpu_relax();
    }
    keep = port_read(acpi.pm1a_control, 2) & (uint16_t) ~(PM1_SLEEP_TYPE | PM1_SLEEP_GO);
    machine_enter_s5(keep | (a & 7) << 10, keep | (b & 7) << 10);
}

void machine_restart(void)
{
    const struct table_pointer no_idt = {0};

    machine_stop_others();
    if (acpi.reset_port) {
        outb(acpi.reset_port, acpi.reset_value);
        wait_a_little();
    }
    outb(0xcf9, 0x02); /* PCI reset control: full reset on the next write of bit 2 */
    outb(0xcf9, 0x06);
    wait_a_little();
    for (unsigned i = 0; i < 100000 && (inb(0x64) & 2); i++)
        cpu_relax();
    outb(0x64, 0xfe); /* keyboard controller: pulse the reset line */
    wait_a_little();
    /* no way to take an exception: the CPU shuts down */
    __asm__ volatile("lidt %0; int3" ::"m"(no_idt));
    machine_halt();
}
