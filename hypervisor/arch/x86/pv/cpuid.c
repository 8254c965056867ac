/* SPDX-License-Identifier: MIT */
/*
 * CPUID as PV guests see it (through the forced-emulation prefix): the machine's answer, less what
 * a PV guest cannot use or must not rely on, plus the hypervisor's own leaves. Masks are a table of
 * what is kept; a new feature is hidden until somebody thought about it. Source: Intel SDM vol. 2
 * CPUID, AMD APM vol. 3 appendix E, <xen/arch-x86/cpuid.h>.
 *
 * Interface: cpuid_policy(). No state but what cpu_has holds; no lock.
 */
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/pv.h>
#include <hv/time.h>
#include <xen/arch-x86/cpuid.h>

#define BIT(n) (1u << (n))

/*
 * Kept in leaf 1 EDX: FPU DE TSC MSR PAE CX8 APIC CMOV PAT CLFSH MMX FXSR SSE SSE2 SS HTT. Gone:
 * VME PSE SEP MTRR PGE MCA MCE PSE36 DS ACPI TM PBE, which need what PV kernels do not have (their
 * own page-table control, MSRs, thermal interrupts).
 */
#define KEEP_1_EDX                                                                                \
    (BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(9) | BIT(15) | BIT(16) | BIT(19) | \
     BIT(23) | BIT(24) | BIT(25) | BIT(26))
/* SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE OSXSAVE AVX F16C RDRAND */
#define KEEP_1_ECX                                                                          \
    (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | \
     BIT(25) | BIT(26) | BIT(27) | BIT(28) | BIT(29) | BIT(30))
/* BMI1 AVX2 FDP BMI2 ERMS NFPUCSDS AVX512{F,DQ} RDSEED ADX AVX512IFMA CLFLUSHOPT CLWB
 * AVX512{PF,ER,CD} SHA AVX512{BW,VL} */
#define KEEP_7_EBX                                                                             \
    (BIT(3) | BIT(5) | BIT(6) | BIT(8) | BIT(9) | BIT(13) | BIT(16) | BIT(17) | BIT(18) |      \
     BIT(19) | BIT(21) | BIT(23) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29) | BIT(30) | \
     BIT(31))
/* PREFETCHWT1 VBMI VBMI2 GFNI VAES VPCLMUL VNNI BITALG VPOPCNTDQ CLDEMOTE MOVDIRI MOVDIR64B */
#define KEEP_7_ECX                                                                        \
    (BIT(0) | BIT(1) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14) | \
     BIT(25) | BIT(27) | BIT(28))
/* AVX512_4VNNIW AVX512_4FMAPS FSRM VP2INTERSECT SERIALIZE */
#define KEEP_7_EDX (BIT(2) | BIT(3) | BIT(4) | BIT(8) | BIT(14))
/* SYSCALL NX MMXEXT LM 3DNOWEXT 3DNOW and AMD's copy of leaf 1 */
#define KEEP_E1_EDX \
    ((KEEP_1_EDX & 0x0183f3ff) | BIT(11) | BIT(20) | BIT(22) | BIT(29) | BIT(30) | BIT(31))
/* LAHF ABM SSE4A MISALIGNSSE PREFETCHW XOP FMA4 TBM DBEXT */
#define KEEP_E1_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(16) | BIT(21))

#define XSTATE_AVX512 (7u << 5)

#define ALL          ~0u, ~0u, ~0u, ~0u
#define MAX_BASIC    0xdu
#define MAX_EXTENDED 0x80000008u

/* A row: leaves, and which of their bits pass. Leaves without a row read as zero. */
static const struct {
    uint32_t first, last;
    struct cpuid_regs keep;
} policy[] = {
    {0, 0, {ALL}},
    {1, 1, {~0u, 0x0000ff00, KEEP_1_ECX, KEEP_1_EDX}},
    {2, 2, {ALL}},
    /* sub-leaves alike; sharing between CPUs is not a vCPU's business */
    {4, 4, {0x00003fff, ~0u, ~0u, ~0u}},
    {7, 7, {0, KEEP_7_EBX, KEEP_7_ECX, KEEP_7_EDX}},
    {0x80000000, 0x80000000, {ALL}},
    {0x80000001, 0x80000001, {~0u, ~0u, KEEP_E1_ECX, KEEP_E1_EDX}},
    {0x80000002, 0x80000006, {ALL}},
    {0x80000007, 0x80000007, {0, 0, 0, BIT(8)}}, /* invariant TSC */
    {0x80000008, 0x80000008, {0x0000ffff, 0, 0, 0}},
};

static struct cpuid_regs masked(uint32_t leaf, uint32_t sub)
{
    for (unsigned i = 0; i < ARRAY_SIZE(policy); i++) {
        const struct cpuid_regs *keep = &policy[i].keep;
        struct cpuid_regs r;

        if (leaf < policy[i].first || leaf > policy[i].last || (leaf == 7 && sub != 0))
            continue;
        r = cpuid_count(leaf, sub);
        return (struct cpuid_regs){r.eax & keep->eax, r.ebx & keep->ebx, r.ecx & keep->ecx,
                                   r.edx & keep->edx};
    }
    return (struct cpuid_regs){0};
}

/* --- leaves that are more than a mask
 * ------------------------------------------------------------------------------------- */

static void leaf_features(const struct vcpu *v, struct cpuid_regs *r)
{
    r->ebx |= (uint32_t)v->id << 25 |
              1u << 16; /* APIC id: two a vCPU, as Xen gives; one logical CPU a package */
    r->ecx |= BIT(31);  /* there is a hypervisor */
    if (!cpu_has.xsave)
        r->ecx &= ~(BIT(12) | BIT(26) | BIT(27) | BIT(28) | BIT(29));
    if (!(cpu_has.xcr0_mask & 4))
        r->ecx &= ~(BIT(12) | BIT(28) | BIT(29));
}

static void leaf_extended_features(struct cpuid_regs *r)
{
    if (!(cpu_has.xcr0_mask & 4)) {
        r->ebx &= ~BIT(5);
        r->ecx &= ~(BIT(9) | BIT(10));
    }
    if ((cpu_has.xcr0_mask & XSTATE_AVX512) != XSTATE_AVX512) {
        r->ebx &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
        r->ecx &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
        r->edx &= ~(BIT(2) | BIT(3) | BIT(8));
    }
}

static struct cpuid_regs leaf_xstate(uint32_t sub)
{
    struct cpuid_regs r = cpuid_count(0xd, sub);
    uint64_t mask = cpu_has.xsave ? cpu_has.xcr0_mask : 0;

    if (sub == 0 && mask) /* ebx: of the XCR0 that is loaded: the guest's own */
        return (struct cpuid_regs){mask, r.ebx, cpu_has.xsave_size, mask >> 32};
    if (sub == 1 && mask) /* XSAVEOPT XSAVEC XGETBV1; no supervisor states */
        return (struct cpuid_regs){.eax = r.eax & 7};
    if (sub > 1 && sub < 63 && (mask >> sub & 1))
        return (struct cpuid_regs){r.eax, r.ebx, r.ecx & ~1u, 0};
    return (struct cpuid_regs){0};
}

static struct cpuid_regs leaf_hypervisor(const struct vcpu *v, uint32_t leaf)
{
    const struct domain *d = v->domain;

    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0: /* 5: the last leaf that says something to PV */
        return (struct cpuid_regs){XEN_CPUID_FIRST_LEAF + 5, XEN_CPUID_SIGNATURE_EBX,
                                   XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX};
    case 1: /* the ABI's version */
        return (struct cpuid_regs){.eax = 4u << 16 | 17};
    case 2: /* one hypercall page, by this MSR */
        return (struct cpuid_regs){1, 0x40000000, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD, 0};
    case 3: /* the TSC is reliable */
        return (struct cpuid_regs){BIT(2), d->tsc_mode, tsc_khz(), d->tsc_incarnation};
    case 5:
        return (struct cpuid_regs){.ebx = cpu_has.phys_bits};
    default:
        return (struct cpuid_regs){0};
    }
}

struct cpuid_regs cpuid_policy(const struct vcpu *v, uint32_t leaf, uint32_t sub)
{
    struct cpuid_regs r;

    if (leaf >= XEN_CPUID_FIRST_LEAF && leaf < XEN_CPUID_FIRST_LEAF + 0x100)
        return leaf_hypervisor(v, leaf);
    r = masked(leaf, sub);
    switch (leaf) {
    case 0:
        r.eax = MIN(r.eax, MAX_BASIC);
        break;
    case 1:
        leaf_features(v, &r);
        break;
    case 7:
        leaf_extended_features(&r);
        break;
    case 0xb: /* one thread, one core a package */
        r = (struct cpuid_regs){.ecx = sub & 0xff, .edx = v->id * 2};
        break;
    case 0xd:
        r = leaf_xstate(sub);
        break;
    case 0x80000000:
        r.eax = MIN(r.eax, MAX_EXTENDED);
        break;
    }
    cpuid_limit(v->domain, leaf, sub, &r);
    return r;
}
