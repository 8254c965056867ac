/* SPDX-License-Identifier: MIT */
/*
 * Where everything lies when a PV domain takes its first step: a pure calculation, no hypervisor in
 * sight.
 *
 * The order in guest memory is the one that <xen/xen.h> ("start-of-day memory layout") promises to
 * kernels: image, initrd, p2m list, start_info, store and console pages, page tables, boot stack,
 * at least 512 KiB of room, all mapped contiguously from virt_base up to a 4 MiB boundary. Kernels
 * that say so get the initrd unmapped and the p2m list at an address of their choice, each after
 * the mapped part.
 *
 * Invariant of a layout that layout_compute() accepted: page frame numbers ascend in the order
 * above, none is used twice, all are below nr_pages.
 */
#ifndef MULLION_BUILD_LAYOUT_H
#define MULLION_BUILD_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

#define LAYOUT_NO_ADDRESS (~0ULL)
#define GUEST_PAGE        4096ULL

struct layout_input {
    uint64_t virt_base, image_end; /* image: [virt_base, image_end) with its leading gap */
    uint64_t initrd_size;          /* bytes; 0: none */
    bool initrd_unmapped;          /* MOD_START_PFN */
    uint64_t init_p2m;             /* or LAYOUT_NO_ADDRESS */
    uint64_t nr_pages;
};

struct frames {
    uint64_t pfn, count;
};

/* One contiguous mapping: [virt, virt + 4 KiB * count) → pfn, pfn + 1, … */
struct mapping {
    uint64_t virt, pfn, count;
};

struct layout {
    uint64_t virt_base, nr_pages;
    struct frames image, initrd, p2m, tables; /* tables: those of the initial mapping, L4 first */
    struct frames p2m_tables;                 /* what INIT_P2M needs on top; count 0 without it */
    uint64_t start_info_pfn, store_pfn, console_pfn, stack_pfn;
    uint64_t used_pages;    /* all of the above */
    struct mapping maps[2]; /* initial mapping, then the p2m's when it is apart */
    unsigned nr_maps;
    /* as start_info wants them */
    uint64_t initrd_start; /* virtual address, or pfn when initrd_unmapped */
    bool initrd_unmapped;
    uint64_t p2m_virt;
};

/* 0, or -1 with a memory.unavailable failure when the domain is too small. */
int layout_compute(const struct layout_input *in, struct layout *layout, struct failure *failure);

/* The virtual address of a frame inside the initial mapping. */
static inline uint64_t layout_virt(const struct layout *l, uint64_t pfn)
{
    return l->virt_base + pfn * GUEST_PAGE;
}

/* Page tables that a set of mappings needs at each level (index 0 = L1 … 3 = L4), shared ones
 * counted once. */
void layout_count_tables(const struct mapping *maps, unsigned nr, uint64_t count[4]);

#endif
