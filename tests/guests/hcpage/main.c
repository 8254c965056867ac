/* SPDX-License-Identifier: MIT */
/*
 * hcpage: the hypercall page, which older kernels call through.
 *
 * How a guest would break the hypervisor: the note names where the hypervisor writes a page of code
 * at domain build; only an address inside the image may be written.
 */
#include <rt/test.h>

/* The page, and the note that names it. */
__asm__(".section .hypercall_page, \"aw\", @progbits; .balign 4096\n"
        ".globl hypercall_page; hypercall_page: .skip 4096, 0xcc\n"
        ".section .note.Xen, \"a\", @note; .balign 4\n"
        ".long 4, 8, 2; .asciz \"Xen\"; .quad hypercall_page; .text\n");
extern const unsigned char hypercall_page[PAGE_SIZE];

static long call(unsigned int nr, uint64_t a1, uint64_t a2)
{
    long rax;

    __asm__ volatile("call *%[entry]"
                     : "=a"(rax), "+D"(a1), "+S"(a2)
                     : [entry] "r"(hypercall_page + nr * 32)
                     : "rdx", "rcx", "r8", "r9", "r10", "r11", "memory");
    return rax;
}

static void test_filled(void)
{
    CHECK(hypercall_page[0] != 0xcc);
    for (unsigned int nr = 0; nr < 64; nr++)
        CHECK(hypercall_page[nr * 32] != 0xcc);
}

static void test_calls(void)
{
    xen_capabilities_info_t caps = "";

    CHECK_EQ(call(__HYPERVISOR_xen_version, XENVER_version, 0), 0x40011);
    CHECK_EQ(call(__HYPERVISOR_xen_version, XENVER_capabilities, (uint64_t)caps), 0);
    CHECK(!strncmp(caps, "xen-3.0-x86_64", 14));
    CHECK_EQ(call(__HYPERVISOR_xen_version, 999, 0), -XEN_ENOSYS);
    CHECK_EQ(call(63, 0, 0), -XEN_ENOSYS);
}

/* iret's entry pushes the upper part of the frame itself: it is jumped to, not called. */
static void test_iret(void)
{
    uint64_t rcx = 0, rax = 0;

    __asm__ volatile("mov %%rsp, %%rdx; push $0xe02b; push %%rdx; push $2; push $0xe030\n"
                     "lea 1f(%%rip), %%rax; push %%rax; push $0\n"
                     "mov $0x77, %%ecx; mov $0x88, %%eax; mov $0x99, %%r11d\n"
                     "jmp *%[entry]\n"
                     "1:\n"
                     : "=&a"(rax), "=&c"(rcx)
                     : [entry] "r"(hypercall_page + __HYPERVISOR_iret * 32)
                     : "rdx", "r11", "memory");
    CHECK_EQ(rcx, 0x77);
    CHECK_EQ(rax, 0x88);
}

GUEST("hcpage", TEST(filled), TEST(calls), TEST(iret));
