/* SPDX-License-Identifier: MIT */
/* A set of physical CPUs (at most MAX_CPUS). Plain operations; a_* ones are atomic. */
#ifndef HV_CPUMASK_H
#define HV_CPUMASK_H

#include <hv/types.h>

#define MAX_CPUS 256
typedef struct {
    uint64_t w[MAX_CPUS / 64];
} cpumask_t;

static inline void cpumask_set(cpumask_t *m, unsigned c)
{
    m->w[c / 64] |= 1UL << (c % 64);
}
static inline void cpumask_clear(cpumask_t *m, unsigned c)
{
    m->w[c / 64] &= ~(1UL << (c % 64));
}
static inline bool cpumask_test(const cpumask_t *m, unsigned c)
{
    return (READ_ONCE(m->w[c / 64]) >> (c % 64)) & 1;
}
static inline void a_cpumask_set(cpumask_t *m, unsigned c)
{
    __atomic_fetch_or(&m->w[c / 64], 1UL << (c % 64), __ATOMIC_SEQ_CST);
}
static inline void a_cpumask_clear(cpumask_t *m, unsigned c)
{
    __atomic_fetch_and(&m->w[c / 64], ~(1UL << (c % 64)), __ATOMIC_SEQ_CST);
}
/* First member ≥ from, or MAX_CPUS. */
static inline unsigned cpumask_next(const cpumask_t *m, unsigned from)
{
    for (unsigned i = from / 64; i < ARRAY_SIZE(m->w); i++) {
        uint64_t w = READ_ONCE(m->w[i]) & (i == from / 64 ? ~0UL << (from % 64) : ~0UL);

        if (w)
            return i * 64 + (unsigned)__builtin_ctzl(w);
    }
    return MAX_CPUS;
}
static inline bool cpumask_empty(const cpumask_t *m)
{
    return cpumask_next(m, 0) == MAX_CPUS;
}
#define for_each_cpu_in(c, mask) \
    for ((c) = cpumask_next(mask, 0); (c) < MAX_CPUS; (c) = cpumask_next(mask, (c) + 1))

extern cpumask_t cpus_online;
extern unsigned nr_cpus; /* CPUs brought up, ids 0 … nr_cpus-1 */

#endif
