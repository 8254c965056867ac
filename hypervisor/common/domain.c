/* SPDX-License-Identifier: MIT */
/*
 * Domains: making them, finding them by id, counting who uses them, freeing them.
 *
 * Interface: domain_create, domain_make_vcpus, domain_get/put/hold/next, domains_init
 * (hv/domain.h), frame_owner (hv/frame_priv.h); the rest of their life is in domain_life.c.
 * Invariant: a domain is in the table from its creation until its last reference goes; the
 * creation's own reference is dropped when it is dead and has no frame left (frames_reap), so an
 * owner outlives its frames, and frame_owner takes no lock. Lock: domain_list_lock.
 */
#include <hv/evtchn.h>
#include <hv/frame_priv.h>
#include <hv/grant.h>
#include <hv/printk.h>
#include <hv/sched.h>
#include <hv/string.h>
#include <hv/time.h>
#include <asm/pv.h>

struct domain *dom0, *dom_xen, *dom_io, *idle_domain;

static spinlock_t domain_list_lock = SPINLOCK_INIT;
static struct domain *domain_table[DOMID_MASK + 1]; /* by id, system domains too */
static unsigned domain_end;                         /* no guest from this id on */

/* --- finding --------------------------------------------------------------------------------- */

/* A reference, unless the last one is already gone and the domain only waits to leave the table. */
static bool try_hold(struct domain *d)
{
    unsigned n = d->refs;

    while (n)
        if (__atomic_compare_exchange_n(&d->refs, &n, n + 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

struct domain *domain_get(domid_t id)
{
    struct domain *d;

    spin_lock(&domain_list_lock);
    d = id < domain_end ? domain_table[id] : NULL;
    if (d && !try_hold(d))
        d = NULL;
    spin_unlock(&domain_list_lock);
    return d;
}

struct domain *domain_named(domid_t id)
{
    return domain_get(id == DOMID_SELF ? current->domain->id : id);
}

int domain_managed(domid_t id, struct domain **out)
{
    struct domain *d = domain_named(id);

    if (!d)
        return -ESRCH;
    if (d != current->domain && !current->domain->is_dom0) {
        domain_put(d);
        return -EPERM;
    }
    *out = d;
    return 0;
}

struct domain *domain_next(domid_t after)
{
    struct domain *found = NULL;

    spin_lock(&domain_list_lock);
    for (domid_t id = after + 1; id < domain_end && !found; id++)
        if (domain_table[id] && try_hold(domain_table[id]))
            found = domain_table[id];
    spin_unlock(&domain_list_lock);
    return found;
}

struct domain *frame_owner(const struct frame *f)
{
    return __atomic_load_n(&domain_table[f->owner], __ATOMIC_ACQUIRE);
}

/* --- making and freeing ---------------------------------------------------------------------- */

static void table_set(domid_t id, struct domain *d)
{
    __atomic_store_n(&domain_table[id], d, __ATOMIC_RELEASE);
}

/* Everything a domain has when nobody knows it: what domain_create could not finish, or nothing
 * refers to any more. */
static void domain_free(struct domain *d)
{
    timer_kill(&d->sched.refill); /* first: it walks the vCPUs */
    for_each_vcpu(d, v)
        vcpu_destroy(v);
    hv_free(d->vcpu);
    if (d->grant)
        grant_domain_destroy(d);
    if (d->evtchn)
        evtchn_domain_destroy(d);
    arch_domain_destroy(d);
    if (d->shared_info)
        unshare_page(d->shared_info);
    hv_free(d);
}

void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    spin_lock(&domain_list_lock);
    table_set(d->id, NULL);
    spin_unlock(&domain_list_lock);
    domain_free(d);
    send_dom0_virq(VIRQ_DOM_EXC); /* its id is free now: tools that wait for that look again */
}

static struct domain *domain_alloc(domid_t id)
{
    struct domain *d = hv_alloc(sizeof(*d));

    if (!d)
        return NULL;
    d->id = id;
    d->refs = 1;
    d->shutdown_code = SHUTDOWN_CODE_NONE;
    spin_lock_init(&d->lock);
    spin_lock_init(&d->page_lock);
    spin_lock_init(&d->arch.mmu_lock);
    sched_domain_init(d);
    watchdogs_init(d);
    return d;
}

static int domain_init_parts(struct domain *d, const struct domain_config *cfg)
{
    int rc;

    d->shared_info = heap_alloc_pages(0);
    d->vcpu = hv_alloc(cfg->max_vcpus * sizeof(*d->vcpu));
    if (!d->shared_info || !d->vcpu)
        return -ENOMEM;
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
    share_page(d, d->shared_info, true);
    d->max_vcpus = cfg->max_vcpus;
    rc = arch_domain_create(d);
    rc = rc ? rc : evtchn_domain_init(d, cfg->max_evtchn_port);
    rc = rc ? rc : grant_domain_init(d, cfg->max_grant_frames, cfg->max_maptrack_frames);
    if (!rc)
        wallclock_write(d);
    return rc;
}

int domain_create(domid_t id, const struct domain_config *cfg, struct domain **out)
{
    struct domain *d;
    int rc;

    if (id >= DOMID_FIRST_RESERVED || cfg->max_vcpus < 1 || cfg->max_vcpus > DOMAIN_MAX_VCPUS)
        return -EINVAL;
    d = domain_alloc(id);
    if (!d)
        return -ENOMEM;
    d->is_dom0 = cfg->is_dom0;
    d->ssidref = cfg->ssidref;
    memcpy(d->handle, cfg->handle, sizeof(d->handle));
    d->pause_count = 1;
    d->controller_pauses = !cfg->is_dom0; /* nobody controls dom0: the boot code unpauses it */
    d->max_pages = cfg->is_dom0 ? UINT64_MAX : 0;

    rc = domain_init_parts(d, cfg);
    /* Last, and only if the id is still free: whoever finds it finds all of it. */
    spin_lock(&domain_list_lock);
    if (!rc && domain_table[id])
        rc = -EEXIST;
    if (!rc) {
        table_set(id, d);
        domain_end = MAX(domain_end, id + 1u);
    }
    spin_unlock(&domain_list_lock);
    if (rc) {
        domain_free(d);
        return rc;
    }
    if (d->is_dom0)
        dom0 = d;
    *out = d;
    return 0;
}

int domain_make_vcpus(struct domain *d, unsigned max)
{
    struct vcpu *made[DOMAIN_MAX_VCPUS] = {NULL};
    int rc = 0;

    if (max < 1 || max > d->max_vcpus)
        return -EINVAL;
    for (unsigned i = 0; i < max && !rc; i++) {
        made[i] = vcpu_create(d, i);
        rc = made[i] ? 0 : -ENOMEM;
    }
    spin_lock(&d->lock);
    if (!rc && (d->vcpu[0] || d->dying))
        rc = -EINVAL; /* they were made before; or it is too late */
    for (unsigned i = 0; i < max && !rc; i++)
        __atomic_store_n(&d->vcpu[i], made[i], __ATOMIC_RELEASE);
    spin_unlock(&d->lock);
    for (unsigned i = 0; i < max && rc; i++)
        if (made[i])
            vcpu_destroy(made[i]);
    return rc;
}

static struct domain *system_domain(domid_t id)
{
    struct domain *d = domain_alloc(id);

    /* At boot only: without memory for these few hundred bytes there is nothing to run. */
    if (!d)
        panic("no memory for system domain %#x\n", id);
    d->max_pages = UINT64_MAX;
    table_set(id, d);
    return d;
}

void domains_init(void)
{
    dom_xen = system_domain(DOMID_XEN);
    dom_io = system_domain(DOMID_IO);
    idle_domain = system_domain(DOMID_IDLE);
    idle_domain->is_idle = true;
    idle_domain->max_vcpus = MAX_CPUS;
    idle_domain->vcpu = hv_alloc(MAX_CPUS * sizeof(*idle_domain->vcpu));
    if (!idle_domain->vcpu)
        panic("no memory for the idle domain\n");
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
        idle_domain->vcpu[cpu] = vcpu_create(idle_domain, cpu);
        /* At boot: a CPU without something to run when there is nothing to run cannot be used. */
        if (!idle_domain->vcpu[cpu])
            panic("no memory for the idle vCPU of CPU %u\n", cpu);
    }
}
