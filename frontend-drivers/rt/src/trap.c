/* SPDX-License-Identifier: MIT */
/*
 * Where every entry into the guest kernel ends: trap_dispatch() asks, in order, the event code, the
 * test's hook and the pending CATCH, and otherwise ends the guest with a dump.
 *
 * A caught trap does not return to where it happened: the frame is rewritten so that the iret
 * hypercall goes back into catch_enter()'s caller, in kernel mode, with the event mask it had.
 */
#include <rt/event.h>
#include <rt/page.h>
#include <rt/print.h>
#include <rt/test.h>
#include <rt/trap.h>
#include <rt/vcpu.h>

/* The layout is known to entry.S. */
struct catch_buffer {
    uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
    uint8_t armed;
    uint8_t upcall_mask;
    struct trap trap;
};

static struct catch_buffer catches[MAX_VCPUS];
static bool (*trap_hook)(struct cpu_user_regs *regs);
static bool user_base_set[MAX_VCPUS];
static char user_stack[4 * PAGE_SIZE] PAGE_ALIGNED;

uint64_t failsafe_selectors[4];
trap_info_t trap_table[257];
extern const char trap_stubs[256][32];
extern char vcpu_stacks[MAX_VCPUS][VCPU_STACK];

struct catch_buffer *catch_buffer(void);
void trap_dispatch(struct cpu_user_regs *regs);

struct catch_buffer *catch_buffer(void)
{
    struct catch_buffer *c = &catches[vcpu_id()];

    c->upcall_mask = my_vcpu_info()->evtchn_upcall_mask;
    return c;
}

const struct trap *catch_caught(void)
{
    return &catches[vcpu_id()].trap;
}

void catch_leave(void)
{
    catches[vcpu_id()].armed = 0;
}

void trap_set_hook(bool (*hook)(struct cpu_user_regs *regs))
{
    WRITE_ONCE(trap_hook, hook);
}

static void dump(const struct cpu_user_regs *r)
{
    printf("vCPU %u: unexpected trap %u, error %#x, cr2 %#lx\n", vcpu_id(), r->entry_vector,
           r->error_code, my_vcpu_info()->arch.cr2);
    printf("rip %04x:%016lx  rflags %08lx  rsp %04x:%016lx\n", r->cs, r->rip, r->rflags, r->ss,
           r->rsp);
    printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    printf("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    printf("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
}

void trap_dispatch(struct cpu_user_regs *regs)
{
    struct catch_buffer *c = &catches[vcpu_id()];
    bool (*hook)(struct cpu_user_regs *) = READ_ONCE(trap_hook);

    if (hook && hook(regs))
        return;
    if (regs->entry_vector == VEC_EVENT) {
        events_dispatch();
        return;
    }
    if (!c->armed) {
        dump(regs);
        guest_die("unexpected trap %u", regs->entry_vector);
    }
    c->armed = 0;
    memcpy(&c->trap.regs, regs, offsetof(struct cpu_user_regs, es));
    if (regs->entry_vector == VEC_FAILSAFE) {
        c->trap.regs.ds = failsafe_selectors[0];
        c->trap.regs.es = failsafe_selectors[1];
        c->trap.regs.fs = failsafe_selectors[2];
        c->trap.regs.gs = failsafe_selectors[3];
    }
    c->trap.cr2 = my_vcpu_info()->arch.cr2;
    c->trap.upcall_mask = my_vcpu_info()->evtchn_upcall_mask;

    regs->rbx = c->rbx;
    regs->rbp = c->rbp;
    regs->r12 = c->r12;
    regs->r13 = c->r13;
    regs->r14 = c->r14;
    regs->r15 = c->r15;
    regs->rsp = c->rsp;
    regs->rip = c->rip;
    regs->rax = 1;
    regs->cs = FLAT_KERNEL_CS64 & ~3;
    regs->ss = FLAT_KERNEL_SS64;
    regs->rflags = X86_EFLAGS_MBS | (c->upcall_mask ? 0 : X86_EFLAGS_IF);
}

void traps_fill_table(trap_info_t *table)
{
    for (unsigned int i = 0; i < 256; i++) {
        table[i].vector = i;
        /* Software may raise #BP, #OF and 0x80 from user mode; events stay masked in handlers. */
        table[i].flags = (i == X86_EXC_BP || i == X86_EXC_OF || i == 0x80 ? 3 : 0) | 4;
        table[i].cs = FLAT_KERNEL_CS64;
        table[i].address = (unsigned long)trap_stubs[i];
    }
    memset(&table[256], 0, sizeof(table[256]));
}

static void register_callback(unsigned int type, void (*entry)(void), unsigned int flags)
{
    struct callback_register reg = {.type = type, .flags = flags, .address = (unsigned long)entry};
    long rc = hv_callback_op(CALLBACKOP_register, &reg);

    if (rc)
        guest_die("registering callback %u: %ld", type, rc);
}

void traps_init(void)
{
    long rc;

    traps_fill_table(trap_table);
    rc = hv_set_trap_table(trap_table);
    if (rc)
        guest_die("set_trap_table: %ld", rc);
    register_callback(CALLBACKTYPE_event, entry_event, 0);
    register_callback(CALLBACKTYPE_failsafe, entry_failsafe, CALLBACKF_mask_events);
    register_callback(CALLBACKTYPE_syscall, entry_syscall, CALLBACKF_mask_events);
    rc = hv_stack_switch(FLAT_KERNEL_SS64, (uint64_t)vcpu_stacks[vcpu_id() + 1]);
    if (rc)
        guest_die("stack_switch: %ld", rc);
}

uint64_t user_stack_top(void)
{
    return (uint64_t)(user_stack + sizeof(user_stack));
}

const struct trap *run_user(void (*code)(void), uint64_t arg)
{
    struct iret_target target = {
        .rip = (uint64_t)code,
        .cs = FLAT_USER_CS64,
        .rflags = X86_EFLAGS_MBS | X86_EFLAGS_IF,
        .rsp = user_stack_top(),
        .ss = FLAT_USER_SS64,
        .rdi = arg,
    };
    unsigned int cpu = vcpu_id();

    if (!user_base_set[cpu]) {
        long rc = mmuext(MMUEXT_NEW_USER_BASEPTR, current_l4_mfn());

        if (rc)
            guest_die("MMUEXT_NEW_USER_BASEPTR: %ld", rc);
        user_base_set[cpu] = true;
    }
    return CATCH(iret_to(&target));
}
