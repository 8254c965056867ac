/* SPDX-License-Identifier: MIT */
/*
 * FPU, SSE and AVX state of vCPUs: saved and restored eagerly when a CPU changes from one vCPU to
 * another.
 *
 * Invariant: while a guest runs, the registers hold nothing of another's: a restore covers every
 * component that any guest may enable, so what this guest never used is in its initial state. The
 * hypervisor itself does not touch these registers.
 */
#include <hv/string.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/pv.h>

#define LEGACY_SIZE 512
#define XCR0_X87    1UL
#define XCR0_SSE    2UL
#define XCR0_AVX    4UL
#define XCR0_AVX512 0xe0UL

struct xsave_header { /* at byte 512 */
    uint64_t xstate_bv, xcomp_bv, reserved[6];
};

static uint64_t xcr0_loaded[MAX_CPUS]; /* 0: not known yet */

static void xcr0_load(uint64_t v)
{
    uint64_t *loaded = &xcr0_loaded[this_cpu_id()];

    if (*loaded == v)
        return;
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
    *loaded = v;
}

static void area_reset(void *area)
{
    memset(area, 0, cpu_has.xsave_size);
    *(uint16_t *)area = 0x37f;                 /* FCW */
    *(uint32_t *)((char *)area + 24) = 0x1f80; /* MXCSR */
}

int fpu_vcpu_init(struct vcpu *v)
{
    size_t size = 512;

    while (size < cpu_has.xsave_size)
        size *= 2; /* a power of two: aligned to itself, and XSAVE wants 64 */
    v->arch.xsave = hv_alloc(size);
    if (!v->arch.xsave)
        return -ENOMEM;
    area_reset(v->arch.xsave);
    v->arch.xcr0 = v->arch.xcr0_accum = cpu_has.xsave ? XCR0_X87 : 0;
    return 0;
}

void fpu_vcpu_destroy(struct vcpu *v)
{
    hv_free(v->arch.xsave);
    v->arch.xsave = NULL;
}

void fpu_save(struct vcpu *v)
{
    uint64_t mask = v->arch.xcr0_accum | XCR0_X87 | XCR0_SSE; /* SSE works whatever XCR0 says */

    __asm__ volatile("clts");
    if (!cpu_has.xsave) {
        __asm__ volatile("fxsave64 (%0)" ::"r"(v->arch.xsave) : "memory");
        return;
    }
    if ((v->arch.xcr0 & mask) != mask)
        xcr0_load(cpu_has.xcr0_mask);
    __asm__ volatile("xsave64 (%0)" ::"r"(v->arch.xsave), "a"((uint32_t)mask),
                     "d"((uint32_t)(mask >> 32))
                     : "memory");
    v->arch.fpu_initialised = true;
}

/* 0, or -EFAULT when the CPU refuses the image (only a state that somebody set from outside can be
 * so). */
static int restore_image(const void *area)
{
    int err = -EFAULT;

    if (cpu_has.xsave)
        __asm__ volatile("1: xrstor64 (%1)\n\txor %0, %0\n2:\n\t" EX_TABLE(1b, 2b)
                         : "+&r"(err)
                         : "r"(area), "a"((uint32_t)cpu_has.xcr0_mask),
                           "d"((uint32_t)(cpu_has.xcr0_mask >> 32))
                         : "memory");
    else
        __asm__ volatile("1: fxrstor64 (%1)\n\txor %0, %0\n2:\n\t" EX_TABLE(1b, 2b)
                         : "+&r"(err)
                         : "r"(area)
                         : "memory");
    return err;
}

void fpu_restore(struct vcpu *v)
{
    static const uint32_t zero;

    __asm__ volatile("clts");
    if (cpu_has.amd) /* AMD restores the last-instruction pointers only with a pending exception: do
                        not leak ours */
        __asm__ volatile("fnclex; emms; fildl %0" ::"m"(zero));
    if (cpu_has.xsave) {
        /* Setting a vCPU's context writes the legacy part only and clears fpu_initialised. */
        if (!v->arch.fpu_initialised)
            *(struct xsave_header *)((char *)v->arch.xsave + LEGACY_SIZE) =
                (struct xsave_header){.xstate_bv = XCR0_X87 | XCR0_SSE};
        xcr0_load(cpu_has.xcr0_mask);
    }
    if (restore_image(v->arch.xsave)) {
        area_reset(v->arch.xsave);
        restore_image(v->arch.xsave);
    }
    if (cpu_has.xsave)
        xcr0_load(v->arch.xcr0);
    if (v->arch.ctrlreg_cr0_ts)
        write_cr(0, read_cr(0) | CR0_TS);
}

void fpu_guest_ts(struct vcpu *v, bool set)
{
    v->arch.ctrlreg_cr0_ts = set;
    if (set)
        write_cr(0, read_cr(0) | CR0_TS);
    else
        __asm__ volatile("clts");
}

/* TS is only ever the guest's own wish; its #NM handler expects to find the flag clear, as Xen
 * leaves it. */
bool fpu_handle_nm(struct vcpu *v)
{
    __asm__ volatile("clts");
    if (!v->arch.ctrlreg_cr0_ts)
        return true;
    v->arch.ctrlreg_cr0_ts = 0;
    return false;
}

int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    uint64_t avx512 = xcr0 & XCR0_AVX512;

    if (!cpu_has.xsave || !(xcr0 & XCR0_X87) || (xcr0 & ~cpu_has.xcr0_mask))
        return -EINVAL;
    if ((xcr0 & XCR0_AVX) && !(xcr0 & XCR0_SSE))
        return -EINVAL;
    if (avx512 && (avx512 != XCR0_AVX512 || !(xcr0 & XCR0_AVX)))
        return -EINVAL;
    v->arch.xcr0 = xcr0;
    v->arch.xcr0_accum |= xcr0;
    if (v == current) {
        unsigned long flags = irq_save();

        xcr0_load(xcr0);
        irq_restore(flags);
    }
    return 0;
}
