/* SPDX-License-Identifier: MIT */
/*
 * Multicall: a list of hypercalls in one. Each entry is copied in once, run through the same
 * dispatcher as a direct call, and its result written back.
 *
 * Interface: do_multicall. The vCPU's struct hypercall holds the entry under way (nr, arg,
 * progress) and, beside it, where the list is (multi_*), so a preempted entry goes on where it
 * stopped. An entry that is itself a multicall, or iret, is refused.
 */
#include <hv/hypercall.h>
#include <hv/vcpu.h>
#include <hv/string.h>
#include <asm/cpu.h>
#include <asm/uaccess.h>

static void begin(struct hypercall *hc)
{
    hc->multi_list = hc->arg[0];
    hc->multi_total = (unsigned)hc->arg[1];
    hc->multi_done = 0;
    hc->multi_active = true;
    hc->in_multicall = false;
}

static int fetch(struct hypercall *hc, uint64_t at)
{
    struct multicall_entry e;

    if (copy_in(&e, at))
        return -EFAULT;
    hc->nr = e.op;
    memcpy(hc->arg, e.args, sizeof(hc->arg));
    memset(hc->progress, 0, sizeof(hc->progress));
    hc->in_multicall = true;
    return 0;
}

static long end(struct hypercall *hc, long rc)
{
    hc->multi_active = hc->in_multicall = false;
    return rc;
}

long do_multicall(struct hypercall *hc)
{
    if (hc->in_multicall)
        return -EINVAL; /* a list in a list: its entry fails, the outer list goes on */
    begin(hc);
    return multicall_continue(hc);
}

long multicall_continue(struct hypercall *hc)
{
    while (hc->multi_done < hc->multi_total) {
        uint64_t at = hc->multi_list + hc->multi_done * sizeof(struct multicall_entry);
        long result;

        if (!hc->in_multicall && fetch(hc, at))
            return end(hc, -EFAULT);
        result = hypercall_dispatch(hc);
        if (hypercall_restarts(hc, result))
            return result;
        hc->in_multicall = false;
        hc->multi_done++;
        if (copy_out(at + offsetof(struct multicall_entry, result), &result))
            return end(hc, -EFAULT);
        if (hc->multi_done < hc->multi_total && preempt_needed()) {
            hc->nr = __HYPERVISOR_multicall; /* between entries it is the list that waits */
            return -HC_RESTART;
        }
    }
    return end(hc, 0);
}
