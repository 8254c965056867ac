/* SPDX-License-Identifier: MIT */
/*
 * Where a guest wants its exceptions and events: its trap table and callbacks, each vCPU its own.
 *
 * Interface: set_trap_table, set_callbacks, callback_op, nmi_op. Addresses are checked to be
 * canonical here; whether they are mapped is the guest's business.
 */
#include <hv/string.h>
#include <xen/nmi.h>
#include "pv_core.h"

#define NR_VECTORS 256

long do_set_trap_table(struct hypercall *hc)
{
    struct trap_info *traps = current->arch.traps, t;
    uint64_t list = hc->arg[0];

    if (!list) {
        memset(traps, 0, NR_VECTORS * sizeof(*traps));
        return 0;
    }
    for (;;) {
        if (copy_in(&t, list + hc->progress[0] * sizeof(t)))
            return -EFAULT;
        if (!t.address)
            return 0;
        if (!is_canonical(t.address))
            return -EINVAL;
        traps[t.vector] = t;
        hc->progress[0]++;
        if (preempt_needed()) /* the list has no length: only its end stops it */
            return -HC_RESTART;
    }
}

static bool is_callback(uint16_t type)
{
    return type <= CALLBACKTYPE_syscall || type == CALLBACKTYPE_sysenter ||
           type == CALLBACKTYPE_syscall32;
}

static long register_callback(struct vcpu *v, uint16_t type, uint16_t flags, uint64_t address)
{
    if (!is_canonical(address))
        return -EINVAL;
    if (type == CALLBACKTYPE_nmi) {
        v->arch.traps[TRAP_NMI] = (struct trap_info){
            .vector = TRAP_NMI, .flags = 4, .cs = FLAT_KERNEL_CS, .address = address};
        return 0;
    }
    if (!is_callback(type))
        return -ENOSYS;
    v->arch.callback[type].address = address;
    v->arch.callback[type].masks_events = flags & CALLBACKF_mask_events;
    pv_bounce_refresh(v);
    return 0;
}

static long unregister_callback(struct vcpu *v, uint16_t type)
{
    if (type != CALLBACKTYPE_nmi)
        return is_callback(type) ? -EINVAL : -ENOSYS; /* a guest cannot be without */
    v->arch.traps[TRAP_NMI] = (struct trap_info){0};
    return 0;
}

long do_callback_op(struct hypercall *hc)
{
    struct callback_unregister u;
    struct callback_register r;

    switch ((unsigned)hc->arg[0]) {
    case CALLBACKOP_register:
        if (copy_in(&r, hc->arg[1]))
            return -EFAULT;
        return register_callback(current, r.type, r.flags, r.address);
    case CALLBACKOP_unregister:
        if (copy_in(&u, hc->arg[1]))
            return -EFAULT;
        return unregister_callback(current, u.type);
    }
    return -ENOSYS;
}

/* Always 0: an address that is not canonical is passed over, as in Xen. */
long do_set_callbacks(struct hypercall *hc)
{
    register_callback(current, CALLBACKTYPE_event, 0, hc->arg[0]);
    register_callback(current, CALLBACKTYPE_failsafe, 0, hc->arg[1]);
    register_callback(current, CALLBACKTYPE_syscall, 0, hc->arg[2]);
    return 0;
}

/* The older way to name an NMI handler; vCPU 0 only. */
long do_nmi_op(struct hypercall *hc)
{
    struct xennmi_callback cb;

    switch ((unsigned)hc->arg[0]) {
    case XENNMI_register_callback:
        if (copy_in(&cb, hc->arg[1]))
            return -EFAULT;
        return register_callback(current, CALLBACKTYPE_nmi, 0, cb.handler_address);
    case XENNMI_unregister_callback:
        return unregister_callback(current, CALLBACKTYPE_nmi);
    }
    return -ENOSYS;
}
