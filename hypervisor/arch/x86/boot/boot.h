/* SPDX-License-Identifier: MIT */
/* Between the files of boot/ and main.c, acpi.c: what the loader said beyond boot_info. */
#ifndef X86_BOOT_H
#define X86_BOOT_H

#include <hv/types.h>

void boot_info_init(uint32_t magic, uint64_t info, uint64_t image_start, uint64_t image_end);
extern uint64_t boot_tsc;              /* TSC when the first C code ran */
extern const char *boot_problem;       /* NULL: none. Said when there is a console */
extern uint64_t boot_efi_system_table; /* machine address, 0: none */
extern uint8_t boot_rsdp_copy[36];     /* the loader's copy of the ACPI RSDP, zero: none */
extern uint64_t ap_cr3, ap_stack;      /* head.S: where the next CPU starts */
extern uint32_t boot_efer;
extern const char trampoline_start[], trampoline_end[];

#endif
