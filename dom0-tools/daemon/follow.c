/* SPDX-License-Identifier: MIT */
/*
 * What a running domain can follow of a changed document: how many of its vCPUs it uses, and its
 * share of the CPUs.
 *
 * The domain changes first and the definition last: a daemon that dies in between is asked again,
 * finds the same differences and does the same again. Invariant: refused in any step, domain, store
 * and definition are as before.
 */
#include <string.h>

#include "cpu_share.h"
#include "domain.h"
#include "log.h"
#include "store.h"

static void note_later(void *ctx, const char *pointer, const char *old_value, const char *new_value,
                       bool live)
{
    bool *later = ctx;

    *later |= !live;
}

/* From one document to another, as far as the domain (`has` vCPUs) can go. */
static int change(const struct domain *d, const struct domain_config *from,
                  const struct domain_config *to, uint32_t has, struct failure *failure)
{
    int error = 0;

    if (memcmp(&from->cpu, &to->cpu, sizeof(to->cpu)) != 0 &&
        cpu_share_set(&hyper, d->domid, has, &to->cpu, failure))
        return -1;
    if (from->vcpus != to->vcpus)
        error = store_ask_vcpus(d->domid, to->vcpus, has);
    return error ? fail(failure, FAIL_STORE, "ask-vcpus", "/vcpus", "cannot ask the guest: %s",
                        strerror(-error))
                 : 0;
}

int domain_follow(struct domain *d, const struct domain_config *to, bool *later,
                  struct failure *failure)
{
    struct failure undone = {0};
    domain_info info;
    uint32_t has;
    int error = hyper_info(&hyper, d->domid, &info);

    if (error)
        return fail(failure, FAIL_HYPERVISOR, "check-state", d->config.name,
                    "cannot ask about the domain: %s", strerror(-error));
    has = info.max_vcpu_id + 1;
    *later = to->vcpus > has;
    domain_config_diff(&d->config, to, note_later, later);
    if (change(d, &d->config, to, has, failure) == 0 && domain_define(d, to, failure) == 0)
        return 0;
    if (change(d, to, &d->config, has, &undone))
        log_line("%s: a refused change could not be taken back: %s", d->config.name,
                 undone.message);
    return -1;
}
