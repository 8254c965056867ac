/* SPDX-License-Identifier: MIT */
/*
 * hostile_debug: THREATS 14, the debug registers of an unprivileged child.
 *
 * How this guest would break the hypervisor: with a breakpoint on the hypervisor's own addresses
 * (XSA-444: its descriptor table), which would trap where nobody expects it, or with general
 * detect, by which the hypervisor's next look at a debug register traps; with a data breakpoint on
 * memory that the hypervisor reads or writes for it, or one that waits behind MOV SS until the
 * hypervisor's first instruction (XSA-260, XSA-265); and with registers that stay behind when
 * another domain runs: that one would be stopped by breakpoints it never set, or read what they
 * were. Whatever is set here, by hypercall, by instruction or by the toolstack, stops this guest
 * and nobody else.
 */
#include <rt/attack.h>
#include <rt/test.h>

#define DR6_DEFAULT 0xffff0ff0ul
#define DR6_BS      0x4000ul
#define DR7_DEFAULT 0x400ul
#define DR7_GD      0x2000ul

/* Breakpoint `i`, on; what for: 0 instruction, 1 store, 3 store or load; eight bytes. */
#define DR7_ON(i)        (2ul << 2 * (i))
#define DR7_DATA(i, why) (DR7_ON(i) | ((why) | 2ul << 2) << (16 + 4 * (i)))

static uint64_t bait[8] __attribute__((aligned(64))); /* at one address in every child and dom0 */

/* --- a debug register, by hypercall and by instruction ------------------------------------------
 */

#define ALL_REGISTERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define READER(n)                                         \
    static uint64_t read_dr##n(void)                      \
    {                                                     \
        uint64_t v;                                       \
                                                          \
        __asm__ volatile("mov %%db" #n ", %0" : "=r"(v)); \
        return v;                                         \
    }                                                     \
    static void write_dr##n(uint64_t v)                   \
    {                                                     \
        __asm__ volatile("mov %0, %%db" #n : : "r"(v));   \
    }
#define BOTH(n) {read_dr##n, write_dr##n},

ALL_REGISTERS(READER)
static const struct {
    uint64_t (*read)(void);
    void (*write)(uint64_t v);
} instruction[] = {ALL_REGISTERS(BOTH)};

static __attribute__((noinline)) const struct trap *try_read(unsigned int reg)
{
    return CATCH(instruction[reg].read());
}

static __attribute__((noinline)) const struct trap *try_write(unsigned int reg, uint64_t value)
{
    return CATCH(instruction[reg].write(value));
}

static bool both_say(unsigned int reg, uint64_t value)
{
    return CHECK_EQ((uint64_t)hv_get_debugreg(reg), value) &
           CHECK_EQ(instruction[reg].read(), value);
}

/* Both ways refuse it, and the register stays what it is. */
static bool refused(unsigned int reg, uint64_t value, long rc)
{
    uint64_t was = hv_get_debugreg(reg);

    return CHECK_RC(hv_set_debugreg(reg, value), rc) &
           CHECK_TRAP(try_write(reg, value), X86_EXC_GP, 0) & both_say(reg, was);
}

static bool accepted(unsigned int reg, uint64_t value, uint64_t reads)
{
    bool ok = CHECK_RC(hv_set_debugreg(reg, value), 0) & both_say(reg, reads);

    CHECK_RC(hv_set_debugreg(reg, 0), 0);
    return ok & CHECK(!try_write(reg, value)) & both_say(reg, reads);
}

static void all_off(void)
{
    CHECK_RC(hv_set_debugreg(7, 0), 0);
    for (unsigned int i = 0; i < 4; i++)
        CHECK_RC(hv_set_debugreg(i, 0), 0);
    CHECK_RC(hv_set_debugreg(6, 0), 0);
}

static void arm(unsigned int i, const void *where, unsigned int why)
{
    CHECK_RC(hv_set_debugreg(i, (uint64_t)where), 0);
    CHECK_RC(hv_set_debugreg(7, hv_get_debugreg(7) | DR7_DATA(i, why)), 0);
}

static void works(void)
{
    CHECK_EQ(hv_xen_version(XENVER_version, NULL), 0x40011);
}

/* --- what may be set ----------------------------------------------------------------------------
 */

/* Where the processor's own tables lie, if it says so. */
static uint64_t table_base(bool idt)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) t = {0, 0xffff82d040000000};

    if (idt)
        CATCH(__asm__ volatile("sidt %0" : "+m"(t)));
    else
        CATCH(__asm__ volatile("sgdt %0" : "+m"(t)));
    return t.base;
}

static void addresses(void)
{
    const uint64_t gdt = table_base(false), idt = table_base(true);
    const uint64_t bad[] = {0xffff800000000000, 0xffff87ffffffffff,
                            0xffff82d040000000, gdt,
                            gdt + 0xe008,       idt,
                            idt + 16,           0x0000800000000000,
                            0xffff7fffffffffff, 1ull << 63,
                            0x00ff82d040000000, ~0ull >> 1};
    const uint64_t good[] = {0, 1, 0x00007fffffffe000, (uint64_t)bait, 0xffff880000000000};

    for (unsigned int reg = 0; reg < 4; reg++) {
        CHECK_RC(hv_set_debugreg(reg, (uint64_t)&bait[reg]), 0);
        for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
            if (!refused(reg, bad[i], -XEN_EPERM))
                printf("  register %u, address %#lx\n", reg, bad[i]);
        for (uint64_t at = 0xffff800000000000; at < 0xffff880000000000; at += 1ull << 36)
            if (!refused(reg, at + 0x123456789, -XEN_EPERM))
                printf("  register %u, address %#lx\n", reg, at);
        for (unsigned int i = 0; i < ARRAY_SIZE(good); i++)
            if (!accepted(reg, good[i], good[i]))
                printf("  register %u, address %#lx\n", reg, good[i]);
    }
    all_off();
}

static bool stops_at_ports(uint64_t dr7)
{
    bool ports = false;

    for (unsigned int i = 0; i < 4; i++)
        ports |= (dr7 >> (16 + 4 * i) & 3) == 2;
    return ports && dr7 & 0xff;
}

static void one_control(uint64_t v)
{
    bool ok = v >> 32                           ? refused(7, v, -XEN_EINVAL)
              : v & DR7_GD || stops_at_ports(v) ? refused(7, v, -XEN_EPERM)
                                                : accepted(7, v, (v & ~0xd800ul) | DR7_DEFAULT);

    CHECK_RC(hv_set_debugreg(7, 0), 0);
    if (!ok)
        printf("  DR7 %#lx\n", v);
}

/* DR6 and DR7: each bit, all at once, and at random. The addresses are where nobody comes by. */
static void control(void)
{
    uint64_t dice = 88172645463325252;

    for (unsigned int i = 0; i < 4; i++)
        CHECK_RC(hv_set_debugreg(i, 0x1000 + 0x100 * i), 0);
    for (unsigned int bit = 0; bit < 64; bit++) {
        uint64_t v = 1ull << bit;

        one_control(v);
        one_control(v | DR7_GD);
        if (bit < 32 ? !accepted(6, v, (v | DR6_DEFAULT) & ~0x1000ul) : !refused(6, v, -XEN_EINVAL))
            printf("  DR6 %#lx\n", v);
    }
    one_control(~0ull);
    for (unsigned int i = 0; i < 1000; i++) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        one_control(dice & 0xffffffff);
        one_control(dice & 0xffffdfff);
    }
    all_off();
    works();
}

/* Registers 4 and 5 are names of 6 and 7, or nothing; above 7 there is none. */
static void other_names(void)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    for (unsigned int extended = 0; extended < 2; extended++) {
        __asm__ volatile("mov %0, %%cr4" : : "r"(extended ? cr4 | 8 : cr4 & ~8ul));
        for (unsigned int reg = 4; reg < 6; reg++) {
            if (extended) {
                CHECK_RC(hv_set_debugreg(reg, 0), -XEN_ENODEV);
                CHECK_RC(hv_get_debugreg(reg), -XEN_ENODEV);
                CHECK(try_read(reg) != NULL);
                CHECK(try_write(reg, 0) != NULL);
            } else {
                CHECK_RC(hv_set_debugreg(reg, 0), 0);
                both_say(reg, reg == 4 ? DR6_DEFAULT : DR7_DEFAULT);
                CHECK(hv_set_debugreg(reg, 1ull << 32 | DR7_GD) < 0);
            }
        }
    }
    CHECK_RC(hv_set_debugreg(5, DR7_GD), -XEN_ENODEV);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    for (unsigned int bit = 3; bit < 32; bit++) {
        CHECK_RC(hv_set_debugreg(1u << bit, 0), -XEN_ENODEV);
        CHECK_RC(hv_set_debugreg(1u << bit | 7, DR7_GD), -XEN_ENODEV);
        CHECK_RC(hv_get_debugreg(1u << bit), -XEN_ENODEV);
    }
}

ASM_FUNCTION(user_reads, "mov %db7, %rax; ud2");
ASM_FUNCTION(user_writes, "mov $0x402, %eax; mov %rax, %db7; ud2");

/* User mode has no debug registers. */
static void from_user_mode(void)
{
    CHECK_TRAP(run_user(user_reads, 0), X86_EXC_GP, 0);
    CHECK_TRAP(run_user(user_writes, 0), X86_EXC_GP, 0);
    both_say(7, DR7_DEFAULT);
}

/* What the toolstack writes into a context is looked at as what the guest writes. */
static uint64_t given[8];

static void give(struct child *c, const uint64_t *registers)
{
    uint64_t *view = child_view(c, given);

    memcpy(view, registers, sizeof(given));
    memcpy(c->context->debugreg, registers, sizeof(given));
    child_unview(view);
}

static void give_bad(struct child *c)
{
    static const uint64_t bad[8] = {0xffff82d040000000,
                                    0x0000800000000000,
                                    0xffff800000000000,
                                    0xffff87ffffffffff,
                                    0,
                                    0,
                                    1ull << 32,
                                    DR7_GD | DR7_ON(0) | DR7_ON(1) | DR7_ON(2)};

    give(c, bad);
}

static void give_good(struct child *c)
{
    const uint64_t good[8] = {(uint64_t)&bait[0], 0, 0, 0, 0, 0, 0, DR7_DATA(0, 1)};

    give(c, good);
}

static void bad_context(void)
{
    for (unsigned int reg = 0; reg < 4; reg++)
        both_say(reg, 0);
    both_say(6, DR6_DEFAULT);
    both_say(7, DR7_DEFAULT);
}

static void good_context(void)
{
    both_say(0, given[0]);
    both_say(7, given[7] | DR7_DEFAULT);
    CHECK_TRAP(CATCH(store64(&bait[0], 1)), X86_EXC_DB, 0);
    both_say(6, DR6_DEFAULT | 1);
}

static void test_values(void)
{
    static const struct attack attacks[] = {
        {"addresses", addresses},
        {"status and control", control},
        {"other names", other_names},
        {"from user mode", from_user_mode},
        {"a context with bad ones", bad_context, .prepare = give_bad},
        {"a context with good ones", good_context, .prepare = give_good},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

/* --- breakpoints that the hypervisor runs into --------------------------------------------------
 */

/* The guest's own #DB, and what else its instruction raises: answers, and so is none. */
static void exception_or_none(const struct trap *t, const char *what)
{
    if (!CHECK(!t || t->regs.entry_vector < 32 || t->regs.entry_vector == 0x80 ||
               t->regs.entry_vector == VEC_SYSCALL32))
        printf("  %s: trap %u\n", what, t->regs.entry_vector);
    all_off();
    works();
}

/* Each place is read or written for the guest; the call does what it would do. */
static void on_arguments(void)
{
    static xen_extraversion_t text PAGE_ALIGNED;
    static multicall_entry_t list[2] __attribute__((aligned(64)));
    static mmu_update_t update __attribute__((aligned(64)));
    static uint64_t frames[2] __attribute__((aligned(64)));
    pte_t *table = child_page(0);
    const struct trap *t;

    CHECK_RC(table_make(table, 1), 0);
    for (unsigned int why = 1; why < 4; why += 2) {
        memset(text, 0, sizeof(text));
        arm(0, text, why);
        CHECK_RC(hv_xen_version(XENVER_extraversion, &text), 0);
        all_off();
        CHECK_EQ(text[0], '.');
        list[0] = list[1] = (multicall_entry_t){.op = __HYPERVISOR_xen_version};
        arm(0, &list[0].result, why);
        arm(1, &list[1].op, why);
        arm(2, &list[1].result, why);
        CHECK_RC(hv_multicall(list, 2), 0);
        all_off();
        CHECK_EQ(list[0].result, 0x40011);
        CHECK_EQ(list[1].result, 0x40011);
        update = (mmu_update_t){maddr_of(&table[1]), pte_make(mfn_of(child_page(1)), why)};
        arm(0, &update.ptr, why);
        arm(1, &update.val, why);
        arm(2, &table[1], why);
        CHECK_RC(hv_mmu_update(&update, 1, NULL, DOMID_SELF), 0);
        all_off();
        CHECK_EQ(pte_mfn(table[1]), mfn_of(child_page(1)));
        arm(0, &table[2], why); /* a store that the hypervisor makes in the guest's place */
        t = CATCH(store64(&table[2], 0x1000));
        exception_or_none(t, "a store to a table");
        CHECK(t || table[2] == 0x1000);
        frames[0] = mfn_of(table); /* refused: it is a table */
        arm(0, frames, why);
        CHECK_RC(hv_set_gdt(frames, 512), -XEN_EINVAL);
        all_off();
        arm(0, &trap_table[0], why);
        arm(1, &trap_table[X86_EXC_DB], why);
        CHECK_RC(hv_set_trap_table(trap_table), 0);
        all_off();
    }
    CHECK_RC(table_release(table), 0);
    works();
}

uint64_t frames_go_here[512] __attribute__((aligned(64)));

/* The frame of an exception is written, and that of iret read, where a breakpoint is. */
ASM_FUNCTION(raise_on_page, "lea 2048+frames_go_here(%rip), %rsp; ud2");
ASM_FUNCTION(iret_on_page, "lea frames_go_here(%rip), %rsp; mov $23, %eax; syscall; ud2");
ASM_FUNCTION(came_back, "ud2");

/* The guest's handlers use the frames themselves: then they go on without breakpoints. */
static bool off_and_on(struct cpu_user_regs *regs)
{
    if (regs->entry_vector == X86_EXC_DB)
        hv_set_debugreg(7, 0);
    return regs->entry_vector == X86_EXC_DB;
}

static void on_frames(void)
{
    trap_set_hook(off_and_on);
    for (unsigned int why = 1; why < 4; why += 2)
        for (unsigned int word = 0; word < 16; word += 4) {
            const uint64_t frame[9] = {0,
                                       0,
                                       0,
                                       0,
                                       (uint64_t)came_back,
                                       FLAT_KERNEL_CS64 & ~3,
                                       X86_EFLAGS_MBS | X86_EFLAGS_IF,
                                       (uint64_t)&frames_go_here[512],
                                       FLAT_KERNEL_SS64};

            for (unsigned int i = 0; i < 4; i++)
                arm(i, &frames_go_here[256 - 1 - word - i], why);
            CHECK_TRAP(CATCH(raise_on_page()), X86_EXC_UD, 0);
            all_off();
            memcpy(frames_go_here, frame, sizeof(frame));
            for (unsigned int i = 0; i < 4; i++)
                arm(i, &frames_go_here[word % 12 + i], why);
            CHECK_TRAP(CATCH(iret_on_page()), X86_EXC_UD, 0);
            all_off();
        }
    works();
}

/* --- breakpoints that wait behind MOV SS and POP SS ---------------------------------------------
 *
 * A data breakpoint on the new stack selector, or a single step over its load, waits for the
 * instruction after, and an entry is that: the trap is the hypervisor's first instruction's then.
 * On the processor at least: QEMU stops in the guest, before the entry.
 */

static const struct entry {
    const char *name;
    uint8_t n, bytes[10];
} entries[] = {
    {"syscall", 2, {0x0f, 0x05}},
    {"sysenter", 2, {0x0f, 0x34}},
    {"int 0x80", 2, {0xcd, 0x80}},
    {"int3", 1, {0xcc}},
    {"int 3", 2, {0xcd, 0x03}},
    {"int 1", 2, {0xcd, 0x01}},
    {"int 2", 2, {0xcd, 0x02}},
    {"int 8", 2, {0xcd, 0x08}},
    {"icebp", 1, {0xf1}},
    {"ud2", 2, {0x0f, 0x0b}},
    {"hlt", 1, {0xf4}},
    {"cpuid by the prefix", 7, {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2}},
    {"mov from dr6", 3, {0x0f, 0x21, 0xf0}},
    {"a page fault", 2, {0x8b, 0x00}}, /* eax is 17 */
    {"a store to a table", 2, {0x89, 0x0a}},
    {"mov ss again", 2, {0x8e, 0x16}},
};

static uint8_t code[32] __attribute__((aligned(64)));
uint32_t selector __attribute__((aligned(8))) = FLAT_KERNEL_SS64;

/* call_code(flags, address, code): xen_version's registers, and those of the entries above. */
ASM_FUNCTION(call_code, "push %rbx; push %rsi; mov %rdi, %rax; mov %rdx, %r9; pop %rdx\n"
                        "lea selector(%rip), %rsi; xor %edi, %edi; push %rax; mov $17, %eax\n"
                        "jmp *%r9");

static void entry_behind_mov_ss(const struct entry *e, void *table, uint64_t flags)
{
    void (*fn)(uint64_t, void *, void *) = (void *)call_code;
    uint8_t *at = code;
    const struct trap *t;

    *at++ = 0x9d; /* popfq; mov (%rsi), %ss; the entry; pushq $0x202; popfq; pop %rbx; ret */
    *at++ = 0x8e;
    *at++ = 0x16;
    memcpy(at, e->bytes, e->n);
    memcpy(at + e->n, (uint8_t[]){0x68, 0x02, 0x02, 0, 0, 0x9d, 0x5b, 0xc3}, 8);
    t = CATCH(fn(flags, table, code));
    if (flags & X86_EFLAGS_TF)
        CHECK(t != NULL);
    exception_or_none(t, e->name);
}

static void behind_mov_ss(void)
{
    pte_t *table = child_page(0);

    CHECK_RC(table_make(table, 1), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
        for (unsigned int how = 0; how < 8; how++) {
            if (how & 1)
                arm(0, &selector, 3);
            if (how & 2) /* and the instruction itself, or the one after */
                arm(1, &code[3 + (i & 1 ? entries[i].n : 0)], 0);
            entry_behind_mov_ss(&entries[i], table,
                                how & 4 ? X86_EFLAGS_MBS | X86_EFLAGS_IF | X86_EFLAGS_TF
                                        : X86_EFLAGS_MBS | X86_EFLAGS_IF);
        }
    CHECK_RC(table_release(table), 0);
}

#define LOW_VA 0x400000ul /* for 32-bit user mode, which has POP SS */

static bool map_low(uint8_t *page)
{
    pte_t *l1 = child_page(4), *l2 = child_page(5), *l3 = child_page(6);

    l1[0] = pte_make(mfn_of(page), PTE_RW_FLAGS);
    CHECK_RC(table_make(l1, 1), 0);
    l2[LOW_VA >> 21] = table_entry(l1);
    CHECK_RC(table_make(l2, 2), 0);
    l3[0] = table_entry(l2);
    CHECK_RC(table_make(l3, 3), 0);
    return CHECK_RC(mmu_write(pte_place_of((void *)LOW_VA, 4).maddr, table_entry(l3)), 0);
}

ASM_FUNCTION(user_ud2, "ud2");

static void behind_pop_ss(void)
{
    uint8_t *page = child_page(7);

    CHECK_TRAP(run_user(user_ud2, 0), X86_EXC_UD, 0); /* sets the user's tables */
    if (!map_low(page))
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
        for (unsigned int how = 0; how < 4; how++) {
            const struct iret_target target = {.rip = LOW_VA,
                                               .cs = FLAT_USER_CS32,
                                               .rflags = X86_EFLAGS_MBS | X86_EFLAGS_IF |
                                                         (how & 2 ? X86_EFLAGS_TF : 0),
                                               .rsp = LOW_VA + 0x800,
                                               .ss = FLAT_USER_SS32};
            const struct trap *t;

            page[0] = 0x17; /* pop %ss; the entry; ud2 */
            memcpy(page + 1, entries[i].bytes, entries[i].n);
            memcpy(page + 1 + entries[i].n, (uint8_t[]){0x0f, 0x0b}, 2);
            *(uint32_t *)(page + 0x800) = FLAT_USER_SS32;
            if (how & 1)
                arm(0, (void *)(LOW_VA + 0x800), 3);
            t = CATCH(iret_to(&target));
            CHECK(t != NULL);
            exception_or_none(t, entries[i].name);
        }
}

/* --- instructions -------------------------------------------------------------------------------
 */

/* Where the hypervisor returns to: the trap is the guest's, however it goes back there. */
ASM_FUNCTION(a_hypercall, "mov $17, %eax; xor %edi, %edi; syscall\n"
                          ".globl behind_it\nbehind_it: nop; ret");
void behind_it(void);

static void on_instructions(void)
{
    struct iret_target target = {.rip = (uint64_t)came_back,
                                 .cs = FLAT_USER_CS64,
                                 .rflags = X86_EFLAGS_MBS | X86_EFLAGS_IF,
                                 .rsp = user_stack_top(),
                                 .ss = FLAT_USER_SS64};

    CHECK_TRAP(run_user(user_ud2, 0), X86_EXC_UD, 0);
    arm(0, (void *)a_hypercall, 0);
    CHECK_TRAP(CATCH(a_hypercall()), X86_EXC_DB, 0);
    CHECK_EQ(hv_get_debugreg(6) & 0xf, 1);
    all_off();
    hv_set_debugreg(0, (uint64_t)behind_it);
    hv_set_debugreg(7, DR7_ON(0));
    CHECK_TRAP(CATCH(a_hypercall()), X86_EXC_DB, 0);
    all_off();
    hv_set_debugreg(0, (uint64_t)came_back);
    hv_set_debugreg(7, DR7_ON(0));
    CHECK_TRAP(CATCH(iret_to(&target)), X86_EXC_DB, 0);
    all_off();
}

/* On the first instruction of its own handler: each trap raises the next, until the stack is full.
 */
static void on_own_handler(void)
{
    hv_set_debugreg(0, trap_table[X86_EXC_DB].address);
    hv_set_debugreg(1, (uint64_t)&bait[0]);
    hv_set_debugreg(7, DR7_ON(0) | DR7_DATA(1, 1));
    store64(&bait[0], 1);
}

static void test_hits(void)
{
    static const struct attack attacks[] = {
        {"on arguments", on_arguments},
        {"on frames", on_frames},
        {"behind MOV SS", behind_mov_ss},
        {"behind POP SS", behind_pop_ss},
        {"on instructions", on_instructions},
        {"on its own handler", on_own_handler, SHUTDOWN_crash},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

/* --- what another domain has of it --------------------------------------------------------------
 *
 * Three children and dom0 take turns on one CPU, and each has a word at the same address that the
 * attacker's breakpoints are on.
 */

static struct {
    volatile uint64_t rounds, stop;
} turn;

static void next_turn(void)
{
    turn.rounds++;
    sched_poll(NULL, 0, time_ns() + 1000000);
}

static uint64_t single_step(void)
{
    const struct trap *t = CATCH(__asm__ volatile("pushq $0x302; popfq; nop; nop"));
    uint64_t dr6 = hv_get_debugreg(6);

    CHECK_TRAP(t, X86_EXC_DB, 0);
    CHECK_RC(hv_set_debugreg(6, 0), 0);
    return dr6;
}

/* All four on, all hit, and status bits that it never clears. */
static void attacker(void)
{
    uint64_t dr7 = DR7_DEFAULT;

    for (unsigned int i = 0; i < 4; i++)
        dr7 |= DR7_DATA(i, 1);
    while (!turn.stop) {
        for (unsigned int i = 0; i < 4; i++)
            CHECK_RC(hv_set_debugreg(i, (uint64_t)&bait[i]), 0);
        CHECK_RC(hv_set_debugreg(6, 0), 0);
        CHECK_RC(hv_set_debugreg(7, dr7), 0);
        CHECK_TRAP(CATCH(__asm__ volatile("pushq $0x302; popfq; nop; nop")), X86_EXC_DB, 0);
        for (unsigned int i = 0; i < 4; i++)
            CHECK_TRAP(CATCH(store64(&bait[i], i)), X86_EXC_DB, 0);
        both_say(6, DR6_DEFAULT | DR6_BS | 0xf);
        next_turn();
        for (unsigned int i = 0; i < 4; i++) {
            both_say(i, (uint64_t)&bait[i]);
            CHECK_TRAP(CATCH(store64(&bait[i], i)), X86_EXC_DB, 0);
        }
        both_say(6, DR6_DEFAULT | DR6_BS | 0xf);
        both_say(7, dr7);
    }
}

static void untouched(void)
{
    for (unsigned int i = 0; i < 4; i++)
        both_say(i, 0);
    both_say(6, DR6_DEFAULT);
    both_say(7, DR7_DEFAULT);
    for (unsigned int i = 0; i < ARRAY_SIZE(bait); i++)
        CHECK(!CATCH(store64(&bait[i], i)));
    CHECK_EQ(single_step(), DR6_DEFAULT | DR6_BS);
}

static void innocent(void)
{
    while (!turn.stop) {
        untouched();
        next_turn();
    }
}

/* With one of its own, on another word: that one stops it, as what it is. */
static void armed(void)
{
    arm(2, &bait[5], 1);
    while (!turn.stop) {
        for (unsigned int i = 0; i < ARRAY_SIZE(bait); i++)
            CHECK_EQ(CATCH(store64(&bait[i], i)) != NULL, i == 5);
        both_say(6, DR6_DEFAULT | 1 << 2);
        CHECK_RC(hv_set_debugreg(6, 0), 0);
        both_say(2, (uint64_t)&bait[5]);
        next_turn();
    }
    all_off();
}

#define TURNS 100 /* of each */

static void test_neighbours(void)
{
    static void (*const mains[])(void) = {attacker, innocent, armed};
    static struct child children[ARRAY_SIZE(mains)];
    typeof(turn) *turns[ARRAY_SIZE(mains)];
    uint64_t end = time_ns() + 20000000000;
    struct baseline before;
    bool all = false;

    baseline_take(&before);
    for (unsigned int i = 0; i < ARRAY_SIZE(mains); i++) {
        REQUIRE(CHECK_RC(child_create(&children[i], mains[i]), 0));
        turns[i] = child_view(&children[i], &turn);
        CHECK_RC(child_run(&children[i]), 0);
    }
    while (!all && time_ns() < end) {
        untouched(); /* dom0 */
        sched_poll(NULL, 0, time_ns() + 1000000);
        all = true;
        for (unsigned int i = 0; i < ARRAY_SIZE(mains); i++)
            all &= turns[i]->rounds >= TURNS;
    }
    CHECK(all);
    for (unsigned int i = 0; i < ARRAY_SIZE(mains); i++) {
        turns[i]->stop = 1;
        child_unview(turns[i]);
        CHECK_EQ(child_wait(&children[i]), SHUTDOWN_poweroff);
        child_absorb_console(&children[i]);
        CHECK_RC(child_destroy(&children[i]), 0);
    }
    neighbour_check();
    baseline_check(&before);
}

GUEST("hostile_debug", TEST(values), TEST(hits), TEST(neighbours));
