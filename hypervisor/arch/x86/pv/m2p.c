/* SPDX-License-Identifier: MIT */
/*
 * The machine-to-physical table: for each frame the number its owner gives it. Guests read all of
 * it (VA_RO_M2P); only the owner, through MMU_MACHPHYS_UPDATE, and the allocator write it. Frames
 * without RAM have no entry. No lock: one word each.
 */
#include <asm/pv_mm.h>

void m2p_set(mfn_t f, uint64_t pfn)
{
    if (mfn_is_ram(f))
        WRITE_ONCE(M2P_TABLE[f.m], pfn);
}
