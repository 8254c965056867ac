/* SPDX-License-Identifier: MIT */
/* Between the files of memory_op: handlers of single operations (hc->arg[1]: the argument's guest
 * address), and what they share. */
#ifndef HV_MEMORY_OP_H
#define HV_MEMORY_OP_H

#include <hv/hypercall.h>
#include <hv/frame.h>
#include <xen/memory.h>

long memory_exchange(struct hypercall *hc);
long memory_acquire_resource(struct hypercall *hc);
/* arch/x86/memory_map.c */
long memory_map(struct hypercall *hc);
long machine_memory_map(struct hypercall *hc);
long set_memory_map(struct hypercall *hc);
long machphys_mapping(struct hypercall *hc);
long machphys_mfn_list(struct hypercall *hc);

unsigned memory_max_order(void); /* of one extent, for the caller */
int memory_alloc_flags(unsigned mem_flags,
                       unsigned *alloc_flags); /* XENMEMF_* → ALLOC_*; -ENOMEM */

#endif
