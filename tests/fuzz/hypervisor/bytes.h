/* SPDX-License-Identifier: MIT */
/*
 * A fuzz input read as a program: numbers taken one after the other, 0 when the bytes are used up;
 * and guest pointers, which on the host are host pointers: into an arena of the target's, at its
 * end, or into memory that a guest must not name.
 */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at;
    size_t left;
};

static inline void take(struct bytes *b, void *into, size_t n)
{
    size_t have = n < b->left ? n : b->left;

    memset(into, 0, n);
    memcpy(into, b->at, have);
    b->at += have;
    b->left -= have;
}

static inline uint64_t take_number(struct bytes *b, size_t size)
{
    uint64_t v = 0;

    take(b, &v, size);
    return v;
}

/* A number below n, from one byte (n ≤ 256). */
static inline unsigned pick(struct bytes *b, unsigned n)
{
    return (unsigned)take_number(b, 1) % n;
}

/* Mostly a small number, now and then any. */
static inline uint64_t odd_number(struct bytes *b, unsigned small)
{
    static const uint64_t edge[] = {0x7fffffff,         0x80000000, 0xffffffff,
                                    0x7fffffffffffffff, ~0ul,       ~0ul - 1};
    unsigned how = pick(b, 16);

    if (how < 13)
        return take_number(b, 2) % small;
    return how < 15 ? edge[pick(b, sizeof(edge) / sizeof(edge[0]))] : take_number(b, 8);
}

/* Guest memory: the fakes let a hypercall reach nothing else. Operations are made at its start. */
struct arena {
    uint64_t word[1024];
};

/* An address to give as a guest handle: 0, the hypervisor's, wrapping, not canonical, or in the
 * arena. */
static inline uint64_t guest_address(struct bytes *b, const struct arena *arena)
{
    static const uint64_t hostile[] = {0, 0xffff800000000000ul, 0xffff880000000000ul - 8,
                                       0x0000800000000000ul, ~0ul};
    unsigned how = pick(b, 32);

    if (how < sizeof(hostile) / sizeof(hostile[0]))
        return hostile[how];
    if (how == 5)
        return (uint64_t)(arena + 1) - pick(b, 64); /* at its end */
    return (uint64_t)arena + take_number(b, 2) % sizeof(*arena);
}

/*
 * An operation's fields: what each is filled with is the target's to say (kind → value), so that a
 * table of operations is all that a target adds. size 0: no more fields.
 */
struct field {
    uint8_t at, size, kind;
};
#define FIELD(type, member, kind_)                                 \
    {                                                              \
        offsetof(type, member), sizeof(((type *)0)->member), kind_ \
    }

#endif
