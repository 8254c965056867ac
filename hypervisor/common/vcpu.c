/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: making them, and the vcpu_info that each shares with its guest.
 *
 * Interface: vcpu_create, vcpu_destroy, vcpu_info_* (hv/vcpu.h). Invariant: a vCPU's vcpu_info is
 * read and written only by that vCPU, or while it cannot run; what others want to tell it they put
 * in event_selectors (evtchn/two_level.c).
 */
#include <hv/frame.h>
#include <hv/sched.h>
#include <hv/string.h>
#include <hv/vcpu.h>

/* --- vcpu_info ------------------------------------------------------------------------------- */

void vcpu_info_show(struct vcpu *v)
{
    v->info_here = NULL;
    v->info_here = v->vcpu_info_registered
                       ? (void *)((char *)vcpu_info_window(v->info_mfn) + v->info_offset)
                       : vcpu_info_map(v);
}

void vcpu_info_hide(struct vcpu *v)
{
    v->info_here = NULL;
    vcpu_info_window(INVALID_MFN);
}

struct vcpu_info *vcpu_info_map(struct vcpu *v)
{
    if (v == current && v->info_here)
        return v->info_here;
    if (v->vcpu_info_registered)
        return (struct vcpu_info *)((char *)map_frame(v->info_mfn) + v->info_offset);
    if (v->id < XEN_LEGACY_MAX_VCPUS && v->domain->shared_info)
        return &v->domain->shared_info->vcpu_info[v->id];
    return &v->no_info;
}

void vcpu_info_unmap(struct vcpu *v, struct vcpu_info *info)
{
    if (v->vcpu_info_registered && info != v->info_here)
        unmap_frame((const void *)((uintptr_t)info & PAGE_MASK));
}

int vcpu_info_register(struct vcpu *v, mfn_t f, unsigned offset)
{
    struct domain *d = v->domain;
    struct vcpu_info *old, *new;
    void *page;

    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info))
        return -ENXIO;
    spin_lock(&d->lock);
    if (v->vcpu_info_registered || (v != current && (!v->down || v->is_running)) ||
        frame_get_typed(f, d, FT_WRITABLE)) {
        spin_unlock(&d->lock);
        return -EINVAL;
    }
    page = map_frame(f);
    new = (struct vcpu_info *)((char *)page + offset);
    old = vcpu_info_map(v);
    memcpy(new, old, sizeof(*new));
    vcpu_info_unmap(v, old);
    unmap_frame(page);
    v->info_mfn = f;
    v->info_offset = offset;
    v->vcpu_info_registered = true;
    if (v == current) {
        unsigned long flags = irq_save();

        vcpu_info_show(v);
        irq_restore(flags);
    }
    spin_unlock(&d->lock);
    /* A spurious upcall that looks at every port: nothing that came meanwhile is lost. */
    __atomic_store_n(&v->event_selectors, ~0UL, __ATOMIC_SEQ_CST);
    return 0;
}

void vcpu_info_unregister(struct vcpu *v)
{
    if (!v->vcpu_info_registered)
        return;
    v->vcpu_info_registered = false;
    frame_put_typed(v->info_mfn);
}

/* --- life ------------------------------------------------------------------------------------ */

/* Spread new vCPUs over the CPUs; waking moves them to where there is room. */
static unsigned first_cpu(const struct domain *d, unsigned id)
{
    unsigned want = (d->id + id) % nr_cpus;

    return cpumask_test(&cpus_online, want) ? want : cpumask_next(&cpus_online, 0);
}

struct vcpu *vcpu_create(struct domain *d, unsigned id)
{
    struct vcpu *v = hv_alloc(sizeof(*v));

    if (!v)
        return NULL;
    v->id = id;
    v->domain = d;
    v->down = !d->is_idle;
    v->initialised = d->is_idle;
    v->info_mfn = INVALID_MFN;
    v->no_info.evtchn_upcall_mask = 1;
    if (sched_vcpu_init(v, d->is_idle ? id : first_cpu(d, id))) {
        hv_free(v);
        return NULL;
    }
    vcpu_timers_init(v);
    if (arch_vcpu_create(v)) {
        sched_vcpu_destroy(v);
        hv_free(v);
        return NULL;
    }
    return v;
}

void vcpu_destroy(struct vcpu *v)
{
    vcpu_timers_kill(v);
    vcpu_info_unregister(v);
    arch_vcpu_destroy(v);
    sched_vcpu_destroy(v);
    hv_free(v);
}
