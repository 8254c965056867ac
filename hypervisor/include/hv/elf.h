/* SPDX-License-Identifier: MIT */
/*
 * Reading a 64-bit x86 ELF executable and its Xen notes, from memory that may be cut short or
 * hostile: every offset and size is checked against the file before it is used. Pure functions;
 * nothing is written.
 */
#ifndef HV_ELF_H
#define HV_ELF_H

#include <hv/types.h>

#define ELF_UNSET (~0UL)

struct elf_segment {
    uint64_t vaddr, paddr;      /* p_vaddr, p_paddr */
    uint64_t offset, file_size; /* in the file; file_size ≤ mem_size */
    uint64_t mem_size;
};

struct elf_kernel {
    const uint8_t *file;
    uint64_t size;
    unsigned nr_segments;
    struct elf_segment segment[16]; /* PT_LOAD, mem_size not 0 */
    /* From the notes; ELF_UNSET where there is none (entry: the ELF header's). Virtual addresses.
     */
    uint64_t entry, hypercall_page, virt_base, paddr_offset, init_p2m;
    bool has_notes;
    bool mod_start_pfn; /* XEN_ELFNOTE_MOD_START_PFN: the initrd need not be mapped */
    bool has_features, dom0_feature;
    char guest_os[32];
    /* Derived: where the image lies, virtual, page-aligned [start, end). */
    uint64_t virt_start, virt_end;
};

/* NULL, or what is wrong, for people: names the header or the note. */
const char *elf_parse(const void *file, uint64_t size, struct elf_kernel *out);

#endif
