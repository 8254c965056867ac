/* SPDX-License-Identifier: MIT */
/* One table from note number to field; see elf_notes.h. */
#include "elf_notes.h"

#include <stdio.h>
#include <string.h>
#include <xen/elfnote.h>

#define MAX_NOTES 256

enum note_kind { NOTE_IGNORED, NOTE_NUMBER, NOTE_WORD, NOTE_FLAG, NOTE_TEXT };

static const struct note_row {
    enum note_kind kind;
    size_t offset, size;
} rows[XEN_ELFNOTE_MAX + 1] = {
#define ROW(type, kind, member) \
    [type] = {kind, offsetof(struct xen_notes, member), sizeof(((struct xen_notes *)0)->member)}
    ROW(XEN_ELFNOTE_ENTRY, NOTE_NUMBER, entry),
    ROW(XEN_ELFNOTE_HYPERCALL_PAGE, NOTE_NUMBER, hypercall_page),
    ROW(XEN_ELFNOTE_VIRT_BASE, NOTE_NUMBER, virt_base),
    ROW(XEN_ELFNOTE_PADDR_OFFSET, NOTE_NUMBER, paddr_offset),
    ROW(XEN_ELFNOTE_INIT_P2M, NOTE_NUMBER, init_p2m),
    ROW(XEN_ELFNOTE_SUPPORTED_FEATURES, NOTE_WORD, supported_features),
    ROW(XEN_ELFNOTE_MOD_START_PFN, NOTE_FLAG, mod_start_pfn),
    ROW(XEN_ELFNOTE_GUEST_OS, NOTE_TEXT, guest_os),
    ROW(XEN_ELFNOTE_LOADER, NOTE_TEXT, loader),
    ROW(XEN_ELFNOTE_XEN_VERSION, NOTE_TEXT, xen_version),
    ROW(XEN_ELFNOTE_FEATURES, NOTE_TEXT, features),
#undef ROW
};

/* A number of one, two, four or eight bytes, as the note's length says. */
static bool read_number(const uint8_t *data, uint32_t size, uint64_t *value)
{
    *value = 0;
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return false;
    memcpy(value, data, size); /* little-endian, as the ELF header was checked to be */
    return true;
}

static bool store(struct xen_notes *notes, uint32_t type, const uint8_t *data, uint32_t size)
{
    const struct note_row *row;
    char *target;
    uint64_t number;
    uint32_t word;
    bool flag;

    if (type > XEN_ELFNOTE_MAX || rows[type].kind == NOTE_IGNORED)
        return true;
    row = &rows[type];
    target = (char *)notes + row->offset;
    if (row->kind == NOTE_TEXT) {
        size_t length = strnlen((const char *)data, size);

        if (length >= row->size)
            return false;
        memcpy(target, data, length);
        target[length] = 0;
    } else {
        if (!read_number(data, size, &number))
            return false;
        if (row->kind == NOTE_NUMBER)
            memcpy(target, &number, sizeof(number));
        if (row->kind == NOTE_WORD) {
            word = number;
            memcpy(target, &word, sizeof(word));
        }
        if (row->kind == NOTE_FLAG) {
            flag = number != 0;
            memcpy(target, &flag, sizeof(flag));
        }
    }
    notes->seen |= 1u << type;
    return true;
}

bool xen_notes_read(const uint8_t *data, size_t size, struct xen_notes *notes)
{
    size_t at = 0;

    for (unsigned n = 0; size - at >= 12 && n < MAX_NOTES; n++) {
        uint32_t head[3]; /* name size, descriptor size, type */
        size_t name, body;

        memcpy(head, data + at, sizeof(head));
        name = at + sizeof(head);
        if (head[0] > size - name)
            return false;
        body = name + (((size_t)head[0] + 3) & ~(size_t)3);
        if (body > size || head[1] > size - body)
            return false;
        if (head[0] == 4 && memcmp(data + name, "Xen", 4) == 0) {
            notes->count++;
            if (!store(notes, head[2], data + body, head[1]))
                return false;
        }
        at = body + (((size_t)head[1] + 3) & ~(size_t)3);
        if (at > size)
            at = size;
    }
    return true;
}
