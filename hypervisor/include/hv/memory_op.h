/* SPDX-License-Identifier: MIT */
/* Between the files of memory_op: handlers of single operations (hc->arg[1]: the argument's guest
 * address), and what they share. */
#ifndef HV_MEMORY_OP_H
#define HV_MEMORY_OP_H

#include <hv/hypercall.h>
#include <hv/frame.h>
#include <xen/memory.h>

hypercall_fn memory_exchange, memory_acquire_resource;
hypercall_fn memory_map, machine_memory_map, set_memory_map, machphys_mapping,
    machphys_mfn_list; /* arch/x86/memory_map.c */
unsigned memory_max_order(void); /* of one extent, for the caller */
int memory_alloc_flags(unsigned mem_flags,
                       unsigned *alloc_flags); /* XENMEMF_* → ALLOC_*; -ENOMEM */

#endif
