/* SPDX-License-Identifier: MIT */
/*
 * Numbers that entry.S and C must agree on; entry_offsets.c asserts each against the C structures,
 * so that a change there stops the build here.
 */
#ifndef ASM_ENTRY_OFFSETS_H
#define ASM_ENTRY_OFFSETS_H

/* struct cpu_user_regs */
#define UREGS_r15    0
#define UREGS_r10    56
#define UREGS_rax    80
#define UREGS_rcx    88
#define UREGS_rdx    96
#define UREGS_rdi    112
#define UREGS_error  120
#define UREGS_vector 124
#define UREGS_rip    128
#define UREGS_cs     136
#define UREGS_eflags 144
#define UREGS_rsp    152
#define UREGS_ss     160
#define UREGS_hw_end \
    168 /* what the CPU and entry.S push ends here; es … gs are filled only when needed */

/* struct cpu_top, at the top of each CPU's stack; distances down from the top */
#define TOP_SIZE     232
#define TOP_REGS_END (TOP_SIZE - UREGS_hw_end)
#define TOP_CPU      32
#define TOP_CURRENT  24
#define TOP_SCRATCH  16
#define STACK_BYTES  32768

/* Selectors: the hypervisor's page of the GDT is page 14 (<xen/arch-x86/xen-x86_64.h> fixes the
 * guests' flat ones) */
#define HV_CS      0xe008
#define HV_SS      0xe010
#define GUEST_CS32 0xe023
#define GUEST_SS   0xe02b
#define GUEST_CS64 0xe033
#define HV_TSS     0xe040
#define HV_LDT     0xe050

/* What the straight ways of syscall.S look at: struct cpu, struct vcpu, struct domain, hypercall_table */
#define CPU_SOFTIRQ           24
#define VCPU_HC               0
#define VCPU_HC_NR            0
#define VCPU_HC_ARG           8
#define VCPU_HC_ACTIVE        56
#define VCPU_HC_PROGRESS      64
#define VCPU_ATTENTION        120
#define VCPU_SELECTORS        128
#define VCPU_INFO             136
#define VCPU_DOMAIN           144
#define VCPU_USER_MODE        152
#define VCPU_NMI_BLOCKED      153
#define VCPU_SYSCALL_MASKS    154
#define VCPU_GUEST_TABLE      160
#define VCPU_GUEST_TABLE_USER 168
#define VCPU_BOUNCE_SP        176
#define VCPU_SYSCALL_CALLBACK 184
#define DOMAIN_VM_ASSIST      8
#define ASSIST_IOPL           0x10
#define HYPERCALLS            64
#define HYPERCALL_IRET        23
#define HC_ROW_PRIVILEGE      9
#define HC_ANY_NUMBER         1
#define HC_RESTART_NUMBER     4096
#define HV_SLOTS_TOP21        0x1ffff0
#define IRET_IN_SYSCALL       0x100

#define VECTOR_SYSCALL   0x100 /* entry_vector of frames that no exception or interrupt made */
#define VECTOR_SYSCALL32 0x101
#define VECTOR_SYSENTER  0x102

#endif
