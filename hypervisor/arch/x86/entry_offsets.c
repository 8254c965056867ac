/* SPDX-License-Identifier: MIT */
/* Holds entry.S to the C structures at build time; makes no code. */
#include <asm/cpu.h>
#include <asm/entry_offsets.h>
#include <asm/hv_paging.h>

#define AT(field, offset) _Static_assert(offsetof(struct cpu_user_regs, field) == (offset), #field)
AT(r15, UREGS_r15);
AT(rcx, UREGS_rcx);
AT(rdi, UREGS_rdi);
AT(error_code, UREGS_error);
AT(entry_vector, UREGS_vector);
AT(rip, UREGS_rip);
AT(cs, UREGS_cs);
AT(eflags, UREGS_eflags);
AT(rsp, UREGS_rsp);
AT(ss, UREGS_ss);
AT(es, UREGS_hw_end);
_Static_assert(sizeof(struct cpu_top) == TOP_SIZE, "cpu_top");
_Static_assert(offsetof(struct cpu_top, scratch) == TOP_SIZE - TOP_SCRATCH, "scratch");
_Static_assert(TOP_REGS_END % 16 == 0, "the CPU aligns RSP0 to 16 before it pushes");
_Static_assert(STACK_SIZE == STACK_BYTES, "stack");
_Static_assert((PERCPU_STACK_PAGE * PAGE_SIZE) % STACK_SIZE == 0,
               "cpu_top() masks the stack pointer");
_Static_assert(FLAT_RING3_CS64 == GUEST_CS64 && FLAT_RING3_SS64 == GUEST_SS &&
                   FLAT_RING3_CS32 == GUEST_CS32,
               "guest selectors are ABI");
_Static_assert((PERCPU_STACK_PAGE + PERCPU_STACK_PAGES) * PAGE_SIZE == 0x10000,
               "STUB_TO_TOP in entry.S");
