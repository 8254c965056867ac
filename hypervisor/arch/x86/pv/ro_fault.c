/* SPDX-License-Identifier: MIT */
/*
 * Page faults that the hypervisor answers itself: a guest kernel's write to one of its L1 tables,
 * which it can only map read-only (the write is decoded, checked and performed like an mmu_update);
 * dom0's write to an MSI-X table page (dropped); an LDT page on first use; and a fault that the
 * tables no longer justify.
 *
 * Interface: pv_handle_page_fault, pv_handle_hv_page_fault (asm/pv.h). Everything else is the
 * guest's own fault: false. Lock: the domain's mmu_lock for the write itself; the walk before it
 * takes none.
 */
#include <asm/pv_mm.h>
#include <asm/insn.h>
#include <asm/hv_paging.h>
#include "pv_core.h"

#define PFEC_P    1u
#define PFEC_W    2u
#define PFEC_RSVD 8u
#define PFEC_I    16u
/* Each is lost to the processor setting A or D in the entry: a handful at most. */
#define TRIES     64

/* Apply w to the operand at p + offset, in an L1 table that is held. 0, or < 0: not written. The
 * lock is held. */
static int write_table(const struct insn *w, struct cpu_user_regs *regs, pte_t *p, unsigned offset)
{
    struct domain *d = current->domain;
    struct pt_edit edit = {.pt_owner = d, .pg_owner = d, .cmpxchg = true};
    unsigned shift = offset % sizeof(pte_t) * 8;
    uint64_t mask = operand_mask(w->bytes);
    int rc = -EAGAIN;

    p += offset / sizeof(pte_t);
    if (w->op == W_MOV && w->bytes == sizeof(pte_t)) { /* whatever is there */
        edit.cmpxchg = false;
        rc = pt_edit_l1(&edit, p, write_source(w, regs));
        regs->rip += rc ? 0 : w->length;
        return rc;
    }
    edit.old = READ_ONCE(*p);
    for (unsigned i = 0; i < TRIES && rc == -EAGAIN; i++) {
        pte_t seen = edit.old;
        struct write_effect e = write_effect(w, regs, seen >> shift & mask);

        rc = e.writes ? pt_edit_l1(&edit, p, (seen & ~(mask << shift)) | e.new << shift) : 0;
        if (!rc)
            write_retire(w, regs, &e);
    }
    return rc;
}

/* Few instructions are longer than eight bytes, and those few are read again. */
static bool fetch(const struct cpu_user_regs *regs, struct insn *w)
{
    uint8_t code[INSN_MAX];
    unsigned n = sizeof(uint64_t);
    bool known;

    n -= copy_from_guest_partial(code, regs->rip, n);
    known = insn_decode(code, n, w);
    if (!known && n == sizeof(uint64_t)) {
        n = INSN_MAX - copy_from_guest_partial(code, regs->rip, INSN_MAX);
        known = insn_decode(code, n, w);
    }
    return known && insn_is_write(w);
}

static bool is_l1(const struct frame *f)
{
    return (f->type & (TYPE_KIND | TYPE_VALID)) == (TYPE_WORD(FT_L1) | TYPE_VALID);
}

/*
 * The guest's address led to frame f when it faulted; the write goes there even if another vCPU has
 * changed the address meanwhile, as a processor's would until its TLB is flushed. What counts is
 * that f is one of the guest's L1 tables now.
 */
static bool emulate_table_write(struct vcpu *v, struct cpu_user_regs *regs, struct frame *f,
                                uint64_t va)
{
    struct domain *d = v->domain;
    struct insn w;
    bool ok = false;
    pte_t *p;

    if (!is_l1(f) || !fetch(regs, &w) || (va & (w.bytes - 1)) || !frame_try_get(f, d->id))
        return false;
    p = map_frame(frame_mfn(f));
    spin_lock(&d->arch.mmu_lock);
    if (is_l1(f))
        ok = !write_table(&w, regs, p, va & ~PAGE_MASK);
    spin_unlock(&d->arch.mmu_lock);
    unmap_frame(p);
    frame_drop(f);
    return ok;
}

static bool drop_device_write(struct cpu_user_regs *regs)
{
    struct insn w;
    struct write_effect e;

    if (!fetch(regs, &w))
        return false;
    e = write_effect(&w, regs, 0);
    write_retire(&w, regs, &e);
    return true;
}

static bool map_ldt(struct vcpu *v, uint64_t va)
{
    return pv_map_ldt_page(v, (va - ldt_window_va(this_cpu_id())) >> PAGE_SHIFT);
}

static bool handle_write(struct vcpu *v, struct cpu_user_regs *regs, uint64_t va)
{
    bool writable, handled;
    struct frame *f;
    pte_t e = pt_lookup(v->arch.guest_table, va, &writable);

    if (!e)
        return false;
    if (writable) { /* its TLB entry is older than the rights */
        tlb_flush_local_va(va);
        return true;
    }
    if (e & PTE_RW)
        return false;
    f = ram_frame(pte_mfn(e));
    if (f)
        handled = emulate_table_write(v, regs, f, va);
    else
        handled =
            v->domain->arch.iomem_all && msix_table_page(pte_mfn(e)) && drop_device_write(regs);
    if (handled && (regs->rflags & X86_EFLAGS_TF))
        pv_inject(v, TRAP_DB, 0);
    return handled;
}

bool pv_handle_page_fault(struct cpu_user_regs *regs, uint64_t va)
{
    struct vcpu *v = current;
    uint32_t ec = regs->error_code;

    if (ec & (PFEC_RSVD | PFEC_I))
        return false;
    if (!(ec & PFEC_P))
        return map_ldt(v, va);
    return (ec & PFEC_W) && guest_kernel_mode(v) && handle_write(v, regs, va);
}

/*
 * No lock, and interrupts may be off: whoever holds mmu_lock may be waiting for this CPU to flush
 * its TLB. Tables that change under the walk make it wrong about one try, which ends in another
 * fault or in -EFAULT.
 */
bool pv_handle_hv_page_fault(uint64_t va, uint32_t error_code)
{
    struct vcpu *v = current;
    bool writable;
    pte_t e;

    if (!v || v->domain->is_idle || (error_code & (PFEC_RSVD | PFEC_I)))
        return false;
    if (map_ldt(v, va))
        return true;
    /* A copy to or from the guest. A present mapping that may not even be read is not stale: it is
     * our own mistake. */
    if (!guest_range_ok(va, 1) || (error_code & (PFEC_P | PFEC_W)) == PFEC_P)
        return false;
    /* The tables that are loaded, which are the user's while the vCPU runs its user mode. */
    e = pt_lookup(v->arch.user_mode ? v->arch.guest_table_user : v->arch.guest_table, va,
                  &writable);
    if (!e || ((error_code & PFEC_W) && !writable))
        return false;
    tlb_flush_local_va(va);
    return true;
}
