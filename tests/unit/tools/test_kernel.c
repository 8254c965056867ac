/* SPDX-License-Identifier: MIT */
/*
 * Kernel images, made here byte by byte: good ones in each format, and hostile ones: every number
 * of the headers wrong in turn, truncation at every length, noise. THREATS 42: a typed error, never
 * a crash or an oversized result.
 */
#include <elf.h>
#include <fcntl.h>
#include <lz4.h>
#include <lz4hc.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/elfnote.h>
#include <zlib.h>
#include <zstd.h>

#include "decompress.h"
#include "kernel_elf.h"
#include "sample_kernel.h"
#include "sandbox.h"
#include "tests.h"
#include "unpack.h"

static enum failure_code read_image(const struct image *i, struct kernel_elf *k)
{
    struct failure f = {0};
    int fd = file_of(i->data, i->size);
    int result = kernel_elf_read(fd, k, &f);

    close(fd);
    CU_ASSERT_EQUAL(result == 0, f.code == FAIL_NONE);
    return f.code;
}

static void reads_a_pv_kernel(void)
{
    struct image i;
    struct kernel_elf k;

    make_kernel(&i);
    CU_ASSERT_EQUAL_FATAL(read_image(&i, &k), FAIL_NONE);
    CU_ASSERT_EQUAL(k.virt_base, SAMPLE_BASE);
    CU_ASSERT_EQUAL(k.entry, SAMPLE_ENTRY);
    CU_ASSERT_EQUAL(k.init_p2m, 0x8000000000ULL);
    CU_ASSERT_EQUAL(k.hypercall_page, SAMPLE_BASE + 0x1001000);
    CU_ASSERT_TRUE(k.mod_start_pfn);
    CU_ASSERT_EQUAL(k.nr_segments, 1);
    CU_ASSERT_EQUAL(k.segments[0].virt, SAMPLE_BASE + 0x1000000);
    CU_ASSERT_EQUAL(k.virt_end, SAMPLE_BASE + 0x1030000);
}

static Elf64_Ehdr *header(struct image *i)
{
    return (Elf64_Ehdr *)i->data;
}

static Elf64_Phdr *segment(struct image *i, int n)
{
    return (Elf64_Phdr *)(i->data + 64) + n;
}

static void replace_note(struct image *i, uint32_t type, uint64_t value)
{
    size_t at = 0x1000;

    for (;;) {
        uint32_t head[3];

        memcpy(head, i->data + at, 12);
        if (head[2] == type)
            break;
        at += 16 + ((head[1] + 3) & ~3u);
    }
    memcpy(i->data + at + 16, &value, 8);
}

/* Each spoils a good image in one way. */
static void no_magic(struct image *i)
{
    i->data[0] = 'X';
}
static void wrong_class(struct image *i)
{
    header(i)->e_ident[EI_CLASS] = ELFCLASS32;
}
static void big_endian(struct image *i)
{
    header(i)->e_ident[EI_DATA] = ELFDATA2MSB;
}
static void arm(struct image *i)
{
    header(i)->e_machine = EM_AARCH64;
}
static void object_file(struct image *i)
{
    header(i)->e_type = ET_REL;
}
static void no_headers(struct image *i)
{
    header(i)->e_phnum = 0;
}
static void many_headers(struct image *i)
{
    header(i)->e_phnum = 65535;
}
static void odd_header_size(struct image *i)
{
    header(i)->e_phentsize = 57;
}
static void headers_outside(struct image *i)
{
    header(i)->e_phoff = 1ULL << 40;
}
static void headers_wrap(struct image *i)
{
    header(i)->e_phoff = ~0ULL - 8;
}
static void segment_outside(struct image *i)
{
    segment(i, 0)->p_offset = i->size;
}
static void segment_wraps(struct image *i)
{
    segment(i, 0)->p_offset = ~0ULL - 100;
}
static void file_over_memory(struct image *i)
{
    segment(i, 0)->p_memsz = 16;
}
static void memory_huge(struct image *i)
{
    segment(i, 0)->p_memsz = 1ULL << 60;
}
static void memory_wraps(struct image *i)
{
    segment(i, 0)->p_memsz = ~0ULL - 0x1000000;
}
static void low_address(struct image *i)
{
    segment(i, 0)->p_paddr = -4096ULL;
}
static void far_address(struct image *i)
{
    segment(i, 0)->p_paddr = 1ULL << 40;
}
static void nothing_to_load(struct image *i)
{
    segment(i, 0)->p_type = PT_NULL;
}
static void notes_outside(struct image *i)
{
    segment(i, 1)->p_offset = i->size;
}
static void notes_huge(struct image *i)
{
    segment(i, 1)->p_filesz = 1 << 20;
}
static void no_notes(struct image *i)
{
    segment(i, 1)->p_type = PT_NULL;
}
static void note_name_huge(struct image *i)
{
    memset(i->data + 0x1000, 0xff, 4);
}
static void note_data_huge(struct image *i)
{
    memset(i->data + 0x1004, 0xff, 4);
}
static void entry_outside(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_ENTRY, SAMPLE_BASE);
}
static void entry_hypervisor(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_ENTRY, 0xffff800000000000ULL);
}
static void base_unaligned(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_VIRT_BASE, SAMPLE_BASE + 1);
}
static void base_hypervisor(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_VIRT_BASE, 0xffff800000000000ULL);
}
static void base_noncanonical(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_VIRT_BASE, 1ULL << 50);
}
static void base_top(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_VIRT_BASE, ~0xfffULL);
}
static void hypercall_outside(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_HYPERCALL_PAGE, SAMPLE_BASE + (1 << 30));
}
static void hypercall_unaligned(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_HYPERCALL_PAGE, SAMPLE_BASE + 0x1001008);
}
static void p2m_overlaps(struct image *i)
{
    replace_note(i, XEN_ELFNOTE_INIT_P2M, SAMPLE_BASE - 4096);
}
static void other_xen(struct image *i)
{
    memcpy(i->data + 0x1000 + 24 + 16, "xen-9.9", 8);
}

static void refuses_hostile_elf(void)
{
    static void (*const spoilers[])(struct image *) = {
        no_magic,         wrong_class,       big_endian,          arm,
        object_file,      no_headers,        many_headers,        odd_header_size,
        headers_outside,  headers_wrap,      segment_outside,     segment_wraps,
        file_over_memory, memory_huge,       memory_wraps,        low_address,
        far_address,      nothing_to_load,   notes_outside,       notes_huge,
        no_notes,         note_name_huge,    note_data_huge,      entry_outside,
        entry_hypervisor, base_unaligned,    base_hypervisor,     base_noncanonical,
        base_top,         hypercall_outside, hypercall_unaligned, p2m_overlaps,
        other_xen,
    };

    for (size_t n = 0; n < sizeof(spoilers) / sizeof(spoilers[0]); n++) {
        struct image i;
        struct kernel_elf k;

        make_kernel(&i);
        spoilers[n](&i);
        if (read_image(&i, &k) != FAIL_KERNEL_FORMAT) {
            printf("\nspoiler %zu was accepted\n", n);
            CU_FAIL("hostile ELF accepted");
        }
    }
}

static void overlapping_segments_are_refused(void)
{
    struct image i;
    struct kernel_elf k;

    make_kernel(&i);
    header(&i)->e_phnum = 3;
    *segment(&i, 2) = *segment(&i, 0);
    segment(&i, 2)->p_paddr += 0x2f000;
    CU_ASSERT_EQUAL(read_image(&i, &k), FAIL_KERNEL_FORMAT);
    segment(&i, 2)->p_paddr += 0x1000;
    CU_ASSERT_EQUAL(read_image(&i, &k), FAIL_NONE);
}

/* Whatever the bytes, the result keeps the promises of kernel_elf.h. */
static void noise_is_survived(void)
{
    unsigned seed = 12345, accepted = 0;
    struct image good, i;
    struct kernel_elf k;

    make_kernel(&good);
    for (size_t cut = 0; cut < 0x1200; cut += 7) {
        i = good;
        i.size = cut;
        CU_ASSERT_EQUAL(read_image(&i, &k), FAIL_KERNEL_FORMAT);
    }
    for (int round = 0; round < 3000; round++) {
        i = good;
        for (int n = rand_r(&seed) % 4 + 1; n > 0; n--) {
            size_t at = rand_r(&seed) % 3 ? rand_r(&seed) % 200 : 0x1000 + rand_r(&seed) % 300;

            i.data[at] = rand_r(&seed);
        }
        if (read_image(&i, &k) != FAIL_NONE)
            continue;
        accepted++;
        CU_ASSERT_TRUE(k.nr_segments <= KERNEL_MAX_SEGMENTS && k.virt_base % 4096 == 0);
        CU_ASSERT_TRUE(k.entry >= k.virt_start && k.entry < k.virt_end);
        CU_ASSERT_TRUE(k.virt_start >= k.virt_base &&
                       k.virt_end - k.virt_base <= 2 * KERNEL_MAX_SPAN);
        for (unsigned s = 0; s < k.nr_segments; s++)
            CU_ASSERT_TRUE(k.segments[s].file_size <= k.segments[s].virt_size &&
                           k.segments[s].file_offset + k.segments[s].file_size <= i.size);
    }
    CU_ASSERT_TRUE(accepted > 10 && accepted < 3000);
}

/* --- packed images
 * ------------------------------------------------------------------------------------------- */

static size_t pack_gzip(const uint8_t *in, size_t size, uint8_t *out, size_t room)
{
    z_stream z = {.next_in = (Bytef *)in, .avail_in = size, .next_out = out, .avail_out = room};

    deflateInit2(&z, 9, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return z.total_out;
}

static size_t pack_xz(const uint8_t *in, size_t size, uint8_t *out, size_t room)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {
        {LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    size_t used = 0;

    lzma_lzma_preset(&options, 6);
    CU_ASSERT_EQUAL_FATAL(
        lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, in, size, out, &used, room),
        LZMA_OK);
    return used;
}

static size_t pack_zstd(const uint8_t *in, size_t size, uint8_t *out, size_t room)
{
    return ZSTD_compress(out, room, in, size, 19);
}

static size_t pack_lz4(const uint8_t *in, size_t size, uint8_t *out, size_t room)
{
    uint32_t magic = 0x184c2102, block;

    memcpy(out, &magic, 4);
    block = LZ4_compress_HC((const char *)in, (char *)out + 8, size, room - 8, 9);
    memcpy(out + 4, &block, 4);
    return 8 + block;
}

static const struct packer {
    const char *name;
    size_t (*pack)(const uint8_t *in, size_t size, uint8_t *out, size_t room);
    bool size_appended; /* the kernel build appends the unpacked size; gzip's own trailer has it */
} packers[] = {{"GZIP", pack_gzip, false},
               {"XZ", pack_xz, true},
               {"ZSTD", pack_zstd, true},
               {"LZ4", pack_lz4, true}};
#define PACKERS (sizeof(packers) / sizeof(packers[0]))

/* A bzImage around a payload: four setup sectors, some real-mode code's worth of padding, the
 * payload. */
static void make_bzimage(struct image *out, const struct packer *p, const uint8_t *kernel,
                         size_t size)
{
    uint32_t offset = 0x300, length, unpacked = size;
    uint16_t version = 0x20f;
    uint8_t *payload = out->data + 5 * 512 + offset;

    memset(out, 0, sizeof(*out));
    length = p->pack(kernel, size, payload, sizeof(out->data) - 5 * 512 - offset - 4);
    if (p->size_appended) {
        memcpy(payload + length, &unpacked, 4);
        length += 4;
    }
    out->data[0x1f1] = 4;
    memcpy(out->data + 0x202, "HdrS", 4);
    memcpy(out->data + 0x206, &version, 2);
    memcpy(out->data + 0x248, &offset, 4);
    memcpy(out->data + 0x24c, &length, 4);
    out->size = payload + length - out->data + 100;
}

static enum failure_code unpack_data(const uint8_t *data, size_t size, uint8_t *out,
                                     size_t *out_size)
{
    int in = file_of(data, size), fd = memfd_create("out", 0);
    struct failure f = {0};
    int result = unpack_kernel(in, fd, &f);

    CU_ASSERT_EQUAL(result == 0, f.code == FAIL_NONE);
    *out_size = lseek(fd, 0, SEEK_END);
    if (*out_size <= sizeof(((struct image *)0)->data) && pread(fd, out, *out_size, 0) < 0)
        *out_size = 0;
    close(in);
    close(fd);
    return f.code;
}

static void unpacks_every_format(void)
{
    static struct image kernel, packed;
    static uint8_t out[sizeof(kernel.data)];
    size_t size;

    make_kernel(&kernel);
    CU_ASSERT_EQUAL(unpack_data(kernel.data, kernel.size, out, &size), FAIL_NONE);
    CU_ASSERT_TRUE(size == kernel.size && memcmp(out, kernel.data, size) == 0);
    for (size_t p = 0; p < PACKERS; p++) {
        make_bzimage(&packed, &packers[p], kernel.data, kernel.size);
        CU_ASSERT_EQUAL(unpack_data(packed.data, packed.size, out, &size), FAIL_NONE);
        CU_ASSERT_TRUE(size == kernel.size && memcmp(out, kernel.data, size) == 0);
        /* and without the bzImage around it */
        size = packers[p].pack(kernel.data, kernel.size, packed.data, sizeof(packed.data));
        CU_ASSERT_STRING_EQUAL(compression_name(packed.data, size), packers[p].name);
    }
}

static void refuses_damaged_images(void)
{
    static struct image kernel, packed, bad;
    static uint8_t out[sizeof(kernel.data)];
    unsigned seed = 99;
    size_t size;

    make_kernel(&kernel);
    for (size_t p = 0; p < PACKERS; p++) {
        make_bzimage(&packed, &packers[p], kernel.data, kernel.size);
        for (size_t cut = 0x260; cut + 110 < packed.size; cut += packed.size / 9)
            CU_ASSERT_EQUAL(unpack_data(packed.data, cut, out, &size), FAIL_KERNEL_FORMAT);
        for (int round = 0; round < 60; round++) {
            bad = packed;
            for (int n = 0; n < 8; n++)
                bad.data[5 * 512 + 0x300 + 16 + rand_r(&seed) % (packed.size - 5 * 512 - 0x400)] ^=
                    1 + rand_r(&seed) % 255;
            unpack_data(bad.data, bad.size, out,
                        &size); /* the verdict may vary; surviving may not */
        }
        bad = packed;
        memset(bad.data + 0x248, 0xff, 4); /* payload offset */
        CU_ASSERT_EQUAL(unpack_data(bad.data, bad.size, out, &size), FAIL_KERNEL_FORMAT);
        bad = packed;
        memset(bad.data + 0x24c, 0xff, 4); /* payload length */
        CU_ASSERT_EQUAL(unpack_data(bad.data, bad.size, out, &size), FAIL_KERNEL_FORMAT);
        bad = packed;
        bad.data[0x206] = 3;
        bad.data[0x207] = 2; /* protocol 2.03 */
        CU_ASSERT_EQUAL(unpack_data(bad.data, bad.size, out, &size), FAIL_KERNEL_FORMAT);
    }
    CU_ASSERT_EQUAL(unpack_data((const uint8_t *)"hello", 5, out, &size), FAIL_KERNEL_FORMAT);
    CU_ASSERT_EQUAL(unpack_data((const uint8_t *)"", 0, out, &size), FAIL_KERNEL_FORMAT);
    /* a bzImage whose payload is compressed in a way that is known and not supported, or not known
     */
    make_bzimage(&packed, &packers[0], kernel.data, kernel.size);
    memcpy(packed.data + 5 * 512 + 0x300, "BZh9", 4);
    CU_ASSERT_EQUAL(unpack_data(packed.data, packed.size, out, &size), FAIL_KERNEL_FORMAT);
    memcpy(packed.data + 5 * 512 + 0x300, "????", 4);
    CU_ASSERT_EQUAL(unpack_data(packed.data, packed.size, out, &size), FAIL_KERNEL_FORMAT);
}

struct counting_sink {
    struct sink sink;
    uint64_t received;
};

static int count(struct sink *sink, const void *data, size_t size, struct failure *f)
{
    ((struct counting_sink *)sink)->received += size;
    return 0;
}

/* 600 MiB of zeros pack into a few hundred KiB: the limit must stop it. */
static void a_bomb_is_stopped(void)
{
    static uint8_t zeros[1 << 20];
    struct counting_sink s = {.sink = {.put = count}};
    struct failure f = {0};
    size_t room = 4 << 20;
    uint8_t *packed = malloc(room);
    z_stream z = {.next_out = packed, .avail_out = room};

    deflateInit2(&z, 1, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY);
    for (int i = 0; i < 600; i++) {
        z.next_in = zeros;
        z.avail_in = sizeof(zeros);
        deflate(&z, i == 599 ? Z_FINISH : Z_NO_FLUSH);
    }
    CU_ASSERT_EQUAL(decompress(packed, z.total_out, &s.sink, &f), -1);
    CU_ASSERT_EQUAL(f.code, FAIL_KERNEL_FORMAT);
    CU_ASSERT_TRUE(s.received <= UNPACK_MAX_OUTPUT);
    deflateEnd(&z);
    free(packed);
}

/* In a child: after sandbox_enter() unpacking works and opening a file kills. */
static int in_sandbox(bool misbehave)
{
    static struct image kernel, packed;
    int in, out, status;
    pid_t pid;

    make_kernel(&kernel);
    make_bzimage(&packed, &packers[1], kernel.data, kernel.size);
    in = file_of(packed.data, packed.size);
    out = memfd_create("out", 0);
    pid = fork();
    if (pid == 0) {
        struct failure f = {0};

        if (sandbox_enter(&f))
            _exit(3);
        if (misbehave)
            _exit(open("/etc/passwd", O_RDONLY) >= 0 ? 0 : 1);
        _exit(unpack_kernel(in, out, &f) ? 2 : 0);
    }
    waitpid(pid, &status, 0);
    close(in);
    close(out);
    return status;
}

static void the_sandbox_holds(void)
{
#ifdef __SANITIZE_ADDRESS__
    return; /* the sanitizer's shadow memory does not fit the sandbox's limit */
#endif
    CU_ASSERT_EQUAL(in_sandbox(false), 0);
    CU_ASSERT_TRUE(WIFSIGNALED(in_sandbox(true)));
}

void add_kernel_suite(void)
{
    CU_pSuite s = CU_add_suite("kernel images", NULL, NULL);

    CU_add_test(s, "reads a PV kernel", reads_a_pv_kernel);
    CU_add_test(s, "refuses hostile ELF", refuses_hostile_elf);
    CU_add_test(s, "refuses overlapping segments", overlapping_segments_are_refused);
    CU_add_test(s, "survives truncation and noise", noise_is_survived);
    CU_add_test(s, "unpacks every format", unpacks_every_format);
    CU_add_test(s, "refuses damaged images", refuses_damaged_images);
    CU_add_test(s, "a decompression bomb is stopped", a_bomb_is_stopped);
    CU_add_test(s, "the sandbox holds", the_sandbox_holds);
}
