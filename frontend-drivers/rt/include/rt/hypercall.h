/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls by bare SYSCALL from guest-kernel mode. One typed wrapper for each call that the tests
 * use; the raw hypercallN() serve for calls with deliberately wrong arguments.
 */
#ifndef RT_HYPERCALL_H
#define RT_HYPERCALL_H

#include <rt/base.h>
#include <xen/sched.h>
#include <xen/memory.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/version.h>
#include <xen/vcpu.h>
#include <xen/callback.h>

static inline long hypercall5(unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5)
{
    register uint64_t r10 __asm__("r10") = a4;
    register uint64_t r8 __asm__("r8") = a5;
    uint64_t rax = nr;

    /* Xen may clobber the registers of the arguments it was given. */
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return (long)rax;
}

#define hypercall1(nr, a)       hypercall5(nr, (uint64_t)(a), 0, 0, 0, 0)
#define hypercall2(nr, a, b)    hypercall5(nr, (uint64_t)(a), (uint64_t)(b), 0, 0, 0)
#define hypercall3(nr, a, b, c) hypercall5(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0)
#define hypercall4(nr, a, b, c, d) \
    hypercall5(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0)

static inline long hv_xen_version(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_xen_version, cmd, arg);
}
static inline long hv_console_io(unsigned int cmd, unsigned int count, const char *s)
{
    return hypercall3(__HYPERVISOR_console_io, cmd, count, s);
}
static inline long hv_sched_op(unsigned int cmd, const void *arg)
{
    return hypercall2(__HYPERVISOR_sched_op, cmd, arg);
}
static inline long hv_memory_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_memory_op, cmd, arg);
}
static inline long hv_evtchn_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_event_channel_op, cmd, arg);
}
static inline long hv_grant_op(unsigned int cmd, void *arg, unsigned int count)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, arg, count);
}
static inline long hv_vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
    return hypercall3(__HYPERVISOR_vcpu_op, cmd, vcpu, arg);
}
static inline long hv_callback_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_callback_op, cmd, arg);
}
static inline long hv_set_trap_table(const trap_info_t *table)
{
    return hypercall1(__HYPERVISOR_set_trap_table, table);
}
static inline long hv_stack_switch(uint64_t ss, uint64_t rsp)
{
    return hypercall2(__HYPERVISOR_stack_switch, ss, rsp);
}
static inline long hv_mmu_update(const mmu_update_t *req, unsigned int count, unsigned int *done,
                                 unsigned int foreigndom)
{
    return hypercall4(__HYPERVISOR_mmu_update, req, count, done, foreigndom);
}
static inline long hv_mmuext_op(const mmuext_op_t *op, unsigned int count, unsigned int *done,
                                unsigned int foreigndom)
{
    return hypercall4(__HYPERVISOR_mmuext_op, op, count, done, foreigndom);
}
static inline long hv_update_va_mapping(const void *va, pte_t pte, uint64_t flags)
{
    return hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}
static inline long hv_multicall(multicall_entry_t *list, unsigned int count)
{
    return hypercall2(__HYPERVISOR_multicall, list, count);
}
static inline long hv_set_gdt(const uint64_t *frames, unsigned int entries)
{
    return hypercall2(__HYPERVISOR_set_gdt, frames, entries);
}
static inline long hv_update_descriptor(maddr_t ma, uint64_t desc)
{
    return hypercall2(__HYPERVISOR_update_descriptor, ma, desc);
}
static inline long hv_set_segment_base(unsigned int which, uint64_t base)
{
    return hypercall2(__HYPERVISOR_set_segment_base, which, base);
}
static inline long hv_set_timer(uint64_t deadline_ns)
{
    return hypercall1(__HYPERVISOR_set_timer_op, deadline_ns);
}
static inline long hv_fpu_taskswitch(unsigned int set)
{
    return hypercall1(__HYPERVISOR_fpu_taskswitch, set);
}
static inline long hv_set_debugreg(unsigned int reg, uint64_t value)
{
    return hypercall2(__HYPERVISOR_set_debugreg, reg, value);
}
static inline long hv_get_debugreg(unsigned int reg)
{
    return hypercall1(__HYPERVISOR_get_debugreg, reg);
}
static inline long hv_vm_assist(unsigned int cmd, unsigned int type)
{
    return hypercall2(__HYPERVISOR_vm_assist, cmd, type);
}
static inline long hv_physdev_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_physdev_op, cmd, arg);
}
static inline long hv_domctl(void *arg)
{
    return hypercall1(__HYPERVISOR_domctl, arg);
}
static inline long hv_sysctl(void *arg)
{
    return hypercall1(__HYPERVISOR_sysctl, arg);
}
#endif
