/* SPDX-License-Identifier: MIT */
/* The guest that most tests are about: begin() makes it; end() recounts what it counted from
 * scratch, kills it, and all memory is back. */
#ifndef MM_GUEST_H
#define MM_GUEST_H

#include "pt.h"

#define RAM 4096 /* frames of the machine */

static uint64_t free_before;

static inline struct domain *begin(void)
{
    struct domain *d = fake_mm_domain(1, RAM);

    hv_free(NULL);
    frames_reap();
    free_before = frames_free();
    return d;
}

static inline void end(struct domain *d)
{
    AUDIT();
    fake_mm_kill(d);
    EQ(frames_free(), free_before);
    EQ(fake_map_users, 0);
    CU_ASSERT(!fake_mm_exists(1));
}

#endif
