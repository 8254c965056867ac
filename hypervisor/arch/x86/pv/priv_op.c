/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a PV guest, trapped by #GP (or #UD with the forced-emulation prefix)
 * and performed on its virtual state. Interface: pv_emulate_privileged(). Runs on the vCPU itself;
 * touches its own state only; no lock.
 *
 * Guest user mode gets port I/O as its bitmap or IOPL allows, RDTSC, and CPUID by the prefix;
 * everything else is #GP.
 */
#include "pv_core.h"
#include <asm/insn.h>
#include <hv/string.h>

static const uint8_t emulate_prefix[5] = {0x0f, 0x0b, 'x', 'e', 'n'};

/* --- control registers
 * ------------------------------------------------------------------------------------------------
 */

static bool cr_read(struct vcpu *v, unsigned cr, uint64_t *out)
{
    switch (cr) {
    case 0:
        *out = pv_guest_cr0(v);
        return true;
    case 2:
        *out = v->info_here->arch.cr2;
        return true;
    case 3:
        *out = mfn_to_maddr(v->arch.guest_table);
        return true;
    case 4:
        *out = v->arch.cr4_guest;
        return true;
    default:
        return false;
    }
}

static bool cr_write(struct vcpu *v, unsigned cr, uint64_t value, bool *again)
{
    int rc;

    switch (cr) {
    case 0: /* only TS is the guest's */
        if ((value ^ read_cr(0)) & ~(uint64_t)CR0_TS)
            return false;
        fpu_guest_ts(v, value & CR0_TS);
        return true;
    case 2:
        v->info_here->arch.cr2 = value;
        return true;
    case 3:
        rc = pv_set_guest_table(v, maddr_to_mfn(value & PAGE_MASK));
        *again = rc == -HC_RESTART; /* a table that is not pinned takes long to validate */
        return !rc || *again;
    case 4: /* bits that are not the guest's are ignored, as by Xen: kernels write back what they
               read */
        v->arch.cr4_guest = pv_guest_cr4(value);
        return true;
    default:
        return false;
    }
}

/* --- the rest
 * ------------------------------------------------------------------------------------------------------------
 */

/* True: done, and the next instruction's turn unless *again. */
static bool perform(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i, bool *again)
{
    struct cpuid_regs r;
    uint64_t tsc, *rm = insn_register(regs, i->rm);

    if (i->op > PRIV_CPUID && !guest_kernel_mode(v))
        return false;
    switch (i->op) {
    case PRIV_IN:
    case PRIV_OUT:
    case PRIV_INS:
    case PRIV_OUTS:
        return priv_io(regs, i, again);
    case PRIV_RDTSC:
        tsc = rdtsc();
        regs->rax = (uint32_t)tsc;
        regs->rdx = tsc >> 32;
        return true;
    case PRIV_CPUID: /* without the prefix CPUID does not fault here: another vCPU changed the bytes
                      */
        r = cpuid_policy(v, regs->eax, regs->ecx);
        regs->rax = r.eax;
        regs->rbx = r.ebx;
        regs->rcx = r.ecx;
        regs->rdx = r.edx;
        return true;
    case PRIV_CLI_STI: /* a PV guest's interrupt flag is evtchn_upcall_mask: these say nothing */
        return v->arch.iopl >= 1 || vm_assisted(v->domain, VMASST_TYPE_architectural_iopl);
    case PRIV_CLTS:
        fpu_guest_ts(v, false);
        return true;
    case PRIV_WBINVD: /* a domain without devices has no caches to manage */
        if (v->domain->arch.iomem_all)
            __asm__ volatile("wbinvd" ::: "memory");
        return true;
    case PRIV_CR_READ:
        return cr_read(v, i->reg, rm);
    case PRIV_CR_WRITE:
        return cr_write(v, i->reg, *rm, again);
    case PRIV_DR_READ:
        return debugreg_get(v, i->reg, rm);
    case PRIV_DR_WRITE:
        return !debugreg_set(v, i->reg, *rm);
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

bool pv_emulate_privileged(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    uint8_t code[sizeof(emulate_prefix) + INSN_MAX];
    bool forced = regs->entry_vector == TRAP_UD, again = false;
    unsigned skip = forced ? sizeof(emulate_prefix) : 0;
    unsigned got = sizeof(code) - copy_from_guest_partial(code, regs->rip, sizeof(code));
    struct insn insn;

    if (forced && (got <= skip || memcmp(code, emulate_prefix, skip)))
        return false;
    if (!insn_decode(code + skip, got - skip, &insn) || (forced && insn.op != PRIV_CPUID) ||
        !perform(v, regs, &insn, &again))
        return false;
    if (!again)
        regs->rip += skip + insn.length;
    return true;
}
