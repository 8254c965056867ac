/* SPDX-License-Identifier: MIT */
/*
 * Types that every file shares, and the small conveniences that C leaves out. mfn_t is a machine frame number (machine
 * address >> 12), a type of its own so that no other number passes for one; a guest's own frame numbers (pfn) are only stored.
 */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>

typedef struct {
    uint64_t m;
} mfn_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define INVALID_MFN ((mfn_t){~0UL})

static inline mfn_t mfn(uint64_t n)
{
    return (mfn_t){n};
}
static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.m == b.m;
}
static inline uint64_t mfn_to_maddr(mfn_t f)
{
    return f.m << PAGE_SHIFT;
}
static inline mfn_t maddr_to_mfn(uint64_t maddr)
{
    return mfn(maddr >> PAGE_SHIFT);
}

#define ARRAY_SIZE(a)      (sizeof(a) / sizeof((a)[0]))
#define likely(x)          __builtin_expect(!!(x), 1)
#define unlikely(x)        __builtin_expect(!!(x), 0)
#define MIN(a, b)          ((a) < (b) ? (a) : (b))
#define MAX(a, b)          ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, a)     (((x) + (a)-1) / (a) * (a))
#define __noreturn         __attribute__((noreturn))
#define __printf(f, a)     __attribute__((format(printf, f, a)))
#define __must_check       __attribute__((warn_unused_result))
#define __aligned_page     __attribute__((aligned(4096)))
#define READ_ONCE(x)       (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)   (*(volatile __typeof__(x) *)&(x) = (v))

#endif
