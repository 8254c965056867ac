/* SPDX-License-Identifier: MIT */
/*
 * Included before every file of the hypervisor: nothing here is ever bound at run time, so every symbol, also one that is only declared, is
 * reached relative to RIP and no global offset table is made (the linker cannot relax one outside the low 2 GiB).
 */
#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)
#endif
