/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader said, Multiboot 1 or 2, copied into boot_info while the first page tables
 * still map the low 4 GiB one to one.
 *
 * Interface: boot_info_init (once, before anything else), boot_problem (what was wrong, for the
 * console that does not exist yet). Loader data is trusted as the loader is, but lengths are
 * checked: a broken loader should give a message, not a hang.
 */
#include <hv/boot_info.h>
#include <hv/string.h>
#include "boot.h"

struct boot_info boot_info;
const char *boot_problem;

#define MB1_LOADER_MAGIC 0x2badb002
#define MB2_LOADER_MAGIC 0x36d76289

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
};
enum { MB1_CMDLINE = 1 << 2, MB1_MODS = 1 << 3, MB1_MMAP = 1 << 6, MB1_NAME = 1 << 9 };
struct mb1_module {
    uint32_t start, end, string, reserved;
};
struct mb2_tag {
    uint32_t type, size;
};
enum {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_NAME = 2,
    MB2_MODULE = 3,
    MB2_MMAP = 6,
    MB2_EFI64 = 12,
};

/* Low memory is mapped one to one here. */
static const void *low(uint64_t maddr)
{
    return (const void *)maddr;
}

static void copy_string(char *dst, size_t size, const char *src)
{
    size_t n = strnlen(src, size);

    if (n == size) {
        boot_problem = "a command line is longer than 2047 characters and was cut";
        n = size - 1;
    }
    memcpy(dst, src, n);
    dst[n] = 0;
}

/* GRUB 2 gives arguments only; others (QEMU, GRUB 0.9x) put the file's name before them. */
static void strip_file_name(char *s)
{
    bool arguments_only = !strncmp(boot_info.loader, "GRUB ", 5) && boot_info.loader[5] != '0';
    char *p = s;

    while (*p == ' ')
        p++;
    while (!arguments_only && *p && *p != ' ')
        p++;
    while (*p == ' ')
        p++;
    memmove(s, p, strlen(p) + 1);
}

static void add_module(uint64_t start, uint64_t end, const char *string)
{
    struct boot_module *m;

    if (boot_info.nr_modules == BOOT_MODULES_MAX) {
        boot_problem = "more than 4 boot modules were given; the rest is ignored";
        return;
    }
    if (end <= start || (start & ~PAGE_MASK)) {
        boot_problem = "a boot module is empty or does not begin on a page; it is ignored";
        return;
    }
    m = &boot_info.module[boot_info.nr_modules++];
    m->start = start;
    m->size = end - start;
    copy_string(m->cmdline, sizeof(m->cmdline), string);
}

static void add_e820(uint64_t addr, uint64_t size, uint32_t type)
{
    struct e820_entry *e = boot_info.e820;
    unsigned i;

    if (!size || addr + size < addr)
        return;
    if (type < E820_RAM || type > E820_UNUSABLE)
        type = E820_RESERVED; /* GRUB and firmware have kinds of their own */
    if (boot_info.nr_e820 == BOOT_E820_MAX) {
        boot_problem = "the memory map has more than 128 entries; the rest is not used";
        return;
    }
    for (i = boot_info.nr_e820++; i && e[i - 1].addr > addr; i--)
        e[i] = e[i - 1];
    e[i] = (struct e820_entry){addr, size, type};
}

/* Entries are sorted: where two overlap, the one that is not RAM wins; what is left of neither
 * goes. */
static void tidy_e820(void)
{
    struct e820_entry *e = boot_info.e820;
    unsigned n = 0;

    for (unsigned i = 0; i + 1 < boot_info.nr_e820; i++) {
        uint64_t end = e[i].addr + e[i].size, hole_end = e[i + 1].addr + e[i + 1].size;

        if (end <= e[i + 1].addr)
            continue;
        if (e[i].type == E820_RAM) {
            e[i].size = e[i + 1].addr - e[i].addr;
            if (end > hole_end) /* what lies behind the hole comes back as an entry of its own */
                add_e820(hole_end, end - hole_end, E820_RAM);
        } else {
            uint64_t cut = MIN(end, hole_end) - e[i + 1].addr;

            e[i + 1].addr += cut;
            e[i + 1].size -= cut;
        }
    }
    for (unsigned i = 0; i < boot_info.nr_e820; i++)
        if (e[i].size)
            e[n++] = e[i];
    boot_info.nr_e820 = n;
}

/* A memory map: entries of addr, size, type, `step` bytes apart; newer ones may be longer. */
static void parse_memory_map(const char *p, const char *end, uint32_t step)
{
    for (; step >= sizeof(struct e820_entry) && p + sizeof(struct e820_entry) <= end; p += step) {
        const struct e820_entry *e = (const struct e820_entry *)p;

        add_e820(e->addr, e->size, e->type);
    }
}

static void parse_mb1(const struct mb1_info *mbi)
{
    if (mbi->flags & MB1_NAME)
        copy_string(boot_info.loader, sizeof(boot_info.loader), low(mbi->loader_name));
    if (mbi->flags & MB1_CMDLINE)
        copy_string(boot_info.cmdline, sizeof(boot_info.cmdline), low(mbi->cmdline));
    if (mbi->flags & MB1_MMAP) { /* the size of an entry stands before it */
        const char *map = low(mbi->mmap_addr);

        parse_memory_map(map + 4, map + mbi->mmap_length, *(const uint32_t *)map + 4);
    }
    if (mbi->flags & MB1_MODS) {
        const struct mb1_module *mod = low(mbi->mods_addr);

        for (uint32_t i = 0; i < mbi->mods_count && i <= BOOT_MODULES_MAX; i++)
            add_module(mod[i].start, mod[i].end, mod[i].string ? low(mod[i].string) : "");
    }
}

static void parse_mb2(const uint32_t *mbi)
{
    const char *p = (const char *)(mbi + 2), *end = (const char *)mbi + mbi[0];

    while (p + sizeof(struct mb2_tag) <= end) {
        const struct mb2_tag *t = (const struct mb2_tag *)p;
        const uint32_t *body = (const uint32_t *)(t + 1);

        if (t->size < sizeof(*t) || t->size > (size_t)(end - p) || t->type == MB2_END)
            break;
        switch (t->type) {
        case MB2_CMDLINE:
            copy_string(boot_info.cmdline, sizeof(boot_info.cmdline), (const char *)body);
            break;
        case MB2_NAME:
            copy_string(boot_info.loader, sizeof(boot_info.loader), (const char *)body);
            break;
        case MB2_MODULE:
            add_module(body[0], body[1], (const char *)(body + 2));
            break;
        case MB2_MMAP:
            parse_memory_map((const char *)(body + 2), p + t->size, body[0]);
            break;
        case MB2_EFI64:
            boot_info.efi_system_table = *(const uint64_t *)body;
            break;
        }
        p += ROUND_UP(t->size, 8);
    }
}

bool boot_is_ram(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];

        if (e->type == E820_RAM && e->addr <= start && e->addr + e->size >= end)
            return true;
    }
    return false;
}

void boot_info_init(uint32_t magic, uint64_t info, uint64_t image_start, uint64_t image_end)
{
    boot_info.image_start = image_start;
    boot_info.image_end = image_end;
    if (magic == MB1_LOADER_MAGIC)
        parse_mb1(low(info));
    else if (magic == MB2_LOADER_MAGIC)
        parse_mb2(low(info));
    else
        boot_problem = "not started by a Multiboot loader: there is no memory map and no dom0";
    strip_file_name(boot_info.cmdline);
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        strip_file_name(boot_info.module[i].cmdline);
    tidy_e820();
    if (!boot_is_ram(image_start, image_end))
        boot_problem = "the memory map does not call the hypervisor's own place (2 MiB) RAM";
}
