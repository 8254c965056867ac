/* SPDX-License-Identifier: MIT */
/*
 * Exceptions, system calls and the way to user mode and back.
 *
 *   const struct trap *t = CATCH(__asm__ volatile("ud2"));
 *   CHECK_TRAP(t, X86_EXC_UD, 0);
 *
 * CATCH runs a statement and answers the first trap in it, or NULL when there was none; control
 * returns to just after the statement with the callee-saved registers of its start. Traps that no
 * CATCH or hook expects end the guest with a failure and a dump of its registers.
 *
 * State is per vCPU; the vCPU is known from the stack one is on (vCPU 0 elsewhere).
 */
#ifndef RT_TRAP_H
#define RT_TRAP_H

#include <rt/base.h>

struct trap {
    struct cpu_user_regs regs; /* ds, es, fs and gs only for VEC_FAILSAFE */
    uint64_t cr2;              /* X86_EXC_PF only */
    uint8_t upcall_mask;       /* the event mask when the handler was entered */
};

/** Registers all 256 vectors and the callbacks on the calling vCPU, and its trap stack. */
void traps_init(void);
/** Fills the trap table (257 entries, the last a sentinel) without registering it. */
void traps_fill_table(trap_info_t *table);
extern trap_info_t trap_table[257];

/** A test's own handler, tried before CATCH; true when it dealt with the trap. NULL removes it. */
void trap_set_hook(bool (*hook)(struct cpu_user_regs *regs));

/* The machinery of CATCH. */
int catch_enter(void) __attribute__((returns_twice));
const struct trap *catch_caught(void);
void catch_leave(void);
#define CATCH(...)                      \
    ({                                  \
        const struct trap *caught_ = 0; \
        if (catch_enter() == 0) {       \
            __VA_ARGS__;                \
            catch_leave();              \
        } else {                        \
            caught_ = catch_caught();   \
        }                               \
        caught_;                        \
    })

/** A function whose whole body is assembly: no prologue, no return unless the text has one. */
#define ASM_FUNCTION(name, text) \
    void name(void);             \
    __asm__(".text\n.balign 16\n" #name ": " text "\n")

/** Assembly text that stores its own address of `insn` in the memory operand named [ip]. */
#define AT_IP(insn) "lea 77f(%%rip), %%rax; mov %%rax, %[ip]; 77: " insn

/** How a guest asks the iret hypercall to go somewhere. */
struct iret_target {
    uint64_t rip, cs, rflags, rsp, ss, flags;
    uint64_t rdi, rax, rcx, r11;
};
/** Issues the iret hypercall; comes back only through a trap (wrap it in CATCH). */
void iret_to(const struct iret_target *target) __attribute__((noreturn));

/**
 * Runs `code` in user mode on a user stack with `arg` in %rdi until it traps or makes a system
 * call, and answers how it ended (never NULL). The page tables in force serve both modes.
 */
const struct trap *run_user(void (*code)(void), uint64_t arg);
/** The top of the stack that run_user() gives to user code. */
uint64_t user_stack_top(void);

/* The entry points, for tests that register callbacks themselves. */
void entry_event(void);
void entry_failsafe(void);
void entry_syscall(void);
void entry_syscall32(void);
void entry_sysenter(void);
void entry_nmi(void);
#endif
