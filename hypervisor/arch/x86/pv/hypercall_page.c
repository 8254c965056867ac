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

int pv_make_hypercall_page(struct domain *d, mfn_t f)
{
    uint8_t *page, *p;

    if (frame_get_typed(f, d, FT_WRITABLE))
        return -EACCES;
    page = map_frame(f);
    memset(page, INT3, PAGE_SIZE);
    for (unsigned nr = 0; nr < PAGE_SIZE / ENTRY_SIZE; nr++) {
        p = page + nr * ENTRY_SIZE;
        memcpy(p, entry_code, sizeof(entry_code));
        p[NR_AT] = nr;
    }
    p = page + __HYPERVISOR_iret * ENTRY_SIZE;
    memcpy(p, iret_code, sizeof(iret_code));
    p[IRET_NR_AT] = __HYPERVISOR_iret;
    unmap_frame(page);
    frame_put_typed(f);
    return 0;
}
