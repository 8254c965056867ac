/* SPDX-License-Identifier: MIT */
/*
 * Every way into the hypervisor and the one way out.
 *
 * In: the CPU or a stub here pushes the public struct cpu_user_regs, from ss down to r15. From a guest that is always at the top of the
 * CPU's stack (guest_regs()); an interrupt of the hypervisor nests below, or on an IST stack. All registers are then
 * cleared, so that no guest value reaches C but through the frame.
 * Out: to a guest by return_to_guest, with exit_to_guest() where more than registers is due; to the hypervisor's own code straight.
 * Invariant: interrupts are off in this file; SMAP is closed (AC clear) before any C runs.
 */
#include <asm/entry.h>

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
        SAVE_REGS
        testb   $3, UREGS_cs(%rsp)
        jz      1f
        call    handle_guest_trap
        jmp     return_to_guest
1:      call    handle_trap
return_to_hypervisor:
        RESTORE_REGS
        iretq

interrupt_common:
        SAVE_REGS
        call    handle_interrupt
        testb   $3, UREGS_cs(%rsp)
        jz      return_to_hypervisor
        jmp     return_to_guest

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
        .irp at, 48, 40, 32, 24, 16, 8 /* ss rsp eflags cs rip error+vector */
        pushq   \at(%rax)
        .endr
        mov     (%rax), %rax
        SAVE_REGS
        call    handle_trap
        jmp     return_to_guest

/* --- SYSCALL ------------------------------------------------------------------------------------------------------------- */
/*
 * SYSCALL changes no stack, and GS is the guest's: so each CPU runs these few instructions at an address of its own (the first page of its
 * region) and finds its stack relative to that. The numbers after "-" are where the next instruction begins in the page.
 */
        .macro SYSCALL_STUB start, cs, vector, to
        mov     %rsp, STUB_TO_TOP - TOP_SCRATCH - \start - 7(%rip)
        lea     STUB_TO_TOP - TOP_REGS_END - \start - 14(%rip), %rsp
        pushq   $GUEST_SS
        pushq   TOP_REGS_END - TOP_SCRATCH + 8(%rsp)
        push    %r11
        pushq   $\cs
        push    %rcx
        pushq   1f(%rip)
        jmp     *2f(%rip)
        .balign 8
1:      .long   0, \vector      /* error code and vector */
2:      .quad   \to
        .endm

        .section .stub, "ax"
        SYSCALL_STUB 0, GUEST_CS64, VECTOR_SYSCALL, syscall64
        .org    64
        SYSCALL_STUB 64, GUEST_CS32, VECTOR_SYSCALL32, syscall_common
        .text

/* SYSENTER loads our stack but says nothing of where it came from: the guest's handler knows (Xen's ABI: rip and rsp 0). */
        .global entry_sysenter
entry_sysenter:
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
        .global syscall_common
syscall_common:
        SAVE_REGS
        call    handle_syscall
        jmp     return_to_guest

/* --- the way out ----------------------------------------------------------------------------------------------------------- */
/* void enter_guest_loop(void): leave the current stack and run what this CPU has to run, for ever. */
        .global enter_guest_loop
enter_guest_loop:
        or      $(STACK_BYTES - 1), %rsp
        lea     1 - TOP_SIZE(%rsp), %rsp
        xor     %ebp, %ebp

        .global return_to_guest, guest_wants_more
return_to_guest:
        cli
        mov     TOP_SIZE - TOP_CURRENT(%rsp), %rbx
        cmpb    $0, VCPU_HC_ACTIVE(%rbx)
        jne     guest_wants_more
        mov     VCPU_INFO(%rbx), %rdx
        test    %rdx, %rdx              /* the idle vCPU has none */
        jnz     hypercall_done          /* on as after a hypercall (syscall.S) */
guest_wants_more:
        mov     %rsp, %rdi
        call    exit_to_guest
        jmp     to_guest

/*
 * IRET faulted on what the guest wants to return to; every register is the guest's again: rebuild the frame, as if the guest had
 * raised the exception there. Its error code and vector were left in scratch[1] (traps.c).
 */
        .global iret_refused
iret_refused:
        pushq   TOP_REGS_END - TOP_SCRATCH + 8 + 40(%rsp)
        SAVE_REGS
        call    handle_bad_return
        jmp     return_to_guest

/* --- guest memory ------------------------------------------------------------------------------------------------------------- */
/*
 * size_t raw_copy_guest(void *dst, const void *src, size_t n): returns the number of bytes it could not copy, exactly: a word that
 * faults is tried again byte by byte. Up to 128 bytes go in a loop, for which REP has not even started.
 */
        .global raw_copy_guest
raw_copy_guest:
        ASM_STAC
        mov     %rdx, %rcx
        cmp     $128, %rdx
        ja      copy_long
        and     $7, %edx
        and     $~7, %ecx
        jz      copy_tail
        add     %rcx, %rsi
        add     %rcx, %rdi
        neg     %rcx
1:      GUEST_ACCESS copy_word_fault
        mov     (%rsi, %rcx), %rax
        GUEST_ACCESS copy_word_fault
        mov     %rax, (%rdi, %rcx)
        add     $8, %rcx
        jnz     1b
copy_tail:
        cmp     $4, %edx        /* half a word is the usual rest */
        jne     copy_rest
        GUEST_ACCESS copy_rest
        mov     (%rsi), %eax
        GUEST_ACCESS copy_rest
        mov     %eax, (%rdi)
        xor     %eax, %eax
        ASM_CLAC
        ret
copy_word_fault:
        add     %rcx, %rsi
        add     %rcx, %rdi
        sub     %ecx, %edx
copy_rest:
        mov     %edx, %ecx
copy_bytes:
        rep movsb
copy_done:
        mov     %rcx, %rax
        ASM_CLAC
        ret
copy_long:
        shr     $3, %rcx
        and     $7, %edx
copy_words:
        rep movsq
        jmp     copy_tail
copy_words_fault:
        lea     (%rdx, %rcx, 8), %rcx
        jmp     copy_bytes
        .pushsection .ex_table, "a"
        .balign 8
        .quad   copy_words, copy_words_fault
        .quad   copy_bytes, copy_done
        .popsection

