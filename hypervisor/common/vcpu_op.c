/* SPDX-License-Identifier: MIT */
/*
 * VCPUOP_*: what a guest does with its own vCPUs: bring them up and down, their timers, and the
 * areas they share.
 *
 * Interface: do_vcpu_op. Each operation is a function in a table; arg[0] the operation, arg[1] the
 * vCPU, arg[2] a structure.
 */
#include <hv/frame.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <xen/sched.h>
#include <asm/uaccess.h>

#define PERIOD_MIN_NS 1000000UL

typedef long vcpu_op_fn(struct vcpu *v, uint64_t arg);

static long op_initialise(struct vcpu *v, uint64_t arg)
{
    struct vcpu_guest_context *c;
    long rc;

    if (v->id >= XEN_LEGACY_MAX_VCPUS && !v->vcpu_info_registered)
        return -EINVAL;
    c = hv_alloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    rc = copy_in(c, arg);
    if (!rc) {
        spin_lock(&v->domain->lock);
        rc = v->initialised ? -EEXIST : arch_vcpu_set_context(v, c);
        spin_unlock(&v->domain->lock);
    }
    hv_free(c);
    return rc;
}

static long op_up(struct vcpu *v, uint64_t arg)
{
    struct domain *d = v->domain;
    bool was_down = false;

    spin_lock(&d->lock);
    if (!v->initialised) {
        spin_unlock(&d->lock);
        return -EINVAL;
    }
    was_down = __atomic_exchange_n(&v->down, false, __ATOMIC_SEQ_CST);
    spin_unlock(&d->lock);
    if (was_down)
        vcpu_wake(v);
    return 0;
}

static long op_down(struct vcpu *v, uint64_t arg)
{
    struct domain *d = v->domain;
    bool others = false;

    spin_lock(&d->lock); /* two that go down at once: one of them is the last */
    for_each_vcpu(d, u)
        others |= u != v && !u->down;
    if (others)
        v->down = true;
    spin_unlock(&d->lock);
    if (others)
        vcpu_sleep_nosync(v);
    else
        domain_shutdown(d, SHUTDOWN_poweroff); /* the domain has nothing to run any more */
    return 0;
}

static long op_is_up(struct vcpu *v, uint64_t arg)
{
    return !v->down;
}

static long op_get_runstate(struct vcpu *v, uint64_t arg)
{
    struct vcpu_runstate_info r;

    vcpu_runstate_get(v, &r);
    return copy_out(arg, &r);
}

static long op_register_runstate(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_runstate_memory_area area;
    struct vcpu_runstate_info r;

    if (copy_in(&area, arg))
        return -EFAULT;
    vcpu_runstate_get(v, &r);
    if (area.addr.p && copy_out(area.addr.p, &r)) /* 0: no more */
        return -EFAULT;
    v->runstate_guest = area.addr.p;
    v->runstate_stale = true;
    return 0;
}

static long op_set_periodic(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_periodic_timer set;

    if (copy_in(&set, arg))
        return -EFAULT;
    if (set.period_ns < PERIOD_MIN_NS || set.period_ns > INT64_MAX / 2)
        return -EINVAL;
    vcpu_periodic_set(v, set.period_ns);
    return 0;
}

static long op_stop_periodic(struct vcpu *v, uint64_t arg)
{
    vcpu_periodic_set(v, 0);
    return 0;
}

static long op_set_singleshot(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_singleshot_timer set;

    if (v != current)
        return -EINVAL;
    if (copy_in(&set, arg))
        return -EFAULT;
    vcpu_singleshot_set(v, set.timeout_abs_ns ? set.timeout_abs_ns : 1);
    return 0;
}

static long op_stop_singleshot(struct vcpu *v, uint64_t arg)
{
    if (v != current)
        return -EINVAL;
    vcpu_singleshot_set(v, 0);
    return 0;
}

static long op_register_info(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_vcpu_info info;

    if (copy_in(&info, arg))
        return -EFAULT;
    if (v != current && v->down)
        vcpu_sleep_sync(v); /* it may still be on its way out, with the old one mapped */
    return vcpu_info_register(v, mfn(info.mfn), info.offset);
}

static long op_send_nmi(struct vcpu *v, uint64_t arg)
{
    if (!__atomic_exchange_n(&v->nmi_pending, true, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
    return 0;
}

/* Only a vCPU that is pinned for ever has a physical id; none is (Xen's dom0_vcpus_pin is not
 * offered). */
static long op_get_physid(struct vcpu *v, uint64_t arg)
{
    return -EINVAL;
}

static long op_register_time(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_time_memory_area area;

    if (copy_in(&area, arg))
        return -EFAULT;
    if (!guest_range_ok(area.addr.p, sizeof(struct vcpu_time_info)))
        return -EFAULT;
    v->time_info_guest = area.addr.p;
    return vcpu_time_publish(v);
}

static vcpu_op_fn *const ops[] = {
    [VCPUOP_initialise] = op_initialise,
    [VCPUOP_up] = op_up,
    [VCPUOP_down] = op_down,
    [VCPUOP_is_up] = op_is_up,
    [VCPUOP_get_runstate_info] = op_get_runstate,
    [VCPUOP_register_runstate_memory_area] = op_register_runstate,
    [VCPUOP_set_periodic_timer] = op_set_periodic,
    [VCPUOP_stop_periodic_timer] = op_stop_periodic,
    [VCPUOP_set_singleshot_timer] = op_set_singleshot,
    [VCPUOP_stop_singleshot_timer] = op_stop_singleshot,
    [VCPUOP_register_vcpu_info] = op_register_info,
    [VCPUOP_send_nmi] = op_send_nmi,
    [VCPUOP_get_physid] = op_get_physid,
    [VCPUOP_register_vcpu_time_memory_area] = op_register_time,
};

long do_vcpu_op(struct hypercall *hc)
{
    unsigned op = (unsigned)hc->arg[0];
    struct vcpu *v = domain_vcpu(current->domain, (unsigned)hc->arg[1]);

    if (!v)
        return -ENOENT;
    if (op >= ARRAY_SIZE(ops) || !ops[op])
        return -ENOSYS;
    return ops[op](v, hc->arg[2]);
}
