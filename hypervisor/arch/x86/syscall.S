/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL in 64-bit code: a guest kernel's hypercall, its iret hypercall, and a guest user's system call. Each has a straight way
 * through for the usual case, and the way of every other entry (handle_syscall, exit_to_guest) for all else.
 *
 * At syscall64: the frame from ss down to error code and vector is pushed, rsp points at the latter; rcx is the guest's rip, r11
 * its flags, every other register the guest's own; interrupts are off, DF and AC clear (FMASK).
 *
 * Invariants of the straight ways. Interrupts stay off but for the handler of a hypercall, so nothing is rescheduled. NMI, #DB and #MC
 * strike anywhere, on stacks of their own, find the CPU by those, and use neither GS nor the half-made frame. A fault on guest memory is
 * taken here below the stack pointer and ends in the exception table: what was changed by then is put back, and the slow way
 * finds the guest as it was at its SYSCALL. Only words that were checked for it (UPCALL_DUE, ATTENTION) can have work waiting.
 */
#include <asm/entry.h>

#define FRAME(field) (UREGS_##field - UREGS_error)(%rsp)        /* while rsp is where syscall64 found it */
#define TOP(what)    (TOP_SIZE - UREGS_error - TOP_##what)(%rsp)
#define FLAGS_CLEAR_FOR_HANDLER 0x00074500      /* TF DF NT RF VM AC */
#define FLAGS_FROM_GUEST        0x003d4fd5      /* all that there are but IOPL and VM */
#define FLAG_IF                 0x200

        .text
        .global syscall64, hypercall_done, to_guest
syscall64:
        mov     TOP(CURRENT), %r11
        cmpb    $0, VCPU_USER_MODE(%r11)
        jne     from_user
        cmp     $HYPERCALL_IRET, %rax
        je      iret_hypercall

/* --- a hypercall: its copied arguments and the frame, then the handler of its row in hypercall_table ------------------------- */
        PUSH_ALL rdi, rsi, rdx, rcx, rax, r8, r9, r10
        push    UREGS_eflags - UREGS_r10(%rsp)  /* r11 */
        PUSH_ALL rbx, rbp, r12, r13, r14, r15
        mov     %r11, %rbx
        mov     %rax, VCPU_HC_NR(%rbx)
        mov     %rdi, VCPU_HC_ARG + 0(%rbx)
        mov     %rsi, VCPU_HC_ARG + 8(%rbx)
        mov     %rdx, VCPU_HC_ARG + 16(%rbx)
        mov     %r10, VCPU_HC_ARG + 24(%rbx)
        mov     %r8, VCPU_HC_ARG + 32(%rbx)
        mov     %r9, VCPU_HC_ARG + 40(%rbx)
        cmp     $HYPERCALLS - 1, %rax
        ja      hypercall_slow
        and     $HYPERCALLS - 1, %eax           /* also where the CPU only guesses that it was in range */
        lea     (%rax, %rax, 2), %eax           /* rows of 24 bytes */
        lea     hypercall_table(%rip), %rdi
        cmpb    $HC_ANY_NUMBER, HC_ROW_PRIVILEGE(%rdi, %rax, 8)
        jne     hypercall_slow
        mov     (%rdi, %rax, 8), %rax
        lea     VCPU_HC(%rbx), %rdi
        .irp reg, esi, edx, ecx, r8d, r9d, r10d, r11d, ebp, r12d, r13d, r14d, r15d
        xor     %\reg, %\reg
        .endr
        .irp word, 0, 8, 16, 24
        mov     %rcx, VCPU_HC_PROGRESS + \word(%rbx)
        .endr
        sti
        call    *%rax
        cmp     $-HC_RESTART_NUMBER, %rax
        je      1f
        cli
        mov     %rax, UREGS_rax(%rsp)
        mov     VCPU_INFO(%rbx), %rdx
hypercall_done:         /* the guest's registers are in the frame; rbx: current, rdx: its vcpu_info */
        cmpq    $0, frames_to_reap(%rip)
        jne     guest_wants_more
        ATTENTION 0, %rbx, %rcx, %ecx
        jnz     guest_wants_more
        UPCALL_DUE %rdx, %ecx
        jbe     guest_wants_more
to_guest:
        RESTORE_REGS
        IRET_TO_GUEST
1:      movb    $1, VCPU_HC_ACTIVE(%rbx)        /* the exit loop calls it again */
        jmp     return_to_guest

hypercall_slow:
        CLEAR_REGS
        call    handle_syscall
        jmp     return_to_guest

/* All registers but rcx and r11 are the guest's. */
syscall_slow:
        mov     FRAME(rip), %rcx
        mov     FRAME(eflags), %r11
        jmp     syscall_common

/* --- a guest user's system call: a frame on the guest kernel's stack, and on in its handler ------------------------------------- */
from_user:
        PUSH_ALL rax, rdx, rbx
        .macro PUT word, at
        GUEST_ACCESS 7f
        movq    \word, \at(%rbx)
        .endm
#define UFRAME(field) (UREGS_##field - UREGS_rdx)(%rsp)
        ATTENTION UREGS_rdx, %r11, %rax, %eax
        jnz     8f
        mov     VCPU_INFO(%r11), %rdx
        cmpw    $0, (%rdx)                      /* no event is pending, and none masked */
        jne     8f
        mov     VCPU_BOUNCE_SP(%r11), %rbx
        test    %rbx, %rbx
        jz      8f
        mov     VCPU_DOMAIN(%r11), %rax
        testb   $ASSIST_IOPL, DOMAIN_VM_ASSIST(%rax)
        jnz     8f
        movb    $0, VCPU_USER_MODE(%r11)
        swapgs
        mov     VCPU_GUEST_TABLE(%r11), %rax
        shl     $12, %rax
        mov     %rax, %cr3
        mov     UFRAME(eflags), %rax
        ASM_STAC
        PUT     %rcx, 0
        PUT     %rax, 8
        PUT     %rcx, 16                        /* rip */
        PUT     $GUEST_CS64, 24                 /* and, above it, the old mask: 0 */
        PUT     %rax, 32                        /* as it is: IF set, IOPL 0 in every guest */
        mov     UFRAME(rsp), %rax
        PUT     %rax, 40
        PUT     $GUEST_SS, 48
        ASM_CLAC
        movzbl  VCPU_SYSCALL_MASKS(%r11), %eax
        mov     %al, 1(%rdx)
        mov     VCPU_SYSCALL_CALLBACK(%r11), %rax
        mov     %rax, UFRAME(rip)
        mov     %rbx, UFRAME(rsp)
        mov     UFRAME(eflags), %r11
        andl    $~FLAGS_CLEAR_FOR_HANDLER, UFRAME(eflags)
        pop     %rbx
        pop     %rdx
        pop     %rax
        add     $8, %rsp
        IRET_TO_GUEST
7:      ASM_CLAC                                /* no room on that stack: the slow way says so */
        movb    $1, VCPU_USER_MODE(%r11)
        swapgs
        mov     VCPU_GUEST_TABLE_USER(%r11), %rax
        shl     $12, %rax
        mov     %rax, %cr3
8:      pop     %rbx
        pop     %rdx
        pop     %rax
        jmp     syscall_slow

/* --- iret: the guest's struct iret_context, copied over our own frame, is what our IRET takes -------------------------------------- */
iret_hypercall:
        ATTENTION UREGS_error, %r11, %rax, %eax
        jnz     7f
        mov     VCPU_DOMAIN(%r11), %rax
        testb   $ASSIST_IOPL, DOMAIN_VM_ASSIST(%rax)
        jnz     7f
        mov     FRAME(rsp), %rax
        shr     $43, %rax
        cmp     $HV_SLOTS_TOP21, %eax           /* in the hypervisor's slots? Below them no address is canonical: that faults */
        je      7f
        mov     FRAME(rsp), %rax
        add     $UREGS_hw_end - UREGS_error, %rsp
        ASM_STAC
        .irp at, 64, 56, 48, 40, 32, 24, 16, 8, 0 /* ss rsp rflags cs rip VGCF_* rcx r11 rax */
        GUEST_ACCESS 8f
        push    \at(%rax)
        .endr
        ASM_CLAC
        movzwl  40(%rsp), %ecx
        or      $3, %ecx
        cmp     %cx, 40(%rsp)
        mov     %rcx, 40(%rsp)
        jne     1f                              /* to its kernel, which calls itself ring 0 */
        mov     VCPU_GUEST_TABLE_USER(%r11), %rcx
        inc     %rcx                            /* neither 0 nor INVALID_MFN: */
        cmp     $1, %rcx
        jbe     9f
        dec     %rcx
        shl     $12, %rcx
        movb    $1, VCPU_USER_MODE(%r11)
        swapgs
        mov     %rcx, %cr3
1:      movzwl  64(%rsp), %ecx
        or      $3, %ecx
        mov     %rcx, 64(%rsp)
        mov     VCPU_INFO(%r11), %rax
        mov     48(%rsp), %ecx
        bt      $9, %ecx
        setnc   1(%rax)                         /* the event mask is what IF says */
        and     $FLAGS_FROM_GUEST, %ecx
        or      $FLAG_IF | 2, %ecx
        mov     %rcx, 48(%rsp)
        movb    $0, VCPU_NMI_BLOCKED(%r11)
        UPCALL_DUE %rax, %eax
        pop     %rax                            /* leaves the condition alone */
        pop     %r11
        pop     %rcx
        jbe     2f
        testl   $IRET_IN_SYSCALL, (%rsp)
        lea     8(%rsp), %rsp
        jnz     3f
        IRET_TO_GUEST
2:      testl   $IRET_IN_SYSCALL, (%rsp)        /* an event is due now: by the common way out */
        pushq   syscall_vector(%rip)
        pop     (%rsp)
        jz      4f
        mov     8(%rsp), %rcx
        mov     24(%rsp), %r11
4:      SAVE_REGS
        jmp     return_to_guest
3:      mov     (%rsp), %rcx                    /* as SYSRET leaves them */
        mov     16(%rsp), %r11
        IRET_TO_GUEST

/* The copy faulted (rcx is still the guest's rip) or there is no user mode to go to: the frame is what SYSCALL made, as far as do_iret cares. */
8:      ASM_CLAC
        jmp     6f
9:      xor     %ecx, %ecx
6:      or      $(STACK_BYTES - 1), %rsp
        lea     1 - TOP_SIZE + UREGS_error(%rsp), %rsp
        movq    $GUEST_SS, FRAME(ss)
        mov     %rax, FRAME(rsp)
        movq    $FLAG_IF | 2, FRAME(eflags)
        movq    $GUEST_CS64, FRAME(cs)
        mov     %rcx, FRAME(rip)
        pushq   syscall_vector(%rip)
        pop     (%rsp)
7:      mov     $HYPERCALL_IRET, %eax
        jmp     syscall_slow

        .section .rodata
        .balign 8
syscall_vector:
        .long   0, VECTOR_SYSCALL

