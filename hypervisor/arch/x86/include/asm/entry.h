/* SPDX-License-Identifier: MIT */
/*
 * For assembly: what entry.S and syscall.S share. Distances are from the frame (struct cpu_user_regs at the top of the
 * CPU's stack); a macro that is used with the stack pointer elsewhere in it takes that into account by `at`.
 */
#include <entry_offsets.h>

        /* Open (STAC) and close (CLAC) user memory. NOPs that cpu.c patches on CPUs with SMAP. */
        .macro SMAP_POINT stac
771:    .byte   0x0f, 0x1f, 0x00
        .pushsection .smap_patch, "a"
        .balign 8
        .quad   771b, \stac
        .popsection
        .endm
#define ASM_STAC SMAP_POINT 1
#define ASM_CLAC SMAP_POINT 0

        /* All of SAVE_REGS but rdi, which is the frame for C. */
        .macro CLEAR_REGS
        .irp reg, esi, edx, ecx, eax, r8d, r9d, r10d, r11d, ebx, ebp, r12d, r13d, r14d, r15d
        xor     %\reg, %\reg
        .endr
        mov     %rsp, %rdi
        .endm

        .macro PUSH_ALL regs:vararg
        .irp reg, \regs
        push    %\reg
        .endr
        .endm

        /* From here on C may run: DF and AC are clear, the only register that is the guest's is in the frame. */
        .macro SAVE_REGS
        cld
        ASM_CLAC
        PUSH_ALL rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
        CLEAR_REGS
        .endm

        .macro RESTORE_REGS
        .irp reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
        pop     %\reg
        .endr
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
