/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of a test guest and its ELF notes. The domain builder enters here in
 * guest-kernel mode with the start-info page in %rsi and a boot stack that we leave at once for
 * vCPU 0's own. There is no HYPERCALL_PAGE note: hypercalls are bare SYSCALL instructions.
 */
#define __ASSEMBLY__ 1
#include <rt/base.h>
#include <xen/elfnote.h>

        .section .text.start, "ax", @progbits
        .globl _start
_start: cld
        mov     %rsi, start_info(%rip)
        lea     vcpu_stacks + VCPU_STACK_HALF(%rip), %rsp
        xor     %ebp, %ebp
        push    %rbp
        jmp     guest_main

        .bss
        .balign VCPU_STACK
        .globl vcpu_stacks
vcpu_stacks:
        .skip   VCPU_STACK * MAX_VCPUS

        .data
        .balign 8
        .globl start_info
start_info:
        .quad   0

.macro note type, directive, value:vararg
        .balign 4
        .long   4, 92f - 91f, \type
        .asciz  "Xen"
91:     \directive \value
92:     .balign 4
.endm
        .section .note.Xen, "a", @note
        note XEN_ELFNOTE_GUEST_OS, .asciz, "mullion-test"
        note XEN_ELFNOTE_GUEST_VERSION, .asciz, "1"
        note XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
        note XEN_ELFNOTE_LOADER, .asciz, "generic"
        note XEN_ELFNOTE_VIRT_BASE, .quad, GUEST_VIRT_BASE
        note XEN_ELFNOTE_PADDR_OFFSET, .quad, 0
        note XEN_ELFNOTE_ENTRY, .quad, _start
        .section .note.GNU-stack, "", @progbits
