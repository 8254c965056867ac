/* SPDX-License-Identifier: MIT */
/*
 * Every way into the hypervisor and the one way out.
 *
 * In: the CPU or a stub here pushes the public struct cpu_user_regs, from ss down to r15. From a guest that is always at the top of the
 * CPU's stack (guest_regs()); an interrupt of the hypervisor nests below, or on an IST stack. All registers are then
 * cleared, so that no guest value reaches C but through the frame.
 * Out: to a guest only through exit_to_guest() and the IRET at return_to_guest; to the hypervisor's own code straight.
 * Invariant: interrupts are off in this file; SMAP is closed (AC clear) before any C runs.
 */
#include <asm/entry_offsets.h>
#include <asm/smap.h>

        .macro SAVE_REGS
        push    %rdi
        push    %rsi
        push    %rdx
        push    %rcx
        push    %rax
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %ecx, %ecx
        xor     %eax, %eax
        xor     %r8d, %r8d
        xor     %r9d, %r9d
        xor     %r10d, %r10d
        xor     %r11d, %r11d
        xor     %ebx, %ebx
        xor     %ebp, %ebp
        xor     %r12d, %r12d
        xor     %r13d, %r13d
        xor     %r14d, %r14d
        xor     %r15d, %r15d
        mov     %rsp, %rdi
        .endm

        .macro RESTORE_REGS
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rax
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
        add     $8, %rsp        /* error code and vector */
        .endm

        /* The frame leaves the stack pointer 8 off the alignment that C expects. */
        .macro CALL_C function
        sub     $8, %rsp
        call    \function
        add     $8, %rsp
        .endm

        .text
        .code64

/* --- exceptions and interrupts: 16 bytes for each of the 256 vectors -------------------------------------------------- */
        .balign 16
        .global entry_stubs
entry_stubs:
vector = 0
        .rept 256
        .balign 16
        /* 8 10-14 17 21 29 30: the CPU has pushed an error code */
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
        pushq   $0
        .endif
        movl    $vector, UREGS_vector - UREGS_error(%rsp)
        .if vector == 1 || vector == 2 || vector == 8 || vector == 18
        jmp     ist_common
        .elseif vector < 32 || vector == 0x80
        jmp     trap_common
        .else
        jmp     interrupt_common
        .endif
vector = vector + 1
        .endr
        .balign 16

trap_common:
        cld
        ASM_CLAC
        SAVE_REGS
        CALL_C  handle_trap
return_common:
        testb   $3, UREGS_cs(%rsp)
        jnz     return_to_guest
        RESTORE_REGS
        iretq

interrupt_common:
        cld
        ASM_CLAC
        SAVE_REGS
        CALL_C  handle_interrupt
        jmp     return_common

/*
 * On an IST stack. One that interrupted a guest goes to the top of the main stack, as any other entry does: it may end in a
 * context switch. One that interrupted the hypervisor is handled where it is.
 */
ist_common:
        testb   $3, 16(%rsp)
        jz      trap_common
        push    %rax
        mov     %rsp, %rax
        or      $(STACK_BYTES - 1), %rax
        lea     1 - TOP_REGS_END(%rax), %rax
        xchg    %rsp, %rax
        pushq   48(%rax)        /* ss rsp eflags cs rip error+vector */
        pushq   40(%rax)
        pushq   32(%rax)
        pushq   24(%rax)
        pushq   16(%rax)
        pushq   8(%rax)
        mov     (%rax), %rax
        jmp     trap_common

/* --- SYSCALL ------------------------------------------------------------------------------------------------------------- */
/*
 * SYSCALL changes no stack, and GS is the guest's: so each CPU runs these few instructions at an address of its own (the first page of its
 * region) and finds its stack relative to that. The numbers after "-" are where the next instruction begins in the page.
 */
#define STUB_TO_TOP 0x10000     /* PERCPU_STACK_PAGE + PERCPU_STACK_PAGES pages; entry_offsets.c asserts it */
        .macro SYSCALL_STUB offset, cs, vector
        mov     %rsp, STUB_TO_TOP - TOP_SCRATCH - \offset - 7(%rip)
        lea     STUB_TO_TOP - TOP_REGS_END - \offset - 14(%rip), %rsp
        pushq   $GUEST_SS
        pushq   TOP_REGS_END - TOP_SCRATCH + 8(%rsp)
        push    %r11
        pushq   $\cs
        push    %rcx
        pushq   $0
        movl    $\vector, UREGS_vector - UREGS_error(%rsp)
        movabs  $syscall_common, %rcx
        jmp     *%rcx
        .endm

        .section .stub, "ax"
        SYSCALL_STUB 0, GUEST_CS64, VECTOR_SYSCALL
        .org    64
        SYSCALL_STUB 64, GUEST_CS32, VECTOR_SYSCALL32
        .text

syscall_common:
        mov     UREGS_rip - UREGS_error(%rsp), %rcx
        SAVE_REGS
        CALL_C  handle_syscall
        jmp     return_to_guest

/* SYSENTER loads our stack but says nothing of where it came from: the guest's handler knows (Xen's ABI: rip and rsp 0). */
        .global entry_sysenter
entry_sysenter:
        ASM_CLAC
        pushq   $GUEST_SS
        pushq   $0
        pushfq
        orl     $0x200, (%rsp)  /* SYSENTER cleared IF; a guest always has it set */
        andl    $~0x4100, (%rsp) /* NT, TF: they would come with us */
        pushq   $2
        popfq
        pushq   $3              /* no code selector, ring 3 */
        pushq   $0
        pushq   $0
        movl    $VECTOR_SYSENTER, UREGS_vector - UREGS_error(%rsp)
        SAVE_REGS
        CALL_C  handle_syscall
        jmp     return_to_guest

/* --- the way out ----------------------------------------------------------------------------------------------------------- */
/* void enter_guest_loop(void): leave the current stack and run what this CPU has to run, for ever. */
        .global enter_guest_loop
enter_guest_loop:
        or      $(STACK_BYTES - 1), %rsp
        lea     1 - TOP_SIZE(%rsp), %rsp
        xor     %ebp, %ebp

return_to_guest:
        cli
        mov     %rsp, %rdi
        CALL_C  exit_to_guest
        RESTORE_REGS
        .global iret_to_guest
iret_to_guest:
        iretq
        .pushsection .ex_table, "a"
        .balign 8
        .quad   iret_to_guest, iret_refused
        .popsection

/*
 * IRET faulted on what the guest wants to return to; every register is the guest's again: rebuild the frame, as if the guest had
 * raised the exception there. Its error code and vector were left in scratch[1] (traps.c).
 */
iret_refused:
        pushq   TOP_REGS_END - TOP_SCRATCH + 8 + 40(%rsp)
        SAVE_REGS
        CALL_C  handle_bad_return
        jmp     return_to_guest

/* --- guest memory ------------------------------------------------------------------------------------------------------------- */
/* size_t raw_copy_guest(void *dst, const void *src, size_t n): returns the number of bytes it could not copy. */
        .global raw_copy_guest
raw_copy_guest:
        ASM_STAC
        mov     %rdx, %rcx
        shr     $3, %rcx
        and     $7, %edx
copy_words:
        rep movsq
        mov     %edx, %ecx
copy_bytes:
        rep movsb
        mov     %rcx, %rax
        ASM_CLAC
        ret
copy_words_fault:
        lea     (%rdx, %rcx, 8), %rcx
copy_bytes_fault:
        mov     %rcx, %rax
        ASM_CLAC
        ret
        .pushsection .ex_table, "a"
        .balign 8
        .quad   copy_words, copy_words_fault
        .quad   copy_bytes, copy_bytes_fault
        .popsection

        .section .note.GNU-stack, "", @progbits
