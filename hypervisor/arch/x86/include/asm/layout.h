/* SPDX-License-Identifier: MIT */
/* Where the big arrays are. arch/fake has its own, so that the same sources run on the host. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <asm/pv.h>

#define FRAME_TABLE ((struct frame *)VA_FRAMETABLE)
#define M2P_TABLE   ((uint64_t *)VA_RW_M2P)
#define HEAP_BASE   ((char *)VA_HEAP)

#endif
