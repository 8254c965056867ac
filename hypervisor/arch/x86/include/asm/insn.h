/* SPDX-License-Identifier: MIT */
/*
 * The few instructions that the hypervisor performs for a guest: those with which kernels write
 * page tables (one memory operand, which is written), and those that ring 3 may not have. 64-bit
 * mode. Pure functions, no machine: tested on the host.
 */
#ifndef ASM_INSN_H
#define ASM_INSN_H

#include <hv/types.h>

enum insn_op {
    INSN_NONE,
    /* writes */
    W_MOV,
    W_XCHG,
    W_CMPXCHG,
    W_XADD,
    W_ADD,
    W_OR,
    W_AND,
    W_SUB,
    W_XOR,
    W_BTS,
    W_BTR,
    W_BTC,
    W_STOS,
    /* for the guest's user mode too */
    PRIV_IN,
    PRIV_OUT,
    PRIV_INS,
    PRIV_OUTS,
    PRIV_RDTSC,
    PRIV_CPUID,
    /* for its kernel */
    PRIV_CLI_STI,
    PRIV_CLTS,
    PRIV_WBINVD,
    PRIV_CR_READ,
    PRIV_CR_WRITE,
    PRIV_DR_READ,
    PRIV_DR_WRITE,
    PRIV_XSETBV,
    PRIV_RDMSR,
    PRIV_WRMSR
};

#define INSN_MAX 15

enum insn_prefix {
    INSN_OP16 = 1,
    INSN_ADDR32 = 2,
    INSN_REP = 4,
    INSN_LOCK = 8,
    INSN_FS = 16,
    INSN_GS = 32
};

struct insn {
    enum insn_op op;
    uint8_t length;   /* of the instruction, bytes */
    uint8_t bytes;    /* of the operand: 1, 2, 4, 8 */
    uint8_t reg;      /* 0…15, as encoded: the source, or a control or debug register */
    uint8_t rm;       /* the general register that goes with the latter */
    bool rex;         /* bytes == 1 and !rex: reg 4…7 are AH CH DH BH */
    uint8_t prefixes; /* INSN_* */
    bool has_imm;     /* the source, or the port, is imm */
    uint64_t imm;     /* sign-extended to bytes */
};

/* False: something else, or not complete in these n bytes. */
bool insn_decode(const uint8_t *code, unsigned n, struct insn *out);
/* General register n, 0…15. */
uint64_t *insn_register(struct cpu_user_regs *regs, unsigned n);
/* Write a register, or AH … BH, as the processor does: 32-bit results clear the upper half. */
void register_set(void *reg, uint64_t v, unsigned bytes);

static inline uint64_t operand_mask(unsigned bytes)
{
    return ~0UL >> (64 - 8 * bytes);
}

/* --- write_effect.c: performing a write. The operand's address is not computed: the fault told
 * it. (For a bit operation with a register offset too: what faults is the word that holds the bit.)
 */
static inline bool insn_is_write(const struct insn *w)
{
    return w->op >= W_MOV && w->op <= W_STOS;
}
/* The source operand. */
uint64_t write_source(const struct insn *w, struct cpu_user_regs *regs);
struct write_effect {
    bool writes;             /* false: a CMPXCHG that fails */
    uint64_t old, new;       /* what the operand was, and what it becomes */
    uint64_t changes, flags; /* the flags it changes, and what to */
};
struct write_effect write_effect(const struct insn *w, struct cpu_user_regs *regs, uint64_t old);
/* It happened: registers, flags, and the instruction pointer. */
void write_retire(const struct insn *w, struct cpu_user_regs *regs, const struct write_effect *e);

#endif
