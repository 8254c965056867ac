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
#include <hv/domain.h>
#include <asm/cpu.h>
#include <asm/pv.h>

void exit_to_guest(struct cpu_user_regs *regs)
{
    for (;;) {
        struct vcpu *v = current;

        if (this_cpu()->softirq_pending) {
            irq_enable();
            softirq_run();
            irq_disable();
        } else if (v->domain->is_idle) {
            cpu_wait();
            irq_disable();
        } else if (v->hc.active) {
            irq_enable();
            pv_hypercall(regs);
            irq_disable();
        } else if (unlikely(READ_ONCE(frames_to_reap))) {
            irq_enable();
            frames_reap(); /* domains whose last frame the guest's call gave back */
            irq_disable();
        } else {
            bool delivered;

            if (unlikely(v->runstate_stale) && guest_kernel_mode(v))
                vcpu_runstate_publish(v);
            delivered = pv_deliver(v, regs);
            /* Delivery may have switched to kernel mode: the runstate can be written only now. */
            if (delivered && unlikely(v->runstate_stale) && guest_kernel_mode(v))
                vcpu_runstate_publish(v);
            if (delivered && !this_cpu()->softirq_pending)
                return;
        }
    }
}
