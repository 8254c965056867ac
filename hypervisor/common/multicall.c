/* SPDX-License-Identifier: MIT */
/*
 * Multicall: a list of hypercalls in one. Each entry is copied in once, when its turn comes (an earlier
 * one may have written it), run as a direct call is, and its result written back.
 *
 * Interface: do_multicall. The vCPU's struct hypercall holds the entry under way (nr, arg,
 * progress) and, beside it, where the list is (multi_*), so a preempted entry goes on where it
 * stopped. A list in a list is refused; iret is performed and ends the list.
 */
#include <hv/dispatch.h>
#include <hv/string.h>
#include <asm/uaccess.h>

static inline bool fetch(struct hypercall *hc, uint64_t at)
{
    guest_open();
    guest_get(hc->nr, at + offsetof(struct multicall_entry, op), fault);
    guest_get(hc->arg[0], at + offsetof(struct multicall_entry, args[0]), fault);
    guest_get(hc->arg[1], at + offsetof(struct multicall_entry, args[1]), fault);
    guest_get(hc->arg[2], at + offsetof(struct multicall_entry, args[2]), fault);
    guest_get(hc->arg[3], at + offsetof(struct multicall_entry, args[3]), fault);
    guest_get(hc->arg[4], at + offsetof(struct multicall_entry, args[4]), fault);
    guest_get(hc->arg[5], at + offsetof(struct multicall_entry, args[5]), fault);
    guest_close();
    memset(hc->progress, 0, sizeof(hc->progress));
    return true;
fault:
    guest_close();
    return false;
}

static inline bool answer(uint64_t at, long result)
{
    guest_open();
    guest_put(at + offsetof(struct multicall_entry, result), result, fault);
    guest_close();
    return true;
fault:
    guest_close();
    return false;
}

static long end(struct hypercall *hc, long rc)
{
    hc->multi_active = hc->multi_in_entry = false;
    return rc;
}

static long suspend(struct hypercall *hc, uint64_t next, unsigned long left, bool in_entry)
{
    hc->multi_next = next;
    hc->multi_left = left;
    hc->multi_in_entry = in_entry;
    if (!in_entry)
        hc->nr = __HYPERVISOR_multicall; /* it is the list that waits */
    return -HC_RESTART;
}

long do_multicall(struct hypercall *hc)
{
    if (hc->multi_active)
        return -EINVAL; /* its entry fails, the outer list goes on */
    /* Only where the list begins is looked at: from there up no entry can be in the hypervisor's slots,
     * because the addresses below those are not canonical. */
    if (!guest_range_ok(hc->arg[0], 1) || hc->arg[1] >= ~0UL / sizeof(struct multicall_entry))
        return -EFAULT;
    hc->multi_next = hc->arg[0];
    hc->multi_left = hc->arg[1];
    hc->multi_active = true;
    return multicall_continue(hc);
}

long multicall_continue(struct hypercall *hc)
{
    uint64_t at = hc->multi_next;
    unsigned long left = hc->multi_left;
    bool in_entry = hc->multi_in_entry;

    for (; left; at += sizeof(struct multicall_entry)) {
        long result;

        if (likely(!in_entry) && unlikely(!fetch(hc, at)))
            return end(hc, -EFAULT);
        in_entry = false;
        result = hypercall_dispatch(hc);
        if (unlikely(result == -HC_RESTART) && hypercall_restarts(hc, result))
            return suspend(hc, at, left, true);
        if (unlikely(hc->nr == __HYPERVISOR_iret)) {
            /* Where the result goes is the user's page tables by now, perhaps: written if it can be. */
            (void)answer(at, result);
            return end(hc, (int)result);
        }
        if (unlikely(!answer(at, result)))
            return end(hc, -EFAULT);
        if (--left && unlikely(this_cpu()->softirq_pending)) /* preempt_needed(), in line */
            return suspend(hc, at + sizeof(struct multicall_entry), left, false);
    }
    return end(hc, 0);
}
