/* SPDX-License-Identifier: MIT */
/*
 * XENVER_*: what hypervisor this is and what a guest may rely on. We say 4.17: tools and guests
 * choose by it.
 *
 * Interface: do_xen_version. Each answer is built whole, padding zeroed, and copied out once.
 */
#include <hv/boot_info.h>
#include <hv/string.h>
#include <hv/vcpu.h>
#include <xen/version.h>
#include <asm/uaccess.h>

static uint32_t features(const struct domain *d)
{
    uint32_t f = 1U << XENFEAT_mmu_pt_update_preserve_ad | 1U << XENFEAT_highmem_assist |
                 1U << XENFEAT_gnttab_map_avail_bits | 1U << XENFEAT_memory_op_vnode_supported |
                 1U << XENFEAT_direct_mapped;

    if (d->vm_assist & (1UL << VMASST_TYPE_pae_extended_cr3))
        f |= 1U << XENFEAT_pae_pgdir_above_4gb;
    if (d->is_dom0)
        f |= 1U << XENFEAT_dom0;
    return f;
}

static long get_features(uint64_t arg)
{
    struct xen_feature_info fi;

    if (copy_in(&fi, arg))
        return -EFAULT;
    if (fi.submap_idx != 0)
        return -EINVAL;
    fi.submap = features(current->domain);
    return copy_out(arg, &fi);
}

static long get_compile_info(uint64_t arg)
{
    /* No date: the same sources make the same binary. */
    struct xen_compile_info info = {
        .compiler = "gcc " __VERSION__, .compile_by = "mullion", .compile_domain = MULLION_VERSION};

    return copy_out(arg, &info);
}

static long copy_text(uint64_t arg, const char *text, size_t room)
{
    char buf[1024] = {0};

    snprintf(buf, room, "%s", text);
    return copy_to_guest(arg, buf, room);
}

static __attribute__((noinline)) long query(unsigned op, uint64_t arg)
{
    switch (op) {
    case XENVER_extraversion:
        return copy_text(arg, ".7", sizeof(xen_extraversion_t));
    case XENVER_compile_info:
        return get_compile_info(arg);
    case XENVER_capabilities:
        return copy_text(arg, "xen-3.0-x86_64 ", sizeof(xen_capabilities_info_t));
    case XENVER_changeset:
        return copy_text(arg, "mullion " MULLION_VERSION, sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters: {
        struct xen_platform_parameters p = {.virt_start = HYPERVISOR_VIRT_START};

        return copy_out(arg, &p);
    }
    case XENVER_get_features:
        return get_features(arg);
    case XENVER_pagesize:
        return arg ? -EINVAL : (long)PAGE_SIZE;
    case XENVER_guest_handle:
        return copy_to_guest(arg, current->domain->handle, sizeof(current->domain->handle));
    case XENVER_commandline:
        if (!current->domain->is_dom0)
            return copy_text(arg, "<denied>", sizeof(xen_commandline_t));
        return copy_text(arg, boot_info.cmdline, sizeof(xen_commandline_t));
    case XENVER_build_id:
        return -ENODATA; /* as Xen says when it was linked without one */
    }
    return -ENOSYS;
}

/* The version is asked for all the time: kernels use it as the call that does nothing but let events in. */
long do_xen_version(struct hypercall *hc)
{
    unsigned op = (unsigned)hc->arg[0];

    if (likely(op == XENVER_version))
        return 4 << 16 | 17;
    return query(op, hc->arg[1]);
}
