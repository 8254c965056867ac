/* SPDX-License-Identifier: MIT */
/*
 * Three guests on the fake machine of hypervisor/arch/fake, with frames and one arena of guest
 * memory, and the filling of a hypercall's arguments from a table. What the targets of events and
 * grants share.
 */
#ifndef FUZZ_GUESTS_H
#define FUZZ_GUESTS_H

#include "bytes.h"
#include "fake.h"

enum { GUESTS = 3, FRAMES = 6 };

extern struct arena arena;
extern struct domain *guest[GUESTS]; /* dom0, 7 and 9, with two vCPUs each */
extern mfn_t frame[GUESTS][FRAMES];

void guests_begin(void);
/* All die; aborts unless every reference but their allocations' is back. */
void guests_end(void);

/* One of theirs, itself, nobody's, or a system domain. */
domid_t any_domid(struct bytes *b);
/* Mostly one's own frame, now and then another's or nobody's. */
uint64_t any_frame(struct bytes *b, unsigned self);

typedef uint64_t value_fn(struct bytes *b, unsigned kind, unsigned self);
/* Write the fields at `to`, up to n or the first of size 0. */
void fill(struct bytes *b, void *to, const struct field *field, unsigned n, value_fn *value,
          unsigned self);
/* As guest `self`: call until it does not want to be called again. */
long hypercall(hypercall_fn *fn, uint64_t a0, uint64_t a1, uint64_t a2);

#endif
