/* SPDX-License-Identifier: MIT */
/*
 * Exceptions: what a guest raised goes to pv/, what the hypervisor raised is either expected
 * (exception table, lazily mapped LDT page) or its end: panic() with registers and stack.
 *
 * No panic here can be reached by a guest: the instructions that touch what guests give are in the
 * exception table.
 */
#include <hv/control.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <asm/hv_paging.h>
#include <asm/msr.h>

static const char *const trap_name[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                        "#NM", "#DF", "?",   "#TS", "#NP", "#SS", "#GP",
                                        "#PF", "?",   "#MF", "#AC", "#MC", "#XM"};

#define PFEC_P 1
#define PFEC_U 4

extern const struct ex_entry _ex_table_start[], _ex_table_end[];
extern const char _image_start[], _etext[];
extern const char iret_refused[]; /* entry.S */

/* The frame of a fault that ends in panic(); NULL when panic() was called by C. One CPU panics,
 * once. */
static const struct cpu_user_regs *dying_regs;

/* --- what is printed
 * ---------------------------------------------------------------------------------------------------
 */
static void show_registers(const struct cpu_user_regs *r)
{
    pr_err("  rip %04x:%016lx  rsp %04x:%016lx  rflags %08lx\n", r->cs, r->rip, r->ss, r->rsp,
           r->rflags);
    pr_err("  rax %016lx  rbx %016lx  rcx %016lx\n", r->rax, r->rbx, r->rcx);
    pr_err("  rdx %016lx  rsi %016lx  rdi %016lx\n", r->rdx, r->rsi, r->rdi);
    pr_err("  rbp %016lx  r8  %016lx  r9  %016lx\n", r->rbp, r->r8, r->r9);
    pr_err("  r10 %016lx  r11 %016lx  r12 %016lx\n", r->r10, r->r11, r->r12);
    pr_err("  r13 %016lx  r14 %016lx  r15 %016lx\n", r->r13, r->r14, r->r15);
}

/* Follow the frame pointers, as long as they stay inside this CPU's stack and go up. */
static void show_stack(uint64_t rip, uint64_t rbp)
{
    uint64_t low = (uint64_t)__builtin_frame_address(0) & ~(STACK_SIZE - 1), top = low + STACK_SIZE;

    pr_err("  Stack, innermost first (addr2line -fe mullion.elf ADDRESS):\n");
    pr_err("    %016lx\n", rip);
    for (unsigned n = 0; n < 32 && rbp >= low && rbp + 16 <= top && !(rbp & 7); n++) {
        const uint64_t *frame = (const uint64_t *)rbp;

        if (frame[1] < (uint64_t)_image_start || frame[1] >= (uint64_t)_etext)
            break;
        pr_err("    %016lx\n", frame[1]);
        if (frame[0] <= rbp)
            break;
        rbp = frame[0];
    }
}

void show_machine_state(void)
{
    const struct cpu *c = this_cpu();
    const struct vcpu *v = current;

    char guest[24] = "no guest";

    if (v && !v->domain->is_idle)
        snprintf(guest, sizeof(guest), "d%uv%u", v->domain->id, v->id);
    pr_err("  Mullion %s, CPU %u, running %s\n", MULLION_VERSION, c ? c->id : 0, guest);
    pr_err("  cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %08lx\n", read_cr(0), read_cr(2), read_cr(3),
           read_cr(4));
    if (dying_regs) {
        show_registers(dying_regs);
        show_stack(dying_regs->rip, dying_regs->rbp);
    } else {
        show_stack((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0));
    }
}

/* --- faults of the hypervisor
 * --------------------------------------------------------------------------------------------- */
static bool fix_up(struct cpu_user_regs *regs)
{
    for (const struct ex_entry *e = _ex_table_start; e < _ex_table_end; e++)
        if (e->fault == regs->rip) {
            regs->rip = e->fixup;
            if (e->fixup == (uint64_t)iret_refused) /* wants to know what happened */
                cpu_top()->scratch[1] = (uint64_t)regs->entry_vector << 32 | regs->error_code;
            return true;
        }
    return false;
}

static __noreturn void die(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;
    const char *name = vector < ARRAY_SIZE(trap_name) ? trap_name[vector] : "?";

    dying_regs = regs;
    /* Not reachable by guests: a fault at an instruction of ours that nobody expected is a broken
     * invariant. */
    panic("%s (vector %u, error code %x) in the hypervisor", name, vector, regs->error_code);
}

/* --- NMI and machine check
 * --------------------------------------------------------------------------------------------------
 */
static _Atomic unsigned long unknown_nmis;

static void handle_nmi(const struct cpu_user_regs *regs)
{
    if (smp_stopping)
        machine_halt(); /* another CPU panicked or resets the machine */
    unknown_nmis++;
    /* Between a guest's instructions no lock is held here, so it can be said; inside the hypervisor
     * it only counts. */
    if (regs->cs & 3)
        pr_warn("NMI of unknown cause on CPU %u (%lu so far); ignored\n", this_cpu_id(),
                unknown_nmis);
}

static void handle_machine_check(struct cpu_user_regs *regs)
{
    uint64_t cap = 0, status;

    if (rdmsr_safe(MSR_MCG_CAP, &cap))
        cap = 0;
    for (unsigned bank = 0; bank < (cap & 0xff); bank++)
        if (!rdmsr_safe(MSR_MC0_STATUS + 4 * bank, &status) && status >> 63)
            pr_err("Machine check: bank %u status %016lx\n", bank, status);
    dying_regs = regs;
    /* Not reachable by guests: the hardware reports that it lost or corrupted data, and nothing
     * says whose. */
    panic("machine check on CPU %u", this_cpu_id());
}

/* --- exceptions of a guest
 * ---------------------------------------------------------------------------------------------------
 */
static void guest_page_fault(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint64_t cr2 = read_cr(2);

    irq_enable();
    if (pv_handle_page_fault(regs, cr2) ||
        (unlikely((regs->error_code & (PFEC_P | PFEC_U)) == PFEC_P) && pv_emulate_far_return(regs)))
        return;
    pv_inject_page_fault(v, cr2, regs->error_code);
}

/* An exception of a guest's, not by way of an IST stack. What no emulator wants goes straight to
 * the guest's handler. */
void handle_guest_trap(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;
    struct vcpu *v = current;

    switch (vector) {
    case TRAP_PF:
        guest_page_fault(v, regs);
        return;
    case TRAP_NM:
        if (fpu_handle_nm(v))
            return;
        break;
    case TRAP_UD:
        if (unlikely(pv_forced_emulation(regs))) {
            irq_enable();
            if (pv_emulate_privileged(regs))
                return;
            irq_disable();
        }
        pv_raise(v, regs, vector, false, 0);
        return;
    case TRAP_GP:
    case 0x80:
        irq_enable();
        pv_guest_trap(regs, vector, 0);
        return;
    }
    pv_raise(v, regs, vector, trap_has_error_code(vector), regs->error_code);
}

/*
 * In the hypervisor it is a guest's data breakpoint hit by a copy, or a single-step or breakpoint
 * that waited behind MOV SS and came with SYSCALL or SYSENTER: never ours. Forget it.
 */
static void handle_debug(struct cpu_user_regs *regs)
{
    uint64_t dr6;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0UL));
    if (regs->cs & 3) {
        irq_enable();
        pv_guest_trap(regs, TRAP_DB, dr6);
    } else {
        regs->rflags &= ~0x100UL;
    }
}

/* An exception that came on an IST stack, or one of the hypervisor's own. */
void handle_trap(struct cpu_user_regs *regs)
{
    switch (regs->entry_vector) {
    case TRAP_NMI:
        handle_nmi(regs);
        return;
    case TRAP_MC:
        handle_machine_check(regs);
        return;
    case TRAP_DB:
        handle_debug(regs);
        return;
    case TRAP_DF:
        die(regs);
    case TRAP_PF:
        if (pv_handle_hv_page_fault(read_cr(2), regs->error_code))
            return;
    }
    if (!fix_up(regs))
        die(regs);
}

void handle_syscall(struct cpu_user_regs *regs)
{
    irq_enable();
    if (regs->entry_vector == VECTOR_SYSCALL && guest_kernel_mode(current))
        pv_hypercall(regs);
    else
        pv_syscall_bounce(regs, regs->entry_vector - VECTOR_CALLBACK);
}

/* As on Xen the guest gets the exception of IRET itself, at the place it wanted to go to, if it has
 * a handler. */
void handle_bad_return(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    uint64_t cr2 = read_cr(2);

    irq_enable();
    if (regs->entry_vector == TRAP_PF)
        pv_inject_page_fault(v, cr2, regs->error_code);
    else
        pv_inject(v, regs->entry_vector, regs->error_code);
}
