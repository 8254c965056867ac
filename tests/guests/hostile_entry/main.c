/* SPDX-License-Identifier: MIT */
/*
 * hostile_entry: THREATS 10–13, the ways into and out of a guest, from an unprivileged child.
 *
 * How this guest would break the hypervisor: it asks the iret hypercall, a segment base or its own
 * far return to go where no processor can go (10: the fault would be the hypervisor's), brings
 * flags along that change how the hypervisor itself runs or returns (11: IF, IOPL, NT, VM, AC, TF),
 * puts the stack on which its exception frames are pushed where nothing can be written or where the
 * hypervisor lives (12), and raises vectors that nobody registered (13). It gets an exception, or
 * is crashed with a reason; its neighbour and dom0 do not notice.
 */
#include <rt/attack.h>
#include <rt/test.h>

/* --- 10: non-canonical rip and rsp --- */

static const uint64_t nowhere[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
                                   0x7fffffffffffffff, 0xdeadbeef00000000};

ASM_FUNCTION(user_ud2, "ud2");
ASM_FUNCTION(user_flags, "pushfq; pop %rax; syscall; ud2");
ASM_FUNCTION(kernel_flags, "pushfq; pop %rax; ud2");

static struct iret_target to(void (*code)(void), uint16_t cs)
{
    return (struct iret_target){.rip = (uint64_t)code,
                                .cs = cs,
                                .rflags = X86_EFLAGS_MBS | X86_EFLAGS_IF,
                                .rsp = user_stack_top(),
                                .ss = FLAT_USER_SS64};
}

static void iret_nowhere(void)
{
    CHECK_TRAP(run_user(user_ud2, 0), X86_EXC_UD, 0); /* sets the user's tables */
    for (unsigned int kernel = 0; kernel < 2; kernel++)
        for (unsigned int in_syscall = 0; in_syscall < 2; in_syscall++)
            for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
                struct iret_target t = to(user_ud2, FLAT_USER_CS64 & (kernel ? ~3 : ~0));
                const struct trap *got;

                t.flags = in_syscall ? VGCF_in_syscall : 0;
                if (kernel) /* the exception frame goes onto the stack that was asked for */
                    t.rsp = (uint64_t)__builtin_frame_address(0) - 2048;
                t.rip = nowhere[i];
                got = CATCH(iret_to(&t));
                CHECK_TRAP(got, X86_EXC_GP, 0);
                CHECK_EQ(got->regs.rip, nowhere[i]);
                if (kernel)
                    continue;
                t.rip = (uint64_t)user_ud2; /* user mode may have any stack pointer */
                t.rsp = nowhere[i];
                got = CATCH(iret_to(&t));
                CHECK_TRAP(got, X86_EXC_UD, 0);
                CHECK_EQ(got->regs.rsp, nowhere[i]);
            }
}

static void segment_bases_nowhere(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
        static const uint32_t msr[] = {0xc0000100, 0xc0000101, 0xc0000102};

        for (unsigned int which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++)
            CHECK_RC(hv_set_segment_base(which, nowhere[i]), -XEN_EINVAL);
        for (unsigned int m = 0; m < ARRAY_SIZE(msr); m++)
            CHECK_TRAP(CATCH(__asm__ volatile("wrmsr" ::"a"((uint32_t)nowhere[i]),
                                              "d"((uint32_t)(nowhere[i] >> 32)), "c"(msr[m]))),
                       X86_EXC_GP, 0);
    }
    /* In the hypervisor: canonical, so it may stand there; what is read through it may not. */
    CHECK_RC(hv_set_segment_base(SEGBASE_FS, 0xffff830000000000), 0);
    CHECK(CATCH(__asm__ volatile("mov %%fs:0, %%rax" ::: "rax")) != NULL);
    for (unsigned int selector = 0; selector < 0x10000; selector += 0x101)
        CHECK_RC(hv_set_segment_base(SEGBASE_GS_USER_SEL, selector), 0);
    CHECK_RC(hv_set_segment_base(SEGBASE_FS, 0), 0);
}

/* The processor's own far returns, which the hypervisor emulates where QEMU cannot do them. */
static void far_returns_nowhere(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
        const struct trap *t = CATCH(__asm__ volatile("push %1; push %0; lretq" ::"r"(nowhere[i]),
                                                      "r"((uint64_t)FLAT_KERNEL_CS64)));

        CHECK_TRAP(t, X86_EXC_GP, 0);
        t = CATCH(__asm__ volatile("mov %%rsp, %%rax; push %2; push %%rax; pushfq; push %1; "
                                   "push %0; iretq" ::"r"(nowhere[i]),
                                   "r"((uint64_t)FLAT_KERNEL_CS64), "r"((uint64_t)FLAT_KERNEL_SS64)
                                   : "rax"));
        CHECK_TRAP(t, X86_EXC_GP, 0);
    }
}

static void callbacks_nowhere(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
        trap_info_t table[2] = {
            {.vector = X86_EXC_UD, .cs = FLAT_KERNEL_CS64, .address = nowhere[i]}};

        CHECK_RC(hv_set_trap_table(table), -XEN_EINVAL);
        for (uint16_t type = 0; type <= CALLBACKTYPE_syscall32; type++) {
            struct callback_register reg = {.type = type, .address = nowhere[i]};

            if (type != 6) /* there is no such type */
                CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), -XEN_EINVAL);
        }
    }
}

/* --- 11: flags that are not the guest's --- */

static void iret_flags(void)
{
    CHECK_TRAP(run_user(user_ud2, 0), X86_EXC_UD, 0);
    for (unsigned int bits = 0; bits < 128; bits++) {
        static const uint64_t of[] = {X86_EFLAGS_IOPL, X86_EFLAGS_VM, X86_EFLAGS_NT, X86_EFLAGS_AC,
                                      X86_EFLAGS_IF,   X86_EFLAGS_DF, X86_EFLAGS_ID};
        struct iret_target t = to(user_flags, FLAT_USER_CS64);
        const struct trap *got;

        t.rflags = X86_EFLAGS_MBS;
        for (unsigned int i = 0; i < ARRAY_SIZE(of); i++)
            t.rflags |= bits & (1u << i) ? of[i] : 0;
        got = CATCH(iret_to(&t));
        CHECK_TRAP(got, VEC_SYSCALL, 0);
        CHECK_EQ(got->regs.rax & (X86_EFLAGS_IOPL | X86_EFLAGS_VM), 0);
        CHECK_EQ(got->regs.rax & X86_EFLAGS_IF, X86_EFLAGS_IF);
        /* To the kernel itself, on its own stack. */
        t.rip = (uint64_t)kernel_flags;
        t.cs = FLAT_KERNEL_CS64 & ~3;
        t.rsp = (uint64_t)__builtin_frame_address(0) - 2048;
        got = CATCH(iret_to(&t));
        CHECK_TRAP(got, X86_EXC_UD, 0);
        CHECK_EQ(got->regs.rax & (X86_EFLAGS_IOPL | X86_EFLAGS_VM), 0);
        CHECK_EQ(got->regs.rax & X86_EFLAGS_IF, X86_EFLAGS_IF);
    }
}

/* Every way in, with every flag that ring 3 may set itself. */
static void enter_with_flags(void)
{
    static const uint64_t of[] = {X86_EFLAGS_NT, X86_EFLAGS_AC, X86_EFLAGS_DF, X86_EFLAGS_ID};

    for (unsigned int bits = 0; bits < 16; bits++) {
        uint64_t set = X86_EFLAGS_MBS | X86_EFLAGS_IF;
        long rc = __HYPERVISOR_xen_version;

        for (unsigned int i = 0; i < ARRAY_SIZE(of); i++)
            set |= bits & (1u << i) ? of[i] : 0;
        __asm__ volatile("push %1; popfq; syscall; push $0x202; popfq"
                         : "+a"(rc)
                         : "r"(set), "D"((uint64_t)XENVER_version), "S"(0ul)
                         : "rcx", "r11", "rdx", "memory");
        CHECK_EQ(rc >> 16, 4);
        CHECK_TRAP(CATCH(__asm__ volatile("push %0; popfq; ud2" ::"r"(set))), X86_EXC_UD, 0);
        CHECK_TRAP(CATCH(__asm__ volatile("push %0; popfq; int $0x80" ::"r"(set))), 0x80, 0);
        CHECK_TRAP(CATCH(__asm__ volatile("push %0; popfq; mov 0x12340, %%rax" ::"r"(set)
                                          : "rax")),
                   X86_EXC_PF, 0);
        CHECK_TRAP(CATCH(__asm__ volatile("push %0; popfq; hlt" ::"r"(set))), X86_EXC_GP, 0);
        __asm__ volatile("push $0x202; popfq");
    }
}

/* Single-stepped into each entry: the trap must not be taken in the hypervisor. */
static void enter_single_stepped(void)
{
    const struct trap *t;

    t = CATCH(__asm__ volatile("push $0x302; popfq; syscall; nop" ::"a"(__HYPERVISOR_xen_version),
                               "D"(0ul), "S"(0ul)
                               : "rcx", "r11", "memory"));
    CHECK(t && t->regs.entry_vector == X86_EXC_DB);
    t = CATCH(__asm__ volatile("push $0x302; popfq; int $0x80; nop"));
    CHECK(t && (t->regs.entry_vector == X86_EXC_DB || t->regs.entry_vector == 0x80));
    t = CATCH(__asm__ volatile("push $0x302; popfq; ud2; nop"));
    CHECK(t && (t->regs.entry_vector == X86_EXC_DB || t->regs.entry_vector == X86_EXC_UD));
    __asm__ volatile("push $0x202; popfq");
}

/* --- 12: stacks and callbacks where nothing can be --- */

ASM_FUNCTION(stack_unmapped, "mov $0x100000, %rsp; ud2");
ASM_FUNCTION(stack_null, "xor %esp, %esp; ud2");
ASM_FUNCTION(stack_hypervisor, "movabs $0xffff830000001000, %rsp; ud2");
ASM_FUNCTION(stack_hypervisor_end, "movabs $0xffff880000000010, %rsp; ud2");
ASM_FUNCTION(stack_hypervisor_begin, "movabs $0xffff800000000010, %rsp; ud2");
ASM_FUNCTION(stack_non_canonical, "movabs $0x0000800000000800, %rsp; ud2");
ASM_FUNCTION(stack_last_canonical, "movabs $0x0000800000000000, %rsp; ud2");
ASM_FUNCTION(stack_top, "mov $16, %rsp; ud2"); /* the frame would wrap below zero */
ASM_FUNCTION(stack_m2p, "movabs $0xffff800000001000, %rsp; ud2");
ASM_FUNCTION(iret_unmapped, "mov $0x100000, %rsp; mov $23, %eax; syscall; ud2");
ASM_FUNCTION(iret_hypervisor, "movabs $0xffff830000001000, %rsp; mov $23, %eax; syscall; ud2");
ASM_FUNCTION(iret_non_canonical, "movabs $0x00007ffffffffff0, %rsp; mov $23, %eax; syscall; ud2");

static char page[3 * PAGE_SIZE] PAGE_ALIGNED;

static void stack_readonly(void)
{
    page_set_readonly(page);
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(page + PAGE_SIZE));
}

/* The frame crosses from a page that is there into one that is not, or is read-only. */
static void stack_half_readonly(void)
{
    page_set_readonly(page);
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(page + PAGE_SIZE + 16));
}

static void stack_half_unmapped(void)
{
    hv_update_va_mapping(page, 0, UVMF_INVLPG);
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(page + PAGE_SIZE + 16));
}

/* A page table of its own: written through the hypervisor it could say anything. */
static void stack_in_page_table(void)
{
    uint64_t *table = pfn_to_va(mfn_to_pfn(pte_place_of(page, 1).maddr >> 12));

    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(table + 256));
}

/* The page that the hypervisor shares: it may be written, and holds the guest's own flags. The
 * handler touches nothing. */
ASM_FUNCTION(end_well, "mov $29, %eax; mov $2, %edi; lea end_reason(%rip), %rsi; syscall; ud2");
struct sched_shutdown end_reason = {.reason = SHUTDOWN_poweroff};

static void stack_in_shared_info(void)
{
    trap_info_t t[2] = {
        {.vector = X86_EXC_UD, .cs = FLAT_KERNEL_CS64, .address = (unsigned long)end_well}};

    hv_set_trap_table(t);
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"((char *)&shared_info + PAGE_SIZE));
}

static void no_handlers(void)
{
    hv_set_trap_table(NULL);
    __asm__ volatile("ud2");
}

static void handler_at(uint64_t address)
{
    trap_info_t t[3] = {{.vector = X86_EXC_UD, .cs = FLAT_KERNEL_CS64, .address = address}};

    hv_set_trap_table(NULL);
    hv_set_trap_table(t); /* and no handler for the fault at the handler */
    __asm__ volatile("ud2");
}

static void handler_at_zero_page(void)
{
    handler_at(0x1000);
}

static void handler_in_hypervisor(void)
{
    handler_at(0xffff82d040200000);
}

/* A handler that faults itself pushes frames until its stack runs into what is not there. */
static void endless_faults(void)
{
    trap_info_t t[2] = {{.vector = X86_EXC_PF, .cs = FLAT_KERNEL_CS64, .address = 0x1000}};

    hv_set_trap_table(t);
    load64((void *)0x1000);
}

static void bounce_to(uint64_t stack)
{
    hv_stack_switch(FLAT_KERNEL_SS64, stack);
    run_user(user_ud2, 0);
}

/* The kernel stack for traps from user mode. */
static void bounce_to_hypervisor(void)
{
    bounce_to(0xffff830000001000);
}

static void bounce_to_nothing(void)
{
    bounce_to(0x100000);
}

static void bounce_to_non_canonical(void)
{
    bounce_to(0x0000800000001000);
}

static void bounce_to_readonly(void)
{
    page_set_readonly(page);
    bounce_to((uint64_t)page + PAGE_SIZE);
}

/* The system call's bounce takes the same way. */
static void syscall_to_hypervisor(void)
{
    hv_stack_switch(FLAT_KERNEL_SS64, 0xffff830000001000);
    run_user(user_flags, 0);
}

static void user_without_tables(void)
{
    struct iret_target target = to(user_ud2, FLAT_USER_CS64);

    iret_to(&target);
}

/* An event for a vCPU whose callback is nowhere, or in the hypervisor with no fault handler. */
static void event_to(uint64_t address)
{
    struct callback_register reg = {.type = CALLBACKTYPE_event, .address = address};
    evtchn_port_t port;

    hv_callback_op(CALLBACKOP_register, &reg);
    hv_set_trap_table(NULL);
    event_bind_ipi(0, &port);
    events_enable();
    event_unmask(port);
    event_send(port);
}

static void callback_nowhere(void)
{
    event_to(0);
}

static void callback_in_hypervisor(void)
{
    event_to(0xffff82d040200000);
}

/* With a handler of its own the guest gets the fetch fault, and lives. */
static void callback_in_hypervisor_caught(void)
{
    struct callback_register reg = {.type = CALLBACKTYPE_event, .address = 0xffff82d040200000};
    const struct trap *t;
    evtchn_port_t port;

    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    CHECK_RC(event_bind_ipi(0, &port), 0);
    t = CATCH(events_enable(); event_unmask(port); event_send(port));
    CHECK(t && t->regs.entry_vector == X86_EXC_PF && t->cr2 == 0xffff82d040200000);
}

/* --- 13: vectors nobody registered --- */

static void int_80_unregistered(void)
{
    hv_set_trap_table(NULL);
    __asm__ volatile("int $0x80");
}

/* Only #GP has a handler: all others must come to it. Vectors 3 and 4 have gates of their own. */
static uint8_t int_n[] = {0xcd, 0, 0x0f, 0x0b}; /* int N; ud2 */

static void int_all_unregistered(void)
{
    trap_info_t only_gp[3];

    traps_fill_table(trap_table);
    only_gp[0] = trap_table[X86_EXC_GP];
    only_gp[1] = trap_table[X86_EXC_UD];
    memset(&only_gp[2], 0, sizeof(only_gp[2]));
    CHECK_RC(hv_set_trap_table(NULL), 0);
    CHECK_RC(hv_set_trap_table(only_gp), 0);
    for (unsigned int n = 0; n < 256; n++) {
        const struct trap *t;

        if (n == X86_EXC_BP || n == X86_EXC_OF)
            continue;
        WRITE_ONCE(int_n[1], n);
        t = CATCH(((void (*)(void))int_n)());
        /* QEMU 7.2's TCG has the wrong index in its error code (tests/guests/traps); an index that
         * is not even a vector's is the guest's #GP too. */
        if (!CHECK(t && t->regs.entry_vector == X86_EXC_GP))
            printf("  int %u\n", n);
        else
            CHECK_EQ(t->regs.rip, (uint64_t)int_n);
    }
}

static void test_nowhere(void)
{
    static const struct attack attacks[] = {
        {"iret to non-canonical rip and rsp", iret_nowhere},
        {"non-canonical segment bases", segment_bases_nowhere},
        {"far returns to non-canonical rip", far_returns_nowhere},
        {"non-canonical handlers", callbacks_nowhere},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_flags(void)
{
    static const struct attack attacks[] = {
        {"flags in an iret frame", iret_flags},
        {"flags at every entry", enter_with_flags},
        {"single-step into every entry", enter_single_stepped},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_stacks(void)
{
    static const struct attack attacks[] = {
        {"unmapped stack", stack_unmapped, SHUTDOWN_crash},
        {"null stack", stack_null, SHUTDOWN_crash},
        {"stack in the hypervisor", stack_hypervisor, SHUTDOWN_crash},
        {"stack just above the hypervisor", stack_hypervisor_end, SHUTDOWN_crash},
        {"stack at the hypervisor's begin", stack_hypervisor_begin, SHUTDOWN_crash},
        {"non-canonical stack", stack_non_canonical, SHUTDOWN_crash},
        {"stack at the end of the lower half", stack_last_canonical, SHUTDOWN_crash},
        {"stack that wraps", stack_top, SHUTDOWN_crash},
        {"stack in the M2P", stack_m2p, SHUTDOWN_crash},
        {"read-only stack", stack_readonly, SHUTDOWN_crash},
        {"half read-only stack", stack_half_readonly, SHUTDOWN_crash},
        {"half unmapped stack", stack_half_unmapped, SHUTDOWN_crash},
        {"stack in a page table", stack_in_page_table, SHUTDOWN_crash},
        {"stack in the shared page", stack_in_shared_info},
        {"no handlers", no_handlers, SHUTDOWN_crash},
        {"handler at an unmapped address", handler_at_zero_page, SHUTDOWN_crash},
        {"handler in the hypervisor", handler_in_hypervisor, SHUTDOWN_crash},
        {"faulting fault handler", endless_faults, SHUTDOWN_crash},
        {"iret frame unmapped", iret_unmapped, SHUTDOWN_crash},
        {"iret frame in the hypervisor", iret_hypervisor, SHUTDOWN_crash},
        {"iret frame across the canonical hole", iret_non_canonical, SHUTDOWN_crash},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_bounces(void)
{
    static const struct attack attacks[] = {
        {"bounce stack in the hypervisor", bounce_to_hypervisor, SHUTDOWN_crash},
        {"bounce stack unmapped", bounce_to_nothing, SHUTDOWN_crash},
        {"bounce stack non-canonical", bounce_to_non_canonical, SHUTDOWN_crash},
        {"bounce stack read-only", bounce_to_readonly, SHUTDOWN_crash},
        {"system call onto the hypervisor", syscall_to_hypervisor, SHUTDOWN_crash},
        {"user mode without page tables", user_without_tables, SHUTDOWN_crash},
        {"event callback at zero", callback_nowhere, SHUTDOWN_crash},
        {"event callback in the hypervisor", callback_in_hypervisor, SHUTDOWN_crash},
        {"the same with a fault handler", callback_in_hypervisor_caught},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_unregistered(void)
{
    static const struct attack attacks[] = {
        {"int 0x80 before registration", int_80_unregistered, SHUTDOWN_crash},
        {"every vector before registration", int_all_unregistered},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

GUEST("hostile_entry", TEST(nowhere), TEST(flags), TEST(stacks), TEST(bounces), TEST(unregistered));
