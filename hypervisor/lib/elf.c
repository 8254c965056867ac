/* SPDX-License-Identifier: MIT */
/*
 * ELF64 kernels: program headers and Xen notes. Interface and invariant: hv/elf.h.
 */
#include <hv/elf.h>
#include <hv/errno.h>
#include <hv/string.h>
#include <xen/elfnote.h>

/* --- the file's structures (ELF-64 Object File Format, figures 3 and 6)
 * -------------------------------------------- */

struct elf64_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_note {
    uint32_t namesz, descsz, type;
};

#define ET_EXEC   2
#define ET_DYN    3
#define EM_X86_64 62
#define PT_LOAD   1
#define PT_NOTE   4
#define PHDRS_MAX 64
#define NOTES_MAX 65536 /* bytes of one note segment that are looked at */

static bool in_image(const struct elf_source *s, uint64_t off, uint64_t n)
{
    return off <= s->size && n <= s->size - off;
}

/* --- notes
 * ------------------------------------------------------------------------------------------------------------
 */

static uint64_t note_number(const struct elf_source *s, uint64_t off, uint32_t size)
{
    uint64_t v = 0;

    if (size != 1 && size != 2 && size != 4 && size != 8)
        return ELF_UNSET;
    s->read(s, off, &v, size);
    return v;
}

static void note_string(const struct elf_source *s, uint64_t off, uint32_t size, char *out,
                        size_t out_size)
{
    size_t n = MIN(size, out_size - 1);

    s->read(s, off, out, n);
    out[n] = 0;
    for (size_t i = 0; i < n && out[i]; i++)
        if (out[i] < ' ' || out[i] > '~')
            out[i] = '?';
}

static void take_note(const struct elf_source *s, struct elf_kernel *k, uint32_t type, uint64_t off,
                      uint32_t size)
{
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        k->entry = note_number(s, off, size);
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        k->hypercall_page = note_number(s, off, size);
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        k->virt_base = note_number(s, off, size);
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        k->paddr_offset = note_number(s, off, size);
        break;
    case XEN_ELFNOTE_INIT_P2M:
        k->init_p2m = note_number(s, off, size);
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        k->unmapped_initrd = note_number(s, off, size) == 1;
        break;
    case XEN_ELFNOTE_GUEST_OS:
        note_string(s, off, size, k->guest_os, sizeof(k->guest_os));
        break;
    case XEN_ELFNOTE_GUEST_VERSION:
        note_string(s, off, size, k->guest_version, sizeof(k->guest_version));
        break;
    case XEN_ELFNOTE_LOADER:
        note_string(s, off, size, k->loader, sizeof(k->loader));
        break;
    default: /* the rest says nothing that a 64-bit PV start needs */
        break;
    }
}

static bool scan_notes(const struct elf_source *s, struct elf_kernel *k, uint64_t off,
                       uint64_t size)
{
    uint64_t end = off + MIN(size, (uint64_t)NOTES_MAX);
    bool found = false;

    while (end - off >= sizeof(struct elf_note)) {
        struct elf_note n;
        char name[4] = "";

        s->read(s, off, &n, sizeof(n));
        off += sizeof(n);
        uint64_t desc = off + ROUND_UP((uint64_t)n.namesz, 4);
        uint64_t next = desc + ROUND_UP((uint64_t)n.descsz, 4);
        if (next > end)
            break;
        if (n.namesz == 4)
            s->read(s, off, name, 4);
        if (n.namesz == 4 && !memcmp(name, "Xen", 4)) {
            take_note(s, k, n.type, desc, n.descsz);
            found = true;
        }
        off = next;
    }
    return found;
}

/* --- the whole
 * ---------------------------------------------------------------------------------------------------------
 */

bool elf_is_bzimage(const struct elf_source *s)
{
    char magic[4];

    if (s->size < 0x206)
        return false;
    s->read(s, 0x202, magic, 4);
    return !memcmp(magic, "HdrS", 4);
}

static const char *check_header(const struct elf_source *s, struct elf64_header *h)
{
    if (s->size < sizeof(*h))
        return "it is shorter than an ELF header";
    s->read(s, 0, h, sizeof(*h));
    if (memcmp(h->ident, "\177ELF", 4))
        return "it is not an ELF file";
    if (h->ident[4] != 2 || h->ident[5] != 1 || h->machine != EM_X86_64)
        return "it is not a 64-bit x86 ELF file";
    if (h->type != ET_EXEC && h->type != ET_DYN)
        return "it is not an executable ELF file";
    if (h->phentsize != sizeof(struct elf64_phdr) || h->phnum == 0 || h->phnum > PHDRS_MAX)
        return "its program header table has a wrong entry size or count";
    if (!in_image(s, h->phoff, (uint64_t)h->phnum * sizeof(struct elf64_phdr)))
        return "its program header table is outside of the file";
    return NULL;
}

static const char *take_segment(const struct elf_source *s, struct elf_kernel *k,
                                const struct elf64_phdr *p)
{
    if (!in_image(s, p->offset, p->filesz))
        return "a segment is outside of the file";
    if (p->filesz > p->memsz || p->paddr + p->memsz < p->paddr)
        return "a segment's sizes are inconsistent";
    if (p->memsz == 0)
        return NULL;
    if (k->nr_segments == ELF_MAX_SEGMENTS)
        return "it has too many segments";
    k->segment[k->nr_segments++] = (struct elf_segment){p->offset, p->filesz, p->paddr, p->memsz};
    return NULL;
}

static const char *place(struct elf_kernel *k, uint64_t elf_entry)
{
    uint64_t lo = ELF_UNSET, hi = 0;

    if (k->nr_segments == 0)
        return "it has nothing to load";
    if (k->virt_base == ELF_UNSET)
        k->virt_base = 0;
    if (k->paddr_offset == ELF_UNSET)
        k->paddr_offset = k->virt_base;
    for (unsigned i = 0; i < k->nr_segments; i++) {
        lo = MIN(lo, k->segment[i].paddr);
        hi = MAX(hi, k->segment[i].paddr + k->segment[i].memsz);
    }
    if (lo < k->paddr_offset)
        return "a segment lies below the PADDR_OFFSET note";
    k->pstart = lo - k->paddr_offset;
    k->pend = hi - k->paddr_offset;
    if (k->entry == ELF_UNSET)
        k->entry = elf_entry;
    if (k->virt_base & (PAGE_SIZE - 1))
        return "the VIRT_BASE note is not page-aligned";
    if (k->entry < k->virt_base + k->pstart || k->entry >= k->virt_base + k->pend)
        return "its entry point is outside of its segments";
    if (k->init_p2m != ELF_UNSET && (k->init_p2m & (PAGE_SIZE - 1)))
        return "the INIT_P2M note is not page-aligned";
    return NULL;
}

int elf_decode(const struct elf_source *s, struct elf_kernel *k, const char **why)
{
    struct elf64_header h;
    struct elf64_phdr p;
    bool notes = false;

    memset(k, 0, sizeof(*k));
    k->virt_base = k->paddr_offset = k->entry = k->hypercall_page = k->init_p2m = ELF_UNSET;
    *why = check_header(s, &h);
    if (*why)
        return -ENOEXEC;
    for (unsigned i = 0; i < h.phnum && !*why; i++) {
        s->read(s, h.phoff + i * sizeof(p), &p, sizeof(p));
        if (p.type == PT_LOAD)
            *why = take_segment(s, k, &p);
        else if (p.type == PT_NOTE && !in_image(s, p.offset, p.filesz))
            *why = "a note segment is outside of the file";
        else if (p.type == PT_NOTE)
            notes |= scan_notes(s, k, p.offset, p.filesz);
    }
    if (!*why && !notes)
        *why = "it has no Xen notes, so it is not a kernel that can run paravirtualised";
    if (!*why)
        *why = place(k, h.entry);
    return *why ? -EINVAL : 0;
}
