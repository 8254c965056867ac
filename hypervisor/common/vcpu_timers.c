/* SPDX-License-Identifier: MIT */
/*
 * A guest's clocks: one one-shot and one periodic timer for each vCPU, both raising VIRQ_TIMER.
 *
 * Interface: vcpu_timers_init/kill, vcpu_singleshot_set, vcpu_periodic_set, vcpu_periodic_work
 * (hv/vcpu.h); set_timer_op. The periodic timer runs while its vCPU does: one that sleeps costs
 * nothing, and gets the tick it missed when it runs again, as in Xen. The timers are on the queue
 * of the CPU where the vCPU ran when it set them, so that setting one rarely disturbs another CPU.
 */
#include <hv/evtchn.h>
#include <hv/sched.h>
#include <hv/softirq.h>
#include <hv/time.h>
#include <hv/vcpu.h>

static void singleshot_fires(void *data)
{
    send_guest_vcpu_virq(data, VIRQ_TIMER);
}

void vcpu_periodic_work(struct vcpu *v)
{
    uint64_t period = READ_ONCE(v->periodic_period), t = now();

    if (!period)
        return;
    if (t - v->periodic_last >= period) {
        v->periodic_last = t;
        send_guest_vcpu_virq(v, VIRQ_TIMER);
    }
    timer_set_here(&v->periodic, v->periodic_last + period);
}

static void periodic_fires(void *data)
{
    struct vcpu *v = data;

    if (v == current)
        vcpu_periodic_work(v);
}

static void poll_times_out(void *data)
{
    struct vcpu *v = data;

    if (v->polling)
        vcpu_unblock(v);
}

void vcpu_timers_init(struct vcpu *v)
{
    timer_init(&v->singleshot, singleshot_fires, v, v->cpu);
    timer_init(&v->periodic, periodic_fires, v, v->cpu);
    timer_init(&v->poll_timer, poll_times_out, v, v->cpu);
}

void vcpu_timers_kill(struct vcpu *v)
{
    timer_kill(&v->singleshot);
    timer_kill(&v->periodic);
    timer_kill(&v->poll_timer);
}

void vcpu_singleshot_set(struct vcpu *v, uint64_t deadline_ns)
{
    if (deadline_ns)
        timer_set_here(&v->singleshot, deadline_ns);
    else
        timer_stop(&v->singleshot);
}

void vcpu_periodic_set(struct vcpu *v, uint64_t period_ns)
{
    WRITE_ONCE(v->periodic_period, period_ns);
    timer_stop(&v->periodic);
    if (v->is_running) /* it takes it up in schedule() */
        softirq_raise_on(v->cpu, SOFTIRQ_SCHEDULE);
}

long do_set_timer_op(struct hypercall *hc)
{
    int64_t timeout = (int64_t)hc->arg[0];
    uint64_t t = now();

    /*
     * Old Linux asks for a time a jiffies wrap away when it means "none": as in Xen, such a far or
     * negative time is taken as 100 ms from now, so that a guest that did not mean it does not
     * sleep for ever.
     */
    if (timeout < 0 || (timeout > 0 && (uint64_t)timeout > t + (1UL << 50)))
        timeout = (int64_t)(t + 100000000UL);
    vcpu_singleshot_set(current, (uint64_t)timeout);
    return 0;
}
