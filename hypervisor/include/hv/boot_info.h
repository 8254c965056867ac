/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us, copied out of its memory into ours before anything can overwrite it.
 * Written once by arch/x86/boot, read-only after. All addresses are machine addresses.
 */
#ifndef HV_BOOT_INFO_H
#define HV_BOOT_INFO_H

#include <hv/types.h>

#define BOOT_MODULES_MAX 4
#define BOOT_E820_MAX    128
#define BOOT_CMDLINE_MAX 2048

enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_UNUSABLE = 5 };

struct e820_entry { /* the ABI's layout for XENMEM_*memory_map */
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

struct boot_module {
    uint64_t start, size;             /* bytes; start is page-aligned */
    char cmdline[BOOT_CMDLINE_MAX];   /* without the file name of the module */
};

struct boot_info {
    char cmdline[BOOT_CMDLINE_MAX];
    char loader[64];
    unsigned nr_modules;
    struct boot_module module[BOOT_MODULES_MAX]; /* 0: dom0 kernel, 1: its initrd (optional) */
    unsigned nr_e820;
    struct e820_entry e820[BOOT_E820_MAX]; /* sorted, not overlapping, as the firmware gave it */
    uint64_t efi_system_table;             /* started from UEFI (multiboot2); else 0 */
    uint64_t image_start, image_end;       /* the hypervisor's own image */
};
extern struct boot_info boot_info;

#endif
