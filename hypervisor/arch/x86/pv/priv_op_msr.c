/* SPDX-License-Identifier: MIT */
/*
 * Which MSRs a PV guest sees: one table (index range → read, write), everything else is #GP. A row
 * that reads the machine's register names why a guest may know it. Runs on the vCPU itself; no
 * lock.
 */
#include "pv_core.h"

#define MSR_MISC_ENABLE      0x1a0
#define MSR_UCODE_REV        0x8b
#define MSR_PERF_CAPS        0x345
#define MSR_HYPERCALL        0x40000000
#define MSR_AMD_HWCR         0xc0010015
#define MSR_AMD_NB_CFG       0xc001001f
#define EFER_GUEST           (EFER_SCE | EFER_NXE | 1u << 8 | 1u << 10) /* LME, LMA */
#define MISC_ENABLE_NO_PERF  (1UL << 7)
#define MISC_ENABLE_NO_TRACE (1UL << 11 | 1UL << 12)

typedef bool msr_read_fn(struct vcpu *v, uint32_t msr, uint64_t *val);
typedef bool msr_write_fn(struct vcpu *v, uint32_t msr, uint64_t val);

/* --- reads
 * ----------------------------------------------------------------------------------------------------------------
 */

static bool read_machine(struct vcpu *v, uint32_t msr, uint64_t *val)
{
    return !rdmsr_safe(msr, val);
}
static bool read_machine_dom0(struct vcpu *v, uint32_t msr, uint64_t *val)
{
    return v->domain->is_dom0 && !rdmsr_safe(msr, val);
}
static bool read_tsc(struct vcpu *v, uint32_t msr, uint64_t *val)
{
    *val = rdtsc();
    return true;
}
static bool read_efer(struct vcpu *v, uint32_t msr, uint64_t *val)
{
    *val = rdmsr(MSR_EFER) & EFER_GUEST;
    return true;
}
static enum seg_base seg_of(uint32_t msr)
{
    return msr == MSR_FS_BASE ? SEGB_FS : msr == MSR_GS_BASE ? SEGB_GS_KERNEL : SEGB_GS_USER;
}
static bool read_seg(struct vcpu *v, uint32_t msr, uint64_t *val)
{
    *val = seg_base_read(seg_of(msr));
    return true;
}
static bool read_misc_enable(struct vcpu *v, uint32_t msr, uint64_t *val)
{
    if (rdmsr_safe(msr, val))
        return false;
    *val = (*val & ~MISC_ENABLE_NO_PERF) | MISC_ENABLE_NO_TRACE;
    return true;
}

/* --- writes
 * ---------------------------------------------------------------------------------------------------------------
 */

static bool write_ignored(struct vcpu *v, uint32_t msr, uint64_t val)
{
    return true;
}
/* The same value may be written back. */
static bool write_same(struct vcpu *v, uint32_t msr, uint64_t val)
{
    uint64_t now;

    return !rdmsr_safe(msr, &now) && now == val;
}
static bool write_efer(struct vcpu *v, uint32_t msr, uint64_t val)
{
    return ((val ^ rdmsr(MSR_EFER)) & EFER_GUEST) == 0;
}
static bool write_seg(struct vcpu *v, uint32_t msr, uint64_t val)
{
    if (!is_canonical(val))
        return false;
    seg_base_write(seg_of(msr), val);
    return true;
}
/* Leaf 0x40000002 tells of this one: put the hypercall page at a frame of the guest's. */
static bool write_hypercall_page(struct vcpu *v, uint32_t msr, uint64_t val)
{
    return !(val & ~PAGE_MASK) && !pv_make_hypercall_page(v->domain, maddr_to_mfn(val));
}

static const struct {
    uint32_t first, last;
    msr_read_fn *read;   /* NULL: reads as zero */
    msr_write_fn *write; /* NULL: refused */
} policy[] = {
    {MSR_TSC, MSR_TSC, read_tsc, NULL},
    {MSR_APIC_BASE, MSR_APIC_BASE, read_machine_dom0, write_ignored},
    {MSR_UCODE_REV, MSR_UCODE_REV, read_machine, write_ignored}, /* to apply errata */
    {0xc1, 0xc8, NULL, write_ignored},                           /* performance counters: none */
    {0x186, 0x189, NULL, write_ignored},
    {0x309, 0x30b, NULL, write_ignored},
    {MSR_PERF_CAPS, MSR_PERF_CAPS, NULL, NULL},
    {0x38d, 0x390, NULL, write_ignored},
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, read_misc_enable, write_ignored},
    {MSR_PAT, MSR_PAT, read_machine, write_same}, /* so that guests use the types we have */
    {MSR_HYPERCALL, MSR_HYPERCALL, NULL, write_hypercall_page},
    {MSR_EFER, MSR_EFER, read_efer, write_efer},
    {MSR_FS_BASE, MSR_KERNEL_GS_BASE, read_seg, write_seg},
    {0xc0010000, 0xc0010007, NULL, write_ignored}, /* AMD performance counters: none */
    {MSR_AMD_HWCR, MSR_AMD_HWCR, read_machine_dom0, write_ignored},
    {MSR_AMD_NB_CFG, MSR_AMD_NB_CFG, read_machine_dom0, NULL},
};

static int find(uint32_t msr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(policy); i++)
        if (msr >= policy[i].first && msr <= policy[i].last)
            return i;
    return -1;
}

bool priv_rdmsr(struct cpu_user_regs *regs)
{
    int i = find(regs->ecx);
    uint64_t val = 0;

    if (i < 0 || (policy[i].read && !policy[i].read(current, regs->ecx, &val)))
        return false;
    regs->rax = (uint32_t)val;
    regs->rdx = val >> 32;
    return true;
}

bool priv_wrmsr(struct cpu_user_regs *regs)
{
    int i = find(regs->ecx);

    return i >= 0 && policy[i].write &&
           policy[i].write(current, regs->ecx, (uint64_t)regs->edx << 32 | regs->eax);
}
