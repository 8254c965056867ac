/* SPDX-License-Identifier: MIT */
/* What the writes of asm/insn.h do: to memory, to registers, to flags. */
#include <asm/insn.h>

#define FLAG_CF     0x001u
#define FLAG_PF     0x004u
#define FLAG_AF     0x010u
#define FLAG_ZF     0x040u
#define FLAG_SF     0x080u
#define FLAG_DF     0x400u
#define FLAG_OF     0x800u
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* AH, CH, DH or BH: the second byte of the register four before. */
static bool is_high(const struct insn *w)
{
    return w->bytes == 1 && !w->rex && w->reg >= 4;
}

uint64_t write_source(const struct insn *w, struct cpu_user_regs *regs)
{
    bool high = is_high(w);

    if (w->has_imm)
        return w->imm;
    return *insn_register(regs, w->reg - 4 * high) >> 8 * high & operand_mask(w->bytes);
}

static void source_set(const struct insn *w, struct cpu_user_regs *regs, uint64_t v)
{
    bool high = is_high(w);

    register_set((char *)insn_register(regs, w->reg - 4 * high) + high, v, w->bytes);
}

static unsigned result_flags(uint64_t v, unsigned bytes)
{
    return (v ? 0 : FLAG_ZF) | (v >> (8 * bytes - 1) & 1 ? FLAG_SF : 0) |
           (__builtin_parity(v & 0xff) ? 0 : FLAG_PF);
}

/* Those of x + y = sum, or sum - y = x: of what carries. */
static unsigned carry_flags(uint64_t sum, uint64_t x, uint64_t y, unsigned bytes)
{
    uint64_t overflow = (sum ^ x) & (sum ^ y);

    return (sum < y ? FLAG_CF : 0) | ((x ^ y ^ sum) & 0x10 ? FLAG_AF : 0) |
           (overflow >> (8 * bytes - 1) & 1 ? FLAG_OF : 0);
}

struct write_effect write_effect(const struct insn *w, struct cpu_user_regs *regs, uint64_t old)
{
    unsigned bytes = w->bytes;
    uint64_t mask = operand_mask(bytes), acc = regs->rax & mask, src = write_source(w, regs);
    uint64_t bit = 1UL << (src % (8 * bytes)), diff;
    struct write_effect e = {true, old, src, FLAGS_ARITH, 0};

    switch (w->op) {
    case W_CMPXCHG:
        e.writes = acc == old;
        diff = (acc - old) & mask;
        e.flags = carry_flags(acc, diff, old, bytes) | result_flags(diff, bytes);
        return e;
    case W_ADD:
    case W_XADD:
        e.new = (old + src) & mask;
        e.flags = carry_flags(e.new, old, src, bytes);
        break;
    case W_SUB:
        e.new = (old - src) & mask;
        e.flags = carry_flags(old, e.new, src, bytes);
        break;
    case W_OR:
        e.new = old | src;
        break;
    case W_AND:
        e.new = old &src;
        break;
    case W_XOR:
        e.new = old ^ src;
        break;
    case W_BTS:
        e.new = old | bit;
        break;
    case W_BTR:
        e.new = old & ~bit;
        break;
    case W_BTC:
        e.new = old ^ bit;
        break;
    default: /* MOV, XCHG, STOS */
        e.changes = 0;
        return e;
    }
    if (w->op >= W_BTS) {
        e.changes = FLAG_CF;
        e.flags = old & bit ? FLAG_CF : 0;
    } else {
        e.flags |= result_flags(e.new, bytes);
    }
    return e;
}

void write_retire(const struct insn *w, struct cpu_user_regs *regs, const struct write_effect *e)
{
    if (w->op == W_XCHG || w->op == W_XADD)
        source_set(w, regs, e->old);
    if (w->op == W_CMPXCHG && !e->writes)
        register_set(&regs->rax, e->old, w->bytes);
    if (w->op == W_STOS) {
        regs->rdi += regs->rflags & FLAG_DF ? -(uint64_t)w->bytes : w->bytes;
        if ((w->prefixes & INSN_REP) && --regs->rcx)
            return; /* the next round faults again, or not */
    }
    regs->rflags = (regs->rflags & ~e->changes) | e->flags;
    regs->rip += w->length;
}
