/* SPDX-License-Identifier: MIT */
/* What the hypervisor, the store and the registry say, as JSON. Changes nothing. */
#include "ops_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends.h"
#include "domain.h"
#include "store.h"
#include "version.h"

#define PAGE      4096ULL
#define LOG_LIMIT (96 * 1024)

enum op_status op_hello(const struct json *args, struct ticket *t, struct json_writer *result,
                        struct failure *failure)
{
    jw_string(result, "server", "mulliond");
    jw_string(result, "version", MULLION_VERSION);
    jw_u64(result, "api", API_VERSION);
    jw_u64(result, "domid", store_own_domid());
    return OP_DONE;
}

static const char *plain_state(const domain_info *info)
{
    if (info->flags & XEN_DOMINF_dying)
        return "dying";
    if (info->flags & XEN_DOMINF_shutdown)
        return (info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) == SHUTDOWN_crash
                   ? "crashed"
                   : "shutdown";
    return info->flags & XEN_DOMINF_paused ? "paused" : "running";
}

static void write_usage(struct json_writer *w, const domain_info *info)
{
    jw_u64(w, "domid", info->domain);
    jw_u64(w, "vcpus", info->nr_online_vcpus);
    jw_u64(w, "memory", info->tot_pages * PAGE);
    jw_u64(w, "cpu_ms", info->cpu_time / 1000000);
}

/* A domain that is ours. */
static void write_managed(struct json_writer *w, const struct domain *d, const domain_info *info)
{
    jw_string(w, "name", d->config.name);
    jw_string(w, "uuid", d->config.uuid);
    jw_string(w, "state", domain_state_name(d, info));
    jw_bool(w, "managed", true);
    if (info) {
        write_usage(w, info);
    } else {
        jw_u64(w, "vcpus", d->config.vcpus);
        jw_u64(w, "memory", d->config.memory);
    }
    if (d->reason[0])
        jw_string(w, "reason", d->reason);
}

/* dom0, and what other toolstacks made. */
static void write_other(struct json_writer *w, const domain_info *info)
{
    char path[48], name[96] = "";

    snprintf(path, sizeof(path), "/local/domain/%u/name", info->domain);
    store_read(path, name, sizeof(name));
    jw_string(w, "name", name);
    jw_string(w, "state", plain_state(info));
    jw_bool(w, "managed", false);
    write_usage(w, info);
}

static bool holds_domid(const struct domain *d)
{
    return d->phase == PHASE_RUNNING || d->phase == PHASE_PRESERVED || d->phase == PHASE_STOPPING;
}

static int list_living(struct json_writer *w, struct failure *failure)
{
    domain_info infos[32];
    uint32_t first = 0;
    int count;

    while ((count = hyper_list(&hyper, first, infos, 32)) > 0) {
        for (int i = 0; i < count; i++) {
            const struct domain *d = domain_find_domid(infos[i].domain);

            jw_object(w, NULL);
            if (d)
                write_managed(w, d, &infos[i]);
            else
                write_other(w, &infos[i]);
            jw_end_object(w);
        }
        first = infos[count - 1].domain + 1;
    }
    if (count < 0)
        return fail(failure, FAIL_HYPERVISOR, "list", "", "the hypervisor does not answer: %s",
                    strerror(-count));
    return 0;
}

enum op_status op_list(const struct json *args, struct ticket *t, struct json_writer *result,
                       struct failure *failure)
{
    struct xen_sysctl_physinfo host;
    int error;

    jw_array(result, "domains");
    error = list_living(result, failure);
    for (const struct domain *d = domains; d; d = d->next) {
        if (holds_domid(d))
            continue;
        jw_object(result, NULL);
        write_managed(result, d, NULL);
        jw_end_object(result);
    }
    jw_end_array(result);
    if (error)
        return OP_FAILED;
    if (hyper_physinfo(&hyper, &host) == 0) {
        jw_object(result, "host");
        jw_u64(result, "cpus", host.nr_cpus);
        jw_u64(result, "memory", host.total_pages * PAGE);
        jw_u64(result, "memory_free", host.free_pages * PAGE);
        jw_end_object(result);
    }
    return OP_DONE;
}

/* What the hypervisor gives it now; another tool may have changed it. */
static void write_cpu(struct json_writer *w, const struct domain *d)
{
    uint16_t weight, cap;
    uint32_t period, budget;

    if (hyper_get_share(&hyper, d->domid, &weight, &cap))
        return;
    jw_object(w, "cpu");
    jw_u64(w, "weight", weight);
    jw_u64(w, "cap", cap);
    if (hyper_get_reservation(&hyper, d->domid, &period, &budget) == 0) {
        jw_object(w, "reservation");
        jw_u64(w, "period_us", period);
        jw_u64(w, "budget_us", budget);
        jw_end_object(w);
    }
    jw_end_object(w);
}

static void write_devices(struct json_writer *w, const struct domain *d)
{
    jw_array(w, "devices");
    for (uint32_t i = 0; i < d->config.nr_disks; i++) {
        jw_object(w, NULL);
        jw_string(w, "type", "disk");
        jw_string(w, "target", d->config.disks[i].target);
        backends_describe(w, "vbd", d->domid, disk_device_number(d->config.disks[i].target));
        jw_end_object(w);
    }
    for (uint32_t i = 0; i < d->config.nr_nets; i++) {
        jw_object(w, NULL);
        jw_string(w, "type", "net");
        jw_u64(w, "index", i);
        jw_string(w, "mac", d->config.nets[i].mac);
        backends_describe(w, "vif", d->domid, i);
        jw_end_object(w);
    }
    jw_end_array(w);
}

enum op_status op_get(const struct json *args, struct ticket *t, struct json_writer *result,
                      struct failure *failure)
{
    const char *name = json_get_string(args, "name", "");
    struct domain *d = domain_find(name);
    domain_info info;
    bool alive;

    if (!d) {
        fail(failure, FAIL_DOMAIN_UNKNOWN, "find-domain", name, "there is no domain \"%s\"", name);
        fail_hint(failure, "mullion list shows the domains of this host");
        return OP_FAILED;
    }
    alive = holds_domid(d) && hyper_info(&hyper, d->domid, &info) == 0;
    jw_object(result, "status");
    write_managed(result, d, alive ? &info : NULL);
    if (alive) {
        jw_u64(result, "vcpus_max", info.max_vcpu_id + 1);
        write_cpu(result, d);
        write_devices(result, d);
    }
    jw_end_object(result);
    domain_config_write(result, "document", &d->config);
    return OP_DONE;
}

enum op_status op_dmesg(const struct json *args, struct ticket *t, struct json_writer *result,
                        struct failure *failure)
{
    static char chunk[16384];
    uint32_t index = json_get_u64(args, "index", 0);
    char *text = malloc(LOG_LIMIT + 1);
    size_t used = 0;
    int got = 0;

    if (!text) {
        fail(failure, FAIL_RESOURCES, "dmesg", "", "out of memory");
        return OP_FAILED;
    }
    while (used < LOG_LIMIT) {
        size_t room = LOG_LIMIT - used < sizeof(chunk) ? LOG_LIMIT - used : sizeof(chunk);

        got = hyper_log(&hyper, &index, chunk, room);
        if (got <= 0)
            break;
        for (int i = 0; i < got; i++) /* the ring may begin or hold NULs; JSON text must not */
            if (chunk[i] == '\n' || chunk[i] == '\t' || (chunk[i] >= ' ' && chunk[i] <= '~'))
                text[used++] = chunk[i];
    }
    text[used] = 0;
    if (got < 0) {
        fail(failure, FAIL_HYPERVISOR, "dmesg", "", "the hypervisor does not give its log: %s",
             strerror(-got));
        free(text);
        return OP_FAILED;
    }
    jw_string(result, "text", text);
    jw_u64(result, "index", index);
    free(text);
    return OP_DONE;
}
