/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's ELF reader over any file: nothing outside of the file is read, and what it
 * reports lies in the file and does not wrap around. dom0's builder copies by these numbers
 * unchecked.
 */
#include <hv/elf.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void holds(bool promise)
{
    if (!promise)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = malloc(size + !size); /* its own object: a read past its end is seen */
    struct elf_kernel k;

    memcpy(file, data, size);
    if (!elf_parse(file, size, &k)) {
        holds(k.nr_segments > 0 && k.nr_segments <= ARRAY_SIZE(k.segment));
        holds(k.virt_start < k.virt_end);
        holds(memchr(k.guest_os, 0, sizeof(k.guest_os)) != NULL);
        for (unsigned i = 0; i < k.nr_segments; i++) {
            const struct elf_segment *s = &k.segment[i];

            holds(s->file_size <= s->mem_size);
            holds(s->offset <= size && s->file_size <= size - s->offset);
            holds(s->vaddr + s->mem_size >= s->vaddr);
            holds(s->vaddr >= k.virt_start && s->vaddr + s->mem_size <= k.virt_end);
        }
    }
    free(file);
    return 0;
}
