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

static long reservation(struct hypercall *hc, extent_fn *fn)
{
    unsigned long start = hc->arg[0] >> CMD_BITS, i;
    struct xen_memory_reservation r;
    struct extents e;

    if (copy_in(&r, hc->arg[1]) || r.nr_extents > MAX_EXTENTS || start >= r.nr_extents)
        return start;
    e.list = (uint64_t)r.extent_start.p;
    e.order = r.extent_order;
    if (memory_alloc_flags(r.mem_flags, &e.flags) || e.order > memory_max_order() ||
        (fn != increase && !e.list) || !guest_range_ok(e.list, r.nr_extents * sizeof(xen_pfn_t)) ||
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

/* A question about the domain whose id the argument begins with; without `ask` the answer is `no`.
 */
static long ask_domain(struct hypercall *hc, long (*ask)(struct domain *d), int no)
{
    struct domain *d;
    domid_t id;
    long rc;

    if (copy_in(&id, hc->arg[1]))
        return -EFAULT;
    rc = domain_managed(id, &d);
    if (rc)
        return rc;
    rc = ask ? ask(d) : no;
    domain_put(d);
    return rc;
}

static long tot_pages(struct domain *d)
{
    return READ_ONCE(d->tot_pages);
}

static long max_pages(struct domain *d)
{
    return READ_ONCE(d->max_pages);
}

/* What the guest itself keeps in its shared_info. */
static long max_pfn(struct domain *d)
{
    return READ_ONCE(d->shared_info->arch.max_pfn) - 1;
}

static const struct {
    extent_fn *extent; /* one of the reservation calls; else … */
    hypercall_fn *fn;
    long (*ask)(struct domain *d);
    int no;     /* what there is to say about any domain */
    bool start; /* a start extent may be given, and is ignored */
} ops[] = {
    [XENMEM_increase_reservation] = {increase},
    [XENMEM_decrease_reservation] = {decrease},
    [XENMEM_populate_physmap] = {populate},
    [XENMEM_exchange] = {.fn = memory_exchange},
    [XENMEM_claim_pages] = {.fn = op_claim_pages},
    [XENMEM_maximum_ram_page] = {.fn = op_maximum_ram_page},
    [XENMEM_current_reservation] = {.ask = tot_pages},
    [XENMEM_maximum_reservation] = {.ask = max_pages},
    [XENMEM_maximum_gpfn] = {.ask = max_pfn},
    /* A PV domain has no physical map that the hypervisor keeps. */
    [XENMEM_add_to_physmap] = {.no = -EACCES, .start = true},
    [XENMEM_add_to_physmap_batch] = {.no = -EACCES, .start = true},
    [XENMEM_remove_from_physmap] = {.no = -EACCES},
    [XENMEM_get_vnumainfo] = {.no = -EOPNOTSUPP},
    [XENMEM_acquire_resource] = {.fn = memory_acquire_resource},
    [XENMEM_memory_map] = {.fn = memory_map},
    [XENMEM_machine_memory_map] = {.fn = machine_memory_map},
    [XENMEM_set_memory_map] = {.fn = set_memory_map},
    [XENMEM_machphys_mapping] = {.fn = machphys_mapping},
    [XENMEM_machphys_mfn_list] = {.fn = machphys_mfn_list},
};

long do_memory_op(struct hypercall *hc)
{
    unsigned long op = hc->arg[0] & CMD_MASK;

    if (op < ARRAY_SIZE(ops) && ops[op].extent)
        return reservation(hc, ops[op].extent);
    if (op >= ARRAY_SIZE(ops) || (!ops[op].fn && !ops[op].ask && !ops[op].no))
        return -ENOSYS; /* sharing, paging, PoD: as a Xen built without them */
    if (hc->arg[0] > op && !ops[op].start)
        return -EINVAL;
    return ops[op].fn ? ops[op].fn(hc) : ask_domain(hc, ops[op].ask, ops[op].no);
}
