/* SPDX-License-Identifier: MIT */
/* Exceptions, the table of instructions that may fault, and what is printed when the hypervisor
 * itself fails. */
#ifndef ASM_TRAPS_H
#define ASM_TRAPS_H

#include <hv/types.h>
#include <xen/callback.h>

enum trap {
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_DF = 8,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_MC = 18,

    VECTOR_CALLBACK = 0x100, /* entry_vector of frames that no exception or interrupt made: + whose they are */
    VECTOR_SYSCALL = VECTOR_CALLBACK + CALLBACKTYPE_syscall,
    VECTOR_SYSCALL32 = VECTOR_CALLBACK + CALLBACKTYPE_syscall32,
    VECTOR_SYSENTER = VECTOR_CALLBACK + CALLBACKTYPE_sysenter,
};

/* An instruction of the hypervisor's that may fault on what a guest gave, and where it goes on
 * then. */
struct ex_entry {
    uint64_t fault, fixup;
};
#define EX_TABLE(from, to) \
    ".pushsection .ex_table, \"a\"\n\t.balign 8\n\t.quad " #from ", " #to "\n\t.popsection\n\t"

/* What LGDT and LIDT load. */
struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* C side of entry.S: called with interrupts off. */
void handle_trap(struct cpu_user_regs *regs);
void handle_guest_trap(struct cpu_user_regs *regs);
void handle_interrupt(struct cpu_user_regs *regs);
void handle_syscall(struct cpu_user_regs *regs);
/* IRET refused what the guest wants to return to: regs say where that is, with IRET's own
 * exception. */
void handle_bad_return(struct cpu_user_regs *regs);

/* Registers and stack of this CPU, for panic(). */
void show_machine_state(void);
void machine_stop_others(void); /* halt all other CPUs, for good; interrupts are off here, too (smp.c) */

void idt_init(void); /* boot CPU: fill the table */
void idt_load(void); /* each CPU */

#endif
