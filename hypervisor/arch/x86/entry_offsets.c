/* SPDX-License-Identifier: MIT */
/* Holds entry.S to the C structures at build time; makes no code. */
#include <hv/domain.h>
#include <hv/hypercall.h>
#include <hv/vcpu.h>
#include <asm/cpu.h>
#include <asm/entry_offsets.h>
#include <asm/hv_paging.h>
#include <asm/uaccess.h>

#define AT(field, offset) _Static_assert(offsetof(struct cpu_user_regs, field) == (offset), #field)
AT(r15, UREGS_r15);
AT(r10, UREGS_r10);
AT(rax, UREGS_rax);
AT(rcx, UREGS_rcx);
AT(rdx, UREGS_rdx);
AT(rdi, UREGS_rdi);
AT(error_code, UREGS_error);
AT(entry_vector, UREGS_vector);
AT(rip, UREGS_rip);
AT(cs, UREGS_cs);
AT(eflags, UREGS_eflags);
AT(rsp, UREGS_rsp);
AT(ss, UREGS_ss);
AT(es, UREGS_hw_end);
_Static_assert(sizeof(struct cpu_top) == TOP_SIZE, "cpu_top");
_Static_assert(offsetof(struct cpu_top, scratch) == TOP_SIZE - TOP_SCRATCH, "scratch");
_Static_assert(TOP_REGS_END % 16 == 0, "the CPU aligns RSP0 to 16 before it pushes");
_Static_assert(STACK_SIZE == STACK_BYTES, "stack");
_Static_assert((PERCPU_STACK_PAGE * PAGE_SIZE) % STACK_SIZE == 0,
               "cpu_top() masks the stack pointer");
_Static_assert(FLAT_RING3_CS64 == GUEST_CS64 && FLAT_RING3_SS64 == GUEST_SS &&
                   FLAT_RING3_CS32 == GUEST_CS32,
               "guest selectors are ABI");
_Static_assert((PERCPU_STACK_PAGE + PERCPU_STACK_PAGES) * PAGE_SIZE == 0x10000,
               "STUB_TO_TOP in entry.S");

#define IN(type, field, offset) _Static_assert(offsetof(struct type, field) == (offset), #field)
IN(cpu_top, cpu, TOP_SIZE - TOP_CPU);
IN(cpu, softirq_pending, CPU_SOFTIRQ);
IN(vcpu, hc, VCPU_HC);
IN(vcpu, hc.nr, VCPU_HC_NR);
IN(vcpu, hc.arg, VCPU_HC_ARG);
IN(vcpu, hc.active, VCPU_HC_ACTIVE);
IN(vcpu, hc.progress, VCPU_HC_PROGRESS);
_Static_assert(sizeof(((struct hypercall *)0)->progress) == 4 * 8, "cleared word by word");
IN(vcpu, attention, VCPU_ATTENTION);
IN(vcpu, event_selectors, VCPU_SELECTORS);
IN(vcpu, info_here, VCPU_INFO);
IN(vcpu, domain, VCPU_DOMAIN);
IN(vcpu, arch.user_mode, VCPU_USER_MODE);
IN(vcpu, arch.nmi_blocked, VCPU_NMI_BLOCKED);
IN(vcpu, arch.syscall_masks_events, VCPU_SYSCALL_MASKS);
IN(vcpu, arch.guest_table, VCPU_GUEST_TABLE);
IN(vcpu, arch.guest_table_user, VCPU_GUEST_TABLE_USER);
IN(vcpu, arch.bounce_sp, VCPU_BOUNCE_SP);
IN(vcpu, arch.syscall_callback, VCPU_SYSCALL_CALLBACK);
IN(vcpu_info, evtchn_upcall_pending, 0);
IN(vcpu_info, evtchn_upcall_mask, 1);
IN(domain, vm_assist, DOMAIN_VM_ASSIST);
_Static_assert(1 << VMASST_TYPE_architectural_iopl == ASSIST_IOPL, "vm_assist");
_Static_assert(__HYPERVISOR_iret == HYPERCALL_IRET && VGCF_in_syscall == IRET_IN_SYSCALL, "ABI");
_Static_assert(sizeof(struct hypercall_entry) == 24 &&
                   sizeof(hypercall_table) / sizeof(hypercall_table[0]) == HYPERCALLS,
               "rows of hypercall_table");
IN(hypercall_entry, privilege, HC_ROW_PRIVILEGE);
_Static_assert(HC_ANY == HC_ANY_NUMBER && HC_RESTART == HC_RESTART_NUMBER, "entry.S's names");
_Static_assert(HV_VIRT_START >> 43 == HV_SLOTS_TOP21 && HV_VIRT_END - HV_VIRT_START == 1UL << 43,
               "one compare");
_Static_assert(FLAT_KERNEL_CS == GUEST_CS64 && FLAT_KERNEL_SS == GUEST_SS,
               "SYSCALL's selectors are those of the guest's kernel");
