/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a guest: decoded (priv_op_decode.c: pure), then performed
 * (priv_op_{io,msr}.c, priv_op.c). The bytes are copied in once; what is emulated is what was
 * decoded, whatever another vCPU writes there meanwhile.
 */
#ifndef PV_PRIV_OP_H
#define PV_PRIV_OP_H

#include <hv/types.h>

#define INSN_MAX 15

enum priv_kind {
    PRIV_NONE, /* not one of ours: #GP */
    PRIV_IN,
    PRIV_OUT,
    PRIV_INS,
    PRIV_OUTS,
    PRIV_CLI,
    PRIV_STI,
    PRIV_CLTS,
    PRIV_WBINVD,
    PRIV_CR_READ,
    PRIV_CR_WRITE,
    PRIV_DR_READ,
    PRIV_DR_WRITE,
    PRIV_XSETBV,
    PRIV_RDMSR,
    PRIV_WRMSR,
    PRIV_RDTSC,
    PRIV_CPUID,
    PRIV_HLT,
};

struct priv_insn {
    enum priv_kind kind;
    uint8_t length;
    uint8_t bytes; /* operand width of I/O: 1, 2, 4 */
    bool imm_port;
    uint8_t port; /* if imm_port */
    bool rep, addr32, seg_fs, seg_gs;
    uint8_t reg;     /* general register 0…15 */
    uint8_t special; /* number of the control or debug register */
};

/* Decode at most n bytes; false: not a whole instruction that we know. */
bool priv_decode(const uint8_t *code, unsigned n, struct priv_insn *out);

struct cpu_user_regs;
uint64_t *insn_register(struct cpu_user_regs *regs, unsigned n);

/* Performers: true when done (the caller moves rip on); false: the guest gets #GP, or *faulted says
 * that it got another one. */
bool priv_io(struct cpu_user_regs *regs, const struct priv_insn *i, bool *faulted, bool *again);
bool priv_rdmsr(struct cpu_user_regs *regs);
bool priv_wrmsr(struct cpu_user_regs *regs);

#endif
