/* SPDX-License-Identifier: MIT */
/*
 * Two host threads, each a CPU with a vCPU of its own, make calls at random on the same domains,
 * under ThreadSanitizer: what the code calls atomic or locked must be. A room makes its world, lets
 * the threads loose, and when both have come back it counts: nothing may be left over, and nothing
 * bound to what is gone.
 *
 * THREADS_STEPS, THREADS_SEED: how many calls each thread makes, and which.
 */
#ifndef THREADS_H
#define THREADS_H

#include "../call.h"

#define THREADS 2

struct room {
    const char *name;
    unsigned rounds; /* each with other domains in the threads' hands */
    void (*begin)(unsigned round);
    struct vcpu *(*vcpu)(unsigned round, unsigned thread);
    void (*step)(unsigned thread);
    const char *(*end)(void); /* what is wrong */
};
extern const struct room events_room, grants_room;

extern _Thread_local uint64_t thread_seed;
static inline unsigned pick(unsigned n)
{
    thread_seed ^= thread_seed << 13;
    thread_seed ^= thread_seed >> 7;
    thread_seed ^= thread_seed << 17;
    return (unsigned)(thread_seed >> 11) % n;
}

#endif
