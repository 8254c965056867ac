/* SPDX-License-Identifier: MIT */
/* Between the files of boot/ and main.c, acpi.c: what the loader said beyond boot_info. */
#ifndef X86_BOOT_H
#define X86_BOOT_H

#include <hv/types.h>

void boot_info_init(uint32_t magic, uint64_t info, uint64_t image_start, uint64_t image_end);
extern uint64_t boot_tsc;              /* TSC when the first C code ran */
extern const char *boot_problem;       /* NULL: none. Said when there is a console */
bool boot_is_ram(uint64_t start, uint64_t end); /* the memory map says so of all of it */
extern uint64_t ap_cr3, ap_stack;      /* head.S: where the next CPU starts */
extern const char trampoline_start[], trampoline_end[];

#endif
