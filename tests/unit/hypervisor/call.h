/* SPDX-License-Identifier: MIT */
/* What the rooms of model/ and threads/ share: the core's headers over the fake machine, and calls
 * as a guest makes them. */
#ifndef CALL_H
#define CALL_H

#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <hv/string.h>
#include <hv/vcpu.h>
#include "fake.h"
#include <stdio.h>
#include <stdlib.h>

/* Call a handler as the current vCPU would, again while it is preempted. */
static inline long hypercall(hypercall_fn *fn, uint64_t op, void *arg, uint64_t count)
{
    struct hypercall *hc = &current->hc;
    long rc;

    *hc = (struct hypercall){.arg = {op, (uint64_t)arg, count}};
    do
        rc = fn(hc);
    while (rc == -HC_RESTART);
    return rc;
}

#endif
