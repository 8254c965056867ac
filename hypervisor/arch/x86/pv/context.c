/* SPDX-License-Identifier: MIT */
/*
 * The machine's part of a vCPU's life, and the whole of its state in and out (struct
 * vcpu_guest_context).
 *
 * Interface: arch_vcpu_* (hv/vcpu.h). Invariant: a context is checked whole before
 * anything is changed, then the parts that take references (GDT, page tables) are installed; they
 * may ask to be called again (-HC_RESTART), which starts over with what is installed already being
 * installed again. The vCPU does not run meanwhile.
 */
#include <hv/sched.h>
#include <hv/string.h>
#include "pv_core.h"

#define FXSAVE_SIZE 512
#define GDT_MAX     (FIRST_RESERVED_GDT_PAGE * 512)
#define TICK_NS     10000000UL

/* CR4 bits that are a guest's own choice, and those of ours that it sees. */
#define CR4_GUEST_OWNS (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
#define CR4_GUEST_SEES (1u << 5 /* PAE */ | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

uint64_t pv_guest_cr4(uint64_t wanted)
{
    uint64_t can = CR4_GUEST_OWNS & (read_cr(4) | CR4_TSD | CR4_DE);

    return (wanted & can) | (read_cr(4) & CR4_GUEST_SEES);
}

uint64_t pv_guest_cr0(const struct vcpu *v)
{
    return (read_cr(0) & ~(uint64_t)CR0_TS) | (v->arch.ctrlreg_cr0_ts ? CR0_TS : 0);
}

/* --- vCPUs ----------------------------------------------------------------------------------- */

int arch_vcpu_create(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    a->guest_table = a->guest_table_user = INVALID_MFN;
    for (unsigned i = 0; i < ARRAY_SIZE(a->gdt_frame); i++)
        a->gdt_frame[i] = a->ldt_frame[i] = INVALID_MFN;
    a->dr[6] = DR6_ONES;
    a->dr[7] = DR7_ONES;
    if (v->domain->is_idle)
        return 0;
    a->cr4_guest = pv_guest_cr4(0);
    a->traps = hv_alloc(256 * sizeof(*a->traps));
    if (!a->traps || fpu_vcpu_init(v)) {
        hv_free(a->traps);
        a->traps = NULL;
        return -ENOMEM;
    }
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    if (v->domain->is_idle)
        return;
    pv_destroy_gdt(v);
    pv_drop_tables(v);
    fpu_vcpu_destroy(v);
    hv_free(v->arch.traps);
    v->arch.traps = NULL;
}

/* --- setting a context ----------------------------------------------------------------------- */

static int check(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    const uint64_t addresses[] = {
        c->user_regs.rip,        c->user_regs.rsp, c->kernel_sp,          c->fs_base,
        c->gs_base_kernel,       c->gs_base_user,  c->event_callback_eip, c->failsafe_callback_eip,
        c->syscall_callback_eip,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        if (!is_canonical(addresses[i]))
            return -EINVAL;
    for (unsigned i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        if (!is_canonical(c->trap_ctxt[i].address))
            return -EINVAL;
    if (c->gdt_ents > GDT_MAX || !ldt_ok(c->ldt_base, c->ldt_ents))
        return -EINVAL;
    if (v->id == 0 && !vm_assist_valid(c->vm_assist))
        return -EINVAL;
    if (!(c->flags & VGCF_in_kernel) && !c->ctrlreg[1])
        return -EINVAL; /* user mode without user page tables */
    return 0;
}

/* A vCPU that was set up before keeps its tables: they must be the ones named. */
static bool same_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct arch_vcpu *a = &v->arch;
    uint64_t user =
        mfn_eq(a->guest_table_user, INVALID_MFN) ? 0 : mfn_to_maddr(a->guest_table_user);

    if (c->ctrlreg[3] != mfn_to_maddr(a->guest_table) || c->ctrlreg[1] != user ||
        c->gdt_ents != a->gdt_entries || c->ldt_ents != a->ldt_entries ||
        (c->ldt_ents && c->ldt_base != a->ldt_base))
        return false;
    for (unsigned i = 0; i < (c->gdt_ents + 511) / 512; i++)
        if (c->gdt_frames[i] != a->gdt_frame[i].m)
            return false;
    return true;
}

static int install_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = pv_set_gdt(v, (const uint64_t *)c->gdt_frames, (unsigned)c->gdt_ents);

    if (!rc)
        rc = pv_set_guest_table(v, maddr_to_mfn(c->ctrlreg[3]));
    if (!rc && c->ctrlreg[1])
        rc = pv_set_guest_table_user(v, maddr_to_mfn(c->ctrlreg[1]));
    if (rc && rc != -HC_RESTART) {
        pv_drop_tables(v);
        pv_destroy_gdt(v);
    }
    if (!rc) {
        v->arch.ldt_entries = (unsigned)c->ldt_ents;
        v->arch.ldt_base = c->ldt_ents ? c->ldt_base : 0;
    }
    return rc;
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct arch_vcpu *a = &v->arch;

    a->regs = c->user_regs;
    a->iopl = (unsigned)(a->regs.rflags >> 12) & 3;
    a->regs.rflags =
        (a->regs.rflags & ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM)) | X86_EFLAGS_IF | 2 /* always one */;
    a->regs.cs |= 3;
    a->regs.ss |= 3;
    a->fs_base = c->fs_base;
    a->gs_base_kernel = c->gs_base_kernel;
    a->gs_base_user = c->gs_base_user;
    a->user_mode = !(c->flags & VGCF_in_kernel);
    a->ctrlreg_cr0_ts = c->ctrlreg[0] & CR0_TS;
    a->cr2 = c->ctrlreg[2];
    a->cr4_guest = pv_guest_cr4(c->ctrlreg[4]);
    v->hc.active = v->hc.multi_active = v->hc.multi_in_entry = false;
    v->arch.nmi_blocked = false;
    if (c->flags & VGCF_i387_valid) {
        memcpy(a->xsave, &c->fpu_ctxt, FXSAVE_SIZE);
        a->fpu_initialised = false; /* the legacy part only: the rest is as after reset */
    }
    for (unsigned i = 0; i < 8; i++)
        if (i != 4 && i != 5 && debugreg_set(v, i, c->debugreg[i]))
            debugreg_set(v, i, 0); /* one that a guest may not have is off */
}

static void set_callbacks(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct arch_vcpu *a = &v->arch;

    memcpy(a->traps, c->trap_ctxt, sizeof(c->trap_ctxt));
    a->kernel_ss = c->kernel_ss | 3;
    a->kernel_sp = c->kernel_sp;
    a->callback[CALLBACKTYPE_event].address = c->event_callback_eip;
    a->callback[CALLBACKTYPE_failsafe] = (struct pv_callback){
        c->failsafe_callback_eip, .masks_events = c->flags & VGCF_failsafe_disables_events};
    a->callback[CALLBACKTYPE_syscall] = (struct pv_callback){
        c->syscall_callback_eip, .masks_events = c->flags & VGCF_syscall_disables_events};
    pv_bounce_refresh(v);
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = check(v, c);

    if (rc)
        return rc;
    if (v->initialised)
        rc = same_tables(v, c) ? 0 : -EOPNOTSUPP;
    else
        rc = install_tables(v, c);
    if (rc)
        return rc;
    set_registers(v, c);
    set_callbacks(v, c);
    if (!v->initialised) {
        if (v->id == 0)
            v->domain->vm_assist = c->vm_assist;
        vcpu_periodic_set(
            v, TICK_NS); /* the ABI's start: 100 ticks a second, until the guest says otherwise */
        v->initialised = true;
    }
    v->down = !(c->flags & VGCF_online);
    if (!v->down)
        vcpu_wake(v);
    return 0;
}

/* --- and getting it -------------------------------------------------------------------------- */

static void get_tables(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct arch_vcpu *a = &v->arch;

    for (unsigned i = 0; i < (a->gdt_entries + 511) / 512; i++)
        c->gdt_frames[i] = a->gdt_frame[i].m;
    c->gdt_ents = a->gdt_entries;
    c->ldt_ents = a->ldt_entries;
    c->ldt_base = a->ldt_entries ? a->ldt_base : 0;
    c->ctrlreg[0] = pv_guest_cr0(v);
    c->ctrlreg[2] = a->cr2;
    if (!mfn_eq(a->guest_table, INVALID_MFN))
        c->ctrlreg[3] = mfn_to_maddr(a->guest_table);
    if (!mfn_eq(a->guest_table_user, INVALID_MFN))
        c->ctrlreg[1] = mfn_to_maddr(a->guest_table_user);
    c->ctrlreg[4] = a->cr4_guest;
}

void arch_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct arch_vcpu *a = &v->arch;

    vcpu_sync_state(v);
    memset(c, 0, sizeof(*c));
    memcpy(&c->fpu_ctxt, a->xsave, FXSAVE_SIZE);
    c->flags =
        VGCF_i387_valid | (a->user_mode ? 0 : VGCF_in_kernel) | (v->down ? 0 : VGCF_online) |
        (a->callback[CALLBACKTYPE_failsafe].masks_events ? VGCF_failsafe_disables_events : 0) |
        (a->callback[CALLBACKTYPE_syscall].masks_events ? VGCF_syscall_disables_events : 0);
    c->user_regs = a->regs;
    c->user_regs.rflags |= iopl_flags(v);
    c->user_regs.error_code = c->user_regs.entry_vector = 0;
    if (v->hc.active) /* in the middle of a hypercall: it is seen about to make it */
        c->user_regs.rip -= 2;
    memcpy(c->trap_ctxt, a->traps, sizeof(c->trap_ctxt));
    get_tables(v, c);
    for (unsigned i = 0; i < 8; i++)
        c->debugreg[i] = a->dr[i];
    c->kernel_ss = a->kernel_ss;
    c->kernel_sp = a->kernel_sp;
    c->event_callback_eip = a->callback[CALLBACKTYPE_event].address;
    c->failsafe_callback_eip = a->callback[CALLBACKTYPE_failsafe].address;
    c->syscall_callback_eip = a->callback[CALLBACKTYPE_syscall].address;
    c->vm_assist = v->domain->vm_assist;
    c->fs_base = a->fs_base;
    c->gs_base_kernel = a->gs_base_kernel;
    c->gs_base_user = a->gs_base_user;
}
