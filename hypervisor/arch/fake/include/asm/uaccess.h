/* SPDX-License-Identifier: MIT */
/* The host double of guest memory: a guest address is a host pointer; the first page, and what a
 * test forbids, faults. */
#ifndef ASM_UACCESS_H
#define ASM_UACCESS_H

#include <hv/types.h>

#define HV_VIRT_START 0xffff800000000000UL
#define HV_VIRT_END   0xffff880000000000UL

static inline bool guest_range_ok(uint64_t addr, uint64_t size)
{
    uint64_t end = addr + size;

    if (end < addr)
        return false;
    return end <= 0x0000800000000000UL || addr >= HV_VIRT_END;
}
int __must_check copy_from_guest(void *dst, uint64_t guest_va, size_t n);
int __must_check copy_to_guest(uint64_t guest_va, const void *src, size_t n);
#define copy_in(obj_ptr, guest_va) \
    copy_from_guest((obj_ptr), (uint64_t)(guest_va), sizeof(*(obj_ptr)))
#define copy_out(guest_va, obj_ptr) \
    copy_to_guest((uint64_t)(guest_va), (obj_ptr), sizeof(*(obj_ptr)))

/* Words in line: a fault goes to the label `fail`. */
static inline void guest_open(void)
{
}
static inline void guest_close(void)
{
}
#define guest_get(to, va, fail)                           \
    do {                                                  \
        if (copy_from_guest(&(to), (va), sizeof(to)))     \
            goto fail;                                    \
    } while (0)
#define guest_put(va, value, fail)                        \
    do {                                                  \
        uint64_t word_ = (uint64_t)(value);               \
        if (copy_to_guest((va), &word_, sizeof(word_)))   \
            goto fail;                                    \
    } while (0)

#endif
