/* SPDX-License-Identifier: MIT */
/* What the static ACPI tables say (acpi.c reads them once at boot). AML is dom0's business. */
#ifndef ASM_ACPI_H
#define ASM_ACPI_H

#include <hv/types.h>

#define ACPI_MAX_CPUS    256
#define ACPI_MAX_IOAPICS 16

struct acpi_info {
    uint64_t rsdp;    /* machine address; 0: not found */
    unsigned nr_cpus; /* enabled processors, the boot CPU among them */
    struct {
        uint32_t apic_id, acpi_id;
    } cpu[ACPI_MAX_CPUS];
    unsigned nr_ioapics;
    struct {
        uint32_t address, gsi_base;
    } ioapic[ACPI_MAX_IOAPICS];
    struct {
        uint32_t gsi;
        uint16_t flags; /* MPS INTI: polarity bits 0-1, trigger bits 2-3 */
    } isa_irq[16];      /* where the 16 old interrupts are wired */

    uint16_t pm1a_control, pm1b_control, pm1a_event, pm_timer;
    uint32_t smi_command;
    uint8_t acpi_enable;
    uint16_t reset_port; /* 0: none */
    uint8_t reset_value;
    uint64_t dsdt;
};
extern struct acpi_info acpi;

void acpi_init(void);
/* The \_S5_ package of the DSDT: sleep types for PM1a and PM1b. False: not found. */
bool acpi_find_s5(uint8_t *type_a, uint8_t *type_b);

#endif
