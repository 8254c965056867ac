/* SPDX-License-Identifier: MIT */
/* What the control calls (domctl, sysctl, platform_op) need of other rooms; and the last words of the machine. */
#ifndef HV_CONTROL_H
#define HV_CONTROL_H

#include <hv/types.h>

void machine_power_off(void) __noreturn;      /* ACPI S5, else halt */
void machine_restart(void) __noreturn;
void machine_halt(void) __noreturn;
/* Off, with values that dom0's ACPI interpreter found (XENPF_enter_acpi_sleep). */
void machine_enter_s5(uint16_t pm1a, uint16_t pm1b) __noreturn;
struct xen_sysctl_physinfo;
void arch_physinfo(struct xen_sysctl_physinfo *pi);   /* threads, cores, sockets, cpu_khz, hw_cap */
unsigned cpu_core_id(unsigned cpu), cpu_socket_id(unsigned cpu);

#endif
