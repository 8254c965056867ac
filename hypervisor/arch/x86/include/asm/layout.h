/* SPDX-License-Identifier: MIT */
/* Where the big arrays are. arch/fake has its own, so that the same sources run on the host. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <asm/pv.h>

#define FRAME_TABLE ((struct frame *)VA_FRAMETABLE)
#define M2P_TABLE   ((uint64_t *)VA_RW_M2P)
#define HEAP_BASE   ((char *)VA_HEAP)

/* frame_table.c: one bit for each 2 MiB piece of the frame table (256 MiB of RAM) that exists. */
#define FRAMES_MAX         (1UL << 32) /* frame numbers are 32 bits: 16 TiB */
#define FRAMES_PIECE_SHIFT 16
extern uint64_t frame_table_pieces[(FRAMES_MAX >> FRAMES_PIECE_SHIFT) / 64];

static inline bool frame_described(mfn_t m)
{
    uint64_t piece = m.m >> FRAMES_PIECE_SHIFT;

    return piece < FRAMES_MAX >> FRAMES_PIECE_SHIFT &&
           (frame_table_pieces[piece / 64] >> piece % 64 & 1);
}

#endif
