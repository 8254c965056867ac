/* SPDX-License-Identifier: MIT */
/*
 * Entry points of a test guest. The hypervisor pushes, from high to low addresses,
 * ss rsp rflags cs rip [error code] r11 rcx (failsafe: gs fs es ds between rip and r11); every stub
 * turns that into a struct cpu_user_regs, calls trap_dispatch() and leaves with the iret hypercall.
 */
#define __ASSEMBLY__ 1
#include <rt/base.h>
#include <xen/xen.h>

        .text

        .balign 32
common: push    %rdi
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
        mov     %rsp, %rdi
        mov     %rsp, %rbp
        and     $-16, %rsp
        cld
        call    trap_dispatch
        mov     %rbp, %rsp
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
        movq    $0, (%rsp)              /* error code and vector become the iret flags */
        push    %rcx
        push    %r11
        push    %rax
        mov     $__HYPERVISOR_iret, %eax
        syscall
        ud2

.macro stub vector, with_error=0
        .balign 32
        pop     %rcx
        pop     %r11
        .if \with_error == 0
        push    $0
        .endif
        movl    $\vector, 4(%rsp)
        jmp     common
.endm

/* One stub of 32 bytes for each vector, in order. */
        .globl trap_stubs
        .balign 32
trap_stubs:
        vec = 0
        .rept 256
        .if vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21
        stub vec, 1
        .else
        stub vec, 0
        .endif
        vec = vec + 1
        .endr

        .globl entry_event, entry_syscall, entry_syscall32, entry_sysenter, entry_nmi
        .balign 32
entry_event:
        stub VEC_EVENT
        .balign 32
entry_syscall:
        stub VEC_SYSCALL
        .balign 32
entry_syscall32:
        stub VEC_SYSCALL32
        .balign 32
entry_sysenter:
        stub VEC_SYSENTER
        .balign 32
entry_nmi:
        stub VEC_NMI

        .globl entry_failsafe
        .balign 32
entry_failsafe:
        pop     %rcx
        pop     %r11
        popq    failsafe_selectors + 0(%rip)
        popq    failsafe_selectors + 8(%rip)
        popq    failsafe_selectors + 16(%rip)
        popq    failsafe_selectors + 24(%rip)
        push    $0
        movl    $VEC_FAILSAFE, 4(%rsp)
        jmp     common

/* int catch_enter(void): see struct catch_buffer in trap.c. */
        .globl catch_enter
        .balign 16
catch_enter:
        sub     $8, %rsp
        call    catch_buffer
        add     $8, %rsp
        mov     %rbx, 0(%rax)
        mov     %rbp, 8(%rax)
        mov     %r12, 16(%rax)
        mov     %r13, 24(%rax)
        mov     %r14, 32(%rax)
        mov     %r15, 40(%rax)
        lea     8(%rsp), %rcx
        mov     %rcx, 48(%rax)
        mov     (%rsp), %rcx
        mov     %rcx, 56(%rax)
        movb    $1, 64(%rax)
        xor     %eax, %eax
        ret

/* void iret_to(const struct iret_target *): rip cs rflags rsp ss flags rdi rax rcx r11 */
        .globl iret_to
        .balign 16
iret_to:
        pushq   32(%rdi)
        pushq   24(%rdi)
        pushq   16(%rdi)
        pushq   8(%rdi)
        pushq   0(%rdi)
        pushq   40(%rdi)
        pushq   64(%rdi)
        pushq   72(%rdi)
        pushq   56(%rdi)
        mov     48(%rdi), %rdi
        mov     $__HYPERVISOR_iret, %eax
        syscall
        ud2

/* Where the runtime starts a secondary vCPU: the function in %rdi, on its own stack. */
        .globl vcpu_entry
        .balign 16
vcpu_entry:
        cld
        xor     %ebp, %ebp
        push    %rbp
        jmp     vcpu_main

/* Where a child domain starts (child.c): its program in %rdi, its start info in %rsi. */
        .globl child_entry
        .balign 16
child_entry:
        cld
        mov     %rsi, start_info(%rip)
        xor     %ebp, %ebp
        push    %rbp
        jmp     child_main

        .section .note.GNU-stack, "", @progbits
