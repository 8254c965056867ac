/* SPDX-License-Identifier: MIT */
/* vCPUs and time: who am I, start another, what time is it. */
#ifndef RT_VCPU_H
#define RT_VCPU_H

#include <rt/hypercall.h>

/** The calling vCPU's number, from the stack it is on. */
unsigned int vcpu_id(void);
/** How many vCPUs this domain may have, asked of the hypervisor. */
unsigned int vcpu_max(void);

/** Initialises (once) and starts vCPU `id` in `fn`; the first call that fails gives the result. */
long vcpu_start(unsigned int id, void (*fn)(void));
/** Fills a context such that the vCPU starts in `fn` with the runtime's handlers. */
void vcpu_fill_context(vcpu_guest_context_t *ctx, unsigned int id, void (*fn)(void));
/** Takes the calling vCPU down; comes back when another vCPU brings it up again. */
void vcpu_park(void);

/** System time in ns since the hypervisor started, from the calling vCPU's time record. */
uint64_t time_ns(void);
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}
static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
#endif
