/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a PV guest, trapped by #GP (or #UD with the forced-emulation prefix)
 * and performed on its virtual state. Interface: pv_emulate_privileged(). Runs on the vCPU itself;
 * touches its own state only; no lock.
 *
 * Guest user mode gets port I/O as its bitmap or IOPL allows, RDTSC, and CPUID by the prefix;
 * everything else is #GP.
 */
#include "priv_op.h"
#include <asm/msr.h>
#include <asm/pv.h>
#include <asm/uaccess.h>
#include <hv/string.h>

static const uint8_t emulate_prefix[5] = {0x0f, 0x0b, 'x', 'e', 'n'};

uint64_t *insn_register(struct cpu_user_regs *regs, unsigned n)
{
    uint64_t *const map[16] = {&regs->rax, &regs->rcx, &regs->rdx, &regs->rbx,
                               &regs->rsp, &regs->rbp, &regs->rsi, &regs->rdi,
                               &regs->r8,  &regs->r9,  &regs->r10, &regs->r11,
                               &regs->r12, &regs->r13, &regs->r14, &regs->r15};
    return map[n & 15];
}

/* --- control registers
 * ------------------------------------------------------------------------------------------------
 */

/* What a guest may keep in CR4; the hypervisor's own CR4 does not follow it. */
#define CR4_GUEST_OWN (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE | CR4_OSFXSR | CR4_OSXMMEXCPT)

static bool cr_read(struct vcpu *v, unsigned cr, uint64_t *out)
{
    struct vcpu_info *info;

    switch (cr) {
    case 0:
        *out = (read_cr(0) & ~(uint64_t)CR0_TS) | (v->arch.ctrlreg_cr0_ts ? CR0_TS : 0);
        return true;
    case 2:
        info = vcpu_info_map(v);
        *out = info->arch.cr2;
        vcpu_info_unmap(v, info);
        return true;
    case 3:
        *out = mfn_to_maddr(v->arch.guest_table);
        return true;
    case 4:
        *out = (read_cr(4) & ~(uint64_t)CR4_GUEST_OWN) | v->arch.cr4_guest;
        return true;
    default:
        return false;
    }
}

static bool cr3_write(struct vcpu *v, uint64_t value, bool *again)
{
    int rc = pv_set_guest_table(v, maddr_to_mfn(value & PAGE_MASK));

    *again = rc == -HC_RESTART; /* a table that is not pinned takes long to validate */
    return !rc || *again;
}

static bool cr_write(struct vcpu *v, unsigned cr, uint64_t value, bool *again)
{
    struct vcpu_info *info;

    switch (cr) {
    case 0: /* only TS is the guest's */
        if ((value ^ read_cr(0)) & ~(uint64_t)CR0_TS)
            return false;
        fpu_guest_ts(v, value & CR0_TS);
        return true;
    case 2:
        info = vcpu_info_map(v);
        info->arch.cr2 = value;
        vcpu_info_unmap(v, info);
        return true;
    case 3:
        return cr3_write(v, value, again);
    case 4: /* bits that are not the guest's are ignored, as by Xen: kernels write back what they
               read */
        v->arch.cr4_guest = value & CR4_GUEST_OWN;
        return true;
    default:
        return false;
    }
}

static bool dr_access(struct cpu_user_regs *regs, const struct priv_insn *i)
{
    struct hypercall hc = {.arg = {i->special, *insn_register(regs, i->reg)}};
    long rc;

    if (i->kind == PRIV_DR_WRITE)
        return do_set_debugreg(&hc) == 0;
    rc = do_get_debugreg(&hc);
    if (rc == -EINVAL || rc == -ENODEV)
        return false;
    *insn_register(regs, i->reg) = rc;
    return true;
}

/* --- the rest
 * ------------------------------------------------------------------------------------------------------------
 */

static void do_cpuid(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint32_t out[4];

    cpuid_policy(v, regs->eax, regs->ecx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
}

static bool kernel_only(struct vcpu *v, struct cpu_user_regs *regs, const struct priv_insn *i,
                        bool *again)
{
    switch (i->kind) {
    case PRIV_CLI: /* a PV guest's interrupt flag is evtchn_upcall_mask: these say nothing */
    case PRIV_STI:
        return v->arch.iopl >= 1 ||
               (v->domain->vm_assist & (1UL << VMASST_TYPE_architectural_iopl));
    case PRIV_CLTS:
        fpu_guest_ts(v, false);
        return true;
    case PRIV_WBINVD: /* a domain without devices has no caches to manage */
        if (v->domain->arch.iomem_all)
            __asm__ volatile("wbinvd" ::: "memory");
        return true;
    case PRIV_CR_READ:
        return cr_read(v, i->special, insn_register(regs, i->reg));
    case PRIV_CR_WRITE:
        return cr_write(v, i->special, *insn_register(regs, i->reg), again);
    case PRIV_DR_READ:
    case PRIV_DR_WRITE:
        return dr_access(regs, i);
    case PRIV_XSETBV:
        return regs->ecx == 0 && !fpu_set_xcr0(v, (uint64_t)regs->edx << 32 | regs->eax);
    case PRIV_RDMSR:
        return priv_rdmsr(regs);
    case PRIV_WRMSR:
        return priv_wrmsr(regs);
    default:
        return false;
    }
}

static bool perform(struct vcpu *v, struct cpu_user_regs *regs, const struct priv_insn *i,
                    bool *faulted, bool *again)
{
    uint64_t tsc;

    switch (i->kind) {
    case PRIV_IN:
    case PRIV_OUT:
    case PRIV_INS:
    case PRIV_OUTS:
        return priv_io(regs, i, faulted, again);
    case PRIV_RDTSC:
        tsc = rdtsc();
        regs->rax = (uint32_t)tsc;
        regs->rdx = tsc >> 32;
        return true;
    case PRIV_CPUID: /* without the prefix CPUID does not fault here: another vCPU changed the bytes
                      */
        do_cpuid(v, regs);
        return true;
    default:
        return guest_kernel_mode(v) && kernel_only(v, regs, i, again);
    }
}

bool pv_emulate_privileged(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    uint8_t code[sizeof(emulate_prefix) + INSN_MAX];
    bool forced = regs->entry_vector == 6; /* #UD */
    bool faulted = false, again = false;
    unsigned skip = forced ? sizeof(emulate_prefix) : 0;
    unsigned got = sizeof(code) - copy_from_guest_partial(code, regs->rip, sizeof(code));
    struct priv_insn insn;

    if (forced && (got <= skip || memcmp(code, emulate_prefix, skip)))
        return false;
    if (!priv_decode(code + skip, got - skip, &insn) || (forced && insn.kind != PRIV_CPUID))
        return false;
    if (!perform(v, regs, &insn, &faulted, &again))
        return faulted; /* another exception is on its way already */
    if (!again)
        regs->rip += skip + insn.length;
    return true;
}
