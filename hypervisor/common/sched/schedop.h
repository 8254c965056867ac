/* SPDX-License-Identifier: MIT */
/* SCHEDOP_watchdog: id 0 makes one (its id is returned), seconds 0 ends it. -EINVAL, -ENOSPC. */
#ifndef SCHED_SCHEDOP_H
#define SCHED_SCHEDOP_H

struct domain;
long domain_watchdog(struct domain *d, unsigned id, unsigned seconds);

#endif
