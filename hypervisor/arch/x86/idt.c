/* SPDX-License-Identifier: MIT */
/* The interrupt descriptor table: one for all CPUs. Every gate is an interrupt gate (entered with
 * interrupts off). */
#include <asm/cpufeature.h>
#include <asm/traps.h>

struct gate {
    uint16_t offset0, selector;
    uint8_t ist, attributes;
    uint16_t offset1;
    uint32_t offset2, reserved;
};

static struct gate idt[256] __aligned_page;
extern const char entry_stubs[]; /* entry.S: 16 bytes a vector */

static void set_gate(unsigned vector, unsigned dpl, unsigned ist)
{
    uint64_t to = (uint64_t)entry_stubs + 16 * vector;

    idt[vector] = (struct gate){
        .offset0 = to & 0xffff,
        .selector = HV_CS,
        .ist = ist,
        .attributes = 0x8e | dpl << 5,
        .offset1 = to >> 16 & 0xffff,
        .offset2 = to >> 32,
    };
}

void idt_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        set_gate(v, 0, 0);
    /* What guest code may raise by an instruction of its own; other `int n` arrive as #GP and are
     * sorted out there. */
    set_gate(TRAP_BP, 3, 0);
    set_gate(TRAP_OF, 3, 0);
    set_gate(0x80, 3, 0);
    /* Those that may strike while the stack pointer is not ours (SYSCALL's first instructions). IST
     * order: gdt.c */
    set_gate(TRAP_NMI, 0, 1);
    set_gate(TRAP_DF, 0, 2);
    set_gate(TRAP_MC, 0, 3);
    set_gate(TRAP_DB, 0, 4);
}

void idt_load(void)
{
    const struct table_pointer idtr = {sizeof(idt) - 1, (uint64_t)idt};

    __asm__ volatile("lidt %0" ::"m"(idtr));
}
