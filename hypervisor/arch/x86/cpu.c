/* SPDX-License-Identifier: MIT */
/*
 * CPU features and the control registers each CPU runs with: protection that the CPU has is always
 * on (NX, without which head.S does not go on; SMEP, SMAP, UMIP, WP).
 *
 * Invariant: cpu_has is the boot CPU's; a further CPU that lacks something of it does not come up
 * (smp.c checks).
 */
#include <hv/control.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/time.h>
#include <asm/cpufeature.h>
#include <asm/hv_paging.h>
#include <asm/msr.h>
#include <xen/sysctl.h>

/* Memory types by PAT index, the same as Xen's: PV guests read the register and live with it. WB WT
 * UC- UC WC WP UC UC */
#define PAT_VALUE   0x0000050100070406UL
#define FMASK_VALUE 0x00077700 /* cleared by SYSCALL: TF IF DF IOPL NT RF VM AC */

struct cpu_features cpu_has;
static char brand[49];

/* XSAVE components whose state the hypervisor can keep for a guest: x87, SSE, AVX, AVX-512; not
 * MPX, PKRU, AMX, CET. */
#define XCR0_KNOWN 0xe7UL

static void detect_xsave(void)
{
    struct cpuid_regs r = cpuid_count(13, 0);

    cpu_has.xcr0_mask = ((uint64_t)r.edx << 32 | r.eax) & XCR0_KNOWN;
    cpu_has.xsave_size = 576;
    for (unsigned i = 2; i < 8; i++) {
        r = cpuid_count(13, i);
        if (cpu_has.xcr0_mask >> i & 1)
            cpu_has.xsave_size = MAX(cpu_has.xsave_size, r.ebx + r.eax);
    }
}

struct cpuid_regs cpuid_leaf(uint32_t leaf)
{
    uint32_t max = cpuid_count(leaf & 0x80000000, 0).eax;

    return leaf <= max ? cpuid_count(leaf, 0) : (struct cpuid_regs){0};
}

struct smap_patch {
    uint64_t at, stac;
};
extern struct smap_patch _smap_patch_start[], _smap_patch_end[];

/* Places that open and close user memory are three-byte NOPs in the image; with SMAP they become
 * STAC and CLAC. */
static void patch_smap(void)
{
    for (struct smap_patch *p = _smap_patch_start; p < _smap_patch_end; p++)
        memcpy((void *)p->at, p->stac ? "\x0f\x01\xcb" : "\x0f\x01\xca", 3);
}

static const struct {
    const char *name;
    bool *has;
    uint8_t word, bit; /* of the feature set */
} features[] = {
    {"SMEP", &cpu_has.smep, 5, 7},
    {"SMAP", &cpu_has.smap, 5, 20},
    {"UMIP", &cpu_has.umip, 6, 2},
    {"FSGSBASE", &cpu_has.fsgsbase, 5, 0},
    {"XSAVE", &cpu_has.xsave, 1, 26},
    {"x2APIC", &cpu_has.x2apic, 1, 21},
    {"TSC-deadline", &cpu_has.tsc_deadline, 1, 24},
    {"SYSENTER", &cpu_has.sysenter, 0, 11},
    {"invariant-TSC", &cpu_has.invariant_tsc, 7, 8},
};

/* With CR4 as head.S leaves it: OSXSAVE follows it. */
static void read_featureset(uint32_t f[8])
{
    struct cpuid_regs l1 = cpuid_leaf(1), l7 = cpuid_leaf(7), e1 = cpuid_leaf(0x80000001);

    f[0] = l1.edx;
    f[1] = l1.ecx;
    f[2] = e1.edx;
    f[3] = e1.ecx;
    f[4] = l1.ecx >> 26 & 1 ? cpuid_count(13, 1).eax : 0;
    f[5] = l7.ebx;
    f[6] = l7.ecx;
    f[7] = cpuid_leaf(0x80000007).edx;
}

/* Bits of the APIC id that number threads in a core, and threads in a package. */
static unsigned smt_bits, package_bits;

static void read_topology(void)
{
    struct cpuid_regs l1 = cpuid_leaf(1), r = cpuid_leaf(11);

    if (r.ebx) {
        for (unsigned i = 1; i <= 4 && (r.ecx >> 8 & 0xff); r = cpuid_count(11, i++)) {
            package_bits = r.eax & 31;
            if ((r.ecx >> 8 & 0xff) == 1)
                smt_bits = package_bits;
        }
    } else if (l1.edx >> 28 & 1) { /* HTT: logical processors in a package */
        while (1u << package_bits < (l1.ebx >> 16 & 0xff))
            package_bits++;
    }
}

void cpu_features_init(void)
{
    struct cpuid_regs v = cpuid_leaf(0), e8 = cpuid_leaf(0x80000008);

    read_featureset(cpu_has.featureset);
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        *features[i].has = cpu_has.featureset[features[i].word] >> features[i].bit & 1;
    for (unsigned i = 0; i < 3; i++) {
        struct cpuid_regs r = cpuid_leaf(0x80000002 + i);

        memcpy(brand + 16 * i, &r, 16);
    }
    cpu_has.amd = v.ebx == 0x68747541 || v.ebx == 0x6f677948; /* "Auth", "Hygo" */
    /* L1TF: Intel's, but for those that say RDCL_NO; the first-level cache knows 44 bits or more.
     */
    if (v.ebx == 0x756e6547 /* "Genu" */ &&
        !((cpuid_leaf(7).edx >> 29 & 1) && (rdmsr(MSR_ARCH_CAPS) & 1)))
        cpu_has.l1tf_bits = (((1UL << 44) - 1) & PAGE_MASK) | PTE_PSE;
    cpu_has.phys_bits = e8.eax & 0xff ? e8.eax & 0xff : 36;
    read_topology();
    cpu_has.xsave_size = 512;
    if (cpu_has.xsave)
        detect_xsave();
    if (cpu_has.smap)
        patch_smap();
}

bool cpu_matches_boot(void)
{
    uint32_t mine[8], lacks = 0;

    read_featureset(mine);
    for (unsigned i = 0; i < ARRAY_SIZE(mine); i++)
        lacks |= cpu_has.featureset[i] & ~mine[i];
    return !lacks;
}

uint64_t cpu_cr4(void)
{
    return 0x20 /* PAE */ | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE |
           (cpu_has.smep ? CR4_SMEP : 0) | (cpu_has.smap ? CR4_SMAP : 0) |
           (cpu_has.umip ? CR4_UMIP : 0) | (cpu_has.fsgsbase ? CR4_FSGSBASE : 0) |
           (cpu_has.xsave ? CR4_OSXSAVE : 0);
}

extern char entry_sysenter[];

void cpu_setup(void)
{
    unsigned cpu = this_cpu_id();
    uint64_t stub = percpu_va(cpu, PERCPU_STUB_PAGE);

    /* AM: alignment checks are for ring 3 only, and a guest may want them */
    write_cr(0,
             (read_cr(0) | CR0_WP | CR0_NE | CR0_MP | CR0_AM) & ~(uint64_t)(CR0_TS | 4 /* EM */));
    write_cr(4, cpu_cr4());
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    wrmsr(MSR_PAT, PAT_VALUE);
    wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)HV_CS << 32);
    wrmsr(MSR_LSTAR, stub);
    wrmsr(MSR_CSTAR, stub + 64); /* hypervisor.lds, entry.S: the second entry of the stub page */
    wrmsr(MSR_FMASK, FMASK_VALUE);
    if (cpu_has.sysenter) {
        wrmsr_safe(MSR_SYSENTER_CS, HV_CS);
        wrmsr_safe(MSR_SYSENTER_ESP, (uint64_t)&guest_regs()->es);
        wrmsr_safe(MSR_SYSENTER_EIP, (uint64_t)entry_sysenter);
    }
    __asm__ volatile("mov %0, %%dr7" ::"r"(0x400UL));
}

void cpu_print(void)
{
    char text[160] = "";
    int n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        if (*features[i].has)
            n += snprintf(text + n, sizeof(text) - n, " %s", features[i].name);
    pr_info("CPU: %s:%s\n", brand, text);
}

/* --- topology, for sysctl physinfo and cputopoinfo --- */

unsigned cpu_core_id(unsigned cpu)
{
    return (cpu_data[cpu]->apic_id & ((1u << package_bits) - 1)) >> smt_bits;
}

unsigned cpu_socket_id(unsigned cpu)
{
    return cpu_data[cpu]->apic_id >> package_bits;
}

/* Threads and cores as they really came up, not as the CPU could have had. */
void arch_physinfo(struct xen_sysctl_physinfo *pi)
{
    unsigned threads = 0, in_socket = 0;

    for (unsigned c = 0; c < nr_cpus; c++) {
        if (cpu_socket_id(c) != cpu_socket_id(0))
            continue;
        in_socket++;
        if (cpu_core_id(c) == cpu_core_id(0))
            threads++;
    }
    pi->threads_per_core = MAX(threads, 1u);
    pi->cores_per_socket = MAX(in_socket / pi->threads_per_core, 1u);
    pi->cpu_khz = tsc_khz();
    memcpy(pi->hw_cap, cpu_has.featureset, sizeof(pi->hw_cap));
}
