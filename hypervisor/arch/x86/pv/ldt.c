/* SPDX-License-Identifier: MIT */
/*
 * A guest's LDT: its pages are mapped into the vCPU's LDT window one by one, when the processor
 * faults on them, and typed as descriptor pages while they are.
 *
 * Interface: pv_set_ldt, pv_destroy_ldt, pv_map_ldt_page (asm/pv_mm.h). Invariant:
 * v->arch.ldt_frame[i], where set, has an FT_SEGDESC reference; the window of the CPU that v runs
 * on shows exactly those. Own vCPU, or one that does not run.
 */
#include <asm/pv_mm.h>

#define LDT_PAGES       16
#define LDT_MAX_ENTRIES 8192

bool pv_destroy_ldt(struct vcpu *v)
{
    return pv_drop_descriptors(v, v->arch.ldt_frame, LDT_PAGES, ldt_slot_set);
}

bool ldt_ok(uint64_t base, uint64_t entries)
{
    return entries <= LDT_MAX_ENTRIES && !(base & ~PAGE_MASK) &&
           (!entries || guest_range_ok(base, entries * 8));
}

int pv_set_ldt(struct vcpu *v, uint64_t base, unsigned entries)
{
    if (!entries)
        base = 0;
    if (!ldt_ok(base, entries))
        return -EINVAL;
    if (v->arch.ldt_base == base && v->arch.ldt_entries == entries)
        return 0;
    if (pv_destroy_ldt(v) && v == current)
        tlb_flush_local();
    v->arch.ldt_base = base;
    v->arch.ldt_entries = entries;
    if (v == current)
        ldt_load(entries);
    return 0;
}

/*
 * No lock, since interrupts may be off and who holds mmu_lock may wait for this CPU's TLB flush: if
 * the tables change under the walk, a page of the guest's own with good descriptors shows.
 */
bool pv_map_ldt_page(struct vcpu *v, uint64_t page)
{
    bool writable;
    pte_t e;

    if (page >= LDT_PAGES || page * (PAGE_SIZE / 8) >= v->arch.ldt_entries ||
        mfn_is_set(v->arch.ldt_frame[page]))
        return false;
    e = pt_lookup(v->arch.guest_table, v->arch.ldt_base + page * PAGE_SIZE, &writable);
    if (!e || frame_get_typed(pte_mfn(e), v->domain, FT_SEGDESC))
        return false;
    v->arch.ldt_frame[page] = pte_mfn(e);
    ldt_slot_set(page, pte_mfn(e));
    return true;
}
