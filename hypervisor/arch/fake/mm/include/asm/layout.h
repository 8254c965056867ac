/* SPDX-License-Identifier: MIT */
/* Where the big arrays are on the host: ordinary memory. The heap's base is the fake RAM itself. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <asm/pv.h>

extern struct frame *fake_frame_table;
extern uint64_t *fake_m2p;
extern char *fake_ram;

#define FRAME_TABLE fake_frame_table
#define M2P_TABLE   fake_m2p
#define HEAP_BASE   fake_ram

extern uint64_t fake_nr_frames;
static inline bool frame_described(mfn_t m)
{
    return m.m < fake_nr_frames;
}

#endif
