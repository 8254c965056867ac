/* SPDX-License-Identifier: MIT */
/*
 * The core beside executable models: a room drives the real code at random, and says before each
 * step what must come of it, from a small model of its own: arrays and plain loops that share
 * nothing with the hypervisor. After each step all that a guest could see is compared, and what
 * counts stand behind it.
 *
 * A room is a table entry: make its world, make a step, take the world down. A step returns NULL,
 * or what differed. In the environment: MODEL_STEPS and MODEL_SEED, a run's length and its
 * sequence.
 */
#ifndef MODEL_H
#define MODEL_H

#include "../call.h"

struct room {
    const char *name;
    void (*begin)(void);
    const char *(*step)(void);
    void (*end)(void);
    uint64_t (*progress)(
        void); /* how many steps did something: a room that is refused everything shows nothing */
};
extern const struct room events_room, grants_room;

extern uint64_t model_seed;
static inline uint64_t any(void)
{
    model_seed ^= model_seed << 13;
    model_seed ^= model_seed >> 7;
    model_seed ^= model_seed << 17;
    return model_seed;
}
static inline unsigned pick(unsigned n)
{
    return (unsigned)(any() >> 11) % n;
}

/* A difference, in words. */
const char *differs(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#endif
