/* SPDX-License-Identifier: MIT */
/* The kernel of sample_kernel.h. */
#include "sample_kernel.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/elfnote.h>

#include "tests.h"

static void put_note(struct image *i, uint32_t type, const void *data, uint32_t size)
{
    uint32_t head[3] = {4, size, type};

    memcpy(i->data + i->size, head, 12);
    memcpy(i->data + i->size + 12, "Xen", 4);
    memcpy(i->data + i->size + 16, data, size);
    i->size += 16 + ((size + 3) & ~3u);
}

static void put_number(struct image *i, uint32_t type, uint64_t value)
{
    put_note(i, type, &value, 8);
}

/* A small kernel as Linux is laid out: one text segment at 16 MiB, notes inside it. */
void make_kernel(struct image *i)
{
    Elf64_Ehdr h = {.e_type = ET_EXEC,
                    .e_machine = EM_X86_64,
                    .e_version = 1,
                    .e_entry = 0x1000040,
                    .e_phoff = 64,
                    .e_ehsize = 64,
                    .e_phentsize = 56,
                    .e_phnum = 2};
    Elf64_Phdr p[2] = {{.p_type = PT_LOAD,
                        .p_flags = 7,
                        .p_vaddr = SAMPLE_BASE + 0x1000000,
                        .p_paddr = 0x1000000,
                        .p_memsz = 0x30000},
                       {.p_type = PT_NOTE, .p_offset = 0x1000}};

    memset(i, 0, sizeof(*i));
    memcpy(h.e_ident, "\177ELF\2\1\1", 7);
    i->size = 0x1000;
    put_note(i, XEN_ELFNOTE_GUEST_OS, "linux", 6);
    put_note(i, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
    put_number(i, XEN_ELFNOTE_VIRT_BASE, SAMPLE_BASE);
    put_number(i, XEN_ELFNOTE_ENTRY, SAMPLE_ENTRY);
    put_number(i, XEN_ELFNOTE_INIT_P2M, 0x8000000000ULL);
    put_number(i, XEN_ELFNOTE_HYPERCALL_PAGE, SAMPLE_BASE + 0x1001000);
    put_note(i, XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb", 42);
    put_note(i, XEN_ELFNOTE_MOD_START_PFN, "\1\0\0\0", 4);
    p[1].p_filesz = i->size - 0x1000;
    for (; i->size < 0x8000; i->size++)
        i->data[i->size] = (i->size * 2654435761u) >> 13;
    p[0].p_filesz = i->size;
    memcpy(i->data, &h, 64);
    memcpy(i->data + 64, p, sizeof(p));
}

int file_of(const void *data, size_t size)
{
    int fd = memfd_create("kernel", 0);

    CU_ASSERT_EQUAL_FATAL(write(fd, data, size), (ssize_t)size);
    lseek(fd, 0, SEEK_SET);
    return fd;
}
