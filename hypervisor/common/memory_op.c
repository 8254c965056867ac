/* SPDX-License-Identifier: MIT */
/*
 * Hypercall memory_op: dispatch, the reservation calls, and the questions about memory.
 * <xen/memory.h> exchange is in memory_exchange.c, acquire_resource in memory_resource.c, maps of
 * the machine in arch/x86/memory_map.c.
 *
 * The operation number's bits from 6 up are a start extent, a relic of Xen's continuations that
 * guests may use; ours are in hc->progress[0] (extents done beyond it). The reservation calls have
 * no errors, only the number of extents done.
 */
#include <hv/memory_op.h>
#include <hv/frame_priv.h>
#include <hv/printk.h>
#include <asm/uaccess.h>

#define CMD_BITS    6 /* MEMOP_EXTENT_SHIFT */
#define CMD_MASK    ((1UL << CMD_BITS) - 1)
#define MAX_EXTENTS (UINT32_MAX >> CMD_BITS)
#define GUEST_ORDER 9  /* the largest extent a domain may ask for … */
#define DOM0_ORDER  18 /* … and dom0 */

unsigned memory_max_order(void)
{
    return current->domain->is_dom0 ? DOM0_ORDER : GUEST_ORDER;
}

int memory_alloc_flags(unsigned mem_flags, unsigned *flags)
{
    unsigned bits = XENMEMF_get_address_bits(mem_flags);

    *flags = 0;
    if (!bits || bits >= 52 || (bits > PAGE_SHIFT && max_ram_mfn().m <= 1UL << (bits - PAGE_SHIFT)))
        return 0; /* all RAM will do */
    if (bits < 32)
        return -ENOMEM; /* the allocator knows one limit, 4 GiB: nothing is set aside below it */
    *flags = ALLOC_DMA32;
    return 0;
}

/* --- reservations --- */

struct extents {
    struct domain *d;
    uint64_t list; /* guest address of xen_pfn_t[]; 0: none */
    unsigned order, flags;
};

/* One extent; false: stop. */
typedef bool extent_fn(const struct extents *e, unsigned long i);

static bool put_mfn(const struct extents *e, unsigned long i, mfn_t m)
{
    xen_pfn_t v = m.m;

    return !copy_out(e->list + i * sizeof(v), &v);
}

static bool increase(const struct extents *e, unsigned long i)
{
    mfn_t m = alloc_frames(e->d, e->order, e->flags);

    if (mfn_eq(m, INVALID_MFN))
        return false;
    return !e->list || put_mfn(e, i, m);
}

static bool populate(const struct extents *e, unsigned long i)
{
    xen_pfn_t pfn;
    mfn_t m;

    if (copy_in(&pfn, e->list + i * sizeof(pfn)))
        return false;
    m = alloc_frames(e->d, e->order, e->flags);
    if (mfn_eq(m, INVALID_MFN))
        return false;
    for (uint64_t n = 0; n < 1UL << e->order; n++)
        m2p_set(mfn(m.m + n), pfn + n);
    return put_mfn(e, i, m);
}

static bool decrease(const struct extents *e, unsigned long i)
{
    xen_pfn_t first;

    if (copy_in(&first, e->list + i * sizeof(first)))
        return false;
    for (uint64_t n = 0; n < 1UL << e->order; n++) {
        mfn_t m = mfn(first + n);

        if (!frame_get(m, e->d))
            return false;
        /* The hypervisor's shared pages are not the domain's to give back. */
        if (!(frame_of(m)->flags & (FF_HEAP | FF_HV)))
            frame_release(m, e->d);
        frame_put(m);
    }
    return true;
}

static long reservation(struct hypercall *hc, extent_fn *fn, bool needs_list)
{
    unsigned long start = hc->arg[0] >> CMD_BITS, i;
    struct xen_memory_reservation r;
    struct extents e;

    if (copy_in(&r, hc->arg[1]) || r.nr_extents > MAX_EXTENTS || start >= r.nr_extents)
        return start;
    e.list = (uint64_t)r.extent_start.p;
    e.order = r.extent_order;
    if (memory_alloc_flags(r.mem_flags, &e.flags) || e.order > memory_max_order() ||
        (needs_list && !e.list) || !guest_range_ok(e.list, r.nr_extents * sizeof(xen_pfn_t)) ||
        (r.mem_flags & XENMEMF_populate_on_demand) || domain_managed(r.domid, &e.d))
        return start;
    for (i = start + hc->progress[0]; i < r.nr_extents; i++) {
        if (i > start + hc->progress[0] && preempt_needed()) {
            hc->progress[0] = i - start;
            domain_put(e.d);
            return -HC_RESTART;
        }
        if (!fn(&e, i))
            break;
    }
    domain_put(e.d);
    return i;
}

static long op_increase(struct hypercall *hc)
{
    return reservation(hc, increase, false);
}

static long op_decrease(struct hypercall *hc)
{
    return reservation(hc, decrease, true);
}

static long op_populate(struct hypercall *hc)
{
    return reservation(hc, populate, true);
}

/* A tool reserves what it will populate. <xen/memory.h> XENMEM_claim_pages */
static long op_claim_pages(struct hypercall *hc)
{
    struct xen_memory_reservation r;
    struct domain *d;
    long rc = -EPERM;

    if (copy_in(&r, hc->arg[1]))
        return -EFAULT;
    if (r.extent_start.p || r.extent_order || r.mem_flags)
        return -EINVAL;
    d = domain_get(r.domid);
    if (!d)
        return -EINVAL;
    if (current->domain->is_dom0)
        rc = frames_claim(d, r.nr_extents);
    domain_put(d);
    return rc;
}

/* --- questions --- */

static long op_maximum_ram_page(struct hypercall *hc)
{
    return max_ram_mfn().m;
}

static long ask_domain(struct hypercall *hc, uint64_t (*ask)(struct domain *d))
{
    struct xen_memory_domain q;
    struct domain *d;
    long rc;

    if (copy_in(&q, hc->arg[1]))
        return -EFAULT;
    rc = domain_managed(q.domid, &d);
    if (rc)
        return rc;
    rc = ask(d);
    domain_put(d);
    return rc;
}

static uint64_t tot_pages(struct domain *d)
{
    return READ_ONCE(d->tot_pages);
}

static uint64_t max_pages(struct domain *d)
{
    return READ_ONCE(d->max_pages);
}

/* What the guest itself keeps in its shared_info. */
static uint64_t max_pfn(struct domain *d)
{
    return d->shared_info ? READ_ONCE(d->shared_info->arch.max_pfn) - 1 : ~0UL;
}

static long op_current_reservation(struct hypercall *hc)
{
    return ask_domain(hc, tot_pages);
}

static long op_maximum_reservation(struct hypercall *hc)
{
    return ask_domain(hc, max_pages);
}

static long op_maximum_gpfn(struct hypercall *hc)
{
    return ask_domain(hc, max_pfn);
}

/* A PV domain has no physical map that the hypervisor keeps. */
static long op_physmap(struct hypercall *hc)
{
    struct xen_add_to_physmap x; /* domid is the first field of each of the three */
    struct domain *d;
    int rc;

    if (copy_in(&x.domid, hc->arg[1]))
        return -EFAULT;
    rc = domain_managed(x.domid, &d);
    if (rc)
        return rc;
    domain_put(d);
    return -EACCES;
}

static long op_vnumainfo(struct hypercall *hc)
{
    struct xen_vnuma_topology_info x;
    struct domain *d;
    int rc;

    if (copy_in(&x, hc->arg[1]))
        return -EFAULT;
    if (x.pad)
        return -EINVAL;
    rc = domain_managed(x.domid, &d);
    if (rc)
        return rc;
    domain_put(d);
    return -EOPNOTSUPP;
}

static const struct {
    long (*fn)(struct hypercall *hc);
    bool extents; /* a start extent may be given */
} ops[] = {
    [XENMEM_increase_reservation] = {op_increase, true},
    [XENMEM_decrease_reservation] = {op_decrease, true},
    [XENMEM_populate_physmap] = {op_populate, true},
    [XENMEM_exchange] = {memory_exchange, false},
    [XENMEM_claim_pages] = {op_claim_pages, false},
    [XENMEM_maximum_ram_page] = {op_maximum_ram_page, false},
    [XENMEM_current_reservation] = {op_current_reservation, false},
    [XENMEM_maximum_reservation] = {op_maximum_reservation, false},
    [XENMEM_maximum_gpfn] = {op_maximum_gpfn, false},
    [XENMEM_add_to_physmap] = {op_physmap, true},
    [XENMEM_add_to_physmap_batch] = {op_physmap, true},
    [XENMEM_remove_from_physmap] = {op_physmap, false},
    [XENMEM_get_vnumainfo] = {op_vnumainfo, false},
    [XENMEM_acquire_resource] = {memory_acquire_resource, false},
    [XENMEM_memory_map] = {memory_map, false},
    [XENMEM_machine_memory_map] = {machine_memory_map, false},
    [XENMEM_set_memory_map] = {set_memory_map, false},
    [XENMEM_machphys_mapping] = {machphys_mapping, false},
    [XENMEM_machphys_mfn_list] = {machphys_mfn_list, false},
};

long do_memory_op(struct hypercall *hc)
{
    unsigned long op = hc->arg[0] & CMD_MASK;

    if (op >= ARRAY_SIZE(ops) || !ops[op].fn)
        return -ENOSYS; /* sharing, paging, PoD: as a Xen built without them */
    if (hc->arg[0] > op && !ops[op].extents)
        return -EINVAL;
    return ops[op].fn(hc);
}
