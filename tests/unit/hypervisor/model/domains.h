/* SPDX-License-Identifier: MIT */
/* The domains of a room, real[] beside what its model says of them, and how often a step of theirs
 * did something. */
#ifndef DOMAINS_H
#define DOMAINS_H

#include "model.h"

#define DOMS 3

static const domid_t id[DOMS] = {0, 5, 9};
static struct domain *real[DOMS];
static uint64_t done;

static inline int index_of(domid_t dom)
{
    for (unsigned d = 0; d < DOMS; d++)
        if (id[d] == dom)
            return (int)d;
    return -1;
}

static uint64_t progress(void)
{
    return done;
}

#endif
