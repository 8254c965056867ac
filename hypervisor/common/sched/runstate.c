/* SPDX-License-Identifier: MIT */
/*
 * Runstates: how long a vCPU ran, waited for a CPU, slept and was offline, and the copy of it that
 * a guest asked for.
 *
 * Interface: vcpu_runstate_get (hv/sched.h), vcpu_runstate_publish (hv/vcpu.h). Lock: v->runstate
 * is guarded by the runqueue lock of v->cpu. The guest's copy is written by the vCPU itself, in
 * guest kernel mode, on its way to the guest: its address is a virtual one, and only then are the
 * page tables that map it loaded.
 */
#include <asm/uaccess.h>
#include "sched.h"

void runstate_change(struct vcpu *v, int state, uint64_t at)
{
    struct vcpu_runstate_info *r = &v->runstate;

    if (r->state == state)
        return;
    if (at > r->state_entry_time)
        r->time[r->state] += at - r->state_entry_time;
    r->state_entry_time = at;
    r->state = state;
    v->runstate_stale = v->runstate_guest != 0;
}

void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out)
{
    unsigned long flags;
    struct runqueue *rq = sched_lock(v, &flags);
    uint64_t t;

    *out = v->runstate;
    spin_unlock_irqrestore(&rq->lock, flags);
    t = now();
    if (t > out->state_entry_time)
        out->time[out->state] += t - out->state_entry_time;
}

void vcpu_runstate_publish(struct vcpu *v)
{
    struct vcpu_runstate_info r = v->runstate;
    uint64_t entry = v->runstate_guest + offsetof(struct vcpu_runstate_info, state_entry_time);
    bool mark = v->domain->vm_assist & (1UL << VMASST_TYPE_runstate_update_flag);
    int bad = 0;

    v->runstate_stale = false;
    if (!v->runstate_guest)
        return;
    if (mark) {
        r.state_entry_time |= XEN_RUNSTATE_UPDATE;
        bad = copy_out(entry, &r.state_entry_time);
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }
    if (!bad)
        bad = copy_out(v->runstate_guest, &r);
    if (mark && !bad) {
        __atomic_thread_fence(__ATOMIC_RELEASE);
        r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
        bad = copy_out(entry, &r.state_entry_time);
    }
    /* The guest unmapped it: its own loss, until it registers another. */
    (void)bad;
}
