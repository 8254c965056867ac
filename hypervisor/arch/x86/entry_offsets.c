/* SPDX-License-Identifier: MIT */
/*
 * What the assembly of this folder knows of C: each line becomes an absolute symbol of an object that is
 * not linked; meson.build makes <entry_offsets.h> of those.
 */
#include <asm/hv_paging.h>
#include <asm/traps.h>
#include <asm/uaccess.h>

#undef current /* a field here */
#define IS(name, value)       __asm__ volatile(".set " #name ", %p0" ::"i"(value))
#define IN(name, type, field) IS(name, offsetof(struct type, field))
/* Distances down from the top of a CPU's stack, where struct cpu_top is */
#define TOP(name, field) IS(name, sizeof(struct cpu_top) - offsetof(struct cpu_top, field))

void entry_offsets(void);
void entry_offsets(void)
{
    IN(UREGS_r10, cpu_user_regs, r10);
    IN(UREGS_rax, cpu_user_regs, rax);
    IN(UREGS_rdx, cpu_user_regs, rdx);
    IN(UREGS_error, cpu_user_regs, error_code);
    IN(UREGS_vector, cpu_user_regs, entry_vector);
    IN(UREGS_rip, cpu_user_regs, rip);
    IN(UREGS_cs, cpu_user_regs, cs);
    IN(UREGS_eflags, cpu_user_regs, eflags);
    IN(UREGS_rsp, cpu_user_regs, rsp);
    IN(UREGS_ss, cpu_user_regs, ss);
    IN(UREGS_hw_end, cpu_user_regs, es); /* es … gs are filled only when needed */

    TOP(TOP_SIZE, regs);
    TOP(TOP_REGS_END, regs.es);
    TOP(TOP_CPU, cpu);
    TOP(TOP_CURRENT, current);
    TOP(TOP_SCRATCH, scratch);
    IS(STACK_BYTES, STACK_SIZE);
    IS(STUB_TO_TOP, (PERCPU_STACK_PAGE + PERCPU_STACK_PAGES - PERCPU_STUB_PAGE) * PAGE_SIZE);
    IS(VA_IMAGE, VA_IMAGE);

    IN(CPU_SOFTIRQ, cpu, softirq_pending);
    IN(VCPU_HC, vcpu, hc);
    IN(VCPU_HC_NR, vcpu, hc.nr);
    IN(VCPU_HC_ARG, vcpu, hc.arg);
    IN(VCPU_HC_ACTIVE, vcpu, hc.active);
    IN(VCPU_HC_PROGRESS, vcpu, hc.progress);
    IN(VCPU_ATTENTION, vcpu, attention);
    IN(VCPU_SELECTORS, vcpu, event_selectors);
    IN(VCPU_INFO, vcpu, info_here);
    IN(VCPU_DOMAIN, vcpu, domain);
    IN(VCPU_USER_MODE, vcpu, arch.user_mode);
    IN(VCPU_NMI_BLOCKED, vcpu, arch.nmi_blocked);
    IN(VCPU_SYSCALL_MASKS, vcpu, arch.callback[CALLBACKTYPE_syscall].masks_events);
    IN(VCPU_GUEST_TABLE, vcpu, arch.guest_table);
    IN(VCPU_GUEST_TABLE_USER, vcpu, arch.guest_table_user);
    IN(VCPU_BOUNCE_SP, vcpu, arch.bounce_sp);
    IN(VCPU_SYSCALL_CALLBACK, vcpu, arch.callback[CALLBACKTYPE_syscall].address);
    IN(DOMAIN_VM_ASSIST, domain, vm_assist);
    IN(HC_ROW_PRIVILEGE, hypercall_entry, privilege);

    IS(GUEST_CS32, FLAT_RING3_CS32);
    IS(GUEST_SS, FLAT_RING3_SS64);
    IS(GUEST_CS64, FLAT_RING3_CS64);
    IS(VECTOR_SYSCALL, VECTOR_SYSCALL);
    IS(VECTOR_SYSCALL32, VECTOR_SYSCALL32);
    IS(VECTOR_SYSENTER, VECTOR_SYSENTER);
    IS(ASSIST_IOPL, 1 << VMASST_TYPE_architectural_iopl);
    IS(HYPERCALLS, ARRAY_SIZE(hypercall_table));
    IS(HYPERCALL_IRET, __HYPERVISOR_iret);
    IS(HC_ANY_NUMBER, HC_ANY);
    IS(HC_RESTART_NUMBER, HC_RESTART);
    IS(HV_SLOTS_TOP21, HV_VIRT_START >> 43);
    IS(IRET_IN_SYSCALL, VGCF_in_syscall);
}

/* What the assembly knows without a name */
_Static_assert((sizeof(struct cpu_top) - offsetof(struct cpu_top, regs.es)) % 16 == 0,
               "the CPU aligns RSP0 to 16 before it pushes");
_Static_assert((PERCPU_STACK_PAGE * PAGE_SIZE) % STACK_SIZE == 0, "a stack is aligned to its size");
_Static_assert(sizeof(((struct hypercall *)0)->progress) == 4 * 8, "cleared word by word");
_Static_assert(sizeof(struct hypercall_entry) == 24, "rows of hypercall_table");
_Static_assert(HV_VIRT_END - HV_VIRT_START == 1UL << 43, "one compare");
_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_pending) == 0 &&
                   offsetof(struct vcpu_info, evtchn_upcall_mask) == 1,
               "a word of both");
