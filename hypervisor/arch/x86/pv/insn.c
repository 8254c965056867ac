/* SPDX-License-Identifier: MIT */
/*
 * The decoder of asm/insn.h: prefixes, a table for each opcode map, and ModRM where it is needed.
 * Intel SDM volume 2, appendix A.
 */
#include <asm/insn.h>

enum form {
    ALONE = 1,    /* no more bytes */
    MEMORY = 2,   /* ModRM: its reg field is the source, the rest an operand in memory */
    REGISTER = 4, /* ModRM: two registers, whatever its mod field says */
    GROUP = 8,    /* op is the number of a group: ModRM's reg field tells its members apart */
    IMM8 = 16,
    IMM = 32,
    WIDE = 64, /* never an 8-bit operand; elsewhere bit 0 of the opcode tells */
    PREFIX = 128,
};

struct opcode {
    uint8_t form;
    uint8_t op; /* enum insn_op; enum insn_prefix; the number of the group */
};

static const struct opcode one_byte[256] = {
    [0x00 ... 0x01] = {MEMORY, W_ADD},
    [0x08 ... 0x09] = {MEMORY, W_OR},
    [0x20 ... 0x21] = {MEMORY, W_AND},
    [0x28 ... 0x29] = {MEMORY, W_SUB},
    [0x30 ... 0x31] = {MEMORY, W_XOR},
    [0x6c ... 0x6d] = {ALONE, PRIV_INS},
    [0x6e ... 0x6f] = {ALONE, PRIV_OUTS},
    [0x80] = {MEMORY | GROUP | IMM8, 1},
    [0x81] = {MEMORY | GROUP | IMM, 1},
    [0x83] = {MEMORY | GROUP | IMM8, 1},
    [0x86 ... 0x87] = {MEMORY, W_XCHG},
    [0x88 ... 0x89] = {MEMORY, W_MOV},
    [0xaa ... 0xab] = {ALONE, W_STOS},
    [0xc6] = {MEMORY | GROUP | IMM8, 11},
    [0xc7] = {MEMORY | GROUP | IMM, 11},
    [0xe4 ... 0xe5] = {IMM8, PRIV_IN},
    [0xe6 ... 0xe7] = {IMM8, PRIV_OUT},
    [0xec ... 0xed] = {ALONE, PRIV_IN},
    [0xee ... 0xef] = {ALONE, PRIV_OUT},
    [0xfa ... 0xfb] = {ALONE, PRIV_CLI_STI},
    [0x26] = {PREFIX},
    [0x2e] = {PREFIX},
    [0x36] = {PREFIX},
    [0x3e] = {PREFIX},
    [0x64] = {PREFIX, INSN_FS},
    [0x65] = {PREFIX, INSN_GS},
    [0x66] = {PREFIX, INSN_OP16},
    [0x67] = {PREFIX, INSN_ADDR32},
    [0xf0] = {PREFIX, INSN_LOCK},
    [0xf2 ... 0xf3] = {PREFIX, INSN_REP},
};
static const struct opcode two_byte[256] = {
    /* after 0x0f */
    [0x06] = {ALONE, PRIV_CLTS},        [0x09] = {ALONE, PRIV_WBINVD},
    [0x20] = {REGISTER, PRIV_CR_READ},  [0x21] = {REGISTER, PRIV_DR_READ},
    [0x22] = {REGISTER, PRIV_CR_WRITE}, [0x23] = {REGISTER, PRIV_DR_WRITE},
    [0x30] = {ALONE, PRIV_WRMSR},       [0x31] = {ALONE, PRIV_RDTSC},
    [0x32] = {ALONE, PRIV_RDMSR},       [0xa2] = {ALONE, PRIV_CPUID},
    [0xab] = {MEMORY, W_BTS},           [0xb0 ... 0xb1] = {MEMORY, W_CMPXCHG},
    [0xb3] = {MEMORY, W_BTR},           [0xba] = {MEMORY | GROUP | IMM8 | WIDE, 8},
    [0xbb] = {MEMORY, W_BTC},           [0xc0 ... 0xc1] = {MEMORY, W_XADD},
    [0xc3] = {MEMORY, W_MOV}, /* MOVNTI */
};
/* After 0x0f 0x01. As on Xen LMSW is not here: CLTS and CR0 are. */
static const struct opcode group7[256] = {
    [0xd1] = {ALONE, PRIV_XSETBV}, [0xf9] = {ALONE, PRIV_RDTSC}, /* RDTSCP */
};
static const uint8_t group[12][8] = {
    [1] = {W_ADD, W_OR, INSN_NONE, INSN_NONE, W_AND, W_SUB, W_XOR, INSN_NONE},
    [8] = {[5] = W_BTS, W_BTR, W_BTC},
    [11] = {W_MOV},
};

struct cursor {
    const uint8_t *p;
    unsigned at, n;
    bool bad;
};

static uint8_t next(struct cursor *c)
{
    if (c->at >= c->n) {
        c->bad = true;
        return 0;
    }
    return c->p[c->at++];
}

static uint64_t next_signed(struct cursor *c, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)next(c) << (8 * i);
    return (uint64_t)((int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes));
}

/* Past SIB and displacement. False: a register operand, which writes no memory. */
static bool skip_address(struct cursor *c, uint8_t modrm)
{
    unsigned mod = modrm >> 6, rm = modrm & 7, disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;

    if (mod == 3)
        return false;
    if (rm == 4)
        rm = next(c) & 7; /* SIB's base */
    if (rm == 5 && mod == 0)
        disp = 4; /* RIP-relative, or no base */
    while (disp--)
        next(c);
    return true;
}

bool insn_decode(const uint8_t *code, unsigned n, struct insn *out)
{
    struct cursor c = {code, 0, MIN(n, (unsigned)INSN_MAX), false};
    uint8_t b, rex = 0, prefixes = 0, modrm;
    const struct opcode *o;

    while ((o = &one_byte[b = next(&c)])->form == PREFIX)
        prefixes |= o->op;
    if ((b & 0xf0) == 0x40) {
        rex = b;
        o = &one_byte[b = next(&c)];
    }
    if (b == 0x0f) {
        o = &two_byte[b = next(&c)];
        if (b == 0x01)
            o = &group7[b = next(&c)];
    }
    if (o->form == PREFIX) /* after REX, which makes that void */
        return false;
    *out = (struct insn){.op = o->op, .rex = rex != 0, .prefixes = prefixes};
    out->has_imm = o->form & (IMM8 | IMM);
    if (o->form & (MEMORY | REGISTER)) {
        modrm = next(&c);
        out->reg = (modrm >> 3 & 7) | (rex & 4) << 1;
        out->rm = (modrm & 7) | (rex & 1) << 3;
        if (o->form & GROUP)
            out->op = group[o->op][modrm >> 3 & 7];
        if ((o->form & MEMORY) && !skip_address(&c, modrm))
            return false;
    }
    if (!(b & 1) && !(o->form & WIDE))
        out->bytes = 1;
    else
        out->bytes = (rex & 8) && insn_is_write(out) ? 8 : prefixes & INSN_OP16 ? 2 : 4;
    if (out->has_imm)
        out->imm =
            next_signed(&c, o->form & IMM8 ? 1 : MIN(out->bytes, 4)) & operand_mask(out->bytes);
    if ((prefixes & INSN_LOCK) && (!(o->form & MEMORY) || out->op == W_MOV))
        return false;
    out->length = c.at;
    return !c.bad && out->op != INSN_NONE;
}

uint64_t *insn_register(struct cpu_user_regs *regs, unsigned n)
{
#define AT(reg) offsetof(struct cpu_user_regs, reg)
    static const uint8_t offset[16] = {AT(rax), AT(rcx), AT(rdx), AT(rbx), AT(rsp), AT(rbp),
                                       AT(rsi), AT(rdi), AT(r8),  AT(r9),  AT(r10), AT(r11),
                                       AT(r12), AT(r13), AT(r14), AT(r15)};

    return (uint64_t *)((char *)regs + offset[n & 15]);
}

void register_set(void *reg, uint64_t v, unsigned bytes)
{
    if (bytes == 4)
        *(uint64_t *)reg = (uint32_t)v;
    else
        __builtin_memcpy(reg, &v, bytes);
}
