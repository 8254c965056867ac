/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: one table (number → handler, argument count, privilege), one shape of handler.
 *
 * A handler decodes (may fail, changes nothing), then performs. It returns a value ≥ 0 or -errno. A long one checks
 * preempt_needed() between steps; when it is set it stores its progress in hc->progress[] and returns -HC_RESTART: the vCPU
 * does not go back to the guest but calls the handler again, with the same (copied) arguments, when it runs next.
 * So neither guest registers nor guest memory ever hold the state of a half-done operation.
 */
#ifndef HV_HYPERCALL_H
#define HV_HYPERCALL_H

#include <hv/types.h>
#include <hv/errno.h>

struct hypercall {
    unsigned long nr;
    unsigned long arg[6];
    bool active;               /* a preempted call waits to be called again */
    unsigned long progress[4]; /* the handler's; 0 when the call starts */
    /* progress of the multicall that contains this call (multicall.c) */
    unsigned long multi_next, multi_left;
    bool multi_active, multi_in_entry;
};

typedef long hypercall_fn(struct hypercall *hc);

enum hypercall_privilege {
    HC_NONE, /* no such call */
    HC_ANY,  /* everybody's: entry.S calls the handler itself */
    HC_DOM0,
    HC_RAW,  /* everybody's; may return any 64-bit value, a guest's register: -HC_RESTART too, and means it as a value */
};
struct hypercall_entry {
    hypercall_fn *fn;
    uint8_t nr_args;
    uint8_t privilege;
    const char *name;
};
extern const struct hypercall_entry hypercall_table[64];

/* hv/dispatch.h runs one. A preempted multicall goes on: */
long multicall_continue(struct hypercall *hc);
bool preempt_needed(void);     /* this CPU has softirq work pending */

/* Handlers, by the folder that holds them */
hypercall_fn do_multicall, do_xen_version, do_event_channel_op, do_grant_table_op, do_sched_op, do_set_timer_op, /* common */
    do_domctl, do_sysctl, do_vm_assist, do_memory_op, do_vcpu_op, do_sched_op_compat, do_console_io;
hypercall_fn do_mmu_update, do_mmuext_op, do_update_va_mapping, do_update_va_mapping_otherdomain, do_set_gdt, /* arch/x86/pv */
    do_update_descriptor, do_set_trap_table, do_set_callbacks, do_callback_op, do_stack_switch, do_fpu_taskswitch,
    do_set_debugreg, do_get_debugreg, do_set_segment_base, do_iret, do_nmi_op;
hypercall_fn do_physdev_op, do_platform_op;                                                              /* arch/x86 */

#endif
