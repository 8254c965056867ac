/* SPDX-License-Identifier: MIT */
/*
 * The hypercall page: 32 bytes for each hypercall number, entered by CALL, for kernels that want
 * one (DOMCTL_hypercall_init, the HYPERCALL_PAGE note, the MSR of CPUID leaf 0x40000002). SYSCALL
 * destroys rcx and r11, so each entry keeps them; iret's never returns and leaves rax too on the
 * stack, where struct iret_context has it (<xen/arch-x86/xen-x86_64.h>).
 */
#include <asm/pv.h>
#include <hv/string.h>

#define ENTRY_SIZE 32
#define INT3       0xcc

static const uint8_t entry_code[] = {
    0x51,                /*  0 push %rcx */
    0x41, 0x53,          /*  1 push %r11 */
    0xb8, 0,    0, 0, 0, /*  3 mov  $nr, %eax */
    0x0f, 0x05,          /*  8 syscall */
    0x41, 0x5b,          /* 10 pop  %r11 */
    0x59,                /* 12 pop  %rcx */
    0xc3,                /* 13 ret */
};
static const uint8_t iret_code[] = {
    0x51,                /* 0 push %rcx */
    0x41, 0x53,          /* 1 push %r11 */
    0x50,                /* 3 push %rax */
    0xb8, 0,    0, 0, 0, /* 4 mov  $nr, %eax */
    0x0f, 0x05,          /* 9 syscall */
};
#define NR_AT      4
#define IRET_NR_AT 5

void pv_hypercall_page_fill(void *page)
{
    uint8_t *p = page;

    memset(p, INT3, PAGE_SIZE);
    for (unsigned nr = 0; nr < PAGE_SIZE / ENTRY_SIZE; nr++, p += ENTRY_SIZE) {
        bool iret = nr == __HYPERVISOR_iret;

        memcpy(p, iret ? iret_code : entry_code, iret ? sizeof(iret_code) : sizeof(entry_code));
        p[iret ? IRET_NR_AT : NR_AT] = nr;
    }
}
