/* SPDX-License-Identifier: MIT */
/*
 * The emulator of page-table writes against the processor: each instruction is run on real memory
 * and registers, and emulated; memory, registers and flags must agree. Privileged instructions are
 * decoded as the manual says. And whatever else the bytes are, the decoder stays inside them.
 */
#include "suite.h"
#include <asm/insn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARITH 0x8d5u /* OF SF ZF AF PF CF */

static uint8_t *code; /* one executable page */
static uint64_t seed = 88172645463325252UL;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

struct state {
    uint64_t rax, rcx, rdx, r8, rdi, flags;
};

/* Run the code with these registers. */
static void run(struct state *s)
{
    __asm__ volatile("mov 32(%0), %%rdi\n\t"
                     "mov 24(%0), %%r8\n\t"
                     "push %0\n\t"
                     "push 40(%0)\n\t"
                     "mov (%0), %%rax\n\t"
                     "mov 8(%0), %%rcx\n\t"
                     "mov 16(%0), %%rdx\n\t"
                     "popf\n\t"
                     "call *%1\n\t"
                     "pushf\n\t"
                     "cld\n\t"
                     "mov 8(%%rsp), %0\n\t"
                     "mov %%rax, (%0)\n\t"
                     "mov %%rcx, 8(%0)\n\t"
                     "mov %%rdx, 16(%0)\n\t"
                     "mov %%r8, 24(%0)\n\t"
                     "mov %%rdi, 32(%0)\n\t"
                     "pop 40(%0)\n\t"
                     "pop %0\n\t"
                     : "+b"(s)
                     : "r"(code)
                     : "rax", "rcx", "rdx", "r8", "rdi", "memory", "cc");
}

struct sample {
    const char *name;
    uint8_t bytes[12];
    uint8_t n;
    unsigned ignore; /* flags that the manual leaves undefined */
};

/* All with [rdi] as the memory operand; sources rcx, rdx, r8, ah, cl, immediates. */
static const struct sample samples[] = {
    {"mov [rdi], rcx", {0x48, 0x89, 0x0f}, 3, 0},
    {"mov [rdi], ecx", {0x89, 0x0f}, 2, 0},
    {"mov [rdi], r8", {0x4c, 0x89, 0x07}, 3, 0},
    {"mov [rdi], r8d", {0x44, 0x89, 0x07}, 3, 0},
    {"mov [rdi], cx", {0x66, 0x89, 0x0f}, 3, 0},
    {"mov [rdi], cl", {0x88, 0x0f}, 2, 0},
    {"mov [rdi], ah", {0x88, 0x27}, 2, 0},
    {"mov [rdi], dil with REX", {0x40, 0x88, 0x3f}, 3, 0},
    {"movnti [rdi], rcx", {0x48, 0x0f, 0xc3, 0x0f}, 4, 0},
    {"mov qword [rdi], -2", {0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff}, 7, 0},
    {"mov dword [rdi], imm", {0xc7, 0x07, 0x78, 0x56, 0x34, 0x92}, 6, 0},
    {"mov word [rdi], imm", {0x66, 0xc7, 0x07, 0x34, 0x92}, 5, 0},
    {"mov byte [rdi], imm", {0xc6, 0x07, 0x9a}, 3, 0},
    {"xchg [rdi], rcx", {0x48, 0x87, 0x0f}, 3, 0},
    {"xchg [rdi], ecx", {0x87, 0x0f}, 2, 0},
    {"lock xchg [rdi], r8", {0xf0, 0x4c, 0x87, 0x07}, 4, 0},
    {"xchg [rdi], ah", {0x86, 0x27}, 2, 0},
    {"lock cmpxchg [rdi], rcx", {0xf0, 0x48, 0x0f, 0xb1, 0x0f}, 5, 0},
    {"cmpxchg [rdi], ecx", {0x0f, 0xb1, 0x0f}, 3, 0},
    {"cmpxchg [rdi], cl", {0x0f, 0xb0, 0x0f}, 3, 0},
    {"lock xadd [rdi], rcx", {0xf0, 0x48, 0x0f, 0xc1, 0x0f}, 5, 0},
    {"xadd [rdi], ecx", {0x0f, 0xc1, 0x0f}, 3, 0},
    {"add [rdi], rcx", {0x48, 0x01, 0x0f}, 3, 0},
    {"add [rdi], ecx", {0x01, 0x0f}, 2, 0},
    {"add [rdi], cl", {0x00, 0x0f}, 2, 0},
    {"sub [rdi], rcx", {0x48, 0x29, 0x0f}, 3, 0},
    {"sub [rdi], cx", {0x66, 0x29, 0x0f}, 3, 0},
    {"sub [rdi], cl", {0x28, 0x0f}, 2, 0},
    {"or [rdi], rcx", {0x48, 0x09, 0x0f}, 3, 0x10},
    {"or byte [rdi], 2", {0xf0, 0x80, 0x0f, 0x02}, 4, 0x10},
    {"and byte [rdi], ~2", {0xf0, 0x80, 0x27, 0xfd}, 4, 0x10},
    {"and [rdi], rcx", {0x48, 0x21, 0x0f}, 3, 0x10},
    {"and qword [rdi], -2", {0x48, 0x83, 0x27, 0xfe}, 4, 0x10},
    {"and qword [rdi], imm32", {0x48, 0x81, 0x27, 0xff, 0x0f, 0x00, 0x80}, 7, 0x10},
    {"and word [rdi], imm16", {0x66, 0x81, 0x27, 0xff, 0x8f}, 5, 0x10},
    {"xor [rdi], ecx", {0x31, 0x0f}, 2, 0x10},
    {"xor dword [rdi], imm8", {0x83, 0x37, 0xf0}, 3, 0x10},
    {"add qword [rdi], 1", {0x48, 0x83, 0x07, 0x01}, 4, 0},
    {"sub dword [rdi], imm32", {0x81, 0x2f, 0x00, 0x00, 0x00, 0x80}, 6, 0},
    {"lock bts qword [rdi], 1", {0xf0, 0x48, 0x0f, 0xba, 0x2f, 0x01}, 6, 0x894},
    {"btr qword [rdi], 63", {0x48, 0x0f, 0xba, 0x37, 0x3f}, 5, 0x894},
    {"btc dword [rdi], 5", {0x0f, 0xba, 0x3f, 0x05}, 4, 0x894},
    {"stosq", {0x48, 0xab}, 2, 0},
    {"stosd", {0xab}, 1, 0},
    {"stosb", {0xaa}, 1, 0},
};

static void fill_regs(struct cpu_user_regs *r, const struct state *s)
{
    memset(r, 0, sizeof(*r));
    r->rax = s->rax;
    r->rcx = s->rcx;
    r->rdx = s->rdx;
    r->r8 = s->r8;
    r->rdi = s->rdi;
    r->rflags = s->flags;
    r->rip = 0x1000;
}

static bool one(const struct sample *in, bool equal)
{
    uint64_t real[2], memory[2] = {rnd(), rnd()}, mask;
    struct cpu_user_regs regs;
    struct write_effect e;
    struct insn w;
    struct state s = {.rax = rnd(), .rcx = rnd(), .rdx = rnd(), .r8 = rnd()};

    s.flags = 0x202 | (rnd() & ARITH) | (strncmp(in->name, "stos", 4) ? 0 : rnd() & 0x400);
    if (equal)
        s.rax = memory[0];
    memcpy(real, memory, sizeof(real));
    s.rdi = (uint64_t)real;
    fill_regs(&regs, &s);
    memcpy(code, in->bytes, in->n);
    code[in->n] = 0xc3;
    run(&s);

    if (!insn_decode(in->bytes, in->n, &w) || !insn_is_write(&w) || w.length != in->n)
        return false;
    mask = operand_mask(w.bytes);
    e = write_effect(&w, &regs, memory[0] & mask);
    if (e.writes)
        memory[0] = (memory[0] & ~mask) | e.new;
    write_retire(&w, &regs, &e);
    return memory[0] == real[0] && memory[1] == real[1] && regs.rax == s.rax && regs.rcx == s.rcx &&
           regs.rdx == s.rdx && regs.r8 == s.r8 && regs.rdi == s.rdi &&
           regs.rip == 0x1000u + in->n && !((regs.rflags ^ s.flags) & ARITH & ~in->ignore);
}

static void agrees_with_the_processor(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
        bool ok = true;

        for (unsigned k = 0; k < 500 && ok; k++)
            ok = one(&samples[i], k % 2);
        if (!ok)
            fprintf(stderr, "\n    %s differs", samples[i].name);
        CU_ASSERT(ok);
    }
}

/* Every addressing form has the right length. */
static void lengths(void)
{
    static const struct {
        uint8_t bytes[15], n;
    } forms[] = {
        {{0x48, 0x89, 0x0f}, 3},                          /* [rdi] */
        {{0x48, 0x89, 0x4f, 0x08}, 4},                    /* [rdi+8] */
        {{0x48, 0x89, 0x8f, 0, 1, 0, 0}, 7},              /* [rdi+disp32] */
        {{0x48, 0x89, 0x0c, 0xc7}, 4},                    /* [rdi+rax*8] */
        {{0x48, 0x89, 0x0c, 0xc5, 0, 0, 0, 0}, 8},        /* [rax*8+disp32] */
        {{0x48, 0x89, 0x4c, 0xc7, 0x10}, 5},              /* [rdi+rax*8+16] */
        {{0x48, 0x89, 0x8c, 0xc7, 0, 1, 0, 0}, 8},        /* [rdi+rax*8+disp32] */
        {{0x48, 0x89, 0x0d, 1, 2, 3, 4}, 7},              /* [rip+disp32] */
        {{0x41, 0x89, 0x0c, 0x24}, 4},                    /* [r12] */
        {{0x49, 0x89, 0x4d, 0x00}, 4},                    /* [r13+0] */
        {{0x65, 0x48, 0x89, 0x0f}, 4},                    /* gs: */
        {{0x48, 0xc7, 0x05, 1, 2, 3, 4, 5, 6, 7, 8}, 11}, /* mov qword [rip+disp32], imm32 */
        {{0xf0, 0x48, 0x81, 0x64, 0xc7, 0x10, 1, 2, 3, 4},
         10}, /* lock and qword [rdi+rax*8+16], imm32 */
        {{0x3e, 0xf0, 0x48, 0x0f, 0xba, 0x77, 0x08, 0x01}, 8}, /* ds lock btr qword [rdi+8], 1 */
    };
    struct insn w;

    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        CU_ASSERT(insn_decode(forms[i].bytes, 15, &w));
        EQ(w.length, forms[i].n);
        for (unsigned n = 0; n < forms[i].n; n++) /* cut short */
            CU_ASSERT(!insn_decode(forms[i].bytes, n, &w));
    }
}

static void refuses_the_rest(void)
{
    static const uint8_t bad[][6] = {
        {0x48, 0x8b, 0x0f},       /* a load */
        {0x48, 0x89, 0xc8},       /* register to register */
        {0xf0, 0x48, 0x89, 0x0f}, /* lock mov: #UD */
        {0x48, 0x83, 0x3f, 0x00}, /* cmp: no write */
        {0x48, 0x83, 0x17, 0x00}, /* adc */
        {0x0f, 0xba, 0x27, 0x01}, /* bt: no write */
        {0x48, 0xc7, 0x0f, 0, 0}, /* C7 /1 */
        {0x48, 0x66, 0x89, 0x0f}, /* a prefix after REX */
        {0x0f, 0xc7, 0x0f},       /* cmpxchg8b */
        {0x48, 0xa5},             /* movs */
        {0xcc},
        {0xf4},             /* hlt: Xen refuses it, too */
        {0xf0, 0xfa},       /* lock cli: #UD */
        {0x0f, 0x01, 0x16}, /* lgdt: beside xsetbv */
        {0x0f, 0x01, 0xf0}, /* lmsw */
        {0x0f, 0x01, 0xf8}, /* swapgs: beside rdtscp */
    };
    struct insn w;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        CU_ASSERT(!insn_decode(bad[i], 6, &w));
}

/* Registers, ports, operand sizes and prefixes of what ring 3 may not do itself. */
static void privileged(void)
{
    static const struct {
        uint8_t bytes[5];
        struct insn is;
    } known[] = {
        {{0xe4, 0x80}, {PRIV_IN, 2, .bytes = 1, .has_imm = true, .imm = 0x80}},
        {{0xe5, 0x80}, {PRIV_IN, 2, .bytes = 4, .has_imm = true, .imm = 0xffffff80}},
        {{0x66, 0xe7, 0x21},
         {PRIV_OUT, 3, .bytes = 2, .prefixes = INSN_OP16, .has_imm = true, .imm = 0x21}},
        {{0xec}, {PRIV_IN, 1, .bytes = 1}},
        {{0x48, 0xed}, {PRIV_IN, 2, .bytes = 4, .rex = true}}, /* no 64-bit ports */
        {{0x66, 0xef}, {PRIV_OUT, 2, .bytes = 2, .prefixes = INSN_OP16}},
        {{0xf3, 0x67, 0x6c}, {PRIV_INS, 3, .bytes = 1, .prefixes = INSN_REP | INSN_ADDR32}},
        {{0xf3, 0x65, 0x66, 0x6f},
         {PRIV_OUTS, 4, .bytes = 2, .prefixes = INSN_REP | INSN_GS | INSN_OP16}},
        {{0x64, 0x6f}, {PRIV_OUTS, 2, .bytes = 4, .prefixes = INSN_FS}},
        {{0xfa}, {PRIV_CLI_STI, 1, .bytes = 1}},
        {{0xfb}, {PRIV_CLI_STI, 1, .bytes = 4}},
        {{0x0f, 0x06}, {PRIV_CLTS, 2, .bytes = 1}},
        {{0x0f, 0x09}, {PRIV_WBINVD, 2, .bytes = 4}},
        {{0x0f, 0x20, 0xd8}, {PRIV_CR_READ, 3, .bytes = 1, .reg = 3}},
        {{0x41, 0x0f, 0x20, 0x21}, {PRIV_CR_READ, 4, .bytes = 1, .reg = 4, .rm = 9, .rex = true}},
        {{0x44, 0x0f, 0x22, 0xc0}, {PRIV_CR_WRITE, 4, .bytes = 1, .reg = 8, .rex = true}},
        {{0x0f, 0x21, 0xf9}, {PRIV_DR_READ, 3, .bytes = 4, .reg = 7, .rm = 1}},
        {{0x0f, 0x23, 0xc7}, {PRIV_DR_WRITE, 3, .bytes = 4, .rm = 7}},
        {{0x0f, 0x01, 0xd1}, {PRIV_XSETBV, 3, .bytes = 4}},
        {{0x0f, 0x01, 0xf9}, {PRIV_RDTSC, 3, .bytes = 4}},
        {{0x0f, 0x31}, {PRIV_RDTSC, 2, .bytes = 4}},
        {{0x0f, 0x30}, {PRIV_WRMSR, 2, .bytes = 1}},
        {{0x0f, 0x32}, {PRIV_RDMSR, 2, .bytes = 1}},
        {{0x0f, 0xa2}, {PRIV_CPUID, 2, .bytes = 1}},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        const struct insn *is = &known[i].is;
        struct insn w;

        CU_ASSERT(insn_decode(known[i].bytes, 5, &w) && !insn_is_write(&w));
        EQ(w.op, is->op);
        EQ(w.length, is->length);
        EQ(w.bytes, is->bytes);
        EQ(w.reg, is->reg);
        EQ(w.rm, is->rm);
        EQ(w.imm, is->imm);
        EQ(w.prefixes, is->prefixes);
        CU_ASSERT(w.rex == is->rex && w.has_imm == is->has_imm);
        for (unsigned n = 0; n < is->length; n++) /* cut short */
            CU_ASSERT(!insn_decode(known[i].bytes, n, &w));
    }
}

static void rep_stos_goes_round_by_round(void)
{
    struct cpu_user_regs regs = {.rax = 7, .rcx = 2, .rdi = 0x2000, .rip = 0x1000};
    const uint8_t insn[] = {0xf3, 0x48, 0xab};
    struct write_effect e;
    struct insn w;

    CU_ASSERT(insn_decode(insn, 3, &w));
    e = write_effect(&w, &regs, 0);
    EQ(e.new, 7);
    write_retire(&w, &regs, &e);
    EQ(regs.rip, 0x1000);
    EQ(regs.rcx, 1);
    EQ(regs.rdi, 0x2008);
    write_retire(&w, &regs, &e);
    EQ(regs.rip, 0x1003);
    EQ(regs.rcx, 0);
    EQ(regs.rdi, 0x2010);
}

/* Under ASan an access outside of the n bytes ends the program. */
static void random_bytes(void)
{
    for (unsigned i = 0; i < 300000; i++) {
        unsigned n = rnd() % 16;
        uint8_t *b = malloc(n ? n : 1);
        struct insn w;

        for (unsigned k = 0; k < n; k++)
            b[k] = rnd();
        if (insn_decode(b, n, &w)) {
            CU_ASSERT(w.length <= n && w.length > 0);
            CU_ASSERT(w.bytes == 1 || w.bytes == 2 || w.bytes == 4 || w.bytes == 8);
            CU_ASSERT(w.reg < 16);
        }
        free(b);
    }
}

static const struct test tests[] = {
    {"agrees with the processor", agrees_with_the_processor},
    {"lengths of all addressing forms", lengths},
    {"refuses what it does not know", refuses_the_rest},
    {"privileged instructions", privileged},
    {"rep stos goes round by round", rep_stos_goes_round_by_round},
    {"random bytes", random_bytes},
};

int main(void)
{
    code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (code == MAP_FAILED)
        return 2;
    return run_suite("emulated instructions", tests, ARRAY_SIZE(tests));
}
