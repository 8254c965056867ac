/* SPDX-License-Identifier: MIT */
/*
 * What happens to a domain after it was made: pause, shutdown, resume, crash, kill.
 *
 * Interface: hv/domain.h. Lock: none for the shutdown state, which is atomic; domctl_lock is held
 * by callers of domain_kill, one at a time. Pausing waits for vCPUs on other CPUs to stop, so no
 * lock that they might wait for is held meanwhile.
 */
#include <hv/cmdline.h>
#include <hv/control.h>
#include <hv/domain.h>
#include <hv/evtchn.h>
#include <hv/grant.h>
#include <hv/printk.h>
#include <hv/sched.h>
#include <hv/softirq.h>
#include <hv/string.h>
#include <xen/sched.h>

/* --- pause ----------------------------------------------------------------------------------- */

static void pause_nosync(struct domain *d)
{
    d->pause_count++;
    for_each_vcpu(d, v)
        vcpu_sleep_nosync(v);
}

void domain_pause(struct domain *d)
{
    pause_nosync(d);
    for_each_vcpu(d, v)
        if (v != current)
            vcpu_sleep_sync(v);
}

void domain_unpause(struct domain *d)
{
    if (--d->pause_count == 0)
        for_each_vcpu(d, v)
            vcpu_wake(v);
}

/* --- shutdown -------------------------------------------------------------------------------- */

/* domain_crash() and the watchdog have said more already. */
static void dom0_shutdown(int reason)
{
    if (reason == SHUTDOWN_poweroff) {
        pr_info("dom0 powered off: powering the machine off\n");
        machine_power_off();
    }
    if (reason == SHUTDOWN_reboot)
        pr_info("dom0 asked for a reboot: restarting the machine\n");
    else
        pr_err("dom0 %s (reason %d)\n", reason == SHUTDOWN_crash ? "crashed" : "ended", reason);
    if (reason != SHUTDOWN_reboot && opt.noreboot) {
        pr_err("noreboot: the machine stays stopped for you to read this; reset it by hand\n");
        machine_halt();
    }
    machine_restart();
}

/*
 * No lock: a guest may have to be stopped in the middle of anything, by its exit path with
 * interrupts off or under the lock of its page tables. Whoever sees is_shut_down set finds it
 * paused already.
 */
void domain_shutdown(struct domain *d, int reason)
{
    int named = SHUTDOWN_CODE_NONE; /* else the guest did before (SCHEDOP_shutdown_code) */

    if (!__atomic_compare_exchange_n(&d->shutdown_code, &named, reason, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        reason = named;
    if (d->is_dom0)
        dom0_shutdown(reason);
    pause_nosync(d); /* undone by domain_resume */
    if (__atomic_exchange_n(&d->is_shut_down, true, __ATOMIC_SEQ_CST))
        domain_unpause(d); /* it was shut down, and paused for that, before */
    else
        send_dom0_virq(VIRQ_DOM_EXC);
}

void domain_resume(struct domain *d)
{
    if (d->dying || !d->is_shut_down)
        return;
    for_each_vcpu(d, v)
        vcpu_sleep_sync(v); /* the shutdown did not wait for it */
    d->crash_reason[0] = '\0';
    d->crashing = false;
    d->shutdown_code = SHUTDOWN_CODE_NONE;
    if (__atomic_exchange_n(&d->is_shut_down, false, __ATOMIC_SEQ_CST))
        domain_unpause(d);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    va_list ap;

    if (!__atomic_exchange_n(&d->crashing, true, __ATOMIC_SEQ_CST)) {
        va_start(ap, fmt);
        vsnprintf(d->crash_reason, sizeof(d->crash_reason), fmt, ap);
        va_end(ap);
        pr_err("d%u crashed: %s\n", d->id, d->crash_reason);
    }
    domain_shutdown(d, SHUTDOWN_crash);
    /* Were it paused and resumed at this very moment: the one that crashed does not go on without a
     * look. */
    if (current->domain == d)
        softirq_raise(SOFTIRQ_SCHEDULE);
}

/* --- kill ------------------------------------------------------------------------------------ */

static void nothing(void)
{
}

static long kill_stop(struct domain *d)
{
    spin_lock(&d->lock);
    d->dying = true;
    spin_unlock(&d->lock);
    domain_pause(d);
    /* A CPU that just left a vCPU of d may look at it once more (finish_switch), with interrupts
     * off. */
    smp_call(nothing);
    sched_set_reservation(d, 0, 0);
    watchdogs_kill(d);
    for_each_vcpu(d, v)
        vcpu_timers_kill(v);
    return 0;
}

static long kill_vcpu_infos(struct domain *d)
{
    for_each_vcpu(d, v)
        vcpu_info_unregister(v);
    return 0;
}

static long kill_done(struct domain *d)
{
    d->dead = true;
    __atomic_store_n(&frames_to_reap, 1, __ATOMIC_SEQ_CST);
    send_dom0_virq(VIRQ_DOM_EXC);
    return 0;
}

/* Each is called again while it returns -HC_RESTART. */
static long (*const kill_steps[])(struct domain *d) = {
    kill_stop,       evtchn_domain_close_all, grant_release_mappings,
    kill_vcpu_infos, arch_domain_relinquish,  kill_done,
};

long domain_kill(struct domain *d)
{
    /* One that is through them was killed before; somebody still holds it, or frames of it. */
    for (; d->kill_step < ARRAY_SIZE(kill_steps); d->kill_step++) {
        long rc = kill_steps[d->kill_step](d);

        if (rc)
            return rc;
    }
    return 0;
}

void frames_reap(void)
{
    struct domain *d;

    if (!__atomic_exchange_n(&frames_to_reap, 0, __ATOMIC_SEQ_CST))
        return;
    for (domid_t id = 0xffff; (d = domain_next(id)) != NULL; domain_put(d)) {
        bool gone;

        id = d->id;
        spin_lock(&d->page_lock);
        gone = d->dead && !d->tot_pages && !d->reaped;
        d->reaped |= gone;
        spin_unlock(&d->page_lock);
        if (gone)
            domain_put(d); /* the creation's */
    }
}
