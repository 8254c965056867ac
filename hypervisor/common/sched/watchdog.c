/* SPDX-License-Identifier: MIT */
/*
 * Watchdogs: two for each domain; one that is not set again in time shuts the domain down (dom0:
 * restarts the machine).
 *
 * Interface: watchdogs_init/kill (hv/domain.h), domain_watchdog (schedop.c). Lock: d->lock for who
 * is in use.
 */
#include <hv/printk.h>
#include <xen/sched.h>
#include "sched.h"

static void watchdog_fires(void *data)
{
    struct domain *d = data;

    if (d->is_shut_down)
        return;
    pr_warn("d%u: a watchdog was not fed in time\n", d->id);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

void watchdogs_init(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdogs); i++)
        timer_init(&d->watchdogs[i].timer, watchdog_fires, d, this_cpu_id());
}

void watchdogs_kill(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdogs); i++)
        timer_kill(&d->watchdogs[i].timer);
}

static long watchdog_new(struct domain *d, uint64_t deadline)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdogs); i++)
        if (!d->watchdogs[i].in_use) {
            d->watchdogs[i].in_use = true;
            timer_set(&d->watchdogs[i].timer, deadline);
            return i + 1;
        }
    return -ENOSPC;
}

long domain_watchdog(struct domain *d, unsigned id, unsigned seconds)
{
    uint64_t deadline = now() + seconds * 1000000000UL;
    long rc = 0;

    if (id > ARRAY_SIZE(d->watchdogs))
        return -EINVAL;
    spin_lock(&d->lock);
    if (id == 0) {
        rc = watchdog_new(d, deadline);
    } else if (!d->watchdogs[id - 1].in_use) {
        rc = -EINVAL;
    } else if (seconds) {
        timer_set(&d->watchdogs[id - 1].timer, deadline);
    } else {
        timer_stop(&d->watchdogs[id - 1].timer);
        d->watchdogs[id - 1].in_use = false;
    }
    spin_unlock(&d->lock);
    return rc;
}
