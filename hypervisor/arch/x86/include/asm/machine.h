/* SPDX-License-Identifier: MIT */
/* Switching the machine off with values that dom0's ACPI interpreter found
 * (XENPF_enter_acpi_sleep). */
#ifndef ASM_MACHINE_H
#define ASM_MACHINE_H

#include <hv/types.h>

void machine_enter_s5(uint16_t pm1a_value, uint16_t pm1b_value) __noreturn;

#endif
