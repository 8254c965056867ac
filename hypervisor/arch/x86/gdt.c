/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables of a CPU: the page of the GDT that is ours (page 14 of the window that guests
 * see the rest of), TSS, LDT slot.
 *
 * Invariant: every descriptor of ours has its accessed bit set, so the CPU never writes to them
 * (but the TSS's busy bit).
 */
#include <asm/cpufeature.h>
#include <asm/hv_paging.h>
#include <asm/traps.h>

struct tss64 {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss64) == 104, "hardware format");

#define HV_SS  0xe010
#define HV_TSS 0xe040
#define HV_LDT 0xe050

#define ENTRY(selector) (((selector)&0xfff) >> 3) /* in our page */

/* System descriptors (TSS, LDT) take two entries. */
static void set_system_descriptor(uint64_t *e, uint64_t base, uint32_t limit, unsigned type)
{
    e[1] = base >> 32;
    e[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(type | 0x80) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
}

int gdt_cpu_init(unsigned cpu)
{
    uint64_t *gdt = hv_boot_page();
    struct tss64 *tss = hv_boot_page();

    if (!gdt || !tss)
        return -ENOMEM;
    gdt[ENTRY(HV_CS)] = 0x00af9b000000ffffUL;
    gdt[ENTRY(HV_SS)] = 0x00cf93000000ffffUL;
    gdt[ENTRY(FLAT_RING3_CS32)] = 0x00cffb000000ffffUL;
    gdt[ENTRY(FLAT_RING3_SS64)] = 0x00cff3000000ffffUL;
    gdt[ENTRY(FLAT_RING3_CS64)] = 0x00affb000000ffffUL;
    set_system_descriptor(&gdt[ENTRY(HV_TSS)], (uint64_t)tss, sizeof(*tss) - 1, 9);

    /* Each IST stack is one page at the bottom of the CPU's stack area; order as in idt.c. */
    for (unsigned i = 0; i < 4; i++)
        tss->ist[i] = percpu_va(cpu, PERCPU_STACK_PAGE + i + 1);
    tss->rsp[0] = (uint64_t)&percpu_top(cpu)->regs.es;
    tss->iomap = sizeof(*tss);

    percpu_l1[cpu][PERCPU_GDT_PAGE + FIRST_RESERVED_GDT_PAGE] = hv_page_maddr(gdt) | HPTE_RW;
    return 0;
}

void gdt_cpu_load(struct cpu *c)
{
    const struct table_pointer gdtr = {0xffff, percpu_va(c->id, PERCPU_GDT_PAGE)};

    __asm__ volatile("lgdt %0\n\t"
                     "mov %1, %%ss\n\t"
                     "pushq %2\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1: mov %3, %%ds\n\t"
                     "mov %3, %%es\n\t"
                     "mov %3, %%fs\n\t"
                     "mov %3, %%gs\n\t"
                     "lldt %w3\n\t"
                     "ltr %w4" ::"m"(gdtr),
                     "r"(HV_SS), "i"(HV_CS), "r"(0), "r"(HV_TSS)
                     : "rax", "memory");
}

void ldt_load(unsigned entries)
{
    unsigned cpu = this_cpu_id();
    uint64_t *gdt = (uint64_t *)percpu_va(cpu, PERCPU_GDT_PAGE + FIRST_RESERVED_GDT_PAGE);

    if (!entries) {
        __asm__ volatile("lldt %w0" ::"r"(0));
        return;
    }
    set_system_descriptor(&gdt[ENTRY(HV_LDT)], ldt_window_va(cpu), entries * 8 - 1, 2);
    __asm__ volatile("lldt %w0" ::"r"(HV_LDT) : "memory");
}
