/* SPDX-License-Identifier: MIT */
/*
 * Where a guest wants its exceptions and events: its trap table and callbacks, each vCPU its own.
 *
 * Interface: set_trap_table, set_callbacks, callback_op, nmi_op. Addresses are checked to be
 * canonical here; whether they are mapped is the guest's business.
 */
#include <hv/domain.h>
#include <hv/hypercall.h>
#include <hv/string.h>
#include <hv/vcpu.h>
#include <xen/callback.h>
#include <xen/nmi.h>
#include <asm/cpu.h>
#include <asm/uaccess.h>
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

static void set_nmi_handler(struct vcpu *v, uint64_t address)
{
    v->arch.traps[VECTOR_NMI] = (struct trap_info){
        .vector = VECTOR_NMI, .flags = 4, .cs = FLAT_KERNEL_CS, .address = address};
}

static long register_callback(struct vcpu *v, uint16_t type, uint16_t flags, uint64_t address)
{
    bool masks = flags & CALLBACKF_mask_events;

    if (!is_canonical(address))
        return -EINVAL;
    switch (type) {
    case CALLBACKTYPE_event:
        v->arch.event_callback = address;
        return 0;
    case CALLBACKTYPE_failsafe:
        v->arch.failsafe_callback = address;
        v->arch.failsafe_masks_events = masks;
        return 0;
    case CALLBACKTYPE_syscall:
        v->arch.syscall_callback = address;
        v->arch.syscall_masks_events = masks;
        pv_bounce_refresh(v);
        return 0;
    case CALLBACKTYPE_syscall32:
        v->arch.syscall32_callback = address;
        v->arch.syscall32_masks_events = masks;
        return 0;
    case CALLBACKTYPE_sysenter:
        v->arch.sysenter_callback = address;
        v->arch.sysenter_masks_events = masks;
        return 0;
    case CALLBACKTYPE_nmi:
        set_nmi_handler(v, address);
        return 0;
    }
    return -ENOSYS;
}

static long unregister_callback(struct vcpu *v, uint16_t type)
{
    switch (type) {
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_syscall32:
    case CALLBACKTYPE_sysenter:
        return -EINVAL; /* a guest cannot be without */
    case CALLBACKTYPE_nmi:
        v->arch.traps[VECTOR_NMI] = (struct trap_info){0};
        return 0;
    }
    return -ENOSYS;
}

long do_callback_op(struct hypercall *hc)
{
    switch ((unsigned)hc->arg[0]) {
    case CALLBACKOP_register: {
        struct callback_register r;

        if (copy_in(&r, hc->arg[1]))
            return -EFAULT;
        return register_callback(current, r.type, r.flags, r.address);
    }
    case CALLBACKOP_unregister: {
        struct callback_unregister u;

        if (copy_in(&u, hc->arg[1]))
            return -EFAULT;
        return unregister_callback(current, u.type);
    }
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
