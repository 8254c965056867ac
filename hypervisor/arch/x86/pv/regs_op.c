/* SPDX-License-Identifier: MIT */
/*
 * The small hypercalls that stand for privileged register writes: debug registers, segment bases,
 * the kernel stack, CR0.TS.
 *
 * Interface: set_debugreg, get_debugreg, set_segment_base, stack_switch, fpu_taskswitch;
 * debugreg_set (pv_core.h). All act on the calling vCPU.
 */
#include "pv_core.h"

#define DR6_ZEROS 0x1000UL
#define DR7_ZEROS 0xd800UL
#define DR7_GD    0x2000UL

/* Breakpoints on I/O ports (two bits of a field are 10) are refused: only an emulator could honour
 * them. */
static bool dr7_has_io(uint64_t value)
{
    return (value >> 17) & ~(value >> 16) & 0x1111;
}

/* With CR4.DE clear 4 and 5 are the old names of DR6 and DR7. */
static unsigned real_number(const struct vcpu *v, unsigned reg)
{
    return (reg == 4 || reg == 5) && !(v->arch.cr4_guest & CR4_DE) ? reg + 2 : reg;
}

int debugreg_set(struct vcpu *v, unsigned reg, uint64_t value)
{
    reg = real_number(v, reg);
    switch (reg) {
    case 0 ... 3:
        if (!is_canonical(value) || !guest_range_ok(value, 8))
            return -EPERM; /* a breakpoint on the hypervisor */
        break;
    case 6:
        if (value >> 32)
            return -EINVAL;
        value = (value & ~DR6_ZEROS) | DR6_ONES;
        break;
    case 7:
        if (value >> 32)
            return -EINVAL;
        if (value & DR7_GD)
            return -EPERM;
        value = (value & ~DR7_ZEROS) | DR7_ONES;
        if ((value & 0xff) && dr7_has_io(value))
            return -EPERM;
        break;
    default:
        return -ENODEV;
    }
    v->arch.dr[reg] = value;
    if (v == current)
        debug_load(v);
    return 0;
}

long do_set_debugreg(struct hypercall *hc)
{
    return debugreg_set(current, (unsigned)hc->arg[0], hc->arg[1]);
}

bool debugreg_get(const struct vcpu *v, unsigned reg, uint64_t *value)
{
    reg = real_number(v, reg);
    if (reg > 7 || reg == 4 || reg == 5)
        return false;
    *value = v->arch.dr[reg];
    return true;
}

long do_get_debugreg(struct hypercall *hc)
{
    uint64_t value;

    return debugreg_get(current, (unsigned)hc->arg[0], &value) ? (long)value : -ENODEV;
}

long do_set_segment_base(struct hypercall *hc)
{
    uint64_t base = hc->arg[1];

    switch ((unsigned)hc->arg[0]) {
    case SEGBASE_FS:
    case SEGBASE_GS_USER:
    case SEGBASE_GS_KERNEL:
        if (!is_canonical(base))
            return -EINVAL;
        seg_base_write((unsigned)hc->arg[0], base);
        return 0;
    case SEGBASE_GS_USER_SEL:
        /* Linux stops if this fails; a selector that cannot be loaded leaves the null one there,
         * which the guest can see. */
        seg_gs_user_selector((uint16_t)base);
        return 0;
    }
    return -EINVAL;
}

/* The stack for exceptions from user mode. It is looked at when it is used. */
long do_stack_switch(struct hypercall *hc)
{
    current->arch.kernel_ss = (uint16_t)hc->arg[0] | 3;
    current->arch.kernel_sp = hc->arg[1];
    pv_bounce_refresh(current);
    return 0;
}

long do_fpu_taskswitch(struct hypercall *hc)
{
    fpu_guest_ts(current, hc->arg[0] != 0);
    return 0;
}
