/* SPDX-License-Identifier: MIT */
/*
 * What every file of the test runtime starts from: fixed-width types, the public Xen headers, the
 * few constants of the architecture that those headers do not carry, and where a guest is linked.
 *
 * A guest is linked at GUEST_VIRT_BASE, and its page N is at GUEST_VIRT_BASE + N * 4096 for as far
 * as the domain builder's initial mapping reaches. All of the runtime's own memory is in the image.
 */
#ifndef RT_BASE_H
#define RT_BASE_H

#define GUEST_VIRT_BASE 0xffffffff80000000

#define X86_EXC_DE 0
#define X86_EXC_DB 1
#define X86_EXC_BP 3
#define X86_EXC_OF 4
#define X86_EXC_BR 5
#define X86_EXC_UD 6
#define X86_EXC_NM 7
#define X86_EXC_DF 8
#define X86_EXC_TS 10
#define X86_EXC_NP 11
#define X86_EXC_SS 12
#define X86_EXC_GP 13
#define X86_EXC_PF 14
#define X86_EXC_MF 16
#define X86_EXC_AC 17
#define X86_EXC_XM 19

/* Pseudo vectors: the runtime's names for the entry points that are not exceptions. */
#define VEC_SYSCALL   0x100
#define VEC_EVENT     0x101
#define VEC_FAILSAFE  0x102
#define VEC_SYSCALL32 0x103
#define VEC_SYSENTER  0x104
#define VEC_NMI       0x105

#define X86_EFLAGS_CF   0x00000001
#define X86_EFLAGS_MBS  0x00000002
#define X86_EFLAGS_TF   0x00000100
#define X86_EFLAGS_IF   0x00000200
#define X86_EFLAGS_DF   0x00000400
#define X86_EFLAGS_IOPL 0x00003000
#define X86_EFLAGS_NT   0x00004000
#define X86_EFLAGS_RF   0x00010000
#define X86_EFLAGS_VM   0x00020000
#define X86_EFLAGS_AC   0x00040000
#define X86_EFLAGS_ID   0x00200000

#define PF_PRESENT 0x1
#define PF_WRITE   0x2
#define PF_USER    0x4
#define PF_RSVD    0x8
#define PF_FETCH   0x10

#define PTE_P        0x001
#define PTE_RW       0x002
#define PTE_US       0x004
#define PTE_PWT      0x008
#define PTE_PCD      0x010
#define PTE_A        0x020
#define PTE_D        0x040
#define PTE_PSE      0x080
#define PTE_PAT      0x080
#define PTE_G        0x100
#define PTE_AVAIL    0xe00
#define PTE_NX       0x8000000000000000
#define PTE_MFN_MASK 0x000ffffffffff000

#define PAGE_SIZE 4096

#define MAX_VCPUS       4
#define VCPU_STACK      0x8000 /* ordinary stack below, stack for traps from user mode above */
#define VCPU_STACK_HALF 0x4000

#ifndef __ASSEMBLY__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/errno.h>

typedef uint64_t mfn_t;   /* machine frame number */
typedef uint64_t pfn_t;   /* the guest's own frame number */
typedef uint64_t maddr_t; /* machine address */
typedef uint64_t pte_t;   /* a page-table entry of any level */

#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define barrier()        __asm__ volatile("" ::: "memory")
#define PAGE_ALIGNED     __attribute__((aligned(PAGE_SIZE)))
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/** The page the domain builder filled in for us; valid from the first instruction. */
extern const start_info_t *start_info;
/** The shared-info page, mapped by the runtime before the first test. */
extern shared_info_t shared_info;

static inline bool is_dom0(void)
{
    return start_info->flags & SIF_INITDOMAIN;
}
#endif
#endif
