/* SPDX-License-Identifier: MIT */
/*
 * An ELF file → what the builder must know to start it as a 64-bit PV domain.
 *
 * Reads only headers and notes, by pread, each within fixed bounds: the kernel's bytes go from the
 * page cache into the guest's frames later and are never interpreted here. The result satisfies,
 * whatever the file said: segments lie in [virt_start, virt_end), do not overlap, fit the file;
 * entry and hypercall page are inside; virt_base <= virt_start; everything is in the half of the
 * address space that a PV kernel may use.
 */
#ifndef MULLION_BUILD_KERNEL_ELF_H
#define MULLION_BUILD_KERNEL_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

#define KERNEL_MAX_SEGMENTS 32
#define KERNEL_MAX_SPAN     (1ULL << 30)
#define KERNEL_NO_ADDRESS   (~0ULL)

struct kernel_segment {
    uint64_t file_offset, file_size; /* bytes to copy */
    uint64_t virt, virt_size;        /* where, and how much room; the rest is zero */
};

struct kernel_elf {
    uint64_t virt_base;            /* address of guest pfn 0 in the initial mapping */
    uint64_t virt_start, virt_end; /* the loaded image */
    uint64_t entry;
    uint64_t hypercall_page; /* KERNEL_NO_ADDRESS: none asked for */
    uint64_t init_p2m;       /* KERNEL_NO_ADDRESS: the list lies in the initial mapping */
    bool mod_start_pfn;      /* the initrd need not be mapped */
    unsigned nr_segments;
    struct kernel_segment segments[KERNEL_MAX_SEGMENTS];
};

/* Read and check. 0, or -1 with a kernel.format failure that says what is wrong. */
int kernel_elf_read(int fd, struct kernel_elf *kernel, struct failure *failure);

#endif
