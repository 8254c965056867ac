/* SPDX-License-Identifier: MIT */
/*
 * The decoder of emulated instructions over any bytes and registers: it reads no byte that is not
 * there, and is never longer than an instruction can be. A write touches no register but those that
 * the instruction has, and leaves the stack pointer and the segments alone.
 */
#include <asm/insn.h>
#include <stdlib.h>
#include "bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void holds(bool promise)
{
    if (!promise)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};
    struct cpu_user_regs regs, before;
    unsigned n = pick(&b, INSN_MAX + 1);
    uint8_t *insn = malloc(n + !n);
    uint64_t old = take_number(&b, 8), mask;
    struct write_effect e;
    struct insn w;

    take(&b, &regs, sizeof(regs));
    take(&b, insn, n);
    before = regs;
    if (insn_decode(insn, n, &w)) {
        holds(w.length > 0 && w.length <= n);
        holds(w.bytes == 1 || w.bytes == 2 || w.bytes == 4 || w.bytes == 8);
        holds(w.op != INSN_NONE && w.reg < 16 && w.rm < 16);
    } else {
        w.op = INSN_NONE;
    }
    if (insn_is_write(&w)) {
        mask = operand_mask(w.bytes);
        e = write_effect(&w, &regs, old & mask);
        holds((e.new & ~mask) == 0);
        holds(!memcmp(&regs, &before, sizeof(regs))); /* nothing happened yet */
        write_retire(&w, &regs, &e);
        holds(regs.rip == before.rip || regs.rip == before.rip + w.length);
        holds((w.prefixes & INSN_REP) || regs.rip != before.rip);
        holds(regs.rsp == before.rsp || (!w.has_imm && w.reg == 4));
        holds(regs.cs == before.cs && regs.ss == before.ss);
        holds(!((regs.rflags ^ before.rflags) & ~0x8d5ul)); /* the arithmetic flags */
    }
    free(insn);
    return 0;
}
