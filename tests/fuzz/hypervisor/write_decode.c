/* SPDX-License-Identifier: MIT */
/*
 * The decoder of page-table writes over any bytes and registers: it reads no byte that is not
 * there, is never longer than an instruction can be, touches no register but those that the
 * instruction has, and leaves the stack pointer and the segments alone.
 */
#include <asm/write_decode.h>
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
    uint64_t old = take_number(&b, 8), new = old, mask;
    struct write_insn w;

    take(&b, &regs, sizeof(regs));
    take(&b, insn, n);
    before = regs;
    if (write_decode(insn, n, &w)) {
        holds(w.length > 0 && w.length <= n);
        holds(w.bytes == 1 || w.bytes == 2 || w.bytes == 4 || w.bytes == 8);
        mask = w.bytes == 8 ? ~0ul : (1ul << (w.bytes * 8)) - 1;
        old &= mask;
        if (write_result(&w, &regs, old, &new))
            holds((new & ~mask) == 0);
        holds(!memcmp(&regs, &before, sizeof(regs))); /* nothing happened yet */
        write_retire(&w, &regs, old, new);
        holds(regs.rip == before.rip || regs.rip == before.rip + w.length);
        holds(w.rep || regs.rip != before.rip);
        holds(regs.rsp == before.rsp || (w.src_is_reg && w.reg == 4));
        holds(regs.cs == before.cs && regs.ss == before.ss);
        holds(!((regs.rflags ^ before.rflags) & ~0x8d5ul)); /* the arithmetic flags */
    }
    free(insn);
    return 0;
}
