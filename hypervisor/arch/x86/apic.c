/* SPDX-License-Identifier: MIT */
/*
 * Local APIC. x2APIC (registers as MSRs) when the CPU has it and it is not forbidden, or the
 * firmware left it on; else memory-mapped. Nothing here takes a lock: the APIC is each CPU's own.
 * An IPI in xAPIC mode takes two writes, so interrupts are off around them.
 */
#include <hv/cmdline.h>
#include <hv/printk.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/hv_paging.h>

enum apic_reg {
    APIC_ID = 0x20,
    APIC_TPR = 0x80,
    APIC_EOI = 0xb0,
    APIC_SPIV = 0xf0,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INIT = 0x380,
    APIC_TIMER_NOW = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};
#define BASE_ENABLE  (1UL << 11)
#define BASE_X2APIC  (1UL << 10)
#define LVT_MASKED   (1u << 16)
#define LVT_NMI      (4u << 8)
#define LVT_DEADLINE (2u << 17)
#define ICR_BUSY     (1u << 12)
#define ICR_ASSERT   (1u << 14)

bool x2apic;
static volatile uint32_t *mmio;

static uint32_t apic_read(enum apic_reg reg)
{
    return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : mmio[reg / 4];
}

static void apic_write(enum apic_reg reg, uint32_t v)
{
    if (x2apic)
        wrmsr(MSR_X2APIC + reg / 16, v);
    else
        mmio[reg / 4] = v;
}

uint32_t apic_id(void)
{
    return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    x2apic = (base & BASE_X2APIC) || (cpu_has.x2apic && opt.x2apic);
    if (!x2apic) {
        mmio = hv_map_window(base & 0xffffff000UL, PAGE_SIZE, HPTE_DEVICE);
        if (!mmio)
            panic("no address space for the local APIC"); /* boot: nothing of a guest's runs yet */
    }
}

void apic_cpu_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;

    wrmsr(MSR_APIC_BASE, base); /* xAPIC first: there is no way straight from off to x2APIC */
    if (x2apic)
        wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (cpu_has.tsc_deadline ? LVT_DEADLINE : 0));
    if (cpu_has.tsc_deadline)
        __asm__ volatile("mfence" ::: "memory"); /* before the first write of the deadline MSR */
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, this_cpu_id() ? LVT_MASKED : LVT_NMI); /* as boards wire it */
    apic_write(APIC_SPIV, 0x100 | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
    for (unsigned i = 0; i < 8; i++)    /* the firmware may have left an interrupt in service */
        apic_eoi();
}

void apic_send(uint32_t to, uint32_t command)
{
    uint32_t icr = ICR_ASSERT | command;
    unsigned long flags;

    if (x2apic) {
        /* the MSR write orders nothing by itself */
        __asm__ volatile("mfence; lfence" ::: "memory");
        wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)to << 32 | icr);
        return;
    }
    flags = irq_save();
    for (unsigned spin = 0; (apic_read(APIC_ICR) & ICR_BUSY) && spin < 1000000; spin++)
        cpu_relax();
    apic_write(APIC_ICR_HIGH, to << 24);
    apic_write(APIC_ICR, icr);
    irq_restore(flags);
}

void apic_timer_set(uint32_t count)
{
    apic_write(APIC_TIMER_INIT, count);
}

uint32_t apic_timer_count(void)
{
    return apic_read(APIC_TIMER_NOW);
}
