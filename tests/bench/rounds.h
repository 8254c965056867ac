/* SPDX-License-Identifier: MIT */
/*
 * rounds.h: what the programs that are /init of a Linux under test share: the clock, how they
 * measure, and how they fail. The program defines stop(): the machine ends.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

static void stop(void);

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    printf("FAIL %s: %m\n", what);
    stop();
}

static inline uint64_t ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* The ticks of `operation`, `repeats` times in a row, in the shortest of `rounds` rounds. */
static uint64_t least(int rounds, int repeats, void (*operation)(void))
{
    uint64_t best = UINT64_MAX;

    operation(); /* the first pays for what later ones find in caches */
    for (int i = 0; i < rounds; i++) {
        uint64_t start = ticks(), took;

        for (int n = 0; n < repeats; n++)
            operation();
        took = ticks() - start;
        best = took < best ? took : best;
    }
    return best;
}

#endif
