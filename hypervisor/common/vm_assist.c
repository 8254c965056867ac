/* SPDX-License-Identifier: MIT */
/*
 * vm_assist: behaviours that a guest switches on and off. Those that mean something to us are read
 * where they matter (iret.c, callback.c: architectural_iopl; sched/runstate.c:
 * runstate_update_flag); the rest are remembered, as in Xen.
 */
#include <hv/vcpu.h>

#define VALID                                                                          \
    (1UL << VMASST_TYPE_4gb_segments | 1UL << VMASST_TYPE_4gb_segments_notify |        \
     1UL << VMASST_TYPE_writable_pagetables | 1UL << VMASST_TYPE_pae_extended_cr3 |    \
     1UL << VMASST_TYPE_architectural_iopl | 1UL << VMASST_TYPE_runstate_update_flag | \
     1UL << VMASST_TYPE_m2p_strict)

bool vm_assist_valid(unsigned long bits)
{
    return !(bits & ~VALID);
}

long do_vm_assist(struct hypercall *hc)
{
    struct domain *d = current->domain;
    unsigned cmd = (unsigned)hc->arg[0], type = (unsigned)hc->arg[1];

    if (type >= 64 || !((VALID >> type) & 1))
        return -EINVAL;
    switch (cmd) {
    case VMASST_CMD_enable:
        __atomic_fetch_or(&d->vm_assist, 1UL << type, __ATOMIC_RELAXED);
        return 0;
    case VMASST_CMD_disable:
        __atomic_fetch_and(&d->vm_assist, ~(1UL << type), __ATOMIC_RELAXED);
        return 0;
    }
    return -ENOSYS;
}
