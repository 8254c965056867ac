/* SPDX-License-Identifier: MIT */
/*
 * One random hypercall: a row of the hypervisor's own tables (calls.h), arguments that are mostly
 * plausible, and now and then one that is not. The same random numbers make the same call.
 */
#ifndef FUZZ_GENERATE_H
#define FUZZ_GENERATE_H

#include <rt/base.h>

struct fuzz_call {
    unsigned int nr, nr_args;
    bool privileged;
    const char *name;
    const unsigned int *ops; /* sub-operations; NULL: it has none */
    unsigned int nr_ops;
};

struct call {
    const struct fuzz_call *what;
    uint64_t args[6];
};

/* What arguments are made of; filled by the guest before the first call. */
#define MATERIAL_FRAMES 24
struct material {
    uint64_t frames[MATERIAL_FRAMES]; /* own spare pages, own tables, others', none's */
    uint64_t pages[16];               /* addresses of the spare pages */
    uint64_t entries[16];             /* machine addresses of the entries that map them */
    uint64_t hypervisor[6];           /* addresses that are not the guest's */
    uint16_t domids[8];
};
extern struct material material;

uint64_t random_next(uint64_t *state);
/** A word that belongs somewhere, or nowhere. */
uint64_t random_word(uint64_t *state);
/** Makes a call whose structures lie in `area` (AREA_WORDS words). */
#define AREA_WORDS 512
void call_make(uint64_t *state, uint64_t *area, struct call *out);
#endif
