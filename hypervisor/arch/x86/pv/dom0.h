/* SPDX-License-Identifier: MIT */
/*
 * Between the three files that build dom0: dom0_kernel.c (reads the kernel, decides, fills in),
 * dom0_layout.c (what lies where, and which machine frames), dom0_page_tables.c (its first tables).
 * Boot only, one CPU.
 */
#ifndef PV_DOM0_H
#define PV_DOM0_H

#include <asm/pv_mm.h>
#include <hv/elf.h>

#define PAGES(bytes) (((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)

struct dom0_image {
    struct domain *d;
    struct elf_kernel elf;

    /* Virtual, page-aligned; [v_start, v_end) is mapped at the start, pfn 0 at v_start. */
    uint64_t v_start, p2m, start_info, page_tables, stack, v_end;
    uint64_t nr_page_tables; /* of them in the mapped area */
    uint64_t initrd_bytes;
    bool initrd_mapped;
    uint64_t initrd_pfn, initrd_pages;
    uint64_t list_pfn, list_pages; /* the P2M list */
    uint64_t list_tables;          /* pages after it, to map it where note INIT_P2M says; 0: it is
                                      in the mapped area */
    uint64_t used_pages;           /* pfns that all this takes */
    uint64_t nr_pages;             /* all of dom0's memory */

    mfn_t *list; /* the frames of the P2M list, which knows all others */
    mfn_t l4;
};

/* Decide v_start … v_end and the pfns. What is wrong, or NULL. */
const char *dom0_layout(struct dom0_image *im);
/* Give dom0 its frames, and write the P2M list, and the machine's view of it. */
const char *dom0_populate(struct dom0_image *im, uint64_t initrd_maddr);
mfn_t dom0_mfn(const struct dom0_image *im, uint64_t pfn);
static inline mfn_t dom0_va_mfn(const struct dom0_image *im, uint64_t va)
{
    return dom0_mfn(im, (va - im->v_start) >> PAGE_SHIFT);
}
/* Copy to dom0's memory at a mapped virtual address. */
void dom0_write(const struct dom0_image *im, uint64_t va, const void *src, uint64_t n);
/* Build the tables and have them validated and pinned, as any guest's. */
const char *dom0_make_tables(struct dom0_image *im);

#endif
