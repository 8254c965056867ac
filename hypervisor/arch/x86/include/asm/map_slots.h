/* SPDX-License-Identifier: MIT */
/* The inside of map_frame() (map_frame.c), for walks that look at one word of a frame and go on. */
#ifndef ASM_MAP_SLOTS_H
#define ASM_MAP_SLOTS_H

#include <hv/frame.h>
#include <asm/cpu.h>
#include <asm/hv_paging.h>

struct map_slots {
    uint64_t *pte;
    char *va;
    uint64_t live; /* slots that map something */
    unsigned hand;
    uint8_t users[MAP_SLOTS];
    uint8_t hint[MAP_SLOTS];   /* frame number modulo MAP_SLOTS → slot that may have it */
    uint32_t frame[MAP_SLOTS]; /* what a slot maps, 0: nothing (frame 0 is nobody's RAM) */
};

void *frame_peek_slow(mfn_t f);

/* The frame's contents, until the next frame_peek() or map_frame() on this CPU. */
static inline void *frame_peek(mfn_t f)
{
    struct map_slots *s = this_cpu()->maps;
    unsigned i = s->hint[f.m % MAP_SLOTS];

    return likely(s->frame[i] == f.m) ? s->va + i * PAGE_SIZE : frame_peek_slow(f);
}

#endif
