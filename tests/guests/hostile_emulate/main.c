/* SPDX-License-Identifier: MIT */
/*
 * hostile_emulate: THREATS 16, privileged instructions of an unprivileged child, which the
 * hypervisor decodes and performs or refuses.
 *
 * How this guest would break the hypervisor: with a register that faults in ring 0 when it is read
 * or written there, with an opcode or a prefix that the decoder takes for another, and with bytes
 * that its other vCPU changes while they are being decoded: what was checked is not what is done
 * then. Each instruction is an exception in the guest or a value; the hypervisor's own registers
 * stay what they are, which system calls and hypercalls show.
 */
#include <rt/attack.h>
#include <rt/test.h>
#include <xen/physdev.h>

static volatile uint64_t sink; /* keeps the compiler from dropping a value read under CATCH */

static bool works(void)
{
    return CHECK_EQ(hv_xen_version(XENVER_version, NULL), 0x40011);
}

/* --- MSRs ---------------------------------------------------------------------------------------
 */

static const struct {
    uint32_t from, to;
} msr_ranges[] = {{0, 0x2000},
                  {0x40000000, 0x40000200},
                  {0x80000000, 0x80000020},
                  {0xc0000000, 0xc0001000},
                  {0xc0010000, 0xc0012000},
                  {0xfffffff0, 0xffffffff}};

static uint64_t dice(void)
{
    static uint64_t s = 88172645463325252;

    s ^= s << 13;
    s ^= s >> 7;
    return s ^= s << 17;
}

static const struct trap *rdmsr(uint32_t index)
{
    return CATCH(__asm__ volatile("rdmsr; mov %%eax, %0"
                                  : "=m"(*(volatile uint32_t *)&sink)
                                  : "c"(index)
                                  : "eax", "edx", "memory"));
}

static const struct trap *wrmsr(uint32_t index, uint64_t value)
{
    return CATCH(__asm__ volatile("wrmsr"
                                  :
                                  : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                                  : "memory"));
}

static bool value_or_gp(const struct trap *t)
{
    return !t || t->regs.entry_vector == X86_EXC_GP;
}

static unsigned int readable; /* MSRs that have a value */

static void one_msr(uint32_t index, unsigned int writes)
{
    const uint64_t values[] = {dice(), 0, ~0ull, 1ull << 63, 0xffff830000000000};
    const struct trap *t = rdmsr(index);

    readable += !t;
    if (!CHECK(value_or_gp(t)))
        printf("  rdmsr %#x\n", index);
    for (unsigned int i = 0; i < writes; i++)
        if (!CHECK(value_or_gp(wrmsr(index, values[i]))))
            printf("  wrmsr %#x, %#lx\n", index, values[i]);
}

/* The few that a guest may know, of all that the machine has: whoever reads more of them reads what
 * the hypervisor keeps there. */
#define READABLE_MAX 64

static void every_msr(void)
{
    for (unsigned int r = 0; r < ARRAY_SIZE(msr_ranges); r++)
        for (uint32_t i = msr_ranges[r].from; i < msr_ranges[r].to; i++) {
            one_msr(i, 5);
            if (i % 64 == 0 && !works())
                return;
        }
    CHECK(readable > 5 && readable < READABLE_MAX);
    works();
}

/* Of all 2^32, at a stride that is prime. */
#define STRIDE 65521

static void msrs_between(void)
{
    readable = 0;
    for (uint64_t i = 0x2000; i < 1ull << 32; i += STRIDE)
        one_msr(i, 1);
    for (unsigned int i = 0; i < 2000; i++)
        one_msr(dice(), 5);
    CHECK(readable < READABLE_MAX);
    works();
}

/* --- control registers and ports ----------------------------------------------------------------
 */

static const struct trap *xsetbv(uint32_t index, uint64_t value)
{
    return CATCH(__asm__ volatile("xsetbv"
                                  :
                                  : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                                  : "memory"));
}

static void control_registers(void)
{
    uint64_t cr0, cr3, cr4;

    __asm__ volatile("mov %%cr0, %0; mov %%cr3, %1; mov %%cr4, %2"
                     : "=r"(cr0), "=r"(cr3), "=r"(cr4));
    for (unsigned int bit = 0; bit < 64; bit++) {
        uint64_t one = 1ull << bit;

        if (bit != 3) /* TS is the guest's */
            CHECK_TRAP(CATCH(__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 ^ one))), X86_EXC_GP, 0);
        CHECK(value_or_gp(CATCH(__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 ^ one)))));
        if (bit != 12 && bit < 52) /* what is no frame of its own */
            CHECK_TRAP(CATCH(__asm__ volatile("mov %0, %%cr3"
                                              :
                                              : "r"(one & ~0xfffull))),
                       X86_EXC_GP, 0);
        CHECK(value_or_gp(CATCH(__asm__ volatile("mov %0, %%cr8" : : "r"(one)))));
        works();
    }
    CHECK(value_or_gp(CATCH(__asm__ volatile("mov %0, %%cr4" : : "r"(cr4)))));
    CHECK(CATCH(__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | 8))) == NULL);
    CHECK(CATCH(__asm__ volatile("clts")) == NULL);
    for (uint32_t index = 0; index < 3; index++) {
        for (unsigned int bits = 0; bits < 0x400; bits++)
            CHECK(value_or_gp(xsetbv(index, bits)));
        for (unsigned int bit = 10; bit < 64; bit++)
            CHECK_TRAP(xsetbv(index, 7 | 1ull << bit), X86_EXC_GP, 0);
        works();
    }
    xsetbv(0, 3);
}

/* What would stop or restart the machine, take the hypervisor's interrupts, or speak in its place.
 */
static const struct {
    uint16_t port, value;
} fatal[] = {
    {0x64, 0xfe},  {0xcf9, 6},    {0x92, 1},    {0x604, 0x2000}, {0xb004, 0x2000}, {0x600, 0x2000},
    {0x43, 0x34},  {0x40, 0},     {0x20, 0x11}, {0x21, 0xff},    {0xa1, 0xff},     {0x4d0, 0xff},
    {0x3fb, 0x80}, {0x3f8, 0x58}, {0x70, 0x8f}, {0x71, 5},       {0xcf8, 0x8000},  {0xcfc, 0},
};

static const struct trap *port_in(uint16_t port, uint32_t *value)
{
    uint32_t v = 0x12345678;
    const struct trap *t = CATCH(__asm__ volatile("inl %1, %0" : "+a"(v) : "d"(port)); *value = v);

    return t;
}

static void every_port(void)
{
    for (unsigned int level = 0; level < 4; level += 1 + (level == 1)) {
        struct physdev_set_iopl iopl = {.iopl = level};
        unsigned int wrong = 0;

        CHECK_RC(hv_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
        for (unsigned int port = 0; port <= 0xfffc; port++) {
            uint32_t v = 0;
            const struct trap *t = port_in(port, &v);

            wrong += level ? t || v != ~0u : !t || t->regs.entry_vector != X86_EXC_GP;
        }
        CHECK_EQ(wrong, 0);
        for (unsigned int i = 0; i < ARRAY_SIZE(fatal); i++) {
            const struct trap *t =
                CATCH(__asm__ volatile("outw %0, %1; outb %b0, %1"
                                       :
                                       : "a"(fatal[i].value), "d"(fatal[i].port)));

            CHECK_EQ(t != NULL, !level);
        }
        CHECK(CATCH(__asm__ volatile("rep insb"
                                     :
                                     : "D"(0xffff82d040000000), "c"(64ul), "d"(0x80)
                                     : "memory")) != NULL);
        CHECK(CATCH(__asm__ volatile("rep outsl"
                                     :
                                     : "S"(0xffff82d040000000), "c"(64ul), "d"(0x80)
                                     : "memory")) != NULL);
        works();
    }
}

/* --- opcodes ------------------------------------------------------------------------------------
 */

static uint8_t code[32] __attribute__((aligned(64)));
uint64_t scratch[512] PAGE_ALIGNED;

/* call_code(rax, rcx, rdi, code): all other registers, which the bytes may use as addresses, are
 * the scratch page's. */
ASM_FUNCTION(call_code, "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
                        "push %rcx; mov %rdi, %rax; mov %rsi, %rcx; mov %rdx, %rdi\n"
                        "lea scratch(%rip), %rsi; mov %rsi, %rbx; mov %rsi, %rbp\n"
                        "mov %rsi, %r8; mov %rsi, %r9; mov %rsi, %r10; mov %rsi, %r11\n"
                        "mov %rsi, %r12; mov %rsi, %r13; mov %rsi, %r14; mov %rsi, %r15\n"
                        "mov $0x80, %edx; call *(%rsp); cld; add $8, %rsp\n"
                        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");

static const struct trap *call(uint64_t rax, uint64_t rcx, void *rdi)
{
    void (*fn)(uint64_t, uint64_t, void *, void *) = (void *)call_code;

    return CATCH(fn(rax, rcx, rdi, code));
}

/* Runs the bytes, then `ret`. */
static const struct trap *run(const uint8_t *bytes, unsigned int n, uint64_t rax, uint64_t rcx)
{
    memset(code, 0x90, sizeof(code));
    memcpy(code, bytes, n);
    code[sizeof(code) - 1] = 0xc3;
    return call(rax, rcx, &scratch[64]);
}

/* What the processor leaves to ring 0, or to who has the I/O privilege. */
static const struct opcode {
    uint8_t n, bytes[3];
    bool modrm; /* a byte of all 256 follows */
} privileged[] = {
    {2, {0x0f, 0x00}, true}, /* lldt, ltr, verr … */
    {2, {0x0f, 0x01}, true}, /* lgdt, lidt, lmsw, invlpg, xsetbv, swapgs, rdtscp, vmcall, clac … */
    {2, {0x0f, 0x06}, false}, /* clts */
    {2, {0x0f, 0x07}, false}, /* sysret */
    {2, {0x0f, 0x08}, false}, /* invd */
    {2, {0x0f, 0x09}, false}, /* wbinvd */
    {2, {0x0f, 0x20}, true},  /* mov from and to cr and dr */
    {2, {0x0f, 0x21}, true},
    {2, {0x0f, 0x22}, true},
    {2, {0x0f, 0x23}, true},
    {2, {0x0f, 0x30}, false}, /* wrmsr, rdtsc, rdmsr, rdpmc, sysexit */
    {2, {0x0f, 0x31}, false},
    {2, {0x0f, 0x32}, false},
    {2, {0x0f, 0x33}, false},
    {2, {0x0f, 0x35}, false},
    {2, {0x0f, 0x37}, false}, /* getsec */
    {2, {0x0f, 0x78}, true},  /* vmread, vmwrite */
    {2, {0x0f, 0x79}, true},
    {2, {0x0f, 0xa2}, false}, /* cpuid */
    {2, {0x0f, 0xc7}, true},  /* vmptrld, xsaves, rdrand … */
    {2, {0x0f, 0xff}, true},
    {3, {0x0f, 0x38, 0x80}, true}, /* invept, invvpid, invpcid */
    {3, {0x0f, 0x38, 0x81}, true},
    {3, {0x0f, 0x38, 0x82}, true},
    {1, {0x6c}, false}, /* ins, outs */
    {1, {0x6d}, false},
    {1, {0x6e}, false},
    {1, {0x6f}, false},
    {1, {0xe4}, true}, /* in, out: the byte is the port */
    {1, {0xe5}, true},
    {1, {0xe6}, true},
    {1, {0xe7}, true},
    {1, {0xec}, false},
    {1, {0xed}, false},
    {1, {0xee}, false},
    {1, {0xef}, false},
    {1, {0xf1}, false}, /* int1 */
    {1, {0xf4}, false}, /* hlt */
    {1, {0xfa}, false}, /* cli, sti */
    {1, {0xfb}, false},
};

/* Up to two prefixes before it; 0: none. */
static const uint8_t prefixes[][2] = {{0, 0},       {0x66, 0},    {0xf2, 0},    {0xf3, 0},
                                      {0x67, 0},    {0x2e, 0},    {0x64, 0},    {0xf0, 0},
                                      {0x48, 0},    {0x41, 0},    {0x66, 0x48}, {0xf3, 0x48},
                                      {0xf3, 0x67}, {0x48, 0x66}, {0xf2, 0xf3}};

static void one_opcode(const struct opcode *op, unsigned int modrm)
{
    for (unsigned int p = 0; p < ARRAY_SIZE(prefixes); p++) {
        uint8_t bytes[8];
        unsigned int n = 0;

        for (unsigned int i = 0; i < 2 && prefixes[p][i]; i++)
            bytes[n++] = prefixes[p][i];
        memcpy(&bytes[n], op->bytes, op->n);
        n += op->n;
        if (op->modrm)
            bytes[n++] = modrm;
        run(bytes, n, (uint64_t)scratch, op->bytes[1] == 0x30 ? 0xc0000080 : modrm);
        CHECK_RC(hv_set_debugreg(7, 0), 0); /* breakpoints that it may have set */
    }
}

static void every_opcode(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(privileged); i++)
        for (unsigned int modrm = 0; modrm < (privileged[i].modrm ? 256u : 1u); modrm++) {
            /* Register 4 is the stack: a store to or below it, or a new one from it. */
            if (privileged[i].modrm && (modrm & 7) == 4)
                continue;
            one_opcode(&privileged[i], modrm);
            if (!works()) {
                printf("  opcode %u, modrm %#x\n", i, modrm);
                return;
            }
        }
}

/* An instruction at the end of a page, behind which there is none. */
static void cut_off(void)
{
    uint8_t *page = child_page(0), *end = page + PAGE_SIZE;

    CHECK_RC(hv_update_va_mapping(child_page(1), 0, UVMF_INVLPG), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(privileged); i++)
        for (unsigned int n = 1; n <= privileged[i].n; n++)
            for (unsigned int p = 0; p < 14; p++) {
                uint8_t *at = end - n - p;

                memset(at, p & 1 ? 0x66 : 0xf3, p);
                memcpy(end - n, privileged[i].bytes, n);
                CHECK(CATCH(((void (*)(void))at)()) != NULL);
            }
    works();
}

/* --- bytes that change --------------------------------------------------------------------------
 */

static const uint8_t templates[][8] = {
    {0x0f, 0x32, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* rdmsr */
    {0x0f, 0x30, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* wrmsr */
    {0x0f, 0x20, 0xc0, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* mov cr0 */
    {0x0f, 0x22, 0xd8, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* mov to cr3 */
    {0x0f, 0x23, 0xf8, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* mov to dr7 */
    {0x0f, 0xa2, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* cpuid */
    {0xf3, 0x6e, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* rep outsb */
    {0x66, 0xe5, 0x61, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* in */
    {0x48, 0x89, 0x07, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* mov to a page table */
    {0x48, 0x87, 0x07, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* xchg with it */
    {0xf0, 0x48, 0x0f, 0xb1, 0x0f, 0x90, 0x90, 0xc3}, /* cmpxchg */
    {0xf0, 0x0f, 0xba, 0x2f, 0x05, 0x90, 0x90, 0xc3}, /* bts */
    {0xf3, 0x48, 0xab, 0x90, 0x90, 0x90, 0x90, 0xc3}, /* rep stos */
};

static volatile uint32_t over;

static void rewrite(void)
{
    for (unsigned int i = 0; !over; i++) {
        const uint8_t *from = templates[dice() % ARRAY_SIZE(templates)];

        /* Now and then bytes of several; whole, as the last. */
        for (unsigned int n = dice() % 3; n--;)
            WRITE_ONCE(code[dice() % 5], templates[dice() % ARRAY_SIZE(templates)][dice() % 5]);
        WRITE_ONCE(*(uint64_t *)code, *(const uint64_t *)from);
    }
    over = 2;
}

static void bytes_that_change(void)
{
    uint64_t *table = child_page(0), *data = child_page(1);
    unsigned int trapped = 0, passed = 0;
    uint64_t end = time_ns() + 8000000000;

    CHECK_RC(table_make(table, 1), 0);
    memset(code, 0x90, sizeof(code));
    code[7] = 0xc3;
    CHECK_RC(vcpu_start(1, rewrite), 0);
    for (unsigned int i = 0; i < 40000 || ((trapped < 1000 || passed < 1000) && time_ns() < end);
         i++)
        if (call(i & 1 ? pte_make(mfn_of(data), PTE_RW_FLAGS) : 0, i & 15, &table[i % 500]))
            trapped++;
        else
            passed++;
    over = 1;
    while (over != 2)
        cpu_relax();
    CHECK(trapped > 100 && passed > 100);
    CHECK_RC(hv_set_debugreg(7, 0), 0);
    CHECK_RC(table_release(table), 0);
    works();
}

static void test_instructions(void)
{
    static const struct attack attacks[] = {
        {"every MSR", every_msr},
        {"MSRs between", msrs_between},
        {"control registers", control_registers},
        {"every port", every_port},
        {"every privileged opcode", every_opcode, ATTACK_EITHER},
        {"instructions that are cut off", cut_off},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

/* The bytes in between may be any instruction, by which the child may end itself. */
static void test_changing(void)
{
    static const struct attack attacks[] = {
        {"bytes that change", bytes_that_change, ATTACK_EITHER},
        {"bytes that change", bytes_that_change, ATTACK_EITHER},
        {"bytes that change", bytes_that_change, ATTACK_EITHER},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 2);
}

GUEST("hostile_emulate", TEST(instructions), TEST(changing));
