/* SPDX-License-Identifier: MIT */
/*
 * What a guest's memory calls must answer, and what becomes of every frame by them: the rules of
 * the essay in pv/page_type.c once more, in the plainest way: recursion, no locks, no preemption,
 * nothing of the hypervisor's included. model.c asks it before each real step.
 *
 * Frames are numbers, domains 0 (privileged) and 1. Results are 0, -errno, or what the call counts.
 */
#ifndef MM_REFERENCE_H
#define MM_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#define REF_DOMAINS 2
#define REF_NONE    (~0ul)

struct ref_frame {
    int owner; /* -1: no guest's */
    bool allocated, pinned, being_checked;
    unsigned refs, kind,
        users; /* kind: 1…4 tables, 5 descriptors, 7 writable; of no meaning without users */
    uint64_t pfn;
    uint64_t e[512];
};

/* RAM is [first, end); each domain may have `max` frames. */
void ref_start(uint64_t first, uint64_t end, unsigned max);
const struct ref_frame *ref_look(uint64_t m); /* NULL: not RAM */

/* Memory comes and goes. ref_may_get: an allocation must succeed; ref_got: it gave m, which must
 * have been free. */
bool ref_may_get(unsigned d);
bool ref_got(unsigned d, uint64_t m, uint64_t pfn);
bool ref_decrease(unsigned d, uint64_t m);
/* n frames for as many others: may they be taken? ref_take does it. */
bool ref_may_take(unsigned d, const uint64_t *m, unsigned n);
void ref_take(unsigned d, const uint64_t *m, unsigned n);

/* The guest writes into its own frame, if it can have it mapped writable. */
bool ref_may_write(unsigned d, uint64_t m);
void ref_write(uint64_t m, unsigned index, uint64_t e);
void ref_clear(uint64_t m);

int ref_pin(unsigned d, unsigned level, uint64_t m);
int ref_unpin(unsigned d, uint64_t m);
int ref_base(unsigned d, bool user, uint64_t m); /* m 0: none */
int ref_clear_page(unsigned d, uint64_t m);
int ref_copy_page(unsigned d, uint64_t to, uint64_t from);
int ref_gdt(unsigned d, const uint64_t *m, unsigned n);

/* One request of mmu_update: an entry of a frame of pt's, which may map frames of pg's. */
int ref_update(unsigned pt, unsigned pg, uint64_t maddr, uint64_t e, bool keep_ad);

/* Grants: a reference that a handle holds, and the entries that dom0 has for it. False: refused. */
bool ref_hold(unsigned owner, uint64_t m, bool readonly);
void ref_unhold(uint64_t m, bool readonly);
bool ref_grant_map(uint64_t maddr, uint64_t m, bool readonly);
bool ref_grant_unmap(uint64_t maddr, uint64_t m, bool readonly);

#endif
