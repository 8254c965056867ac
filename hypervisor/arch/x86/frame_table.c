/* SPDX-License-Identifier: MIT */
/*
 * From the firmware's memory map to the frame table, the machine-to-physical table and the first
 * free frames.
 *
 * Interface: frames_init, mfn_is_ram, max_ram_mfn (hv/frame.h);
 * boot_alloc_frames. Both tables are sparse: only stretches of 256 MiB (frame table) or 1 GiB (M2P)
 * that contain RAM have memory behind them, in 2 MiB pieces. Only frames of E820_RAM at or above 1
 * MiB are RAM; below is the firmware's, the trampoline's, and dom0's to map. Written at boot, by
 * one CPU; read-only after.
 */
#include <hv/boot_info.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <asm/pv_mm.h>

#define LOW_END       (1UL << 20)
#define CHUNK         (2UL << 20)
#define CHUNK_FRAMES  (CHUNK >> PAGE_SHIFT)
#define FT_PER_CHUNK  (1UL << FRAMES_PIECE_SHIFT) /* frames described by a chunk: 256 MiB of RAM */
#define M2P_PER_CHUNK (CHUNK / sizeof(uint64_t))  /* … of the M2P: 1 GiB of RAM */
#define MAX_RANGES    (BOOT_E820_MAX + 2 * BOOT_MODULES_MAX + 4)

_Static_assert(FT_PER_CHUNK * sizeof(struct frame) == CHUNK, "a piece is a chunk");

uint64_t frame_table_pieces[(FRAMES_MAX >> FRAMES_PIECE_SHIFT) / 64];
/* First frame of each piece of the M2P, 0: none. */
static uint32_t m2p_chunk[FRAMES_MAX / M2P_PER_CHUNK];
static uint64_t max_frame;

static struct range {
    uint64_t start, end; /* bytes, page-aligned */
} ranges[MAX_RANGES];    /* RAM that nobody uses yet */
static unsigned nr_ranges;

bool mfn_is_ram(mfn_t f)
{
    return ram_frame(f) != NULL;
}

mfn_t max_ram_mfn(void)
{
    return mfn(max_frame);
}

mfn_t m2p_chunk_mfn(unsigned i)
{
    return i < ARRAY_SIZE(m2p_chunk) && m2p_chunk[i] ? mfn(m2p_chunk[i]) : INVALID_MFN;
}

static void add_range(uint64_t start, uint64_t end)
{
    if (start >= end)
        return;
    /* Firmware maps have a dozen entries; losing one costs memory, not safety. */
    if (nr_ranges == MAX_RANGES) {
        pr_warn("memory map: too many ranges, %#lx-%#lx is not used\n", start, end);
        return;
    }
    ranges[nr_ranges++] = (struct range){start, end};
}

/* Take [start, end) out of the free ranges. */
static void reserve(uint64_t start, uint64_t end)
{
    unsigned n = nr_ranges;

    start &= PAGE_MASK;
    end = ROUND_UP(end, PAGE_SIZE);
    for (unsigned i = 0; i < n; i++) {
        struct range r = ranges[i];

        if (end <= r.start || start >= r.end)
            continue;
        ranges[i].end = MAX(r.start, start); /* may become empty */
        add_range(MIN(r.end, end), r.end);
    }
}

/* Aligned to its size, from the top of the range that ends highest. */
static mfn_t boot_take(uint64_t size)
{
    struct range *best = NULL;
    uint64_t best_at = 0;

    for (unsigned i = 0; i < nr_ranges; i++) {
        uint64_t at = (ranges[i].end - size) & ~(size - 1);

        if (ranges[i].end < size || at < ranges[i].start || at < best_at)
            continue;
        best = &ranges[i];
        best_at = at;
    }
    if (!best)
        return INVALID_MFN;
    add_range(best_at + size, best->end);
    best->end = best_at;
    return maddr_to_mfn(best_at);
}

/* Page tables for hv_map_range(). */
mfn_t boot_alloc_frames(unsigned order)
{
    return boot_take(PAGE_SIZE << order);
}

/* Boot, no guest exists: without these tables there is no hypervisor. */
static void map_chunk(uint64_t va, mfn_t m, uint64_t flags)
{
    int rc = hv_map_range(va, m, CHUNK_FRAMES, flags);

    if (rc)
        panic("cannot map a piece of a table at %#lx: error %d", va, rc);
}

/* A piece of a table at va, each of its bytes set. */
static mfn_t make_chunk(const char *what, uint64_t va, int byte)
{
    mfn_t m = boot_take(CHUNK);

    if (mfn_eq(m, INVALID_MFN))
        panic("not enough RAM for the %s: no 2 MiB piece is free", what);
    map_chunk(va, m, PTE_P | PTE_RW | PTE_NX);
    memset((void *)va, byte, CHUNK);
    return m;
}

static void make_frame_table(uint64_t first, uint64_t end)
{
    for (uint64_t c = first / FT_PER_CHUNK; c <= (end - 1) / FT_PER_CHUNK; c++) {
        if (frame_table_pieces[c / 64] >> (c % 64) & 1)
            continue;
        make_chunk("frame table", VA_FRAMETABLE + c * CHUNK, 0);
        frame_table_pieces[c / 64] |= 1UL << (c % 64);
    }
}

static void make_m2p(uint64_t first, uint64_t end)
{
    for (uint64_t c = first / M2P_PER_CHUNK; c <= (end - 1) / M2P_PER_CHUNK; c++) {
        mfn_t m;

        if (m2p_chunk[c])
            continue;
        m = make_chunk("machine-to-physical table", VA_RW_M2P + c * CHUNK, 0xff);
        map_chunk(VA_RO_M2P + c * CHUNK, m, PTE_P | PTE_USER | PTE_NX);
        m2p_chunk[c] = m.m;
    }
}

/* The M2P's frames are DOMID_XEN's, and nothing but readable: dom0's tools map them
 * (XENMEM_machphys_mfn_list). */
static void show_m2p(void)
{
    for (unsigned c = 0; c < ARRAY_SIZE(m2p_chunk); c++) {
        for (uint64_t n = m2p_chunk[c]; n && n < m2p_chunk[c] + CHUNK_FRAMES; n++) {
            struct frame *f = &FRAME_TABLE[n];

            f->flags = FF_RAM | FF_HV;
            f->owner = DOMID_XEN;
            f->type = TYPE_WORD(FT_NONE) | TYPE_VALID | 1;
            f->ref = REF_ALLOCATED | 1;
        }
    }
}

/* The frames of entry i that are ours to use: whole ones of RAM, above the first megabyte. */
static bool ram_frames(unsigned i, uint64_t *first, uint64_t *end)
{
    const struct e820_entry *e = &boot_info.e820[i];

    *first = MAX(ROUND_UP(e->addr, PAGE_SIZE), LOW_END) >> PAGE_SHIFT;
    *end = MIN((e->addr + e->size) >> PAGE_SHIFT, FRAMES_MAX);
    return e->type == E820_RAM && *first < *end;
}

void frames_init(void)
{
    const struct boot_info *b = &boot_info;
    uint64_t total = 0, first, end;

    for (unsigned i = 0; i < b->nr_e820; i++) {
        if (!ram_frames(i, &first, &end))
            continue;
        add_range(first << PAGE_SHIFT, end << PAGE_SHIFT);
        total += end - first;
        max_frame = MAX(max_frame, end);
    }
    reserve(b->image_start, b->image_end);
    for (unsigned i = 0; i < b->nr_modules; i++)
        reserve(b->module[i].start, b->module[i].start + b->module[i].size);

    for (unsigned i = 0; i < b->nr_e820; i++) {
        if (!ram_frames(i, &first, &end))
            continue;
        make_frame_table(first, end);
        make_m2p(first, end);
        for (uint64_t n = first; n < end; n++)
            FRAME_TABLE[n].flags = FF_RAM | FF_DIRTY;
    }
    show_m2p();
    page_alloc_start(total);
    for (unsigned i = 0; i < nr_ranges; i++)
        if (ranges[i].start < ranges[i].end)
            page_alloc_add(ranges[i].start >> PAGE_SHIFT, ranges[i].end >> PAGE_SHIFT);
}
