/* SPDX-License-Identifier: MIT */
/*
 * The decoder for the few instructions that a 64-bit PV guest may execute although ring 3 cannot: a
 * table for each opcode map, prefixes, and ModRM where it is needed. Pure: runs on the host under
 * the fuzzer. Source: Intel SDM vol. 2, appendix A.
 */
#include "priv_op.h"

struct opcode {
    uint8_t byte, kind;
    uint8_t width; /* 1: byte; 0: by operand size (2 or 4) */
    bool imm8, modrm;
};

static const struct opcode one_byte[] = {
    {0x6c, PRIV_INS, 1, false, false},  {0x6d, PRIV_INS, 0, false, false},
    {0x6e, PRIV_OUTS, 1, false, false}, {0x6f, PRIV_OUTS, 0, false, false},
    {0xe4, PRIV_IN, 1, true, false},    {0xe5, PRIV_IN, 0, true, false},
    {0xe6, PRIV_OUT, 1, true, false},   {0xe7, PRIV_OUT, 0, true, false},
    {0xec, PRIV_IN, 1, false, false},   {0xed, PRIV_IN, 0, false, false},
    {0xee, PRIV_OUT, 1, false, false},  {0xef, PRIV_OUT, 0, false, false},
    {0xf4, PRIV_HLT, 0, false, false},  {0xfa, PRIV_CLI, 0, false, false},
    {0xfb, PRIV_STI, 0, false, false},
};

static const struct opcode two_byte[] = {
    /* after 0x0f */
    {0x06, PRIV_CLTS, 0, false, false},    {0x09, PRIV_WBINVD, 0, false, false},
    {0x20, PRIV_CR_READ, 0, false, true},  {0x21, PRIV_DR_READ, 0, false, true},
    {0x22, PRIV_CR_WRITE, 0, false, true}, {0x23, PRIV_DR_WRITE, 0, false, true},
    {0x30, PRIV_WRMSR, 0, false, false},   {0x31, PRIV_RDTSC, 0, false, false},
    {0x32, PRIV_RDMSR, 0, false, false},   {0xa2, PRIV_CPUID, 0, false, false},
};

struct cursor {
    const uint8_t *code;
    unsigned at, n;
};

static bool next(struct cursor *c, uint8_t *b)
{
    if (c->at == c->n)
        return false;
    *b = c->code[c->at++];
    return true;
}

static const struct opcode *find(const struct opcode *t, unsigned n, uint8_t byte)
{
    for (unsigned i = 0; i < n; i++)
        if (t[i].byte == byte)
            return &t[i];
    return NULL;
}

/* 0x0f 0x01: the group that ModRM tells apart. As on Xen LMSW is not in it: CLTS and CR0 are. */
static bool decode_group7(struct cursor *c, struct priv_insn *out)
{
    uint8_t m;

    if (!next(c, &m))
        return false;
    out->kind = m == 0xd1 ? PRIV_XSETBV : m == 0xf9 ? PRIV_RDTSC : PRIV_NONE;
    return out->kind != PRIV_NONE;
}

static void decode_modrm(struct priv_insn *out, uint8_t m, uint8_t rex)
{
    /* MOV to and from CR/DR ignores the mod field: always registers. */
    out->special = ((m >> 3) & 7) | (rex & 4) << 1;
    out->reg = (m & 7) | (rex & 1) << 3;
}

bool priv_decode(const uint8_t *code, unsigned n, struct priv_insn *out)
{
    struct cursor c = {code, 0, n > INSN_MAX ? INSN_MAX : n};
    const struct opcode *op;
    uint8_t b, m, rex = 0;
    bool op16 = false;

    *out = (struct priv_insn){0};
    for (;;) {
        if (!next(&c, &b))
            return false;
        if (b == 0x66)
            op16 = true;
        else if (b == 0x67)
            out->addr32 = true;
        else if (b == 0xf2 || b == 0xf3)
            out->rep = true;
        else if (b == 0x64 || b == 0x65)
            out->seg_fs = b == 0x64, out->seg_gs = b == 0x65;
        else if (b != 0x26 && b != 0x2e && b != 0x36 && b != 0x3e && b != 0xf0)
            break;
    }
    if ((b & 0xf0) == 0x40) {
        rex = b;
        if (!next(&c, &b))
            return false;
    }
    if (b == 0x0f) {
        if (!next(&c, &b))
            return false;
        if (b == 0x01) {
            bool ok = decode_group7(&c, out);
            out->length = c.at;
            return ok;
        }
        op = find(two_byte, ARRAY_SIZE(two_byte), b);
    } else {
        op = find(one_byte, ARRAY_SIZE(one_byte), b);
    }
    if (!op)
        return false;
    out->kind = op->kind;
    out->bytes = op->width ? 1 : op16 ? 2 : 4;
    out->imm_port = op->imm8;
    if (op->imm8 && !next(&c, &out->port))
        return false;
    if (op->modrm) {
        if (!next(&c, &m))
            return false;
        decode_modrm(out, m, rex);
    }
    out->length = c.at;
    return true;
}
