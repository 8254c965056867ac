/* SPDX-License-Identifier: MIT */
/*
 * The hypercall table and the way through it.
 *
 * Interface: hypercall_table, from which syscall.S calls what everybody may call; pv_hypercall (asm/pv.h), for all other calls and for one that was preempted,
 * with interrupts on. One hypercall: life-of-a-hypercall starts here.
 */
#include <hv/dispatch.h>
#include <hv/string.h>
#include <xen/event_channel.h>
#include <xen/physdev.h>
#include <asm/pv.h>
#include <asm/uaccess.h>

/* The first form of event_channel_op and physdev_op has the operation inside the structure, before
 * the union. */
static long with_command_inside(struct hypercall *hc, size_t union_offset, hypercall_fn *fn)
{
    uint32_t cmd;
    long rc;

    if (copy_in(&cmd, hc->arg[0]))
        return -EFAULT;
    hc->arg[1] = hc->arg[0] + union_offset;
    hc->arg[0] = cmd;
    rc = fn(hc);
    hc->arg[0] = hc->arg[1] - union_offset; /* as it was, if it is called again */
    return rc;
}

static long event_channel_op_compat(struct hypercall *hc)
{
    return with_command_inside(hc, offsetof(struct evtchn_op, u), do_event_channel_op);
}

static long physdev_op_compat(struct hypercall *hc)
{
    return with_command_inside(hc, offsetof(struct physdev_op, u), do_physdev_op);
}

/* Numbers that are not here answer -ENOSYS, as do those of Xen's that we will never have (xsm_op,
 * tmem_op, kexec_op, hvm_op …). */
const struct hypercall_entry hypercall_table[64] = {
    [__HYPERVISOR_set_trap_table] = {do_set_trap_table, 1, HC_ANY, "set_trap_table"},
    [__HYPERVISOR_mmu_update] = {do_mmu_update, 4, HC_ANY, "mmu_update"},
    [__HYPERVISOR_set_gdt] = {do_set_gdt, 2, HC_ANY, "set_gdt"},
    [__HYPERVISOR_stack_switch] = {do_stack_switch, 2, HC_ANY, "stack_switch"},
    [__HYPERVISOR_set_callbacks] = {do_set_callbacks, 3, HC_ANY, "set_callbacks"},
    [__HYPERVISOR_fpu_taskswitch] = {do_fpu_taskswitch, 1, HC_ANY, "fpu_taskswitch"},
    [__HYPERVISOR_sched_op_compat] = {do_sched_op_compat, 2, HC_ANY, "sched_op_compat"},
    [__HYPERVISOR_platform_op] = {do_platform_op, 1, HC_DOM0, "platform_op"},
    [__HYPERVISOR_set_debugreg] = {do_set_debugreg, 2, HC_ANY, "set_debugreg"},
    [__HYPERVISOR_get_debugreg] = {do_get_debugreg, 1, HC_RAW, "get_debugreg"},
    [__HYPERVISOR_update_descriptor] = {do_update_descriptor, 2, HC_ANY, "update_descriptor"},
    [__HYPERVISOR_memory_op] = {do_memory_op, 2, HC_ANY, "memory_op"},
    [__HYPERVISOR_multicall] = {do_multicall, 2, HC_ANY, "multicall"},
    [__HYPERVISOR_update_va_mapping] = {do_update_va_mapping, 3, HC_ANY, "update_va_mapping"},
    [__HYPERVISOR_set_timer_op] = {do_set_timer_op, 1, HC_ANY, "set_timer_op"},
    [__HYPERVISOR_event_channel_op_compat] = {event_channel_op_compat, 1, HC_ANY,
                                              "event_channel_op_compat"},
    [__HYPERVISOR_xen_version] = {do_xen_version, 2, HC_ANY, "xen_version"},
    [__HYPERVISOR_console_io] = {do_console_io, 3, HC_ANY, "console_io"},
    [__HYPERVISOR_physdev_op_compat] = {physdev_op_compat, 1, HC_ANY, "physdev_op_compat"},
    [__HYPERVISOR_grant_table_op] = {do_grant_table_op, 3, HC_ANY, "grant_table_op"},
    [__HYPERVISOR_vm_assist] = {do_vm_assist, 2, HC_ANY, "vm_assist"},
    [__HYPERVISOR_update_va_mapping_otherdomain] = {do_update_va_mapping_otherdomain, 4, HC_ANY,
                                                    "update_va_mapping_otherdomain"},
    [__HYPERVISOR_iret] = {do_iret, 0, HC_RAW, "iret"},
    [__HYPERVISOR_vcpu_op] = {do_vcpu_op, 3, HC_ANY, "vcpu_op"},
    [__HYPERVISOR_set_segment_base] = {do_set_segment_base, 2, HC_ANY, "set_segment_base"},
    [__HYPERVISOR_mmuext_op] = {do_mmuext_op, 4, HC_ANY, "mmuext_op"},
    [__HYPERVISOR_nmi_op] = {do_nmi_op, 2, HC_ANY, "nmi_op"},
    [__HYPERVISOR_sched_op] = {do_sched_op, 2, HC_ANY, "sched_op"},
    [__HYPERVISOR_callback_op] = {do_callback_op, 2, HC_ANY, "callback_op"},
    [__HYPERVISOR_event_channel_op] = {do_event_channel_op, 2, HC_ANY, "event_channel_op"},
    [__HYPERVISOR_physdev_op] = {do_physdev_op, 2, HC_ANY, "physdev_op"},
    [__HYPERVISOR_sysctl] = {do_sysctl, 1, HC_DOM0, "sysctl"},
    [__HYPERVISOR_domctl] = {do_domctl, 1, HC_DOM0, "domctl"},
};

void pv_hypercall(struct cpu_user_regs *regs)
{
    struct hypercall *hc = &current->hc;
    long result;

    if (!hc->active) {
        hc->nr = regs->rax;
        hc->arg[0] = regs->rdi;
        hc->arg[1] = regs->rsi;
        hc->arg[2] = regs->rdx;
        hc->arg[3] = regs->r10;
        hc->arg[4] = regs->r8;
        hc->arg[5] = regs->r9;
        memset(hc->progress, 0, sizeof(hc->progress));
    }
    result = hc->multi_active ? multicall_continue(hc) : hypercall_dispatch(hc);
    hc->active = hypercall_restarts(hc, result);
    if (!hc->active)
        regs->rax = (uint64_t)result;
}
