/* SPDX-License-Identifier: MIT */
/*
 * Between the files of PV memory management: page_type, validate, l1_entry, pt_update,
 * guest_tables, m2p and their callers. The essay is at the top of pv/page_type.c.
 *
 * Lock: "the table's lock" is d->arch.mmu_lock of the table's owner.
 */
#ifndef ASM_PV_MM_H
#define ASM_PV_MM_H

#include <asm/l1_entry.h>
#include <asm/pv.h>
#include <asm/uaccess.h>

/* --- validate.c: the contents of a table --- */
/*
 * Take references for the entries from f->aux on, up to the end. 0, or < 0 with f->aux telling how
 * far it came
 * (-HC_RESTART: preempted). The table's lock is held.
 */
int validate_table(struct frame *f, enum frame_type t, struct domain *d);
/* Drop them from f->aux down to 0. 0 or -HC_RESTART. */
long devalidate_table(struct frame *f, enum frame_type t);
int validate_segdesc(struct frame *f); /* descriptor.c */

/* --- entries --- */
static inline pte_t l2plus_adjust(pte_t e)
{
    return e & PTE_P ? e | PTE_USER : e;
}

/* --- pt_update.c: one entry of a validated table. The table's lock is held, f typed as t --- */
struct pt_edit {
    struct domain *pt_owner, *pg_owner;
    bool preserve_ad;
    bool cmpxchg; /* only if the entry is *old (L1) */
    pte_t old;    /* cmpxchg: in and out; -EAGAIN: it was something else */
    bool flush; /* out: a present entry of L2…L4 went; Xen's guests may count on a flush after that
                 */
};
/* p: the entry, mapped, of an L1 table (no frame is mapped before it is written), or of a higher
 * one. */
int pt_edit_l1(struct pt_edit *e, pte_t *p, pte_t new);
int pt_edit_upper(struct pt_edit *e, pte_t *p, enum frame_type t, pte_t new);
/*
 * The L1 entry that maps va for v's guest kernel; NULL: none. Good until the next frame is mapped.
 * The domain's mmu_lock is held.
 */
pte_t *pt_walk(struct vcpu *v, uint64_t va);
/*
 * The same from L4 table m down, without the lock: the tables may change meanwhile, so what is
 * found is a hint. 0: nothing is mapped. *writable: all levels say so.
 */
pte_t pt_lookup(mfn_t m, uint64_t va, bool *writable);

/* --- page_type.c: debts --- */
/* Finish what current left half done. 0 or -HC_RESTART. Call first in every handler that types
 * tables. No lock held. */
long table_debts_pay(void);
bool table_debts_any(void);

/* --- mmu_update.c and mmuext.c --- */
/*
 * Around a list of requests about tables: hc->arg are the list, its count, where to write how many
 * are done, and whose. Progress: [0] requests done, [1] the result, once it is known but tables are
 * still to be taken apart. Begin: false: the result is *rc.
 */
#define TABLE_LIST_RESULT (1UL << 32)
static inline unsigned table_list_count(const struct hypercall *hc)
{
    /* Xen's mark of a call that it continues. Ours do so by themselves; guests may set it, too. */
    return (unsigned)hc->arg[1] & ~(1u << 31);
}
static inline bool table_list_begin(const struct hypercall *hc, size_t size, long *rc)
{
    if (table_debts_pay())
        *rc = -HC_RESTART;
    else if (hc->progress[1] & TABLE_LIST_RESULT)
        *rc = (int)(uint32_t)hc->progress[1];
    else if (!guest_range_ok(hc->arg[0], table_list_count(hc) * size))
        *rc = -EFAULT;
    else
        return true;
    return false;
}
static inline long table_list_end(struct hypercall *hc, long rc)
{
    unsigned done = hc->progress[0];
    int ignored;

    if (rc == -HC_RESTART)
        return rc;
    if (hc->arg[2]) {
        ignored = copy_out(hc->arg[2], &done); /* as Xen: a bad pdone is the caller's loss */
        (void)ignored;
    }
    if (table_debts_any()) {
        hc->progress[1] = TABLE_LIST_RESULT | (uint32_t)rc;
        return -HC_RESTART;
    }
    return rc;
}

/* --- guest_tables.c --- */
/* The domain named by a hypercall: SELF, DOMID_IO, DOMID_XEN or, for the privileged, a guest.
 * -ESRCH, -EPERM. Put with domain_put. */
int pg_owner_get(unsigned id, struct domain **out);
/* A guest's bitmap of vCPUs → the CPUs that may hold their translations. -EFAULT. */
int vcpumask_to_cpus(uint64_t guest_bitmap, cpumask_t *out);

/* --- m2p.c, frame_table.c --- */
mfn_t m2p_chunk_mfn(unsigned i); /* first frame of 2 MiB piece i of the M2P; INVALID_MFN: a hole */

/* --- ldt.c --- */
int pv_set_ldt(struct vcpu *v, uint64_t base, unsigned entries);
bool pv_destroy_ldt(struct vcpu *v); /* true if something was mapped: flush */
bool pv_map_ldt_page(struct vcpu *v, uint64_t page); /* of the window; false also if it has no such page */

/* --- descriptor.c --- */
/* Empty n slots of v's GDT or LDT; show: what tells this CPU. True if there was anything. */
bool pv_drop_descriptors(struct vcpu *v, mfn_t *slot, unsigned n, void (*show)(unsigned, mfn_t));

#endif
