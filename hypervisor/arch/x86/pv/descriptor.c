/* SPDX-License-Identifier: MIT */
/*
 * A guest's GDT: which descriptors it may hold, hypercalls set_gdt and update_descriptor.
 *
 * Invariant: a frame of type FT_SEGDESC holds only descriptors that descriptor_ok() lets pass: no
 * system segments, so no task, call or interrupt gates and no LDT or TSS of the guest's making;
 * nothing with DPL below 3. Present call gates, which only 32-bit guests used, are refused.
 */
#include <asm/pv_mm.h>

#define DESC_P        (1UL << 47)
#define DESC_S        (1UL << 44) /* code or data */
#define DESC_DPL      (3UL << 45)
#define DESC_TYPE     (0xfUL << 40)
#define PER_PAGE      (PAGE_SIZE / 8)
#define GUEST_ENTRIES (FIRST_RESERVED_GDT_PAGE * PER_PAGE)

/* False: refused. It may be adjusted. */
static bool descriptor_ok(uint64_t *desc)
{
    if (!(*desc & DESC_P))
        return true; /* using it faults */
    if (*desc & DESC_S) {
        *desc |= DESC_DPL;
        return true;
    }
    return !(*desc & DESC_TYPE); /* the upper half of a 16-byte descriptor: as such it faults */
}

int validate_segdesc(struct frame *f)
{
    uint64_t *desc = map_frame(frame_mfn(f));
    unsigned i = 0;

    while (i < PER_PAGE && descriptor_ok(&desc[i]))
        i++;
    unmap_frame(desc);
    return i == PER_PAGE ? 0 : -EINVAL;
}

bool pv_drop_descriptors(struct vcpu *v, mfn_t *slot, unsigned n, void (*show)(unsigned, mfn_t))
{
    bool any = false;

    for (unsigned i = 0; i < n; i++) {
        mfn_t m = slot[i];

        if (!mfn_is_set(m))
            continue;
        slot[i] = INVALID_MFN;
        if (v == current)
            show(i, INVALID_MFN);
        frame_put_typed(m);
        any = true;
    }
    return any;
}

void pv_destroy_gdt(struct vcpu *v)
{
    v->arch.gdt_entries = 0;
    pv_drop_descriptors(v, v->arch.gdt_frame, FIRST_RESERVED_GDT_PAGE, gdt_slot_set);
}

int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    unsigned pages = ROUND_UP(entries, PER_PAGE) / PER_PAGE, n;

    if (entries > GUEST_ENTRIES)
        return -EINVAL;
    for (n = 0; n < pages; n++) {
        if (!frame_get_typed(mfn(frames[n]), v->domain, FT_SEGDESC))
            continue;
        while (n--)
            frame_put_typed(mfn(frames[n]));
        return -EINVAL;
    }
    pv_destroy_gdt(v);
    v->arch.gdt_entries = entries;
    for (n = 0; n < pages; n++) {
        v->arch.gdt_frame[n] = mfn(frames[n]);
        if (v == current)
            gdt_slot_set(n, mfn(frames[n]));
    }
    return 0;
}

long do_set_gdt(struct hypercall *hc)
{
    uint64_t frames[FIRST_RESERVED_GDT_PAGE];
    unsigned entries = hc->arg[1];
    int rc;

    if (entries > GUEST_ENTRIES)
        return -EINVAL;
    if (copy_from_guest(frames, hc->arg[0],
                        ROUND_UP(entries, PER_PAGE) / PER_PAGE * sizeof(frames[0])))
        return -EFAULT;
    rc = pv_set_gdt(current, frames, entries);
    if (!rc)
        tlb_flush_local();
    return rc;
}

long do_update_descriptor(struct hypercall *hc)
{
    uint64_t maddr = hc->arg[0], desc = hc->arg[1];
    mfn_t m = maddr_to_mfn(maddr);
    enum frame_type t = FT_WRITABLE;
    char *p;

    if ((maddr & 7) || !descriptor_ok(&desc))
        return -EINVAL;
    /* In use as descriptors it stays that, and is written only here; otherwise it must be plainly
     * writable. */
    if (frame_described(m) && TYPE_OF(frame_of(m)->type) == FT_SEGDESC &&
        (frame_of(m)->type & TYPE_COUNT))
        t = FT_SEGDESC;
    if (frame_get_typed(m, current->domain, t))
        return -EINVAL;
    p = map_frame(m);
    WRITE_ONCE(*(uint64_t *)(p + (maddr & ~PAGE_MASK)), desc);
    unmap_frame(p);
    frame_put_typed(m);
    return 0;
}
