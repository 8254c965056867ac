/* SPDX-License-Identifier: MIT */
/*
 * domctl: the parts of a vCPU's state beside its context (callbacks of 32-bit code, extended FPU
 * state, MSRs), and the types of a domain's frames: what saving and restoring a domain reads and
 * writes. Called with domctl_lock held.
 */
#include "../../../common/domctl/domctl.h"
#include <asm/cpufeature.h>
#include <hv/frame_priv.h>
#include <hv/sched.h>
#include <hv/string.h>
#include "pv_core.h"

/* A vCPU of d that is not our own. */
static struct vcpu *other_vcpu(struct domain *d, uint32_t id)
{
    struct vcpu *v = domain_vcpu(d, id);

    return v == current ? NULL : v;
}

/* --- 32-bit callbacks ------------------------------------------------------------------------ */

long domctl_get_ext_vcpucontext(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    struct vcpu *v = other_vcpu(d, e->vcpu);
    const struct pv_callback *syscall32, *sysenter;

    if (!v)
        return -ESRCH;
    vcpu_pause(v);
    syscall32 = &v->arch.callback[CALLBACKTYPE_syscall32];
    sysenter = &v->arch.callback[CALLBACKTYPE_sysenter];
    *e = (struct xen_domctl_ext_vcpucontext){
        .vcpu = e->vcpu,
        .size = sizeof(*e),
        .syscall32_callback_eip = syscall32->address,
        .syscall32_callback_cs = syscall32->cs,
        .syscall32_disables_events = syscall32->masks_events,
        .sysenter_callback_eip = sysenter->address,
        .sysenter_callback_cs = sysenter->cs,
        .sysenter_disables_events = sysenter->masks_events,
    };
    vcpu_unpause(v);
    return 0;
}

long domctl_set_ext_vcpucontext(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    const struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    struct vcpu *v = other_vcpu(d, e->vcpu);

    if (!v)
        return -ESRCH;
    if (e->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap) ||
        !is_canonical(e->syscall32_callback_eip) || !is_canonical(e->sysenter_callback_eip))
        return -EINVAL;
    vcpu_pause(v);
    v->arch.callback[CALLBACKTYPE_syscall32] = (struct pv_callback){
        e->syscall32_callback_eip, e->syscall32_disables_events, e->syscall32_callback_cs | 3};
    v->arch.callback[CALLBACKTYPE_sysenter] = (struct pv_callback){
        e->sysenter_callback_eip, e->sysenter_disables_events, e->sysenter_callback_cs | 3};
    vcpu_unpause(v);
    return 0;
}

/* --- extended FPU state: two words, then the XSAVE image in the standard format -------------- */

#define XSAVE_LEGACY 512
#define XSAVE_MIN    576
#define XCR0_LEGACY  3UL

struct extstate_header {
    uint64_t xcr0, xcr0_accum;
};

struct xsave_header { /* at byte 512 of the image */
    uint64_t xstate_bv, xcomp_bv, reserved[6];
};

static uint32_t image_size(uint64_t components)
{
    uint32_t size = XSAVE_MIN;

    if (!cpu_has.xsave || !components)
        return 0;
    for (unsigned i = 2; i < 63; i++)
        if (components >> i & 1) {
            struct cpuid_regs r = cpuid_count(0xd, i);

            size = MAX(size, r.ebx + r.eax);
        }
    return size;
}

long domctl_getvcpuextstate(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    struct vcpu *v = other_vcpu(d, e->vcpu);
    uint64_t to = (uint64_t)e->buffer.p;
    struct extstate_header h;
    uint32_t size;
    long rc = 0;

    if (!v)
        return -ESRCH;
    if ((!e->size && !e->xfeature_mask) || !to) { /* how large can it be? */
        e->xfeature_mask = cpu_has.xcr0_mask;
        e->size = sizeof(h) + image_size(cpu_has.xcr0_mask);
        return 0;
    }
    vcpu_pause(v);
    h.xcr0 = v->arch.xcr0;
    h.xcr0_accum = cpu_has.xsave ? v->arch.xcr0_accum | XCR0_LEGACY : 0;
    size = image_size(h.xcr0_accum);
    if (e->size < sizeof(h) + size || e->xfeature_mask != cpu_has.xcr0_mask)
        rc = -EINVAL;
    else if (copy_out(to, &h) || copy_to_guest(to + sizeof(h), v->arch.xsave, size))
        rc = -EFAULT;
    else
        e->size = sizeof(h) + size;
    vcpu_unpause(v);
    return rc;
}

/* Is this an image that the CPU can load, of a size that belongs to its components? */
static long check_image(const struct extstate_header *h, const char *image, uint64_t size)
{
    const struct xsave_header *x = (const struct xsave_header *)(image + XSAVE_LEGACY);

    if ((h->xcr0 | h->xcr0_accum) & ~cpu_has.xcr0_mask)
        return -EINVAL;
    if (size == 0)
        return 0;
    if (!(h->xcr0 & 1) || (h->xcr0 & ~h->xcr0_accum) || size != image_size(h->xcr0_accum))
        return -EINVAL;
    if (x->xcomp_bv)
        return -EOPNOTSUPP; /* the compacted format */
    if (x->xstate_bv & ~h->xcr0_accum)
        return -EINVAL;
    for (unsigned i = 0; i < ARRAY_SIZE(x->reserved); i++)
        if (x->reserved[i])
            return -EINVAL;
    return 0;
}

long domctl_setvcpuextstate(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    struct vcpu *v = other_vcpu(d, e->vcpu);
    struct extstate_header h;
    uint64_t size;
    char *image;
    long rc;

    if (!v)
        return -ESRCH;
    if (e->size < sizeof(h) || e->size > sizeof(h) + image_size(cpu_has.xcr0_mask))
        return -EINVAL;
    if (copy_in(&h, (uint64_t)e->buffer.p))
        return -EFAULT;
    size = e->size - sizeof(h);
    if (size && size < XSAVE_MIN)
        return -EINVAL;
    image = hv_alloc(size + 1);
    if (!image)
        return -ENOMEM;
    rc = copy_from_guest(image, (uint64_t)e->buffer.p + sizeof(h), size);
    if (!rc)
        rc = check_image(&h, image, size);
    if (!rc && size) {
        vcpu_pause(v);
        rc = fpu_set_xcr0(v, h.xcr0);
        if (!rc) {
            v->arch.xcr0_accum = h.xcr0_accum;
            memset(v->arch.xsave, 0, cpu_has.xsave_size);
            memcpy(v->arch.xsave, image, size);
            v->arch.fpu_initialised = true; /* all of it: nothing is left to be reset */
        }
        vcpu_unpause(v);
    }
    hv_free(image);
    return rc;
}

/* --- MSRs: a PV guest has none of its own beside what its context holds ---------------------- */

long domctl_vcpu_msrs(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    if (!other_vcpu(d, op->u.vcpu_msrs.vcpu))
        return -ESRCH;
    if (op->cmd == XEN_DOMCTL_set_vcpu_msrs && op->u.vcpu_msrs.msr_count)
        return -EINVAL;
    op->u.vcpu_msrs.msr_count = 0;
    return 0;
}

/* --- types of frames ------------------------------------------------------------------------- */

#define PAGEINFO_MAX 1024

_Static_assert((uint32_t)FT_L1 << XEN_DOMCTL_PFINFO_LTAB_SHIFT == XEN_DOMCTL_PFINFO_L1TAB &&
                   (uint32_t)FT_L4 << XEN_DOMCTL_PFINFO_LTAB_SHIFT == XEN_DOMCTL_PFINFO_L4TAB,
               "page_info()");

static uint64_t page_info(struct domain *d, mfn_t f)
{
    uint64_t type, info = XEN_DOMCTL_PFINFO_NOTAB;

    if (!frame_get(f, d))
        return XEN_DOMCTL_PFINFO_XTAB;
    type = frame_of(f)->type;
    if ((type & TYPE_COUNT) && TYPE_OF(type) >= FT_L1 && TYPE_OF(type) <= FT_L4) {
        info = (uint64_t)TYPE_OF(type) << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
        if (type & TYPE_PINNED)
            info |= XEN_DOMCTL_PFINFO_LPINTAB;
    }
    frame_put(f);
    return info;
}

long domctl_getpageframeinfo3(struct domain *d, struct xen_domctl *op, struct hypercall *hc)
{
    uint64_t array = (uint64_t)op->u.getpageframeinfo3.array.p;

    if (op->u.getpageframeinfo3.num > PAGEINFO_MAX)
        return -E2BIG;
    for (uint64_t i = 0; i < op->u.getpageframeinfo3.num; i++) {
        uint64_t f;

        if (copy_in(&f, array + i * sizeof(f)))
            return -EFAULT;
        f = page_info(d, mfn(f));
        if (copy_out(array + i * sizeof(f), &f))
            return -EFAULT;
    }
    return 0;
}
