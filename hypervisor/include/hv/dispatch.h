/* SPDX-License-Identifier: MIT */
/* From a hypercall's number to its handler: privilege, errno, and what its result means. In line for multicalls. */
#ifndef HV_DISPATCH_H
#define HV_DISPATCH_H

#include <hv/domain.h>
#include <hv/hypercall.h>
#include <hv/vcpu.h>
#include <asm/cpu.h>

/* Run hc and return its result. */
static inline long hypercall_dispatch(struct hypercall *hc)
{
    const struct hypercall_entry *e = &hypercall_table[hc->nr % ARRAY_SIZE(hypercall_table)];

    if (unlikely(hc->nr >= ARRAY_SIZE(hypercall_table)))
        return -ENOSYS;
    if (likely(e->privilege == HC_ANY))
        return e->fn(hc);
    if (e->privilege == HC_NONE)
        return -ENOSYS;
    if (e->privilege == HC_DOM0 && !current->domain->is_dom0)
        return -EPERM;
    return e->fn(hc);
}

/* Does this result say that the call wants to be made again? */
static inline bool hypercall_restarts(const struct hypercall *hc, long result)
{
    return result == -HC_RESTART && hypercall_table[hc->nr].privilege != HC_RAW;
}

#endif
