/* SPDX-License-Identifier: MIT */
/*
 * Watchdogs: two for each domain; one that is not set again in time shuts the domain down (dom0:
 * restarts the machine).
 *
 * Interface: watchdogs_init/kill (hv/domain.h), domain_watchdog (schedop.c). Lock: d->lock for who
 * is in use.
 */
#include <hv/frame.h>
#include <hv/printk.h>
#include <xen/sched.h>
#include "sched.h"

#define NR_WATCHDOGS 2

struct watchdog {
    struct timer timer;
    struct domain *domain;
    bool in_use;
};

static void watchdog_fires(void *data)
{
    struct watchdog *w = data;

    if (w->domain->is_shut_down)
        return;
    pr_warn("d%u: watchdog %u was not fed in time\n", w->domain->id,
            (unsigned)(w - w->domain->watchdogs) + 1);
    domain_shutdown(w->domain, SHUTDOWN_watchdog);
}

void watchdogs_init(struct domain *d)
{
    d->watchdogs = hv_alloc(NR_WATCHDOGS * sizeof(*d->watchdogs));
    for (unsigned i = 0; d->watchdogs && i < NR_WATCHDOGS; i++) {
        d->watchdogs[i].domain = d;
        timer_init(&d->watchdogs[i].timer, watchdog_fires, &d->watchdogs[i], this_cpu_id());
    }
}

void watchdogs_kill(struct domain *d)
{
    for (unsigned i = 0; d->watchdogs && i < NR_WATCHDOGS; i++)
        timer_kill(&d->watchdogs[i].timer);
}

static long watchdog_new(struct domain *d, uint64_t deadline)
{
    for (unsigned i = 0; i < NR_WATCHDOGS; i++)
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

    if (id > NR_WATCHDOGS)
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
