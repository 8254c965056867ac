/* SPDX-License-Identifier: MIT */
/* For assembly: open (STAC) and close (CLAC) user memory. NOPs that cpu.c patches on CPUs with SMAP. */
        .macro SMAP_POINT stac
771:    .byte   0x0f, 0x1f, 0x00
        .pushsection .smap_patch, "a"
        .balign 8
        .quad   771b, \stac
        .popsection
        .endm
#define ASM_STAC SMAP_POINT 1
#define ASM_CLAC SMAP_POINT 0
