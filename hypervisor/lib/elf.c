/* SPDX-License-Identifier: MIT */
/*
 * The reader of hv/elf.h. ELF64 layout: System V gABI; notes: <xen/elfnote.h>. Notes are looked for
 * in PT_NOTE segments, then in SHT_NOTE sections, as Xen does: linkers of small kernels make one or
 * the other.
 */
#include <hv/elf.h>
#include <hv/string.h>
#include <xen/elfnote.h>

struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};
struct nhdr {
    uint32_t namesz, descsz, type;
};

enum { ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62, PT_LOAD = 1, PT_NOTE = 4, SHT_NOTE = 7 };
#define PAGE_UP(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)

static bool in_file(const struct elf_kernel *k, uint64_t offset, uint64_t size)
{
    return offset <= k->size && size <= k->size - offset;
}

/* A number of 4 or 8 bytes; anything else counts as 0. */
static uint64_t note_number(const uint8_t *desc, uint32_t size)
{
    uint64_t v = 0;

    if (size == 4 || size == 8)
        memcpy(&v, desc, size);
    return v;
}

/* Notes that are a number and nothing else. */
static const struct {
    uint32_t type;
    uint16_t offset; /* in struct elf_kernel */
    const char *wrong;
} number_notes[] = {
    {XEN_ELFNOTE_ENTRY, offsetof(struct elf_kernel, entry),
     "note ENTRY is not a number of 4 or 8 bytes"},
    {XEN_ELFNOTE_HYPERCALL_PAGE, offsetof(struct elf_kernel, hypercall_page),
     "note HYPERCALL_PAGE is not a number of 4 or 8 bytes"},
    {XEN_ELFNOTE_VIRT_BASE, offsetof(struct elf_kernel, virt_base),
     "note VIRT_BASE is not a number of 4 or 8 bytes"},
    {XEN_ELFNOTE_PADDR_OFFSET, offsetof(struct elf_kernel, paddr_offset),
     "note PADDR_OFFSET is not a number of 4 or 8 bytes"},
    {XEN_ELFNOTE_INIT_P2M, offsetof(struct elf_kernel, init_p2m),
     "note INIT_P2M is not a number of 4 or 8 bytes"},
};

/* What may be turned off in a feature string is prefixed with '!'. */
static void parse_features(struct elf_kernel *k, const uint8_t *desc, uint32_t size)
{
    static const char name[] = "dom0";

    k->has_features = true;
    for (uint32_t at = 0; at + sizeof(name) - 1 <= size; at++) {
        uint32_t end = at + sizeof(name) - 1;

        if ((at == 0 || desc[at - 1] == '|' || desc[at - 1] == '!') &&
            !memcmp(desc + at, name, sizeof(name) - 1) &&
            (end == size || desc[end] == '|' || desc[end] == 0))
            k->dom0_feature = true;
    }
}

static const char *parse_note(struct elf_kernel *k, uint32_t type, const uint8_t *desc,
                              uint32_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(number_notes); i++) {
        if (number_notes[i].type != type)
            continue;
        if (size != 4 && size != 8)
            return number_notes[i].wrong;
        *(uint64_t *)((char *)k + number_notes[i].offset) = note_number(desc, size);
    }
    switch (type) {
    case XEN_ELFNOTE_MOD_START_PFN:
        k->mod_start_pfn = note_number(desc, size) != 0;
        break;
    case XEN_ELFNOTE_FEATURES:
        parse_features(k, desc, size);
        break;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        k->has_features = true;
        if (note_number(desc, size) & (1u << 11)) /* XENFEAT_dom0 */
            k->dom0_feature = true;
        break;
    case XEN_ELFNOTE_GUEST_OS:
        memcpy(k->guest_os, desc, MIN(size, (uint32_t)sizeof(k->guest_os) - 1));
        break;
    }
    return NULL;
}

static const char *parse_notes(struct elf_kernel *k, uint64_t offset, uint64_t size)
{
    if (!in_file(k, offset, size))
        return "a note segment or section lies outside of the file";
    while (size >= sizeof(struct nhdr)) {
        const uint8_t *name = k->file + offset + sizeof(struct nhdr);
        uint64_t name_size, used;
        struct nhdr n;

        memcpy(&n, k->file + offset, sizeof(n));
        name_size = ROUND_UP((uint64_t)n.namesz, 4);
        used = sizeof(n) + name_size + n.descsz; /* the padding of the last note may be missing */
        if (used > size)
            return "a note is longer than its segment or section";
        if (n.namesz == 4 && !memcmp(name, "Xen", 4)) {
            const char *err = parse_note(k, n.type, name + name_size, n.descsz);

            if (err)
                return err;
            k->has_notes = true;
        }
        used = MIN(ROUND_UP(used, 4), size);
        offset += used;
        size -= used;
    }
    return NULL;
}

static const char *parse_segments(struct elf_kernel *k, const struct ehdr *h)
{
    if (h->phentsize != sizeof(struct phdr) ||
        !in_file(k, h->phoff, (uint64_t)h->phnum * sizeof(struct phdr)))
        return "the program headers lie outside of the file";
    for (unsigned i = 0; i < h->phnum; i++) {
        struct phdr p;
        const char *err;

        memcpy(&p, k->file + h->phoff + i * sizeof(p), sizeof(p));
        if (p.type == PT_NOTE) {
            err = parse_notes(k, p.offset, p.filesz);
            if (err)
                return err;
        }
        if (p.type != PT_LOAD || !p.memsz)
            continue;
        if (k->nr_segments == ARRAY_SIZE(k->segment))
            return "more than 16 PT_LOAD segments";
        if (p.filesz > p.memsz || !in_file(k, p.offset, p.filesz))
            return "a PT_LOAD segment lies outside of the file";
        if (p.vaddr + p.memsz < p.vaddr || p.paddr + p.memsz < p.paddr)
            return "a PT_LOAD segment wraps around the address space";
        k->segment[k->nr_segments++] =
            (struct elf_segment){p.vaddr, p.paddr, p.offset, p.filesz, p.memsz};
    }
    return k->nr_segments ? NULL : "there is no PT_LOAD segment";
}

static const char *parse_sections(struct elf_kernel *k, const struct ehdr *h)
{
    if (k->has_notes || !h->shnum)
        return NULL;
    if (h->shentsize != sizeof(struct shdr) ||
        !in_file(k, h->shoff, (uint64_t)h->shnum * sizeof(struct shdr)))
        return NULL; /* stripped: no sections to look in */
    for (unsigned i = 0; i < h->shnum; i++) {
        struct shdr s;
        const char *err;

        memcpy(&s, k->file + h->shoff + i * sizeof(s), sizeof(s));
        if (s.type != SHT_NOTE)
            continue;
        err = parse_notes(k, s.offset, s.size);
        if (err)
            return err;
    }
    return NULL;
}

/*
 * Segments are placed by p_paddr: virtual = paddr - PADDR_OFFSET + VIRT_BASE. Without VIRT_BASE
 * both are 0; with VIRT_BASE but without PADDR_OFFSET, the offset is VIRT_BASE, as old kernels have
 * it (paddr = vaddr).
 */
static const char *place(struct elf_kernel *k)
{
    uint64_t lo = ~0UL, hi = 0, shift;

    if (k->virt_base == ELF_UNSET) {
        k->virt_base = 0;
        if (k->paddr_offset == ELF_UNSET)
            k->paddr_offset = 0;
    } else if (k->paddr_offset == ELF_UNSET) {
        k->paddr_offset = 0;
        for (unsigned i = 0; i < k->nr_segments; i++)
            if (k->segment[i].paddr >= k->virt_base)
                k->paddr_offset = k->virt_base;
    }
    shift = k->virt_base - k->paddr_offset;
    for (unsigned i = 0; i < k->nr_segments; i++) {
        struct elf_segment *s = &k->segment[i];

        s->vaddr = s->paddr + shift;
        if (s->vaddr + s->mem_size < s->vaddr)
            return "a segment wraps around the address space once VIRT_BASE and PADDR_OFFSET are "
                   "applied";
        lo = MIN(lo, s->vaddr);
        hi = MAX(hi, s->vaddr + s->mem_size);
    }
    if (lo < k->virt_base)
        return "a segment lies below VIRT_BASE";
    if (hi > ~0UL - PAGE_SIZE)
        return "the image ends at the top of the address space";
    k->virt_start = lo & PAGE_MASK;
    k->virt_end = PAGE_UP(hi);
    if (k->entry < k->virt_start || k->entry >= k->virt_end)
        return "the entry point (note ENTRY, or the ELF header's) lies outside of the image";
    if (k->hypercall_page != ELF_UNSET &&
        ((k->hypercall_page & ~PAGE_MASK) || k->hypercall_page < k->virt_start ||
         k->hypercall_page >= k->virt_end))
        return "note HYPERCALL_PAGE is not a page of the image";
    if (k->init_p2m != ELF_UNSET && (k->init_p2m & ~PAGE_MASK))
        return "note INIT_P2M is not page-aligned";
    return NULL;
}

const char *elf_parse(const void *file, uint64_t size, struct elf_kernel *k)
{
    struct ehdr h;
    const char *err;

    memset(k, 0, sizeof(*k));
    k->file = file;
    k->size = size;
    k->hypercall_page = k->virt_base = k->paddr_offset = k->init_p2m = ELF_UNSET;
    if (size < sizeof(h))
        return "shorter than an ELF header";
    memcpy(&h, file, sizeof(h));
    if (memcmp(h.ident, "\177ELF", 4))
        return "not an ELF file";
    if (h.ident[4] != 2 || h.ident[5] != 1)
        return "not a 64-bit little-endian ELF (32-bit kernels are not supported)";
    if (h.machine != EM_X86_64 || (h.type != ET_EXEC && h.type != ET_DYN))
        return "not an x86-64 executable";
    k->entry = h.entry;
    err = parse_segments(k, &h);
    if (!err)
        err = parse_sections(k, &h);
    return err ? err : place(k);
}
