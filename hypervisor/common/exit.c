/* SPDX-License-Identifier: MIT */
/*
 * The way out: what stands between the last C code and the guest's next instruction.
 *
 * Interface: exit_to_guest (hv/softirq.h), called by entry.S. Interrupts are off at entry and exit;
 * each turn of the loop looks again at everything, so that nothing raised during an earlier step is
 * forgotten.
 */
#include <hv/softirq.h>
#include <hv/vcpu.h>
#include <asm/pv.h>

/* The guest's copy of its runstate is written while its kernel's page tables are loaded. */
static void publish_runstate(struct vcpu *v)
{
    if (unlikely(v->runstate_stale) && guest_kernel_mode(v))
        vcpu_runstate_publish(v);
}

void exit_to_guest(struct cpu_user_regs *regs)
{
    const struct cpu *c = this_cpu();

    for (;;) {
        struct vcpu *v = current;

        if (unlikely(c->softirq_pending)) {
            irq_enable();
            softirq_run();
            irq_disable();
        } else if (unlikely(v->domain->is_idle)) {
            cpu_wait();
            irq_disable();
        } else if (unlikely(v->hc.active)) {
            irq_enable();
            pv_hypercall(regs);
            irq_disable();
        } else if (unlikely(READ_ONCE(frames_to_reap))) {
            irq_enable();
            frames_reap(); /* domains whose last frame the guest's call gave back */
            irq_disable();
        } else {
            bool delivered;

            publish_runstate(v);
            delivered = pv_deliver(v, regs);
            publish_runstate(v); /* delivery may have switched to kernel mode */
            if (likely(delivered && !c->softirq_pending))
                return;
        }
    }
}
