/* SPDX-License-Identifier: MIT */
/*
 * Copies to and from guest virtual memory through the current page tables. A fault ends the copy
 * (exception table), and the range check keeps the hypervisor's own slots out of reach. The copying
 * instructions are in entry.S.
 */
#include <hv/errno.h>
#include <asm/uaccess.h>

size_t raw_copy_guest(void *dst, const void *src, size_t n);

size_t copy_from_guest_partial(void *dst, uint64_t guest_va, size_t n)
{
    if (!guest_range_ok(guest_va, n))
        return n;
    return raw_copy_guest(dst, (const void *)guest_va, n);
}

int copy_from_guest(void *dst, uint64_t guest_va, size_t n)
{
    return copy_from_guest_partial(dst, guest_va, n) ? -EFAULT : 0;
}

int copy_to_guest(uint64_t guest_va, const void *src, size_t n)
{
    if (!guest_range_ok(guest_va, n))
        return -EFAULT;
    return raw_copy_guest((void *)guest_va, src, n) ? -EFAULT : 0;
}
