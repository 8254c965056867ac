/* SPDX-License-Identifier: MIT */
/*
 * traps: exceptions, software interrupts, system calls and the iret hypercall.
 *
 * How a guest would break the hypervisor: by making it enter or leave the guest with state of the
 * guest's choosing. A frame with IOPL 3, VM86 or IF clear, an instruction pointer that is not
 * canonical (SYSRET and IRET fault in ring 0 on it), a selector that cannot be loaded, a handler at
 * a bad address, `int N` on a vector meant for hardware: each must end as an exception in the guest
 * or a refused call, never as a fault in the hypervisor. The good paths are here too, for a guest
 * kernel relies on each bit of the frames.
 */
#include <rt/test.h>

static uint64_t ip; /* set by AT_IP */
#define FAULT_AT(insn) \
    __asm__ volatile(AT_IP(insn) : [ip] "=m"(ip) : : "rax", "rdx", "rcx", "memory")

static void test_ud(void)
{
    const struct trap *t = CATCH(FAULT_AT("ud2"));

    REQUIRE(CHECK_TRAP(t, X86_EXC_UD, 0));
    CHECK_EQ(t->regs.rip, ip);
    CHECK_EQ(t->regs.cs, FLAT_KERNEL_CS64 & ~3); /* kernel frames carry RPL 0 */
    CHECK_EQ(t->regs.ss, FLAT_KERNEL_SS64);
    CHECK_EQ(t->regs.rflags & X86_EFLAGS_IOPL, 0);
}

static void test_de(void)
{
    const struct trap *t = CATCH(FAULT_AT("xor %%edx, %%edx; divl %%edx"));

    REQUIRE(CHECK_TRAP(t, X86_EXC_DE, 0));
    CHECK_EQ(t->regs.rip, ip + 2);
}

static void test_int3(void)
{
    const struct trap *t = CATCH(FAULT_AT("int3"));

    REQUIRE(CHECK_TRAP(t, X86_EXC_BP, 0));
    CHECK_EQ(t->regs.rip, ip + 1);
    t = CATCH(FAULT_AT(".byte 0xcd, 3"));
    REQUIRE(CHECK_TRAP(t, X86_EXC_BP, 0));
    CHECK_EQ(t->regs.rip, ip + 2);
}

static void test_gp(void)
{
    const struct trap *t;

    t = CATCH(FAULT_AT("hlt"));
    REQUIRE(CHECK_TRAP(t, X86_EXC_GP, 0));
    CHECK_EQ(t->regs.rip, ip);
    /* A selector past the guest's (empty) descriptor table. */
    t = CATCH(FAULT_AT("mov $0x6b, %%eax; mov %%eax, %%es"));
    CHECK_TRAP(t, X86_EXC_GP, 0x68);
    t = CATCH(load64((void *)0x0000800000000000));
    CHECK_TRAP(t, X86_EXC_GP, 0);
    t = CATCH(store64((void *)0xffff7ffffffffff8, 0));
    CHECK_TRAP(t, X86_EXC_GP, 0);
    t = CATCH(FAULT_AT("ltr %%ax"));
    CHECK_TRAP(t, X86_EXC_GP, 0);
    t = CATCH(FAULT_AT("lgdt (%%rsp)"));
    CHECK_TRAP(t, X86_EXC_GP, 0);
    t = CATCH(FAULT_AT("lidt (%%rsp)"));
    CHECK_TRAP(t, X86_EXC_GP, 0);
}

/* A stack pointer that is not canonical makes #SS, which must not use that stack: user mode. */
ASM_FUNCTION(user_bad_stack, "mov $0x800000000000, %rax; mov %rax, %rsp; pop %rax; ud2");

static void test_ss(void)
{
    const struct trap *t = run_user(user_bad_stack, 0);

    /* QEMU 7.2's TCG raises #GP here. */
    REQUIRE(CHECK_TRAP(t, t->regs.entry_vector == X86_EXC_GP ? X86_EXC_GP : X86_EXC_SS, 0));
    CHECK_EQ(t->regs.rsp, 0x800000000000);
}

static void test_pf(void)
{
    char *page = page_alloc();
    const struct trap *t;

    t = CATCH(load64((void *)0x12340));
    REQUIRE(CHECK_TRAP(t, X86_EXC_PF, 0));
    CHECK_EQ(t->cr2, 0x12340);
    t = CATCH(store64((void *)0x12348, 1));
    REQUIRE(CHECK_TRAP(t, X86_EXC_PF, PF_WRITE));
    CHECK_EQ(t->cr2, 0x12348);
    CHECK_RC(page_set_readonly(page), 0);
    CHECK(CATCH(load64(page)) == NULL);
    t = CATCH(store64(page + 8, 1));
    REQUIRE(CHECK_TRAP(t, X86_EXC_PF, PF_WRITE | PF_PRESENT));
    CHECK_EQ(t->cr2, (uint64_t)page + 8);
    CHECK_RC(hv_update_va_mapping(page, pte_make(mfn_of(page), PTE_RW_FLAGS | PTE_NX), UVMF_INVLPG),
             0);
    t = CATCH(((void (*)(void))page)());
    REQUIRE(CHECK_TRAP(t, X86_EXC_PF, PF_FETCH | PF_PRESENT));
    CHECK_EQ(t->cr2, (uint64_t)page);
    CHECK_EQ(t->regs.rip, (uint64_t)page);
    CHECK_RC(page_set_writable(page), 0);
    t = CATCH(((void (*)(void))0x5000)());
    REQUIRE(CHECK_TRAP(t, X86_EXC_PF, PF_FETCH));
    page_free(page);
}

/* Touching the hypervisor's own addresses is an ordinary page fault of the guest. */
static void test_pf_hypervisor(void)
{
    static const uint64_t places[] = {
        0xffff808000000000, /* beyond the M2P's first slot */
        0xffff82d040200000, /* where Xen's text is */
        0xffff830000000000, /* Xen's direct map */
        0xffff87fffffff000,
    };
    const struct trap *t;

    for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
        t = CATCH(load64((void *)places[i]));
        if (CHECK(t && t->regs.entry_vector == X86_EXC_PF)) {
            CHECK_EQ(t->cr2, places[i]);
            CHECK_EQ(t->regs.error_code & ~PF_PRESENT, 0);
        }
        t = CATCH(store64((void *)places[i], 0));
        if (CHECK(t && t->regs.entry_vector == X86_EXC_PF))
            CHECK_EQ(t->regs.error_code & ~PF_PRESENT, PF_WRITE);
        t = CATCH(((void (*)(void))places[i])());
        if (CHECK(t && t->regs.entry_vector == X86_EXC_PF))
            CHECK_EQ(t->regs.rip, places[i]);
    }
    /* The M2P itself is readable and not writable. */
    CHECK(CATCH(load64((void *)MACH2PHYS_VIRT_START)) == NULL);
    t = CATCH(store64((void *)MACH2PHYS_VIRT_START, 0));
    CHECK_TRAP(t, X86_EXC_PF, PF_WRITE | PF_PRESENT);
}

/*
 * A refused `int N` is #GP with the processor's error code, (N << 3) | 2. QEMU 7.2's TCG shifts by 4 instead in long mode: if it
 * does so for the first vector, every other is as far off. 0x80 has an open gate, so its code is the hypervisor's making.
 */
static bool check_refused(const struct trap *t, unsigned int vector)
{
    static unsigned int shift;

    if (vector == 0x80)
        return CHECK_TRAP(t, X86_EXC_GP, (vector << 3) | 2);
    if (!shift && t)
        shift = t->regs.error_code == ((vector << 4) | 2) ? 4 : 3;
    return CHECK_TRAP(t, X86_EXC_GP, (vector << shift) | 2);
}

/* Only what the trap table permits may be raised by `int N`; else #GP names the vector. */
static void test_int_n(void)
{
    const struct trap *t;

    t = CATCH(FAULT_AT("int $0x80")); /* flags 3: everyone */
    REQUIRE(CHECK_TRAP(t, 0x80, 0));
    CHECK_EQ(t->regs.rip, ip + 2);
    t = CATCH(FAULT_AT("int $0x41")); /* flags 0: no one */
    REQUIRE(check_refused(t, 0x41));
    CHECK_EQ(t->regs.rip, ip);
    t = CATCH(FAULT_AT("int $14"));
    check_refused(t, 14);
    t = CATCH(FAULT_AT("int $8"));
    check_refused(t, 8);
    t = CATCH(FAULT_AT("int $0xff"));
    check_refused(t, 0xff);
    t = CATCH(FAULT_AT("int $4")); /* like int3, open whatever the table says */
    CHECK_TRAP(t, X86_EXC_OF, 0);

    /* Level 1: the kernel may raise it. */
    trap_info_t level1[3] = {trap_table[0x41], trap_table[0x82], {0}};

    level1[0].flags = level1[1].flags = 1 | 4;
    CHECK_RC(hv_set_trap_table(level1), 0);
    t = CATCH(FAULT_AT("int $0x41"));
    REQUIRE(CHECK_TRAP(t, t && t->regs.entry_vector == 0x82 ? 0x82 : 0x41, 0));
    CHECK_EQ(t->regs.rip, ip + 2);
    CHECK_RC(hv_set_trap_table(trap_table), 0);
}

ASM_FUNCTION(user_int_80, "int $0x80; ud2");
ASM_FUNCTION(user_int_41, "int $0x41; ud2");
ASM_FUNCTION(user_int3, "int3; ud2");
ASM_FUNCTION(user_ud2, "ud2");
ASM_FUNCTION(user_read, "mov (%rdi), %rax; syscall");
ASM_FUNCTION(user_write, "mov %rax, (%rdi); syscall");
ASM_FUNCTION(user_jump, "jmp *%rdi");
ASM_FUNCTION(user_hlt, "hlt");
ASM_FUNCTION(user_cli, "cli; ud2");
ASM_FUNCTION(user_read_cr3, "mov %cr3, %rax; ud2");
ASM_FUNCTION(user_rdmsr, "xor %ecx, %ecx; rdmsr; ud2");
ASM_FUNCTION(user_syscall, "mov $0x11, %ebx; mov $0x22, %r12d; mov $17, %eax; mov $0x33, %r9d\n"
                           "std; syscall\n"
                           "user_syscall_end: ud2");
ASM_FUNCTION(user_flags, "pushfq; pop %rax; syscall");
ASM_FUNCTION(user_sysenter, "sysenter; ud2");
extern const char user_syscall_end[];

/* (XSA-259) `int 0x80` has a gate of its own: unregistered it must be #GP, as any other vector. */
static void test_unregistered(void)
{
    static trap_info_t only[3];
    const struct trap *t;

    only[0] = trap_table[X86_EXC_GP];
    only[1] = trap_table[X86_EXC_PF];
    CHECK_RC(hv_set_trap_table(NULL), 0);
    CHECK_RC(hv_set_trap_table(only), 0);
    t = CATCH(FAULT_AT("int $0x80"));
    if (check_refused(t, 0x80))
        CHECK_EQ(t->regs.rip, ip);
    t = CATCH(FAULT_AT("int $0x41"));
    check_refused(t, 0x41);
    t = run_user(user_int_80, 0);
    check_refused(t, 0x80);
    CHECK_RC(hv_set_trap_table(trap_table), 0);
    t = CATCH(FAULT_AT("int $0x80"));
    CHECK_TRAP(t, 0x80, 0);
}

static void test_trap_table_arguments(void)
{
    trap_info_t bad[2] = {{.vector = 0x60, .flags = 0, .cs = FLAT_KERNEL_CS64}};
    const struct trap *t;

    bad[0].address = 0x800000000000;
    CHECK_RC(hv_set_trap_table(bad), -XEN_EINVAL);
    bad[0].address = 0xffff7fffffffffff;
    CHECK_RC(hv_set_trap_table(bad), -XEN_EINVAL);
    CHECK_RC(hv_set_trap_table((void *)0x1000), -XEN_EFAULT);
    CHECK_RC(hv_set_trap_table((void *)0xffff830000000000), -XEN_EFAULT);

    /* Whatever selector is registered, a 64-bit guest's handler runs with the flat one. */
    bad[0] = trap_table[X86_EXC_UD];
    bad[0].cs = 8;
    CHECK_RC(hv_set_trap_table(bad), 0);
    t = CATCH(FAULT_AT("ud2"));
    CHECK_TRAP(t, X86_EXC_UD, 0);
    CHECK_RC(hv_set_trap_table(trap_table), 0);
}

/* A frame's IF is the inverse of the event mask, and bit 2 of the table's flags sets the mask. */
static void test_event_mask(void)
{
    trap_info_t one[2] = {trap_table[X86_EXC_UD], {0}};
    const struct trap *t;

    t = CATCH(FAULT_AT("ud2"));
    CHECK_EQ(t->regs.rflags & X86_EFLAGS_IF, 0);
    CHECK_EQ(t->regs.saved_upcall_mask, 1);
    events_enable();
    t = CATCH(FAULT_AT("ud2"));
    CHECK_EQ(t->regs.rflags & X86_EFLAGS_IF, X86_EFLAGS_IF);
    CHECK_EQ(t->regs.saved_upcall_mask, 0);
    CHECK_EQ(t->upcall_mask, 1);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_mask, 0);
    one[0].flags = 0;
    CHECK_RC(hv_set_trap_table(one), 0);
    t = CATCH(FAULT_AT("ud2"));
    CHECK_EQ(t->upcall_mask, 0);
    events_disable();
    CHECK_RC(hv_set_trap_table(trap_table), 0);
}

static void test_syscall(void)
{
    const struct trap *t = run_user(user_syscall, 0xabc);

    REQUIRE(CHECK_TRAP(t, VEC_SYSCALL, 0));
    CHECK_EQ(t->regs.rip, (uint64_t)user_syscall_end);
    CHECK_EQ(t->regs.rcx, (uint64_t)user_syscall_end);
    CHECK_EQ(t->regs.r11 & 0xfff, t->regs.rflags & 0xfff);
    CHECK_EQ(t->regs.rflags & X86_EFLAGS_DF, X86_EFLAGS_DF); /* the frame keeps it … */
    CHECK_EQ(t->regs.cs, FLAT_USER_CS64);
    CHECK_EQ(t->regs.ss, FLAT_USER_SS64);
    CHECK_EQ(t->regs.rsp, user_stack_top());
    CHECK_EQ(t->regs.rax, 17);
    CHECK_EQ(t->regs.rdi, 0xabc);
    CHECK_EQ(t->regs.rbx, 0x11);
    CHECK_EQ(t->regs.r12, 0x22);
    CHECK_EQ(t->regs.r9, 0x33);
    CHECK_EQ(t->regs.saved_upcall_mask, 0);
    CHECK_EQ(t->upcall_mask, 1); /* CALLBACKF_mask_events */
    CHECK_EQ(t->regs.rflags & X86_EFLAGS_IF, X86_EFLAGS_IF);
}

static void test_syscall_keeps_events(void)
{
    struct callback_register reg = {.type = CALLBACKTYPE_syscall,
                                    .address = (unsigned long)entry_syscall};
    const struct trap *t;

    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    t = run_user(user_syscall, 0);
    if (CHECK_TRAP(t, VEC_SYSCALL, 0))
        CHECK_EQ(t->upcall_mask, 0);
    reg.flags = CALLBACKF_mask_events;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
}

static void test_user_traps(void)
{
    char *page = page_alloc();
    const struct trap *t;

    t = run_user(user_ud2, 0);
    if (CHECK_TRAP(t, X86_EXC_UD, 0)) {
        CHECK_EQ(t->regs.rip, (uint64_t)user_ud2);
        CHECK_EQ(t->regs.cs, FLAT_USER_CS64);
        CHECK_EQ(t->regs.rsp, user_stack_top());
    }
    CHECK_TRAP(run_user(user_int3, 0), X86_EXC_BP, 0);
    CHECK_TRAP(run_user(user_int_80, 0), 0x80, 0);
    check_refused(run_user(user_int_41, 0), 0x41);
    CHECK_TRAP(run_user(user_hlt, 0), X86_EXC_GP, 0);
    CHECK_TRAP(run_user(user_cli, 0), X86_EXC_GP, 0);
    CHECK_TRAP(run_user(user_read_cr3, 0), X86_EXC_GP, 0);
    CHECK_TRAP(run_user(user_rdmsr, 0), X86_EXC_GP, 0);

    t = run_user(user_read, 0x4560);
    if (CHECK_TRAP(t, X86_EXC_PF, PF_USER))
        CHECK_EQ(t->cr2, 0x4560);
    CHECK_TRAP(run_user(user_write, 0x4560), X86_EXC_PF, PF_USER | PF_WRITE);
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_TRAP(run_user(user_read, (uint64_t)page), VEC_SYSCALL, 0);
    CHECK_TRAP(run_user(user_write, (uint64_t)page), X86_EXC_PF, PF_USER | PF_WRITE | PF_PRESENT);
    t = run_user(user_read, 0xffff830000000000);
    if (CHECK(t->regs.entry_vector == X86_EXC_PF))
        CHECK_EQ(t->regs.error_code & ~PF_PRESENT, PF_USER);
    t = run_user(user_jump, 0x6000);
    CHECK_TRAP(t, X86_EXC_PF, PF_USER | PF_FETCH);
    CHECK_RC(page_set_writable(page), 0);
    page_free(page);
}

/* No syscall callback: the instruction is #UD in user mode, at the SYSCALL itself. */
static void test_no_syscall_callback(void)
{
    struct callback_register reg = {.type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events};
    const struct trap *t;

    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    t = run_user(user_syscall, 0);
    if (CHECK_TRAP(t, X86_EXC_UD, 0))
        CHECK_EQ(t->regs.rip, (uint64_t)user_syscall_end - 2);
    reg.address = (unsigned long)entry_syscall;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
}

static void test_sysenter(void)
{
    const struct trap *t = run_user(user_sysenter, 0);

    /* AMD has no SYSENTER in long mode: #UD; elsewhere with no callback: #GP. */
    CHECK(t->regs.entry_vector == X86_EXC_UD || t->regs.entry_vector == X86_EXC_GP);
}

static struct iret_target user_target(void (*code)(void))
{
    struct iret_target target = {.rip = (uint64_t)code,
                                 .cs = FLAT_USER_CS64,
                                 .rflags = X86_EFLAGS_MBS | X86_EFLAGS_IF,
                                 .rsp = user_stack_top(),
                                 .ss = FLAT_USER_SS64};
    return target;
}

/* (XSA-202, XSA-339) A frame asks for IOPL 3, NT, VM, events off: only the harmless bits arrive. */
static void test_iret_flags(void)
{
    struct iret_target target = user_target(user_flags);
    const struct trap *t;

    target.rflags = X86_EFLAGS_MBS | X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_CF |
                    X86_EFLAGS_DF | X86_EFLAGS_ID;
    t = CATCH(iret_to(&target));
    REQUIRE(CHECK_TRAP(t, VEC_SYSCALL, 0));
    CHECK_EQ(t->regs.rax & X86_EFLAGS_IOPL, 0);
    CHECK_EQ(t->regs.rax & X86_EFLAGS_VM, 0);
    CHECK_EQ(t->regs.rax & X86_EFLAGS_IF, X86_EFLAGS_IF); /* the real one stays set */
    CHECK_EQ(t->regs.rax & X86_EFLAGS_CF, X86_EFLAGS_CF);
    CHECK_EQ(t->regs.rax & X86_EFLAGS_DF, X86_EFLAGS_DF);
    CHECK_EQ(t->regs.rax & X86_EFLAGS_ID, X86_EFLAGS_ID);
    /* The frame's IF was 0: events were off in user mode. */
    CHECK_EQ(t->regs.saved_upcall_mask, 1);
    CHECK_EQ(t->regs.rflags & X86_EFLAGS_IF, 0);

    target.rflags = X86_EFLAGS_MBS | X86_EFLAGS_NT | X86_EFLAGS_AC | X86_EFLAGS_IF;
    t = CATCH(iret_to(&target));
    REQUIRE(CHECK_TRAP(t, VEC_SYSCALL, 0));
    CHECK_EQ(t->regs.rax & X86_EFLAGS_AC, X86_EFLAGS_AC);
    CHECK_EQ(t->regs.saved_upcall_mask, 0);
    /* What the kernel runs with afterwards has none of it. */
    uint64_t flags;

    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    CHECK_EQ(flags & (X86_EFLAGS_NT | X86_EFLAGS_AC | X86_EFLAGS_TF | X86_EFLAGS_IOPL), 0);
}

/* The registers that only the iret hypercall can carry. */
static void test_iret_registers(void)
{
    struct iret_target target = user_target(user_ud2);
    const struct trap *t;

    target.rdi = 0x1d1;
    target.rax = 0xaaa;
    target.rcx = 0xccc;
    target.r11 = 0xb11;
    t = CATCH(iret_to(&target));
    REQUIRE(CHECK_TRAP(t, X86_EXC_UD, 0));
    CHECK_EQ(t->regs.rdi, 0x1d1);
    CHECK_EQ(t->regs.rax, 0xaaa);
    CHECK_EQ(t->regs.rcx, 0xccc);
    CHECK_EQ(t->regs.r11, 0xb11);

    /* As from SYSCALL: rcx is the address, r11 the flags, whatever the frame holds. */
    target.flags = VGCF_in_syscall;
    t = CATCH(iret_to(&target));
    REQUIRE(CHECK_TRAP(t, X86_EXC_UD, 0));
    CHECK_EQ(t->regs.rip, (uint64_t)user_ud2);
    CHECK_EQ(t->regs.rcx, (uint64_t)user_ud2);
    CHECK_EQ(t->regs.rax, 0xaaa);
}

/* (XSA-7, XSA-193) Somewhere that cannot be: the fault is the guest's, in the mode it went to. */
static void test_iret_bad_rip(void)
{
    static const uint64_t bad[] = {0x800000000000, 0xffff7fffffffffff, 0xdeadbeef00000000};

    for (unsigned int in_syscall = 0; in_syscall < 2; in_syscall++) {
        struct iret_target target = user_target(user_ud2);

        target.flags = in_syscall ? VGCF_in_syscall : 0;
        for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
            const struct trap *t;

            target.rip = bad[i];
            t = CATCH(iret_to(&target));
            if (CHECK_TRAP(t, X86_EXC_GP, 0)) {
                CHECK_EQ(t->regs.rip, bad[i]);
                CHECK_EQ(t->regs.cs, FLAT_USER_CS64);
            }
        }
        /* Canonical, the hypervisor's: an ordinary fetch fault. */
        target.rip = 0xffff82d040200000;
        const struct trap *t = CATCH(iret_to(&target));

        if (CHECK(t->regs.entry_vector == X86_EXC_PF)) {
            CHECK_EQ(t->regs.rip, 0xffff82d040200000);
            CHECK_EQ(t->cr2, 0xffff82d040200000);
            CHECK_EQ(t->regs.error_code & ~(PF_PRESENT | PF_FETCH), PF_USER);
        }
    }
}

static void test_iret_bad_rsp(void)
{
    struct iret_target target = user_target(user_ud2);
    const struct trap *t;

    /* IRET loads any %rsp; user mode with a wild stack pointer is user mode's business. */
    target.rsp = 0x123456789abcdef0;
    t = CATCH(iret_to(&target));
    if (CHECK_TRAP(t, X86_EXC_UD, 0))
        CHECK_EQ(t->regs.rsp, 0x123456789abcdef0);
    target.flags = VGCF_in_syscall;
    t = CATCH(iret_to(&target));
    if (CHECK_TRAP(t, X86_EXC_UD, 0))
        CHECK_EQ(t->regs.rsp, 0x123456789abcdef0);
}

/*
 * Selectors that IRET cannot load. On Xen 4.17 the guest gets #GP (or the fault that the processor
 * had) with the selector as error code and the frame it asked for.
 */
static void test_iret_bad_selectors(void)
{
    static const struct {
        uint64_t cs, ss;
        unsigned int error;
    } bad[] = {
        {0x0003, FLAT_USER_SS64, 0},              /* null code segment */
        {FLAT_USER_SS64, FLAT_USER_SS64, 0xe028}, /* data as code */
        {0x0013, FLAT_USER_SS64, 0x10},           /* beyond the guest's own table */
        {0xfff3, FLAT_USER_SS64, 0xfff0},         /* beyond every table */
        {FLAT_USER_CS64, 0x0063, 0x60},           /* no such stack segment */
        {FLAT_USER_CS64, FLAT_USER_CS64, 0xe030}, /* code as stack */
        {0x0007, FLAT_USER_SS64, 4},              /* no LDT */
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        struct iret_target target = user_target(user_ud2);
        const struct trap *t;

        target.cs = bad[i].cs;
        target.ss = bad[i].ss;
        t = CATCH(iret_to(&target));
        if (CHECK_TRAP(t, X86_EXC_GP, bad[i].error)) {
            CHECK_EQ(t->regs.rip, (uint64_t)user_ud2);
            CHECK_EQ(t->regs.cs, bad[i].cs | 3);
        }
    }
}

/* RPL 0, 1 and 2 mean guest-kernel mode; the hardware selector gets RPL 3 all the same. */
ASM_FUNCTION(kernel_back, "mov %cs, %eax; ud2");

static void test_iret_to_kernel(void)
{
    static char stack[PAGE_SIZE] PAGE_ALIGNED;

    for (unsigned int rpl = 0; rpl < 3; rpl++) {
        struct iret_target target = {.rip = (uint64_t)kernel_back,
                                     .cs = (FLAT_KERNEL_CS64 & ~3) | rpl,
                                     .rflags = X86_EFLAGS_MBS,
                                     .rsp = (uint64_t)stack + sizeof(stack),
                                     .ss = FLAT_KERNEL_SS64 & ~3};
        const struct trap *t = CATCH(iret_to(&target));

        if (CHECK_TRAP(t, X86_EXC_UD, 0)) {
            CHECK_EQ(t->regs.rax, FLAT_KERNEL_CS64);
            CHECK_EQ(t->regs.cs, FLAT_KERNEL_CS64 & ~3);
            CHECK_EQ(t->regs.rsp, (uint64_t)stack + sizeof(stack));
        }
    }
}

/* A kernel frame goes on the current stack, rounded down to 16 bytes, and nowhere below rsp - 64.
 */
static void test_frame_alignment(void)
{
    for (unsigned int off = 0; off < 16; off++) {
        uint64_t sp;
        const struct trap *t = CATCH(__asm__ volatile("mov %%rsp, %%rax; sub %[off], %%rsp\n"
                                                      "mov %%rsp, %[sp]; mov %%rax, %%rcx; ud2"
                                                      : [sp] "=m"(ip)
                                                      : [off] "r"((uint64_t)off)
                                                      : "rax", "rcx", "memory"));

        sp = ip;
        if (CHECK_TRAP(t, X86_EXC_UD, 0))
            CHECK_EQ(t->regs.rsp, sp);
    }
}

static void test_callback_arguments(void)
{
    struct callback_register reg = {.type = CALLBACKTYPE_event, .address = 0x800000000000};
    struct callback_unregister unreg = {.type = CALLBACKTYPE_event};

    for (unsigned int type = 0; type <= CALLBACKTYPE_syscall32; type++) {
        reg.type = type;
        CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), -XEN_EINVAL);
    }
    reg.address = (unsigned long)entry_nmi;
    reg.type = CALLBACKTYPE_nmi;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    reg.type = CALLBACKTYPE_sysenter;
    reg.address = (unsigned long)entry_sysenter;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    reg.type = CALLBACKTYPE_syscall32;
    reg.address = (unsigned long)entry_syscall32;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    reg.type = 99;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), -XEN_ENOSYS);
    reg.type = 3; /* the old sysenter number */
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), -XEN_ENOSYS);
    CHECK_RC(hv_callback_op(CALLBACKOP_register, (void *)0x1000), -XEN_EFAULT);
    CHECK_RC(hv_callback_op(CALLBACKOP_unregister, &unreg), -XEN_EINVAL);
    unreg.type = CALLBACKTYPE_failsafe;
    CHECK_RC(hv_callback_op(CALLBACKOP_unregister, &unreg), -XEN_EINVAL);
    unreg.type = CALLBACKTYPE_syscall;
    CHECK_RC(hv_callback_op(CALLBACKOP_unregister, &unreg), -XEN_EINVAL);
    unreg.type = CALLBACKTYPE_nmi;
    CHECK_RC(hv_callback_op(CALLBACKOP_unregister, &unreg), 0);
    unreg.type = 99;
    CHECK_RC(hv_callback_op(CALLBACKOP_unregister, &unreg), -XEN_ENOSYS);
    CHECK_RC(hv_callback_op(2, &unreg), -XEN_ENOSYS);
    /* The old call takes anything and ignores what is not canonical. */
    CHECK_RC(hypercall3(__HYPERVISOR_set_callbacks, entry_event, entry_failsafe, 0x800000000000),
             0);
    CHECK_TRAP(run_user(user_flags, 0), VEC_SYSCALL, 0);
    CHECK_RC(hypercall3(__HYPERVISOR_set_callbacks, entry_event, entry_failsafe, entry_syscall), 0);
    /* It also cleared the mask flags. */
    reg = (struct callback_register){.type = CALLBACKTYPE_syscall,
                                     .flags = CALLBACKF_mask_events,
                                     .address = (unsigned long)entry_syscall};
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
}

/* TF in an iret frame: one step, then #DB; TF never survives into the handler. */
static void test_single_step(void)
{
    struct iret_target target = user_target(user_flags);
    const struct trap *t;

    target.rflags |= X86_EFLAGS_TF;
    t = CATCH(iret_to(&target));
    REQUIRE(CHECK_TRAP(t, X86_EXC_DB, 0));
    CHECK_EQ(t->regs.rip, (uint64_t)user_flags + 1);
    CHECK_EQ(hv_get_debugreg(6) & 0x4000, 0x4000);
    CHECK_RC(hv_set_debugreg(6, 0), 0);
}

GUEST("traps", TEST(ud), TEST(de), TEST(int3), TEST(gp), TEST(ss), TEST(pf), TEST(pf_hypervisor),
      TEST(int_n), TEST(unregistered), TEST(trap_table_arguments), TEST(event_mask), TEST(syscall),
      TEST(syscall_keeps_events), TEST(user_traps), TEST(no_syscall_callback), TEST(sysenter),
      TEST(iret_flags), TEST(iret_registers), TEST(iret_bad_rip), TEST(iret_bad_rsp),
      TEST(iret_bad_selectors), TEST(iret_to_kernel), TEST(frame_alignment),
      TEST(callback_arguments), TEST(single_step));
