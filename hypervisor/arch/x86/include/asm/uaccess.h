/* SPDX-License-Identifier: MIT */
/*
 * The one way to guest virtual memory: copies through the current address space that end with -EFAULT, never a host fault, at an address that
 * is not mapped, not the guest's (in the hypervisor's slots), or not writable. SMAP is opened only inside.
 */
#ifndef ASM_UACCESS_H
#define ASM_UACCESS_H

#include <hv/types.h>

#define HV_VIRT_START 0xffff800000000000UL
#define HV_VIRT_END   0xffff880000000000UL

static inline bool guest_range_ok(uint64_t addr, uint64_t size)
{
    /* canonical, no wrap, outside of the hypervisor's slots */
    uint64_t end = addr + size;
    if (end < addr)
        return false;
    if (end <= 0x0000800000000000UL)
        return true;
    return addr >= HV_VIRT_END;
}
/* Enough for a range that is touched from its start upwards: below the hypervisor's slots no address is canonical, so it faults. */
static inline bool guest_start_ok(uint64_t addr)
{
    return addr >> 43 != HV_VIRT_START >> 43;
}
/* 0 or -EFAULT; on -EFAULT dst may be partly written. */
int __must_check copy_from_guest(void *dst, uint64_t guest_va, size_t n);
int __must_check copy_to_guest(uint64_t guest_va, const void *src, size_t n);
/* The number of bytes not copied: for paths that want the fault's address. */
size_t __must_check copy_from_guest_partial(void *dst, uint64_t guest_va, size_t n);
/* A guest's typed handle: `struct x` in, from XEN_GUEST_HANDLE fields or arguments. */
#define copy_in(obj_ptr, guest_va)  copy_from_guest((obj_ptr), (uint64_t)(guest_va), sizeof(*(obj_ptr)))
#define copy_out(guest_va, obj_ptr) copy_to_guest((uint64_t)(guest_va), (obj_ptr), sizeof(*(obj_ptr)))

/*
 * Words in line, for the entry paths: a checked range, guest_open(), guest_get()s or guest_put()s and nothing else, guest_close(). A fault
 * goes to the label `fail` (GCC's asm goto), where guest_close() is due, too.
 */
#define GUEST_SMAP(stac) \
    __asm__ volatile("771: .byte 0x0f, 0x1f, 0x00\n\t.pushsection .smap_patch, \"a\"\n\t.balign 8\n\t.quad 771b, " #stac \
                     "\n\t.popsection" ::: "memory")
static inline void guest_open(void)
{
    GUEST_SMAP(1);
}
static inline void guest_close(void)
{
    GUEST_SMAP(0);
}
#define GUEST_WORD(insn, fail) \
    "1: " insn "\n\t.pushsection .ex_table, \"a\"\n\t.balign 8\n\t.quad 1b, %l[" #fail "]\n\t.popsection"
#define guest_put(va, value, fail)                                                                                         \
    __asm__ goto(GUEST_WORD("mov %1, %0", fail) ::"m"(*(uint64_t *)(va)), "er"((uint64_t)(value)) : "memory" : fail)
#define guest_get(to, va, fail) \
    __asm__ goto(GUEST_WORD("mov %1, %0", fail) : "=r"(to) : "m"(*(const uint64_t *)(va)) : "memory" : fail)

#endif
