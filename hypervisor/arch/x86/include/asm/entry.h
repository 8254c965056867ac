/* SPDX-License-Identifier: MIT */
/*
 * For assembly: what entry.S and syscall.S share. Distances are from the frame (struct cpu_user_regs at the top of the
 * CPU's stack); a macro that is used with the stack pointer elsewhere in it takes that into account by `at`.
 */
#include <entry_offsets.h>
#include <asm/smap.h>

        .macro CLEAR_REGS
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
        CLEAR_REGS
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

        /* Enter the guest. If the CPU refuses what the guest asked for, all registers are the guest's still: iret_refused. */
        .macro IRET_TO_GUEST
773:    iretq
        .pushsection .ex_table, "a"
        .balign 8
        .quad   773b, iret_refused
        .popsection
        .endm

        /* The next instruction touches guest memory: on a fault it goes on at `to`. */
        .macro GUEST_ACCESS to
774:
        .pushsection .ex_table, "a"
        .balign 8
        .quad   774b, \to
        .popsection
        .endm

        /* jnz: something wants this vCPU to take the long way to its guest. at: where rsp is in the frame; a scratch register */
        .macro ATTENTION at, v, r64, r32
        mov     TOP_SIZE - TOP_CPU - \at(%rsp), \r64
        mov     CPU_SOFTIRQ(\r64), \r32
        or      VCPU_ATTENTION(\v), \r32
        or      VCPU_SELECTORS(\v), \r64
        .endm

        /* jbe: an event upcall is due: vcpu_info's first byte (pending) is not 0, the second (mask) is. */
        .macro UPCALL_DUE info, r32
        movzwl  (\info), \r32
        dec     \r32
        cmp     $0xfe, \r32
        .endm
