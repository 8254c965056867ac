/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_*: how a guest gives its CPU up, and ends.
 *
 * Interface: do_sched_op, do_sched_op_compat. Polling: a vCPU that polls is blocked, too; it sets
 * its flags, then looks at its ports, so that a sender that comes in between wakes it.
 */
#include <hv/evtchn.h>
#include <xen/sched.h>
#include <asm/uaccess.h>
#include "sched.h"

#define POLL_PORTS_MAX 128

static long op_yield(void *arg)
{
    current->sched->yielding = true;
    softirq_raise(SOFTIRQ_SCHEDULE);
    return 0;
}

static long op_block(void *arg)
{
    struct vcpu *v = current;
    struct vcpu_info *info = vcpu_info_map(v);

    info->evtchn_upcall_mask = 0;
    vcpu_info_unmap(v, info);
    v->blocked = true;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (vcpu_event_pending(v) || v->nmi_pending)
        v->blocked = false;
    else
        softirq_raise(SOFTIRQ_SCHEDULE);
    return 0;
}

static long op_shutdown(void *arg)
{
    const struct sched_shutdown *s = arg;

    domain_shutdown(current->domain, (uint8_t)s->reason);
    return 0;
}

static long op_shutdown_code(void *arg)
{
    const struct sched_shutdown *s = arg;
    int none = SHUTDOWN_CODE_NONE;

    __atomic_compare_exchange_n(&current->domain->shutdown_code, &none, (uint8_t)s->reason, false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return 0;
}

static long op_remote_shutdown(void *arg)
{
    const struct sched_remote_shutdown *s = arg;
    struct domain *d = domain_get(s->domain_id);
    long rc;

    if (!d)
        return -ESRCH;
    rc = current->domain->is_dom0 ? 0 : -EPERM;
    if (!rc)
        domain_shutdown(d, (uint8_t)s->reason);
    domain_put(d);
    return rc;
}

/* Any port pending already: 1; none: 0; a port not in use: -EINVAL. */
static int look_at_ports(struct domain *d, const evtchn_port_t *ports, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int rc = evtchn_port_poll(d, ports[i]);

        if (rc)
            return rc;
    }
    return 0;
}

static long op_poll(void *arg)
{
    const struct sched_poll *poll = arg;
    struct vcpu *v = current;
    evtchn_port_t ports[POLL_PORTS_MAX];
    int found;

    if (poll->nr_ports > POLL_PORTS_MAX)
        return -EINVAL;
    if (copy_from_guest(ports, (uint64_t)poll->ports.p, poll->nr_ports * sizeof(ports[0])))
        return -EFAULT;

    v->poll_port = poll->nr_ports == 1 ? ports[0] : 0;
    v->blocked = true; /* first: whoever clears polling after this clears blocked, and wakes it */
    evtchn_polling(v, true);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    found = vcpu_event_pending(v) ? 1 : look_at_ports(v->domain, ports, poll->nr_ports);
    if (found) {
        evtchn_polling(v, false);
        v->blocked = false;
        return found < 0 ? found : 0;
    }
    if (poll->timeout)
        timer_set_here(&v->poll_timer, poll->timeout);
    else
        timer_stop(&v->poll_timer); /* an earlier poll's */
    softirq_raise(SOFTIRQ_SCHEDULE);
    return 0;
}

static long op_watchdog(void *arg)
{
    const struct sched_watchdog *w = arg;

    return domain_watchdog(current->domain, w->id, w->timeout);
}

/* For a driver of dom0 that must run on one CPU (firmware calls): until it says -1. */
static long op_pin_override(void *arg)
{
    const struct sched_pin_override *pin = arg;
    struct sched_unit *u = current->sched;
    cpumask_t one = {{0}};
    long rc;

    if (!current->domain->is_dom0)
        return -EPERM;
    if (pin->pcpu >= (int)nr_cpus)
        return -EINVAL;
    if (pin->pcpu < 0) {
        if (!u->overridden)
            return -EINVAL;
        u->overridden = false;
        return sched_set_affinity(current, &u->before_override);
    }
    if (u->overridden)
        return -EBUSY;
    sched_get_affinity(current, &u->before_override, NULL);
    cpumask_set(&one, (unsigned)pin->pcpu);
    rc = sched_set_affinity(current, &one);
    u->overridden = rc == 0;
    return rc;
}

static const struct {
    long (*fn)(void *op); /* the public structure of that name, copied in */
    uint8_t size;
} ops[] = {
    [SCHEDOP_yield] = {op_yield},
    [SCHEDOP_block] = {op_block},
    [SCHEDOP_shutdown] = {op_shutdown, sizeof(struct sched_shutdown)},
    [SCHEDOP_poll] = {op_poll, sizeof(struct sched_poll)},
    [SCHEDOP_remote_shutdown] = {op_remote_shutdown, sizeof(struct sched_remote_shutdown)},
    [SCHEDOP_shutdown_code] = {op_shutdown_code, sizeof(struct sched_shutdown)},
    [SCHEDOP_watchdog] = {op_watchdog, sizeof(struct sched_watchdog)},
    [SCHEDOP_pin_override] = {op_pin_override, sizeof(struct sched_pin_override)},
};

long do_sched_op(struct hypercall *hc)
{
    unsigned op = (unsigned)hc->arg[0];
    struct sched_poll largest;

    if (op >= ARRAY_SIZE(ops) || !ops[op].fn)
        return -ENOSYS;
    if (ops[op].size && copy_from_guest(&largest, hc->arg[1], ops[op].size))
        return -EFAULT;
    return ops[op].fn(&largest);
}

/* The first form of the call: the reason of a shutdown is the argument itself. */
long do_sched_op_compat(struct hypercall *hc)
{
    struct sched_shutdown s = {(unsigned)hc->arg[1]};
    unsigned op = (unsigned)hc->arg[0];

    return op > SCHEDOP_shutdown ? -ENOSYS : ops[op].fn(&s);
}
