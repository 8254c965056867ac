/* SPDX-License-Identifier: MIT */
/*
 * A PV kernel's ELF64 image, decoded: load segments and the Xen notes that say how it wants to be started.
 *
 * elf_decode() reads through a callback, checks every offset, size and sum, and never looks at a byte twice; what it returns
 * holds for the whole image (segments sorted or not, inside [pstart, pend), no wrap). Pure: no lock, no allocation.
 * Source: ELF-64 Object File Format; <xen/elfnote.h>.
 */
#ifndef HV_ELF_H
#define HV_ELF_H

#include <hv/types.h>

#define ELF_MAX_SEGMENTS 16
#define ELF_UNSET        (~0UL)

struct elf_source {
    /* Copy n bytes at offset off to dst; the decoder has checked that off + n ≤ size. */
    void (*read)(const struct elf_source *s, uint64_t off, void *dst, size_t n);
    uint64_t size;
    uint64_t where; /* the reader's own: a machine address, a host pointer */
};

struct elf_segment {
    uint64_t offset, filesz; /* in the image */
    uint64_t paddr, memsz;   /* where it goes, before PADDR_OFFSET is taken off */
};

struct elf_kernel {
    unsigned nr_segments;
    struct elf_segment segment[ELF_MAX_SEGMENTS];
    uint64_t pstart, pend;      /* of all segments, PADDR_OFFSET taken off; bytes */
    uint64_t virt_base;         /* virtual address of the domain's pfn 0 */
    uint64_t paddr_offset;
    uint64_t entry;             /* virtual */
    uint64_t hypercall_page;    /* virtual; ELF_UNSET: none */
    uint64_t init_p2m;          /* virtual; ELF_UNSET: after the image */
    bool unmapped_initrd;       /* start_info.mod_start may be a pfn */
    char guest_os[16], guest_version[16], loader[16];
};

/* 0, or -ENOEXEC/-EINVAL with *why set to a sentence for the administrator. */
int elf_decode(const struct elf_source *s, struct elf_kernel *k, const char **why);
/* Is this a Linux bzImage (which the tools must unpack first)? */
bool elf_is_bzimage(const struct elf_source *s);

#endif
