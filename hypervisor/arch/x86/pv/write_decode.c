/* SPDX-License-Identifier: MIT */
/*
 * Decoding and computing the instructions of asm/write_decode.h. The memory operand's address is
 * not computed: the fault told it. (For a bit operation with a register offset too: what faults is
 * the word that holds the bit.)
 *
 * Intel SDM volume 2, appendix A: opcode maps.
 */
#include <asm/write_decode.h>

#define FLAG_CF     0x001u
#define FLAG_PF     0x004u
#define FLAG_AF     0x010u
#define FLAG_ZF     0x040u
#define FLAG_SF     0x080u
#define FLAG_DF     0x400u
#define FLAG_OF     0x800u
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum form { F_NONE, F_REG, F_IMM8, F_IMM, F_GROUP1_IMM8, F_GROUP1_IMM, F_GROUP8, F_STOS };

struct opcode {
    uint8_t form;
    uint8_t op;
    bool byte; /* 8-bit operand */
};

static const struct opcode one_byte[256] = {
    [0x00] = {F_REG, W_ADD, true},      [0x01] = {F_REG, W_ADD, false},
    [0x08] = {F_REG, W_OR, true},       [0x09] = {F_REG, W_OR, false},
    [0x20] = {F_REG, W_AND, true},      [0x21] = {F_REG, W_AND, false},
    [0x28] = {F_REG, W_SUB, true},      [0x29] = {F_REG, W_SUB, false},
    [0x30] = {F_REG, W_XOR, true},      [0x31] = {F_REG, W_XOR, false},
    [0x80] = {F_GROUP1_IMM8, 0, true},  [0x81] = {F_GROUP1_IMM, 0, false},
    [0x83] = {F_GROUP1_IMM8, 0, false}, [0x86] = {F_REG, W_XCHG, true},
    [0x87] = {F_REG, W_XCHG, false},    [0x88] = {F_REG, W_MOV, true},
    [0x89] = {F_REG, W_MOV, false},     [0xaa] = {F_STOS, W_STOS, true},
    [0xab] = {F_STOS, W_STOS, false},   [0xc6] = {F_IMM8, W_MOV, true},
    [0xc7] = {F_IMM, W_MOV, false},
};
static const struct opcode two_byte[256] = {
    [0xab] = {F_REG, W_BTS, false},     [0xb0] = {F_REG, W_CMPXCHG, true},
    [0xb1] = {F_REG, W_CMPXCHG, false}, [0xb3] = {F_REG, W_BTR, false},
    [0xba] = {F_GROUP8, 0, false},      [0xbb] = {F_REG, W_BTC, false},
    [0xc0] = {F_REG, W_XADD, true},     [0xc1] = {F_REG, W_XADD, false},
    [0xc3] = {F_REG, W_MOV, false}, /* MOVNTI */
};
/* By the reg field of ModRM; W_STOS: not a write we know. */
static const uint8_t group1[8] = {W_ADD, W_OR, W_STOS, W_STOS, W_AND, W_SUB, W_XOR, W_STOS};
static const uint8_t group8[8] = {W_STOS, W_STOS, W_STOS, W_STOS, W_STOS, W_BTS, W_BTR, W_BTC};

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
    if (rm == 4) {
        uint8_t sib = next(c);

        if (mod == 0 && (sib & 7) == 5)
            disp = 4;
    } else if (rm == 5 && mod == 0) {
        disp = 4; /* RIP-relative */
    }
    while (disp--)
        next(c);
    return true;
}

static uint64_t truncate(uint64_t v, unsigned bytes)
{
    return bytes == 8 ? v : v & ((1UL << (8 * bytes)) - 1);
}

bool write_decode(const uint8_t *insn, unsigned n, struct write_insn *out)
{
    struct cursor c = {insn, 0, MIN(n, (unsigned)INSN_MAX), false};
    bool opsize16 = false, rep = false, lock = false, two = false;
    const struct opcode *o;
    uint8_t b, rex = 0, modrm;

    for (b = next(&c);; b = next(&c)) { /* a prefix after REX makes REX void */
        if (b == 0x66)
            opsize16 = true;
        else if (b == 0xf2 || b == 0xf3)
            rep = true;
        else if (b == 0xf0)
            lock = true;
        else if (b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26 && b != 0x64 && b != 0x65 &&
                 b != 0x67)
            break;
    }
    if ((b & 0xf0) == 0x40) {
        rex = b;
        b = next(&c);
    }
    two = b == 0x0f;
    if (two)
        b = next(&c);
    o = two ? &two_byte[b] : &one_byte[b];
    if (c.bad || o->form == F_NONE)
        return false;
    *out = (struct write_insn){.op = o->op, .rep = rep, .rex = rex != 0};
    out->bytes = o->byte ? 1 : rex & 8 ? 8 : opsize16 ? 2 : 4;
    if (o->form == F_STOS) {
        out->src_is_reg = true; /* RAX */
        out->length = c.at;
        return !lock && !c.bad;
    }
    modrm = next(&c);
    if (!skip_address(&c, modrm))
        return false;
    out->reg = (modrm >> 3 & 7) | (rex & 4 ? 8 : 0);
    switch (o->form) {
    case F_REG:
        out->src_is_reg = true;
        break;
    case F_IMM8:
    case F_IMM:
        if (modrm & 0x38)
            return false;
        break;
    case F_GROUP1_IMM8:
    case F_GROUP1_IMM:
        out->op = group1[modrm >> 3 & 7];
        break;
    case F_GROUP8:
        out->op = group8[modrm >> 3 & 7];
        break;
    }
    if (out->op == W_STOS || (lock && out->op == W_MOV))
        return false;
    if (!out->src_is_reg) {
        bool imm8 = o->form == F_IMM8 || o->form == F_GROUP1_IMM8 || o->form == F_GROUP8;

        out->imm = truncate(next_signed(&c, imm8 ? 1 : MIN(out->bytes, 4)), out->bytes);
    }
    out->length = c.at;
    return !c.bad;
}

static const uint16_t reg_offset[16] = {
    offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx),
    offsetof(struct cpu_user_regs, rdx), offsetof(struct cpu_user_regs, rbx),
    offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
    offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi),
    offsetof(struct cpu_user_regs, r8),  offsetof(struct cpu_user_regs, r9),
    offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
    offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13),
    offsetof(struct cpu_user_regs, r14), offsetof(struct cpu_user_regs, r15),
};

static uint8_t *reg_bytes(const struct write_insn *w, const struct cpu_user_regs *regs)
{
    bool high = w->bytes == 1 && !w->rex && w->reg >= 4; /* AH CH DH BH */

    return (uint8_t *)regs + reg_offset[high ? w->reg - 4 : w->reg] + high;
}

/* Write a register as the processor does: 32-bit results clear the upper half. */
static void reg_set(const struct write_insn *w, struct cpu_user_regs *regs, uint8_t *r, uint64_t v)
{
    if (w->bytes == 4)
        *(uint64_t *)(void *)r = (uint32_t)v;
    else
        __builtin_memcpy(r, &v, w->bytes);
}

uint64_t write_source(const struct write_insn *w, const struct cpu_user_regs *regs)
{
    uint64_t v = 0;

    if (!w->src_is_reg)
        return w->imm;
    __builtin_memcpy(&v, reg_bytes(w, regs), w->bytes);
    return v;
}

static uint64_t bit_of(const struct write_insn *w, uint64_t src)
{
    return 1UL << (src % (w->bytes * 8));
}

bool write_result(const struct write_insn *w, const struct cpu_user_regs *regs, uint64_t old,
                  uint64_t *new)
{
    uint64_t src = write_source(w, regs), v = src;

    switch (w->op) {
    case W_MOV:
    case W_XCHG:
    case W_STOS:
        break;
    case W_CMPXCHG:
        if (truncate(regs->rax, w->bytes) != old)
            return false;
        break;
    case W_XADD:
    case W_ADD:
        v = old + src;
        break;
    case W_SUB:
        v = old - src;
        break;
    case W_OR:
        v = old | src;
        break;
    case W_AND:
        v = old & src;
        break;
    case W_XOR:
        v = old ^ src;
        break;
    case W_BTS:
        v = old | bit_of(w, src);
        break;
    case W_BTR:
        v = old & ~bit_of(w, src);
        break;
    case W_BTC:
        v = old ^ bit_of(w, src);
        break;
    }
    *new = truncate(v, w->bytes);
    return true;
}

static unsigned result_flags(uint64_t v, unsigned bytes)
{
    return (v ? 0 : FLAG_ZF) | (v >> (8 * bytes - 1) & 1 ? FLAG_SF : 0) |
           (__builtin_parity(v & 0xff) ? 0 : FLAG_PF);
}

/* Flags of a - b or a + b = r. */
static unsigned sum_flags(uint64_t a, uint64_t b, uint64_t r, unsigned bytes, bool subtract)
{
    unsigned top = 8 * bytes - 1;
    uint64_t overflow = subtract ? (a ^ b) & (a ^ r) : ~(a ^ b) & (a ^ r);
    bool carry = subtract ? a < b : r < a;

    return result_flags(r, bytes) | (carry ? FLAG_CF : 0) | ((a ^ b ^ r) & 0x10 ? FLAG_AF : 0) |
           (overflow >> top & 1 ? FLAG_OF : 0);
}

void write_retire(const struct write_insn *w, struct cpu_user_regs *regs, uint64_t old,
                  uint64_t new)
{
    uint64_t src = write_source(w, regs), acc = truncate(regs->rax, w->bytes);
    unsigned keep = ~FLAGS_ARITH, set = 0;

    switch (w->op) {
    case W_MOV:
        keep = ~0u;
        break;
    case W_XCHG:
        keep = ~0u;
        reg_set(w, regs, reg_bytes(w, regs), old);
        break;
    case W_STOS:
        keep = ~0u;
        regs->rdi += regs->rflags & FLAG_DF ? -(uint64_t)w->bytes : w->bytes;
        if (w->rep && --regs->rcx)
            return; /* the next round faults again, or not */
        break;
    case W_CMPXCHG:
        set = sum_flags(acc, old, truncate(acc - old, w->bytes), w->bytes, true);
        if (acc != old)
            reg_set(w, regs, (uint8_t *)&regs->rax, old);
        break;
    case W_XADD:
        set = sum_flags(old, src, new, w->bytes, false);
        reg_set(w, regs, reg_bytes(w, regs), old);
        break;
    case W_ADD:
        set = sum_flags(old, src, new, w->bytes, false);
        break;
    case W_SUB:
        set = sum_flags(old, src, new, w->bytes, true);
        break;
    case W_OR:
    case W_AND:
    case W_XOR:
        set = result_flags(new, w->bytes);
        break;
    case W_BTS:
    case W_BTR:
    case W_BTC:
        keep = ~FLAG_CF;
        set = old & bit_of(w, src) ? FLAG_CF : 0;
        break;
    }
    regs->rflags = (regs->rflags & ~0xffffffffUL) | (((unsigned)regs->rflags & keep) | set);
    regs->rip += w->length;
}
