/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader of kernel_elf.h. Order: header, program headers, notes, addresses; each step only
 * believes what the one before has checked.
 */
#include "kernel_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#include "elf_notes.h"

#define STEP         "read-kernel"
#define MAX_HEADERS  64
#define MAX_SECTIONS 256
#define MAX_NOTES    (64u << 10)
#define PAGE         4096ULL

/* The hypervisor's own window, L4 slots 256 to 271 (<xen/arch-x86/xen-x86_64.h>). */
#define HYPERVISOR_START 0xffff800000000000ULL
#define HYPERVISOR_END   0xffff880000000000ULL

struct reader {
    int fd;
    uint64_t size;
    struct failure *failure;
};

static int bad(struct reader *r, const char *what)
{
    return fail(r->failure, FAIL_KERNEL_FORMAT, STEP, NULL, "not a usable PV kernel: %s", what);
}

static int read_at(struct reader *r, void *buffer, uint64_t size, uint64_t offset)
{
    ssize_t got;

    if (offset > r->size || size > r->size - offset)
        return bad(r, "a header lies outside the file");
    got = pread(r->fd, buffer, size, offset);
    if (got < 0)
        return fail(r->failure, FAIL_IO, STEP, NULL, "cannot read the kernel: %s", strerror(errno));
    return (uint64_t)got == size ? 0 : bad(r, "the file changed while it was read");
}

static int read_header(struct reader *r, Elf64_Ehdr *h)
{
    if (r->size < sizeof(*h) || read_at(r, h, sizeof(*h), 0))
        return bad(r, "the file is shorter than an ELF header");
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return bad(r, "no ELF header");
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
        h->e_machine != EM_X86_64)
        return bad(r, "only 64-bit x86 kernels can be started");
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return bad(r, "the ELF file is not executable");
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > MAX_HEADERS)
        return bad(r, "its program headers make no sense");
    return 0;
}

static int read_notes_at(struct reader *r, uint64_t offset, uint64_t size, struct xen_notes *notes)
{
    static uint8_t buffer[MAX_NOTES];

    if (size > MAX_NOTES)
        return bad(r, "its notes are larger than 64 KiB");
    if (read_at(r, buffer, size, offset))
        return -1;
    return xen_notes_read(buffer, size, notes) ? 0 : bad(r, "its notes are damaged");
}

/* Old linkers put the notes in sections only: look there when no segment had any. */
static int read_note_sections(struct reader *r, const Elf64_Ehdr *h, struct xen_notes *notes)
{
    Elf64_Shdr s;

    if (h->e_shentsize != sizeof(s) || h->e_shnum > MAX_SECTIONS)
        return 0;
    for (unsigned i = 0; i < h->e_shnum; i++) {
        if (read_at(r, &s, sizeof(s), h->e_shoff + (uint64_t)i * sizeof(s)))
            return -1;
        if (s.sh_type == SHT_NOTE && read_notes_at(r, s.sh_offset, s.sh_size, notes))
            return -1;
    }
    return 0;
}

static int read_notes(struct reader *r, const Elf64_Ehdr *h, const Elf64_Phdr *headers,
                      struct xen_notes *notes)
{
    memset(notes, 0, sizeof(*notes));
    for (unsigned i = 0; i < h->e_phnum; i++)
        if (headers[i].p_type == PT_NOTE && headers[i].p_offset &&
            read_notes_at(r, headers[i].p_offset, headers[i].p_filesz, notes))
            return -1;
    if (notes->count == 0 && read_note_sections(r, h, notes))
        return -1;
    if (notes->count == 0) {
        bad(r, "it carries no Xen notes");
        return fail_hint(
            r->failure,
            "a Linux kernel needs CONFIG_XEN_PV; Debian's amd64 and cloud kernels have it");
    }
    if (note_seen(notes, XEN_ELFNOTE_XEN_VERSION) && strncmp(notes->xen_version, "xen-3.0", 7) != 0)
        return bad(r, "it was built for another Xen interface than xen-3.0");
    if (!note_seen(notes, XEN_ELFNOTE_ENTRY) && !note_seen(notes, XEN_ELFNOTE_VIRT_BASE))
        return bad(r, "it can only be started as PVH or HVM, not as PV");
    return 0;
}

/* A '!' before a feature in the FEATURES text means that the kernel cannot do without it. */
static int check_features(struct reader *r, const struct xen_notes *notes)
{
    char text[sizeof(notes->features)], *save = NULL;

    memcpy(text, notes->features, sizeof(text));
    for (char *f = strtok_r(text, "|", &save); f; f = strtok_r(NULL, "|", &save))
        if (f[0] == '!' && strcmp(f, "!pae_pgdir_above_4gb") != 0 &&
            strcmp(f, "!writable_page_tables") != 0)
            return bad(r, "it demands a feature that PV domains do not have");
    return 0;
}

/* PT_LOAD headers → segments, in physical order as PADDR_OFFSET and VIRT_BASE place them. */
static int collect_segments(struct reader *r, const Elf64_Ehdr *h, const Elf64_Phdr *headers,
                            uint64_t shift, struct kernel_elf *k)
{
    for (unsigned i = 0; i < h->e_phnum; i++) {
        const Elf64_Phdr *p = &headers[i];
        struct kernel_segment *s;

        if (p->p_type != PT_LOAD || p->p_memsz == 0)
            continue;
        if (k->nr_segments == KERNEL_MAX_SEGMENTS)
            return bad(r, "it has too many segments");
        if (p->p_filesz > p->p_memsz || p->p_offset > r->size ||
            p->p_filesz > r->size - p->p_offset)
            return bad(r, "a segment lies outside the file");
        s = &k->segments[k->nr_segments++];
        *s = (struct kernel_segment){p->p_offset, p->p_filesz, p->p_paddr + shift, p->p_memsz};
        if (s->virt < k->virt_base || s->virt - k->virt_base > KERNEL_MAX_SPAN ||
            s->virt_size > KERNEL_MAX_SPAN)
            return bad(r, "a segment lies outside the first GiB after VIRT_BASE");
        for (unsigned j = 0; j + 1 < k->nr_segments; j++) {
            const struct kernel_segment *o = &k->segments[j];

            if (s->virt < o->virt + o->virt_size && o->virt < s->virt + s->virt_size)
                return bad(r, "two segments overlap");
        }
        if (k->nr_segments == 1 || s->virt < k->virt_start)
            k->virt_start = s->virt;
        if (s->virt + s->virt_size > k->virt_end)
            k->virt_end = s->virt + s->virt_size;
    }
    return k->nr_segments ? 0 : bad(r, "it has nothing to load");
}

static bool canonical(uint64_t address)
{
    return (int64_t)(address << 16) >> 16 == (int64_t)address;
}

/* The whole of [start, end) must be canonical and outside the hypervisor's window. */
static bool usable(uint64_t start, uint64_t end)
{
    return start < end && canonical(start) && canonical(end - 1) &&
           (start >> 63) == ((end - 1) >> 63) &&
           !(start < HYPERVISOR_END && end > HYPERVISOR_START);
}

static int check_addresses(struct reader *r, struct kernel_elf *k)
{
    if (k->virt_base % PAGE)
        return bad(r, "VIRT_BASE is not at the start of a page");
    /* Head room for what the builder maps after the image. */
    if (k->virt_base > ~0ULL - 2 * KERNEL_MAX_SPAN + 1 ||
        !usable(k->virt_base, k->virt_base + 2 * KERNEL_MAX_SPAN - 1))
        return bad(r, "its addresses are not usable by a PV kernel");
    if (k->entry < k->virt_start || k->entry >= k->virt_end)
        return bad(r, "its entry point lies outside the image");
    if (k->hypercall_page != KERNEL_NO_ADDRESS &&
        (k->hypercall_page % PAGE || k->hypercall_page < k->virt_start ||
         k->hypercall_page >= k->virt_end))
        return bad(r, "its hypercall page lies outside the image");
    if (k->init_p2m != KERNEL_NO_ADDRESS) {
        /* Honoured only where the list cannot meet the initial mapping; else it goes inside, as Xen
         * does. */
        if (k->init_p2m % PAGE || k->init_p2m >= k->virt_base)
            k->init_p2m = KERNEL_NO_ADDRESS;
        else if (!usable(k->init_p2m, k->init_p2m + (1ULL << 38)) ||
                 k->init_p2m + (1ULL << 38) > k->virt_base)
            return bad(r, "its INIT_P2M address is not usable");
    }
    return 0;
}

int kernel_elf_read(int fd, struct kernel_elf *kernel, struct failure *failure)
{
    struct reader r = {fd, 0, failure};
    Elf64_Phdr headers[MAX_HEADERS];
    struct xen_notes notes;
    struct stat st;
    Elf64_Ehdr h;

    memset(kernel, 0, sizeof(*kernel));
    if (fstat(fd, &st) < 0)
        return fail(failure, FAIL_IO, STEP, NULL, "cannot read the kernel: %s", strerror(errno));
    r.size = st.st_size;
    if (read_header(&r, &h) || read_at(&r, headers, h.e_phnum * sizeof(headers[0]), h.e_phoff) ||
        read_notes(&r, &h, headers, &notes) || check_features(&r, &notes))
        return -1;
    kernel->virt_base = notes.virt_base;
    kernel->entry = note_seen(&notes, XEN_ELFNOTE_ENTRY) ? notes.entry : h.e_entry;
    kernel->hypercall_page =
        note_seen(&notes, XEN_ELFNOTE_HYPERCALL_PAGE) ? notes.hypercall_page : KERNEL_NO_ADDRESS;
    kernel->init_p2m = note_seen(&notes, XEN_ELFNOTE_INIT_P2M) ? notes.init_p2m : KERNEL_NO_ADDRESS;
    kernel->mod_start_pfn = notes.mod_start_pfn;
    /* Physical addresses in the file are PADDR_OFFSET away from pfn 0, which VIRT_BASE maps. */
    if (collect_segments(&r, &h, headers, notes.virt_base - notes.paddr_offset, kernel))
        return -1;
    return check_addresses(&r, kernel);
}
