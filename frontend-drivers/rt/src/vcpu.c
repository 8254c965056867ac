/* SPDX-License-Identifier: MIT */
/*
 * Secondary vCPUs and system time. A vCPU is known by its stack: vcpu_stacks holds, for each, an
 * ordinary stack and above it the one that the hypervisor uses for traps from user mode.
 */
#include <rt/print.h>
#include <rt/test.h>
#include <rt/vcpu.h>

extern char vcpu_stacks[MAX_VCPUS][VCPU_STACK];
void vcpu_entry(void);
void vcpu_main(void (*fn)(void));

unsigned int vcpu_id(void)
{
    uint64_t offset = (uint64_t)__builtin_frame_address(0) - (uint64_t)vcpu_stacks;

    return offset < sizeof(vcpu_stacks) ? offset / VCPU_STACK : 0;
}

unsigned int vcpu_max(void)
{
    unsigned int n = 0;

    while (n < MAX_VCPUS && hv_vcpu_op(VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

void vcpu_main(void (*fn)(void))
{
    fn();
    for (;;)
        vcpu_park();
}

void vcpu_park(void)
{
    hv_vcpu_op(VCPUOP_down, vcpu_id(), NULL);
}

void vcpu_fill_context(vcpu_guest_context_t *ctx, unsigned int id, void (*fn)(void))
{
    memset(ctx, 0, sizeof(*ctx));
    ctx->flags = VGCF_IN_KERNEL | VGCF_failsafe_disables_events | VGCF_syscall_disables_events;
    ctx->user_regs.rip = (uint64_t)vcpu_entry;
    ctx->user_regs.rdi = (uint64_t)fn;
    ctx->user_regs.rsp = (uint64_t)vcpu_stacks[id] + VCPU_STACK_HALF;
    ctx->user_regs.cs = FLAT_KERNEL_CS64;
    ctx->user_regs.ss = FLAT_KERNEL_SS64;
    ctx->user_regs.rflags = X86_EFLAGS_MBS | X86_EFLAGS_IF;
    traps_fill_table(trap_table);
    memcpy(ctx->trap_ctxt, trap_table, sizeof(ctx->trap_ctxt));
    ctx->kernel_ss = FLAT_KERNEL_SS64;
    ctx->kernel_sp = (uint64_t)vcpu_stacks[id + 1];
    ctx->ctrlreg[3] = xen_pfn_to_cr3(current_l4_mfn());
    ctx->event_callback_eip = (unsigned long)entry_event;
    ctx->failsafe_callback_eip = (unsigned long)entry_failsafe;
    ctx->syscall_callback_eip = (unsigned long)entry_syscall;
}

long vcpu_start(unsigned int id, void (*fn)(void))
{
    static vcpu_guest_context_t ctx;
    long rc;

    /* Events start masked, as on vCPU 0. */
    shared_info.vcpu_info[id].evtchn_upcall_mask = 1;
    vcpu_fill_context(&ctx, id, fn);
    rc = hv_vcpu_op(VCPUOP_initialise, id, &ctx);
    return rc ? rc : hv_vcpu_op(VCPUOP_up, id, NULL);
}

uint64_t time_ns(void)
{
    const volatile struct vcpu_time_info *t = &shared_info.vcpu_info[vcpu_id()].time;
    uint32_t version, mul;
    uint64_t stamp, base, delta;
    int8_t shift;

    do {
        version = t->version;
        barrier();
        stamp = t->tsc_timestamp;
        base = t->system_time;
        mul = t->tsc_to_system_mul;
        shift = t->tsc_shift;
        delta = rdtsc() - stamp;
        barrier();
    } while ((version & 1) || version != t->version);
    delta = shift < 0 ? delta >> -shift : delta << shift;
    return base + (uint64_t)(((unsigned __int128)delta * mul) >> 32);
}
