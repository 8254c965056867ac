/* SPDX-License-Identifier: MIT */
/* Where an interrupt vector goes: the hypervisor's own ones here, devices to irq.c. Called by
 * entry.S, interrupts off. */
#include <hv/printk.h>
#include <hv/softirq.h>
#include <asm/apic.h>
#include <asm/cpu.h>
#include <asm/irq.h>
#include <asm/smp.h>
#include <asm/traps.h>

void handle_interrupt(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;

    if (vector >= FIRST_DEVICE_VECTOR && vector <= LAST_DEVICE_VECTOR) {
        irq_handle(vector);
        return;
    }
    if (vector == VECTOR_SPURIOUS)
        return; /* not in service: it gets no EOI */
    apic_eoi();
    switch (vector) {
    case VECTOR_TIMER:
        softirq_raise(SOFTIRQ_TIMER);
        break;
    case VECTOR_CALL:
    case VECTOR_TLB:
        smp_ipi(vector);
        break;
    case VECTOR_EVENT: /* its softirq bits are looked at on the way out */
    case VECTOR_APIC_ERROR:
        break;
    }
}
