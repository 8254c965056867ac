/* SPDX-License-Identifier: MIT */
/* Model-specific registers, control registers, CPUID and the TSC. */
#ifndef ASM_MSR_H
#define ASM_MSR_H

#include <hv/errno.h>
#include <asm/traps.h>

#define MSR_TSC            0x10
#define MSR_APIC_BASE      0x1b
#define MSR_ARCH_CAPS      0x10a
#define MSR_MC0_STATUS     0x401
#define MSR_MCG_CAP        0x179
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC         0x800
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_FMASK          0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define EFER_SCE (1u << 0)
#define EFER_NXE (1u << 11)

#define CR0_MP (1u << 1)
#define CR0_TS (1u << 3)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)

#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_MCE        (1u << 6)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_FSGSBASE   (1u << 16)
#define CR4_OSXSAVE    (1u << 18)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
/* 0, or -EFAULT when the CPU does not have the register or refuses the value. */
static inline int rdmsr_safe(uint32_t msr, uint64_t *v)
{
    uint32_t lo = 0, hi = 0;
    int err = -EFAULT;
    __asm__ volatile("1: rdmsr\n\txor %2, %2\n2:\n\t" EX_TABLE(1b, 2b)
                     : "+a"(lo), "+d"(hi), "+&r"(err)
                     : "c"(msr));
    *v = (uint64_t)hi << 32 | lo;
    return err;
}
static inline int wrmsr_safe(uint32_t msr, uint64_t v)
{
    int err = -EFAULT;
    __asm__ volatile("1: wrmsr\n\txor %0, %0\n2:\n\t" EX_TABLE(1b, 2b)
                     : "+&r"(err)
                     : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
                     : "memory");
    return err;
}

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid_regs cpuid_count(uint32_t leaf, uint32_t sub)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(sub));
    return r;
}
struct cpuid_regs cpuid_leaf(uint32_t leaf); /* one the CPU may not have: then all zeros (cpu.c) */
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

#define read_cr(n)                                                      \
    ({                                                                  \
        uint64_t v_;                                                    \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_) : : "memory"); \
        v_;                                                             \
    })
#define write_cr(n, v) __asm__ volatile("mov %0, %%cr" #n ::"r"((uint64_t)(v)) : "memory")
static inline void invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

#endif
