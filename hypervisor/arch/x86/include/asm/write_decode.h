/* SPDX-License-Identifier: MIT */
/*
 * A small decoder for the instructions with which kernels write page tables: 64-bit mode, one
 * memory operand that is written. Pure functions, no machine: tested on the host.
 */
#ifndef ASM_WRITE_DECODE_H
#define ASM_WRITE_DECODE_H

#include <hv/types.h>

enum write_op {
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
    W_STOS
};

#define INSN_MAX 15

struct write_insn {
    enum write_op op;
    uint8_t length; /* of the instruction, bytes */
    uint8_t bytes;  /* of the operand: 1, 2, 4, 8 */
    bool rep;       /* W_STOS only */
    bool src_is_reg;
    uint8_t reg; /* 0…15, as encoded; bytes == 1 and !rex: 4…7 are AH CH DH BH */
    bool rex;
    uint64_t imm; /* sign-extended to bytes */
};

/* False: something else, or not complete in these n bytes. */
bool write_decode(const uint8_t *insn, unsigned n, struct write_insn *out);

/* The source operand, from the guest's registers. */
uint64_t write_source(const struct write_insn *w, const struct cpu_user_regs *regs);
/*
 * What the operand becomes if it is `old` now. False: it is not written (a CMPXCHG that fails).
 */
bool write_result(const struct write_insn *w, const struct cpu_user_regs *regs, uint64_t old,
                  uint64_t *new);
/* The write happened (or a CMPXCHG failed) with this old and new: registers, flags, and the
 * instruction pointer. */
void write_retire(const struct write_insn *w, struct cpu_user_regs *regs, uint64_t old,
                  uint64_t new);

#endif
