/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to C: Multiboot 1 and 2 headers, 32-bit entry, first page tables, long mode; and the way of the other CPUs
 * from their start-up IPI to the same place.
 *
 * The first tables map the low 4 GiB one to one (everything Multiboot hands over is there) and the image at its link address.
 * hv_paging.c replaces them; they stay in the image only for the other CPUs' first instructions.
 */
#include <entry_offsets.h>

#define PHYS(sym) (sym - VA_IMAGE)
#define AP_MARK 0x4d554c54 /* in %ebp, where the boot CPU has the loader's magic number */
#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x00010003 /* page-aligned modules, memory information, addresses below (QEMU wants them for a 64-bit ELF) */
#define MB2_MAGIC 0xe85250d6

        .section .multiboot, "a"
        .balign 8
mb1_header:
        .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
        .long PHYS(mb1_header), PHYS(_image_start), PHYS(_edata), PHYS(_end), PHYS(start32)
        .balign 8
mb2_header:
        .long MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + (mb2_end - mb2_header))
        .balign 8
        .word 2, 0              /* addresses */
        .long 24, PHYS(mb2_header), PHYS(_image_start), PHYS(_edata), PHYS(_end)
        .balign 8
        .word 3, 0              /* entry */
        .long 12, PHYS(start32)
        .balign 8
        .word 6, 0              /* modules on page boundaries */
        .long 8
        .balign 8
        .word 0, 0
        .long 8
mb2_end:

        .section .text.head, "ax"
        .code32
        .global start32
start32:
        cli
        cld
        mov     %eax, %ebp      /* Multiboot magic and information, kept over the clearing of BSS */
        mov     %ebx, %esi
        mov     $PHYS(_bss_start), %edi
        mov     $PHYS(_end), %ecx
        sub     %edi, %ecx
        shr     $2, %ecx
        xor     %eax, %eax
        rep stosl

        mov     $0x80000000, %eax
        cpuid
        cmp     $0x80000001, %eax
        jb      no_long_mode
        mov     $0x80000001, %eax
        cpuid
        and     $1 << 29 | 1 << 20, %edx /* long mode, NX */
        cmp     $1 << 29 | 1 << 20, %edx
        jne     no_long_mode

        lgdtl   PHYS(boot_gdtr)
/* 32-bit, no stack: paging on, with the tables above; then start64. */
enter_long_mode:
        mov     $0x20, %eax     /* PAE */
        mov     %eax, %cr4
        mov     $PHYS(boot_l4), %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        rdmsr
        or      $0x900, %eax    /* LME NXE */
        wrmsr
        mov     $0x80010033, %eax /* PG WP NE ET MP PE */
        mov     %eax, %cr0
        ljmp    $0x08, $PHYS(start64_low)

no_long_mode:
        mov     $PHYS(no_long_mode_text), %esi
3:      mov     $0x3fd, %dx
4:      in      %dx, %al
        test    $0x20, %al
        jz      4b
        mov     $0x3f8, %dx
        lodsb
        test    %al, %al
        jz      5f
        out     %al, %dx
        jmp     3b
5:      hlt
        jmp     5b

        .code64
start64_low:
        movabs  $start64, %rax
        jmp     *%rax
start64:
        lgdt    boot_gdtr(%rip) /* again: by its address in the image, which stays mapped */
        mov     $0x10, %eax     /* the other segments wait for gdt_cpu_load(): 64-bit code does not look at them */
        mov     %eax, %ss
        cmp     $AP_MARK, %ebp
        je      start_ap
        lea     boot_stack_top - TOP_SIZE - 8(%rip), %rsp
        mov     %ebp, %edi
        mov     %esi, %esi
        xor     %ebp, %ebp
        call    boot_early      /* returns the top of the boot CPU's own stack */
        lea     -TOP_SIZE - 8(%rax), %rsp
        xor     %ebp, %ebp
        call    boot_main
        ud2

/* --- the other CPUs: the same way, from the trampoline below --- */
start_ap:
        mov     $PHYS(hv_root), %eax
        mov     %rax, %cr3
        mov     ap_stack(%rip), %rax
        lea     -TOP_SIZE - 8(%rax), %rsp
        xor     %ebp, %ebp
        call    smp_ap_main
        ud2

        .code32
ap_start32:
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     $AP_MARK, %ebp
        jmp     enter_long_mode

/* Copied to a page below 1 MiB, where real mode can run it. It touches nothing in that page but the GDT pointer. */
        .section .rodata.trampoline, "a"
        .code16
        .global trampoline_start, trampoline_end
        .balign 16
trampoline_start:
        cli
        cld
        mov     %cs, %ax
        mov     %ax, %ds
        lgdtl   trampoline_gdtr - trampoline_start
        mov     $0x11, %eax
        mov     %eax, %cr0
        ljmpl   $0x18, $PHYS(ap_start32)
        .balign 4
trampoline_gdtr:
        .word   boot_gdt_end - boot_gdt - 1
        .long   PHYS(boot_gdt)
trampoline_end:
        .code64

        .section .rodata, "a"
        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00af9b000000ffff /* 64-bit code */
        .quad   0x00cf93000000ffff /* data */
        .quad   0x00cf9b000000ffff /* 32-bit code */
boot_gdt_end:
boot_gdtr:      /* in 32 bits only the lower half of the address is read: the physical one */
        .word   boot_gdt_end - boot_gdt - 1
        .quad   boot_gdt
no_long_mode_text:
        .asciz  "Mullion needs a 64-bit (x86-64) processor with NX; this one lacks that. The machine is halted.\r\n"

        .data
        .balign 8
        .global ap_stack
ap_stack:       .quad 0

        .balign 4096
boot_l4:
        .quad   PHYS(boot_l3) + 3
        .fill   258, 8
        .quad   PHYS(boot_l3) + 3
        .fill   252, 8
boot_l3:        /* for both: the image is linked at VA_IMAGE + its physical address */
        .irp    gib, 0, 1, 2, 3
        .quad   PHYS(boot_l2) + \gib * 4096 + 3
        .endr
        .fill   508, 8
boot_l2:        /* 2048 pages of 2 MiB */
entry = 0x83
        .rept   2048
        .quad   entry
entry = entry + 0x200000
        .endr

        .bss
        .balign STACK_BYTES
boot_stack:     .skip STACK_BYTES
boot_stack_top:

