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
#include <hv/string.h>
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

/* A row: leaf, and which bits of EAX, EBX, ECX, EDX pass. Leaves without a row read as zero. */
static const struct {
    uint32_t leaf;
    uint32_t keep[4];
} policy[] = {
    {0, {~0u, ~0u, ~0u, ~0u}},
    {1, {~0u, 0x0000ff00, KEEP_1_ECX, KEEP_1_EDX}},
    {2, {~0u, ~0u, ~0u, ~0u}},
    {4,
     {0x00003fff, ~0u, ~0u,
      ~0u}}, /* sub-leaves alike; sharing between CPUs is not a vCPU's business */
    {7, {0, KEEP_7_EBX, KEEP_7_ECX, KEEP_7_EDX}},
    {0x80000000, {~0u, ~0u, ~0u, ~0u}},
    {0x80000001, {~0u, ~0u, KEEP_E1_ECX, KEEP_E1_EDX}},
    {0x80000002, {~0u, ~0u, ~0u, ~0u}},
    {0x80000003, {~0u, ~0u, ~0u, ~0u}},
    {0x80000004, {~0u, ~0u, ~0u, ~0u}},
    {0x80000005, {~0u, ~0u, ~0u, ~0u}},
    {0x80000006, {~0u, ~0u, ~0u, ~0u}},
    {0x80000007, {0, 0, 0, BIT(8)}}, /* invariant TSC */
    {0x80000008, {0x0000ffff, 0, 0, 0}},
};

#define MAX_BASIC    0xdu
#define MAX_EXTENDED 0x80000008u

static void masked(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    for (unsigned i = 0; i < ARRAY_SIZE(policy); i++) {
        struct cpuid_regs r;

        if (policy[i].leaf != leaf || (leaf == 7 && sub != 0))
            continue;
        r = cpuid_count(leaf, sub);
        out[0] = r.eax & policy[i].keep[0];
        out[1] = r.ebx & policy[i].keep[1];
        out[2] = r.ecx & policy[i].keep[2];
        out[3] = r.edx & policy[i].keep[3];
        return;
    }
}

/* --- leaves that are more than a mask
 * ------------------------------------------------------------------------------------- */

static void leaf_features(const struct vcpu *v, uint32_t out[4])
{
    out[1] |= (uint32_t)v->id << 25 |
              1u << 16; /* APIC id: two a vCPU, as Xen gives; one logical CPU a package */
    out[2] |= BIT(31);  /* there is a hypervisor */
    if (!cpu_has.xsave)
        out[2] &= ~(BIT(12) | BIT(26) | BIT(27) | BIT(28) | BIT(29));
    if (!(cpu_has.xcr0_mask & 4))
        out[2] &= ~(BIT(12) | BIT(28) | BIT(29));
}

static void leaf_extended_features(uint32_t out[4])
{
    if (!(cpu_has.xcr0_mask & 4)) {
        out[1] &= ~BIT(5);
        out[2] &= ~(BIT(9) | BIT(10));
    }
    if ((cpu_has.xcr0_mask & XSTATE_AVX512) != XSTATE_AVX512) {
        out[1] &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
        out[2] &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
        out[3] &= ~(BIT(2) | BIT(3) | BIT(8));
    }
}

static void leaf_xstate(const struct vcpu *v, uint32_t sub, uint32_t out[4])
{
    struct cpuid_regs r;

    if (!cpu_has.xsave)
        return;
    r = cpuid_count(0xd, sub);
    if (sub == 0) {
        out[0] = (uint32_t)cpu_has.xcr0_mask;
        out[1] = r.ebx; /* of the XCR0 that is loaded: the guest's own */
        out[2] = cpu_has.xsave_size;
        out[3] = cpu_has.xcr0_mask >> 32;
    } else if (sub == 1) {
        out[0] = r.eax & 7; /* XSAVEOPT XSAVEC XGETBV1; no supervisor states */
    } else if (sub < 63 && (cpu_has.xcr0_mask >> sub & 1)) {
        out[0] = r.eax;
        out[1] = r.ebx;
        out[2] = r.ecx & ~1u;
    }
}

static void leaf_hypervisor(const struct vcpu *v, uint32_t leaf, uint32_t out[4])
{
    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0:
        out[0] = XEN_CPUID_FIRST_LEAF + 5 /* the last leaf that says something to PV */;
        out[1] = XEN_CPUID_SIGNATURE_EBX;
        out[2] = XEN_CPUID_SIGNATURE_ECX;
        out[3] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case 1:
        out[0] = 4u << 16 | 17; /* the ABI's version */
        break;
    case 2:
        out[0] = 1; /* hypercall pages, by this MSR */
        out[1] = 0x40000000;
        out[2] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3:
        out[0] = BIT(2); /* the TSC is reliable */
        out[1] = v->domain->tsc_mode;
        out[2] = tsc_khz();
        out[3] = v->domain->tsc_incarnation;
        break;
    case 5:
        out[1] = cpu_has.phys_bits;
        break;
    default:
        break;
    }
}

void cpuid_policy(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof(*out));
    if (leaf >= XEN_CPUID_FIRST_LEAF && leaf < XEN_CPUID_FIRST_LEAF + 0x100) {
        leaf_hypervisor(v, leaf, out);
        return;
    }
    masked(leaf, sub, out);
    switch (leaf) {
    case 0:
        out[0] = MIN(out[0], MAX_BASIC);
        break;
    case 1:
        leaf_features(v, out);
        break;
    case 7:
        if (sub == 0)
            leaf_extended_features(out);
        break;
    case 0xb: /* one thread, one core a package */
        out[2] = sub & 0xff;
        out[3] = v->id * 2;
        break;
    case 0xd:
        leaf_xstate(v, sub, out);
        break;
    case 0x80000000:
        out[0] = MIN(out[0], MAX_EXTENDED);
        break;
    default:
        break;
    }
    cpuid_limit(v->domain, leaf, sub, out);
}
