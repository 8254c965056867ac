/* SPDX-License-Identifier: MIT */
/*
 * XEN_DOMCTL_*: the control domain's operations on domains. One table: command → handler and what
 * to copy out; privilege is in the hypercall table (only dom0 gets here). Source: <xen/domctl.h>,
 * interface version 0x15.
 *
 * Lock: domctl_lock, one operation at a time; whoever does not get it comes back later instead of
 * spinning on a long one. getdomaininfo goes without, like sysctl's list: tools watch domains with
 * it while another is taken apart for seconds.
 */
#include "domctl.h"
#include <asm/uaccess.h>

static spinlock_t domctl_lock = SPINLOCK_INIT;

static const struct domctl_entry {
    domctl_fn *fn;
    bool no_domain; /* op->domain need not exist */
    bool copy_out;
    bool no_lock;  /* only looks, at what may be looked at at any time */
    bool not_self; /* -EINVAL for the caller's own domain */
} table[] = {
    [XEN_DOMCTL_createdomain] = {domctl_createdomain, true, true},
    [XEN_DOMCTL_destroydomain] = {domctl_destroydomain, false, false, .not_self = true},
    [XEN_DOMCTL_pausedomain] = {domctl_pausedomain, false, false, .not_self = true},
    [XEN_DOMCTL_unpausedomain] = {domctl_unpausedomain, false, false},
    [XEN_DOMCTL_resumedomain] = {domctl_resumedomain, false, false, .not_self = true},
    [XEN_DOMCTL_getdomaininfo] = {domctl_getdomaininfo, true, true, .no_lock = true},
    [XEN_DOMCTL_setdomainhandle] = {domctl_setdomainhandle, false, false},
    [XEN_DOMCTL_settimeoffset] = {domctl_settimeoffset, false, false},
    [XEN_DOMCTL_max_mem] = {domctl_max_mem, false, false},
    [XEN_DOMCTL_hypercall_init] = {domctl_hypercall_init, false, false},
    [XEN_DOMCTL_set_address_size] = {domctl_set_address_size, false, false},
    [XEN_DOMCTL_get_address_size] = {domctl_get_address_size, false, true},
    [XEN_DOMCTL_shadow_op] = {domctl_shadow_op, false, true},
    [XEN_DOMCTL_max_vcpus] = {domctl_max_vcpus, false, false, .not_self = true},
    [XEN_DOMCTL_setvcpucontext] = {domctl_setvcpucontext, false, false, .not_self = true},
    [XEN_DOMCTL_getvcpucontext] = {domctl_getvcpucontext, false, true, .not_self = true},
    [XEN_DOMCTL_getvcpuinfo] = {domctl_getvcpuinfo, false, true},
    [XEN_DOMCTL_setvcpuaffinity] = {domctl_setvcpuaffinity, false, true},
    [XEN_DOMCTL_getvcpuaffinity] = {domctl_getvcpuaffinity, false, true},
    [XEN_DOMCTL_setnodeaffinity] = {domctl_setnodeaffinity, false, false},
    [XEN_DOMCTL_getnodeaffinity] = {domctl_getnodeaffinity, false, true},
    [XEN_DOMCTL_scheduler_op] = {domctl_scheduler_op, false, true},
    [XEN_DOMCTL_settscinfo] = {domctl_settscinfo, false, false, .not_self = true},
    [XEN_DOMCTL_gettscinfo] = {domctl_gettscinfo, false, true},
    [XEN_DOMCTL_get_cpu_policy] = {domctl_get_cpu_policy, false, true},
    [XEN_DOMCTL_set_cpu_policy] = {domctl_set_cpu_policy, false, true},
    [XEN_DOMCTL_get_ext_vcpucontext] = {domctl_get_ext_vcpucontext, false, true},
    [XEN_DOMCTL_set_ext_vcpucontext] = {domctl_set_ext_vcpucontext, false, false},
    [XEN_DOMCTL_getvcpuextstate] = {domctl_getvcpuextstate, false, true},
    [XEN_DOMCTL_setvcpuextstate] = {domctl_setvcpuextstate, false, false},
    [XEN_DOMCTL_get_vcpu_msrs] = {domctl_vcpu_msrs, false, true},
    [XEN_DOMCTL_set_vcpu_msrs] = {domctl_vcpu_msrs, false, false},
    [XEN_DOMCTL_getpageframeinfo3] = {domctl_getpageframeinfo3, false, false},
};

static long dispatch(const struct domctl_entry *e, struct xen_domctl *op, struct hypercall *hc)
{
    struct domain *d = domain_named(op->domain);
    long rc;

    if (!d && !e->no_domain)
        return -ESRCH;
    rc = e->not_self && d == current->domain ? -EINVAL : e->fn(d, op, hc);
    if (d)
        domain_put(d);
    return rc;
}

long do_domctl(struct hypercall *hc)
{
    const struct domctl_entry *e;
    struct xen_domctl op;
    long rc;

    if (copy_in(&op, hc->arg[0]))
        return -EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (hc->progress[0]) { /* a call that was preempted goes on with what it began with */
        op.cmd = hc->progress[0] & 0xffff;
        op.domain = hc->progress[0] >> 16;
    }
    e = op.cmd < ARRAY_SIZE(table) ? &table[op.cmd] : NULL;
    if (!e || !e->fn)
        return -ENOSYS;
    if (!e->no_lock && !spin_trylock(&domctl_lock))
        return -HC_RESTART;
    rc = dispatch(e, &op, hc);
    if (!e->no_lock)
        spin_unlock(&domctl_lock);
    if (rc == -HC_RESTART)
        hc->progress[0] = op.cmd | (unsigned long)op.domain << 16;
    if (rc >= 0 && e->copy_out && copy_out(hc->arg[0], &op))
        rc = -EFAULT;
    return rc;
}

/* --- tools' bitmaps
 * ---------------------------------------------------------------------------------------------------------
 */

long bitmap_to_tool(const struct xenctl_bitmap *to, const uint64_t *words, unsigned nr)
{
    for (unsigned i = 0; i < (to->nr_bits + 7) / 8; i++) {
        uint8_t b = i * 8 < nr ? words[i / 8] >> (i % 8 * 8) : 0;

        if (copy_to_guest((uint64_t)to->bitmap.p + i, &b, 1))
            return -EFAULT;
        if (i * 8 >= nr && i > 4096) /* nobody has that many CPUs: do not write for ever */
            return -EINVAL;
    }
    return 0;
}

long bitmap_from_tool(uint64_t *words, unsigned nr, const struct xenctl_bitmap *from)
{
    unsigned bits = MIN(from->nr_bits, nr);

    for (unsigned i = 0; i < (nr + 63) / 64; i++)
        words[i] = 0;
    for (unsigned i = 0; i < (bits + 7) / 8; i++) {
        uint8_t b;

        if (copy_from_guest(&b, (uint64_t)from->bitmap.p + i, 1))
            return -EFAULT;
        if (i * 8 + 8 > bits)
            b &= (1u << (bits - i * 8)) - 1;
        words[i / 8] |= (uint64_t)b << (i % 8 * 8);
    }
    return 0;
}
