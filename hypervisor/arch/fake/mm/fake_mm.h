/* SPDX-License-Identifier: MIT */
/*
 * The fake machine under the memory rooms: RAM that is host memory, TLBs that only remember when
 * they were flushed, domains that own nothing but frames and vCPUs. What a test may do and see is
 * here.
 */
#ifndef FAKE_MM_H
#define FAKE_MM_H

#include <asm/pv_mm.h>
#include <hv/domain.h>
#include <hv/vcpu.h>

#define FAKE_FIRST 256 /* frame numbers of the RAM: as on a PC, not below 1 MiB */
#define FAKE_CPUS  4
#define FAKE_VCPUS 2 /* of each domain */

/* RAM of nr frames (all free, dirty with 0xdd), no domains. */
void fake_mm_start(uint64_t nr);
void fake_mm_stop(void);
/* A domain whose first vCPU current becomes, with no memory. */
struct domain *fake_mm_domain(domid_t id, uint64_t max_pages);
void fake_mm_become(struct domain *d);
/* This thread is that vCPU, on the CPU of that number. */
void fake_mm_run(struct domain *d, unsigned vcpu);
/* Kill d as arch_domain_relinquish would, and drop the creation's reference. */
void fake_mm_kill(struct domain *d);
bool fake_mm_exists(domid_t id);

/* preempt_needed(): true with probability 1/n, from a fixed sequence; 0: never. */
extern unsigned fake_preempt_one_in;
extern _Thread_local uint64_t fake_seed;
uint64_t fake_random(void);

extern unsigned fake_tlb_flushes; /* tlb_flush_mask calls that had a CPU in the set */
extern void (*fake_on_flush)(void); /* called by each of them; NULL: nobody looks */
extern unsigned fake_map_users;   /* map_frame() without unmap_frame() */
extern uint64_t fake_forbidden;   /* guest accesses to [this, + page) fault; 0: none */
extern uint64_t fake_guest, fake_guest_size; /* size not 0: accesses outside of this range fault */
extern uint64_t fake_mmio_hv;     /* a device frame that is the hypervisor's */
extern uint64_t fake_msix;        /* a device frame that is an MSI-X table */

/* What the M2P says; ~0UL: nothing. */
static inline uint64_t m2p_get(mfn_t f)
{
    return mfn_is_ram(f) ? fake_m2p[f.m] : ~0UL;
}

/*
 * Count from scratch, from the tables, pins, vCPUs and owners, what every frame's words should be;
 * and that no frame is a table and writable at once. NULL, or the first difference, in words.
 * `extra(frame)` adds references that the test holds itself.
 */
const char *fake_audit(uint64_t (*extra_refs)(uint64_t frame),
                       uint64_t (*extra_types)(uint64_t frame));

#endif
