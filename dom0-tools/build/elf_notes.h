/* SPDX-License-Identifier: MIT */
/*
 * Walk the ELF notes that a kernel for Xen carries (<xen/elfnote.h>): bounded, read-only, no trust
 * in any length.
 */
#ifndef MULLION_BUILD_ELF_NOTES_H
#define MULLION_BUILD_ELF_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xen_notes {
    uint64_t entry, hypercall_page, virt_base, paddr_offset,
        init_p2m; /* meaningful when in `seen` */
    uint32_t supported_features;
    bool mod_start_pfn;
    char guest_os[16], loader[16], xen_version[16], features[256];
    uint32_t seen;  /* bit per XEN_ELFNOTE_* number */
    unsigned count; /* of notes named "Xen" */
};

static inline bool note_seen(const struct xen_notes *n, unsigned type)
{
    return type < 32 && (n->seen & 1u << type);
}

/* Read the notes in `data` into `notes`, adding to what is there. False when the bytes are not a
 * list of notes. */
bool xen_notes_read(const uint8_t *data, size_t size, struct xen_notes *notes);

#endif
