/* SPDX-License-Identifier: MIT */
/* The calls behind cpu_share.h. */
#include "cpu_share.h"

#include <errno.h>
#include <string.h>

#define STEP "set-cpu"

static int refused(struct failure *failure, const char *where, const char *what, int error)
{
    return fail(failure, FAIL_HYPERVISOR, STEP, where, "cannot set the %s: %s", what,
                strerror(-error));
}

static int set_affinity(struct hyper *h, uint32_t domid, uint32_t vcpus,
                        const struct affinity_config *a, struct failure *failure)
{
    struct cpu_set hard, soft;
    int error =
        parse_cpu_list(a->hard, &hard, NULL) && parse_cpu_list(a->soft, &soft, NULL) ? 0 : -EINVAL;

    for (uint32_t i = 0; i < vcpus && !error; i++)
        error = hyper_set_affinity(h, domid, i, &hard, &soft);
    return error ? refused(failure, "/cpu/affinity", "affinity", error) : 0;
}

static int set_reservation(struct hyper *h, uint32_t domid, uint32_t vcpus,
                           const struct reservation_config *r, struct failure *failure)
{
    int error = hyper_set_reservation(h, domid, r->period_us, r->budget_us);

    if (!error)
        return 0;
    if (error != -ENOSPC)
        return refused(failure, "/cpu/reservation", "reservation", error);
    fail(failure, FAIL_CPU_UNAVAILABLE, STEP, "/cpu/reservation",
         "no CPU has room for %u of each %u us, for each of %u vCPUs, beside what is reserved "
         "already",
         r->budget_us, r->period_us, vcpus);
    return fail_hint(failure, "lower \"budget_us\" or \"vcpus_max\", widen \"affinity\", or take "
                              "back another domain's; 90 %% of a CPU can be reserved");
}

int cpu_share_set(struct hyper *h, uint32_t domid, uint32_t vcpus, const struct cpu_config *cpu,
                  struct failure *failure)
{
    /* A reservation is kept where the affinity allows: it goes first and comes last, so that any
     * pair can follow any other. */
    int error = hyper_set_reservation(h, domid, 0, 0);

    if (error && error != -EINVAL) /* Xen, which our tools run on too, knows no reservations */
        return refused(failure, "/cpu/reservation", "reservation", error);
    if (set_affinity(h, domid, vcpus, &cpu->affinity, failure))
        return -1;
    error = hyper_set_share(h, domid, cpu->weight, cpu->cap);
    if (error)
        return refused(failure, "/cpu", "weight and cap", error);
    return cpu->reservation.budget_us ? set_reservation(h, domid, vcpus, &cpu->reservation, failure)
                                      : 0;
}
