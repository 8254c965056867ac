/* SPDX-License-Identifier: MIT */
/*
 * Page types: what a guest must not be able to do with its page tables, one test for each way;
 * after each the counts are recounted from scratch, and after the guest's death all memory is back.
 */
#include "guest.h"
#include <asm/cpufeature.h>

static void pin_and_unpin(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t data = get(d);

    raw(t.l1)[3] = pte_make(data, PTE_P | PTE_RW);
    raw(t.l1)[4] = pte_make(t.l4, RO);
    EQ(pin(4, t.l4), 0);
    AUDIT();
    EQ(type_of(t.l4), FT_L4);
    EQ(type_of(t.l1), FT_L1);
    EQ(type_of(data), FT_WRITABLE);
    /* What the guest reads back. */
    EQ(raw(t.l1)[3], pte_make(data, PTE_P | PTE_RW | PTE_USER | PTE_GUEST_KERNEL));
    EQ(raw(t.l1)[4], pte_make(t.l4, RO | PTE_G));
    EQ(pin(4, t.l4), -EINVAL);
    EQ(pin(3, t.l4), -EINVAL);
    EQ(unpin(t.l3), -EINVAL);
    AUDIT();
    EQ(unpin(t.l4), 0);
    AUDIT();
    EQ(type_of(t.l1), FT_NONE);
    EQ(type_of(data), FT_NONE);
    EQ(raw(t.l4)[256], 0); /* the hypervisor's slots do not stay behind */
    EQ(unpin(t.l4), -EINVAL);
    end(d);
}

/* 1 [XSA-182]: read-only → writable on a mapped page table. */
static void no_writable_mapping_of_a_table(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);

    raw(t.l1)[0] = pte_make(t.l1, RO);
    raw(t.l1)[1] = pte_make(t.l2, RO);
    EQ(pin(4, t.l4), 0);
    EQ(set(t.l1, 0, pte_make(t.l1, RW)), -EBUSY);
    EQ(set(t.l1, 1, pte_make(t.l2, RW)), -EBUSY);
    EQ(set(t.l1, 2, pte_make(t.l4, RW)), -EBUSY);
    EQ(mmu_update(t.l1, 0, pte_make(t.l1, RW), MMU_PT_UPDATE_PRESERVE_AD, SELF), -EBUSY);
    /* Flags that need no count may change. */
    EQ(set(t.l1, 0, pte_make(t.l1, RO | PTE_NX | PTE_A)), 0);
    AUDIT();
    /* The other way round: a frame mapped writable does not become a table. */
    mfn_t data = get(d);

    EQ(set(t.l1, 5, pte_make(data, RW)), 0);
    EQ(pin(1, data), -EINVAL);
    EQ(set(t.l2, 1, pte_make(data, RW)), -EINVAL);
    EQ(set(t.l1, 5, pte_make(data, RO)), 0);
    EQ(pin(1, data), 0);
    EQ(set(t.l1, 5, pte_make(data, RW)), -EBUSY);
    end(d);
}

/* 2 [XSA-148, 167]: large pages, and other bits that a guest may not set. */
static void forbidden_bits(void)
{
    static const uint64_t upper[] = {PTE_PSE, PTE_PWT, PTE_PCD, PTE_G, PTE_GRANT};
    static const uint64_t leaf[] = {PTE_PWT, PTE_PCD, PTE_PAT, PTE_GRANT};
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t l1 = get(d), data = get(d);

    EQ(pin(4, t.l4), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(upper); i++) {
        mfn_t bad2 = get(d);

        EQ(set(t.l2, 5, pte_make(l1, RW | upper[i])), -EINVAL);
        EQ(set(t.l3, 5, pte_make(l1, RW | upper[i])), -EINVAL);
        EQ(set(t.l4, 5, pte_make(l1, RW | upper[i])), -EINVAL);
        EQ(set(t.l2, 0, pte_make(t.l1, RW | upper[i])),
           -EINVAL); /* the entry that is there, plus the bit */
        raw(bad2)[7] = pte_make(l1, RW | upper[i]);
        EQ(pin(2, bad2), -EINVAL);
        EQ(pin(3, bad2), -EINVAL);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(leaf); i++) {
        mfn_t bad1 = get(d);

        EQ(set(t.l1, 5, pte_make(data, RW | leaf[i])), -EINVAL);
        raw(bad1)[511] = pte_make(data, RW | leaf[i]);
        raw(bad1)[0] = pte_make(data, RW);
        EQ(pin(1, bad1), -EINVAL);
        EQ(type_of(data), FT_NONE);
    }
    end(d);
}

/* No table is a table of another level, nor contains itself. */
/* (L1TF) On an affected CPU no absent entry of any level names RAM, however it is written; the last
 * gigabyte that has some counts whole. Elsewhere it says what it likes. */
static void absent_entries(void)
{
    const pte_t ram = (1UL << 30) - 1, bits = (((1UL << 44) - 1) & PAGE_MASK) | PTE_PSE;
    const struct {
        pte_t e;
        bool safe;
    } list[] = {{0x1000, false},
                {FAKE_FIRST << PAGE_SHIFT | PTE_RW, false},
                {PTE_PSE, false},
                {ram & ~(pte_t)PTE_P, false},
                {1UL << 44 | 0x5000, false},
                {1UL << 63 | 0x5000, false},
                {PTE_USER | PTE_RW | PTE_AVAIL, true},
                {ram + 1, true},
                {~0x5fffUL & ~(pte_t)PTE_P, true},
                {1UL << 44, true}};
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t table[] = {t.l1, t.l2, t.l3, t.l4}, fresh = get(d);

    EQ(pin(4, t.l4), 0);
    for (unsigned affected = 0; affected < 2; affected++) {
        cpu_has.l1tf_bits = affected ? bits : 0;
        for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
            for (unsigned level = 1; level <= 4; level++) {
                long rc = list[i].safe || !affected ? 0 : -EINVAL;
                unsigned slot = 1 + i * 19;

                EQ(set(table[level - 1], slot, list[i].e), rc);
                EQ(raw(table[level - 1])[slot], rc ? 0 : list[i].e);
                EQ(set(table[level - 1], slot, 0), 0);
                /* Beside a good one, whose reference must go when the table is refused. */
                memset(raw(fresh), 0, PAGE_SIZE);
                raw(fresh)[0] = level == 1 ? pte_make(t.l4, RO) : pte_make(table[level - 2], RW);
                raw(fresh)[slot] = list[i].e;
                EQ(pin(level, fresh), rc);
                if (!rc)
                    EQ(unpin(fresh), 0);
                AUDIT();
            }
    }
    EQ(unpin(t.l4), 0);
    cpu_has.l1tf_bits = 0;
    end(d);
}

static void no_linear_tables(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);

    raw(t.l4)[1] = pte_make(t.l4, RW);
    EQ(pin(4, t.l4), -EINVAL);
    AUDIT();
    raw(t.l4)[1] = 0;
    EQ(pin(4, t.l4), 0);
    EQ(set(t.l4, 1, pte_make(t.l4, RO)), -EINVAL);
    EQ(set(t.l3, 1, pte_make(t.l3, RO)), -EINVAL);
    EQ(set(t.l3, 1, pte_make(t.l1, RO)), -EINVAL);
    EQ(set(t.l2, 1, pte_make(t.l2, RO)), -EINVAL);
    EQ(set(t.l4, 300, 0), 0); /* the guest's half */
    for (unsigned i = L4_HV_FIRST; i <= L4_HV_LAST; i++) {
        EQ(set(t.l4, i, 0), -EINVAL);
        EQ(set(t.l4, i, pte_make(t.l3, RW)), -EINVAL);
    }
    end(d);
}

/* A level is freed when its last user goes, and only then. */
static void shared_tables(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t l4b = get(d);

    for (unsigned i = 0; i < 512; i++)
        raw(t.l2)[i] = pte_make(t.l1, RW);
    raw(l4b)[500] = pte_make(t.l3, RW);
    EQ(pin(4, t.l4), 0);
    EQ(pin(4, l4b), 0);
    AUDIT();
    EQ(frame_of(t.l1)->type & TYPE_COUNT, 512);
    EQ(unpin(t.l4), 0);
    EQ(type_of(t.l1), FT_L1);
    EQ(set(t.l2, 17, 0), 0);
    EQ(frame_of(t.l1)->type & TYPE_COUNT, 511);
    EQ(unpin(l4b), 0);
    EQ(type_of(t.l1), FT_NONE);
    end(d);
}

/* 8: frames that are not the guest's: free, another's, the hypervisor's, devices. */
static void foreign_frames(void)
{
    struct domain *other = fake_mm_domain(2, 10), *d;
    mfn_t theirs = get(other), unowned, hv = alloc_frames(NULL, 0, 0);
    char *heap = heap_alloc_pages(0);

    d = begin();
    struct tree t = make_tree(d);
    mfn_t tables[5] = {get(d), get(d), get(d), get(d), get(d)};

    unowned = get(d);
    frame_release(unowned, d);
    EQ(pin(4, t.l4), 0);
    for (unsigned i = 0; i < 5; i++) {
        mfn_t bad[] = {theirs, unowned, hv, virt_to_mfn(heap), mfn(FAKE_FIRST + RAM + 100)};
        mfn_t l = tables[i];
        long expect = i == 4 ? -EPERM : -EBUSY;

        EQ(set(t.l1, 9, pte_make(bad[i], RO)), expect);
        EQ(set(t.l1, 9, pte_make(bad[i], RW)), expect);
        EQ(set(t.l2, 9, pte_make(bad[i], RW)), -EINVAL);
        EQ(set(t.l4, 9, pte_make(bad[i], RW)), -EINVAL);
        EQ(pin(1, bad[i]), -EINVAL);
        EQ(set(bad[i], 0, 0), -EINVAL);
        EQ(mmu_update(bad[i], 0, 5, MMU_MACHPHYS_UPDATE, SELF), -EINVAL);
        EQ(ext(MMUEXT_CLEAR_PAGE, bad[i].m, 0), -EINVAL);
        EQ(ext(MMUEXT_COPY_PAGE, bad[i].m, t.l1.m), -EINVAL);
        EQ(ext(MMUEXT_COPY_PAGE, t.l1.m, bad[i].m), -EINVAL);
        EQ(ext(MMUEXT_NEW_BASEPTR, bad[i].m, 0), -EINVAL);
        raw(l)[9] = pte_make(bad[i], RO);
        EQ(pin(1, l), expect);
    }
    /* Naming another domain is a privilege. */
    EQ(mmu_update(t.l1, 9, pte_make(theirs, RO), 0, 2), -EPERM);
    EQ(mmu_update(t.l1, 9, pte_make(theirs, RO), 0, 1), -ESRCH);
    EQ(mmu_update(t.l1, 9, pte_make(theirs, RO), 0, 3), -ESRCH);
    EQ(mmu_update(t.l1, 9, pte_make(theirs, RO), 0, DOMID_XEN), -EPERM);
    EQ(mmu_update(theirs, 0, 0, 0, (3u << 16) | SELF), -EPERM);
    EQ(mmu_update(t.l1, 9, pte_make(mfn(FAKE_FIRST + RAM + 100), RW), 0, DOMID_IO), -EPERM);
    end(d);
    free_frames(hv, 0);
    heap_free_pages(heap, 0);
    fake_mm_kill(other);
}

/* dom0 maps another's memory, and devices. */
static void dom0_may(void)
{
    struct domain *d = fake_mm_domain(1, RAM), *zero;
    mfn_t theirs = get(d), mmio = mfn(FAKE_FIRST + RAM + 100);
    struct tree t;

    zero = fake_mm_domain(0, RAM);
    t = make_tree(zero);
    EQ(pin(4, t.l4), 0);
    EQ(mmu_update(t.l1, 0, pte_make(theirs, RW), 0, 1), 0);
    EQ(type_of(theirs), FT_WRITABLE);
    EQ(mmu_update(t.l1, 1, pte_make(theirs, RW), 0, SELF), -EBUSY);
    EQ(mmu_update(t.l2, 1, pte_make(theirs, RW), 0, 1), -EINVAL);
    EQ(set(t.l1, 2, pte_make(mmio, RW | PTE_PCD | PTE_PWT)), 0);
    EQ(mmu_update(t.l1, 3, pte_make(mmio, RW | PTE_PCD), 0, DOMID_IO), 0);
    fake_mmio_hv = mmio.m + 1;
    fake_msix = mmio.m + 2;
    EQ(set(t.l1, 4, pte_make(mfn(mmio.m + 1), RW)), -EPERM);
    EQ(set(t.l1, 4, pte_make(mfn(mmio.m + 2), RW)), 0);
    EQ(raw(t.l1)[4] & PTE_RW, 0);
    EQ(set(t.l1, 5, pte_make(mfn(PTE_ADDR_MASK >> 12), RW)), -EINVAL);
    EQ(mmu_update(theirs, 0, 0x1234, 0, (2u << 16) | SELF), 0); /* plain memory of domain 1 */
    EQ(raw(theirs)[0], 0x1234);
    EQ(mmu_update(theirs, 0, 99, MMU_MACHPHYS_UPDATE, 1), 0);
    EQ(m2p_get(theirs), 99);
    AUDIT();
    /* The guest dies; its frame lives until dom0 unmaps it. */
    fake_mm_kill(d);
    CU_ASSERT(fake_mm_exists(1));
    EQ(set(t.l1, 0, 0), 0);
    frames_reap();
    CU_ASSERT(!fake_mm_exists(1));
    AUDIT();
    fake_mm_kill(zero);
    fake_mmio_hv = fake_msix = 0;
}

/* 6 [XSA-402]: what was written past the caches is in memory before it is walked as a table. */
static void uncached_before_it_is_a_table(void)
{
    struct domain *zero = fake_mm_domain(0, RAM);
    struct tree t = make_tree(zero);
    mfn_t data = get(zero);

    EQ(pin(4, t.l4), 0);
    EQ(set(t.l1, 0, pte_make(data, RW | PTE_PCD)), 0);
    EQ(set(t.l1, 0, pte_make(data, RO)), 0);
    EQ(frame_of(data)->type & TYPE_NONCOHERENT, TYPE_NONCOHERENT);
    EQ(set(t.l1, 1, pte_make(data, RW)), 0); /* as memory it may stay so */
    EQ(set(t.l1, 1, 0), 0);
    EQ(frame_of(data)->type & TYPE_NONCOHERENT, TYPE_NONCOHERENT);
    EQ(pin(1, data), 0);
    EQ(frame_of(data)->type & TYPE_NONCOHERENT, 0);
    AUDIT();
    fake_mm_kill(zero);
    CU_ASSERT(!fake_mm_exists(0));
}

/* 9 [XSA-252]: giving back a frame that is pinned or mapped. */
static void giving_back_what_is_in_use(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t data = get(d);

    raw(t.l1)[0] = pte_make(data, RW);
    EQ(pin(4, t.l4), 0);
    CU_ASSERT(frame_release(data, d));
    CU_ASSERT(frame_release(t.l4, d));
    AUDIT();
    EQ(d->tot_pages, 5);
    EQ(set(t.l1, 0, 0), 0);
    EQ(d->tot_pages, 4);
    EQ(unpin(t.l4), 0);
    EQ(d->tot_pages, 3);
    end(d);
}

/* The processor's own tables. */
static void base_pointers(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d), u = make_tree(d);

    EQ(ext(MMUEXT_NEW_BASEPTR, t.l4.m, 0), 0);
    EQ(ext(MMUEXT_NEW_USER_BASEPTR, u.l4.m, 0), 0);
    AUDIT();
    EQ(ext(MMUEXT_NEW_BASEPTR, u.l4.m, 0), 0);
    EQ(type_of(t.l4), FT_NONE);
    AUDIT();
    EQ(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    EQ(frame_of(u.l4)->type & TYPE_COUNT, 1);
    EQ(ext(MMUEXT_NEW_BASEPTR, u.l3.m, 0), -EINVAL);
    EQ(ext(MMUEXT_NEW_BASEPTR, u.l4.m, 0), 0);
    fake_preempt_one_in = 2;
    for (unsigned i = 0; i < 20; i++) {
        EQ(ext(MMUEXT_NEW_BASEPTR, t.l4.m, 0), 0);
        AUDIT();
        EQ(ext(MMUEXT_NEW_BASEPTR, u.l4.m, 0), 0);
        AUDIT();
        CU_ASSERT(!table_debts_any());
    }
    fake_preempt_one_in = 0;
    end(d);
}

/* (5) of the essay: a life ends, CPUs that may remember it flush before the next; and not
 * otherwise. [XSA-401] Until they have, nobody may use the frame as what it will be. */
static mfn_t between_lives;

static void not_yet_published(void)
{
    EQ(frame_of(between_lives)->type & (TYPE_BUSY | TYPE_VALID), TYPE_BUSY);
}

static void flush_between_lives(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t data = get(d);
    unsigned flushes;

    d->arch.dirty_cpus = (cpumask_t){{3}};
    between_lives = data;
    fake_on_flush = not_yet_published;
    EQ(pin(4, t.l4), 0);
    EQ(set(t.l1, 0, pte_make(data, RW)), 0);
    EQ(set(t.l1, 0, 0), 0);
    flushes = fake_tlb_flushes;
    EQ(pin(1, data), 0); /* writable → table */
    EQ(fake_tlb_flushes, flushes + 1);
    EQ(unpin(data), 0);
    EQ(pin(1, data), 0); /* table → table */
    EQ(unpin(data), 0);
    EQ(fake_tlb_flushes, flushes + 1);
    EQ(set(t.l1, 0, pte_make(data, RW)), 0); /* table → writable */
    EQ(fake_tlb_flushes, flushes + 2);
    EQ(set(t.l1, 0, 0), 0);
    EQ(set(t.l1, 0, pte_make(data, RW)), 0); /* writable → writable */
    EQ(fake_tlb_flushes, flushes + 2);
    EQ(set(t.l1, 0, 0), 0);
    fake_on_flush = NULL;
    tlb_flush_mask(&d->arch.dirty_cpus); /* the guest flushes by itself */
    flushes = fake_tlb_flushes;
    EQ(pin(1, data), 0);
    EQ(fake_tlb_flushes, flushes);
    d->arch.dirty_cpus = (cpumask_t){{0}};
    end(d);
}

/* 5 [XSA-286]: update_va_mapping edits the table that maps the address now. */
static void va_mapping_follows_the_tables(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t l1b = get(d), data = get(d);

    EQ(ext(MMUEXT_NEW_BASEPTR, t.l4.m, 0), 0);
    EQ(call(do_update_va_mapping, 0x5000, pte_make(data, RO), UVMF_INVLPG | UVMF_ALL, 0), 0);
    EQ(raw(t.l1)[5] & PTE_ADDR_MASK, mfn_to_maddr(data));
    EQ(set(t.l2, 0, pte_make(l1b, RW)), 0);
    EQ(call(do_update_va_mapping, 0x6000, pte_make(data, RO), UVMF_TLB_FLUSH | UVMF_LOCAL, 0), 0);
    EQ(raw(t.l1)[6], 0);
    EQ(raw(l1b)[6] & PTE_ADDR_MASK, mfn_to_maddr(data));
    EQ(call(do_update_va_mapping, 0x40000000, pte_make(data, RO), 0, 0), -EINVAL);
    EQ(call(do_update_va_mapping, 0xffff800000000000, pte_make(data, RO), 0, 0), -EINVAL);
    EQ(call(do_update_va_mapping, 0x1234000000005000, pte_make(data, RO), 0, 0), -EINVAL);
    EQ(call(do_update_va_mapping, 0x6000, pte_make(l1b, RW), 0, 0), -EBUSY);
    EQ(call(do_update_va_mapping, 0x6000, 0, UVMF_TLB_FLUSH | 16, 0),
       -EFAULT); /* a bitmap in page 0 */
    end(d);
}

/* Grants' entries own nothing, cannot be forged, and do not survive their table. */
static void grant_entries(void)
{
    struct domain *owner = fake_mm_domain(2, 10), *d;
    mfn_t theirs = get(owner), data;
    struct tree t;
    struct vcpu *v;

    d = begin();
    v = d->vcpu[0];
    t = make_tree(d);
    data = get(d);
    EQ(ext(MMUEXT_NEW_BASEPTR, t.l4.m, 0), 0);
    EQ(frame_get_typed(theirs, owner, FT_WRITABLE), 0); /* the handle's */
    EQ(set(t.l1, 1, pte_make(data, RW)), 0);
    EQ(pv_grant_map_pte(v, 0x1000, theirs, false, false, 1), GNTST_okay);
    EQ(type_of(data), FT_NONE);
    EQ(raw(t.l1)[1] & PTE_GRANT, PTE_GRANT);
    EQ(pv_grant_map_pte(v, mfn_to_maddr(t.l1) + 16, theirs, true, true, 0), GNTST_okay);
    EQ(pv_grant_map_pte(v, mfn_to_maddr(t.l1) + 17, theirs, true, true, 0), GNTST_general_error);
    EQ(pv_grant_map_pte(v, mfn_to_maddr(t.l2) + 16, theirs, true, true, 0), GNTST_general_error);
    EQ(pv_grant_map_pte(v, mfn_to_maddr(data) + 16, theirs, true, true, 0), GNTST_general_error);
    EQ(pv_grant_map_pte(v, mfn_to_maddr(theirs) + 16, theirs, true, true, 0), GNTST_general_error);
    EQ(pv_grant_map_pte(v, 0x40000000, theirs, false, false, 0), GNTST_general_error);
    EQ(pv_grant_map_pte(v, 0xffff800000000000, theirs, false, false, 0), GNTST_general_error);
    /* Flags of such an entry may change, nothing else. */
    EQ(set(t.l1, 1, raw(t.l1)[1] | PTE_NX | PTE_A), 0);
    EQ(raw(t.l1)[1] & PTE_GRANT, PTE_GRANT);
    EQ(set(t.l1, 1, raw(t.l1)[1] & ~PTE_GRANT & ~PTE_A), 0);
    EQ(raw(t.l1)[1] & PTE_GRANT, PTE_GRANT);
    EQ(set(t.l1, 2, raw(t.l1)[2] | PTE_RW), -EINVAL);
    EQ(set(t.l1, 3, raw(t.l1)[1]), -EINVAL);
    EQ(set(t.l1, 1, pte_make(data, RW | PTE_GRANT)), -EINVAL);
    EQ(pv_grant_unmap_pte(v, 0x1000, theirs, true, false, 0),
       GNTST_general_error); /* mapped writable */
    EQ(pv_grant_unmap_pte(v, 0x1000, data, false, false, 0), GNTST_general_error);
    EQ(pv_grant_unmap_pte(v, 0x1000, theirs, false, false, 0), GNTST_okay);
    EQ(raw(t.l1)[1], 0);
    EQ(pv_grant_unmap_pte(v, 0x1000, theirs, false, false, 0), GNTST_general_error);
    /* unmap_and_replace moves an entry, with its references. */
    EQ(set(t.l1, 7, pte_make(data, RW)), 0);
    EQ(pv_grant_unmap_pte(v, 0x2000, theirs, true, false, 0x7000), GNTST_okay);
    EQ(raw(t.l1)[7], 0);
    EQ(raw(t.l1)[2] & PTE_ADDR_MASK, mfn_to_maddr(data));
    EQ(type_of(data), FT_WRITABLE);
    EQ(pv_grant_unmap_pte(v, 0x3000, theirs, true, false, 0x2000), GNTST_general_error);
    EQ(type_of(data), FT_NONE); /* it was taken, and has no place */
    /* The table stops being one. */
    EQ(pv_grant_map_pte(v, 0x4000, theirs, false, false, 0), GNTST_okay);
    EQ(set(t.l2, 0, 0), 0);
    EQ(raw(t.l1)[4], 0);
    frame_put_typed(theirs);
    end(d);
    fake_mm_kill(owner);
}

static void descriptors(void)
{
    struct domain *d = begin();
    mfn_t g = get(d), l1 = get(d);
    uint64_t frames[14] = {g.m};

    raw(g)[1] = 0x00af9b000000ffff; /* 64-bit code, DPL 0: raised to 3 */
    raw(g)[2] = 0x0000ec0000000000; /* a call gate */
    EQ(call(do_set_gdt, (uint64_t)frames, 512, 0, 0), -EINVAL);
    EQ(type_of(g), FT_NONE);
    raw(g)[2] = 0x0000890000000000; /* a TSS */
    EQ(call(do_set_gdt, (uint64_t)frames, 512, 0, 0), -EINVAL);
    raw(g)[2] = 0x0000820000000000; /* an LDT */
    EQ(call(do_set_gdt, (uint64_t)frames, 512, 0, 0), -EINVAL);
    raw(g)[2] = 0x00008e0000000000; /* an interrupt gate */
    EQ(call(do_set_gdt, (uint64_t)frames, 512, 0, 0), -EINVAL);
    raw(g)[2] = 0;
    EQ(call(do_set_gdt, (uint64_t)frames, 512, 0, 0), 0);
    EQ(type_of(g), FT_SEGDESC);
    EQ(raw(g)[1], 0x00affb000000ffff);
    EQ(pin(1, g), -EINVAL);
    raw(l1)[0] = pte_make(g, RW);
    EQ(pin(1, l1), -EBUSY);
    raw(l1)[0] = pte_make(g, RO);
    EQ(pin(1, l1), 0);
    EQ(call(do_update_descriptor, mfn_to_maddr(g) + 16, 0x00cf93000000ffff, 0, 0), 0);
    EQ(raw(g)[2], 0x00cff3000000ffff);
    EQ(call(do_update_descriptor, mfn_to_maddr(g) + 16, 0x0000ec0000000000, 0, 0), -EINVAL);
    EQ(call(do_update_descriptor, mfn_to_maddr(g) + 17, 0, 0, 0), -EINVAL);
    EQ(call(do_update_descriptor, mfn_to_maddr(l1), 0, 0, 0), -EINVAL);
    EQ(call(do_update_descriptor, mfn_to_maddr(mfn(5)), 0, 0, 0), -EINVAL);
    EQ(call(do_set_gdt, (uint64_t)frames, 7169, 0, 0), -EINVAL);
    EQ(call(do_set_gdt, 16, 512, 0, 0), -EFAULT);
    frames[0] = l1.m;
    EQ(call(do_set_gdt, (uint64_t)frames, 1, 0, 0), -EINVAL);
    EQ(type_of(g), FT_SEGDESC); /* the old one stays */
    AUDIT();
    EQ(call(do_set_gdt, (uint64_t)frames, 0, 0, 0), 0);
    EQ(type_of(g), FT_NONE);
    end(d);
}

/* mmu_update on memory that is no table, its lists and their ends. */
static void lists(void)
{
    struct domain *d = begin();
    mfn_t data = get(d);
    struct mmu_update *u = (void *)heap_alloc_pages(1);
    unsigned done;

    for (unsigned i = 0; i < 400; i++)
        u[i] = (struct mmu_update){mfn_to_maddr(data) + i * 8, i + 1};
    EQ(call(do_mmu_update, (uint64_t)u, 400, (uint64_t)&done, SELF), 0);
    EQ(done, 400);
    EQ(raw(data)[399], 400);
    u[300].ptr = 0;
    fake_preempt_one_in = 3;
    EQ(call(do_mmu_update, (uint64_t)u, 400, (uint64_t)&done, SELF), -EINVAL);
    fake_preempt_one_in = 0;
    EQ(done, 300);
    fake_forbidden = (uint64_t)u + PAGE_SIZE; /* the list ends in nothing after 256 */
    EQ(call(do_mmu_update, (uint64_t)u, 400, (uint64_t)&done, SELF), -EFAULT);
    EQ(done, 256);
    fake_forbidden = 0;
    EQ(call(do_mmu_update, 0xffff800000000000, 1, 0, SELF), -EFAULT);
    EQ(call(do_mmu_update, ~0UL - 8, 1, 0, SELF), -EFAULT);
    EQ(call(do_mmu_update, 16, 0, 0, SELF), 0);
    EQ(mmu_update(data, 0, 0, 4, SELF), -ENOSYS);
    EQ(call(do_mmuext_op, 16, 1, 0, SELF), -EFAULT);
    EQ(ext(99, 0, 0), -ENOSYS);
    EQ(ext(MMUEXT_MARK_SUPER, 0, 0), -EOPNOTSUPP);
    EQ(ext(MMUEXT_FLUSH_CACHE, 0, 0), -EACCES);
    EQ(ext(MMUEXT_SET_LDT, 0x1001, 1), -EINVAL);
    EQ(ext(MMUEXT_SET_LDT, 0x1000, 8193), -EINVAL);
    EQ(ext(MMUEXT_SET_LDT, 0xffff800000000000, 1), -EINVAL);
    EQ(ext(MMUEXT_SET_LDT, 0x1000, 8192), 0);
    EQ(ext(MMUEXT_SET_LDT, 0, 0), 0);
    heap_free_pages(u, 1);
    end(d);
}

static const struct test tests[] = {
    {"pin and unpin", pin_and_unpin},
    {"no writable mapping of a table", no_writable_mapping_of_a_table},
    {"forbidden bits", forbidden_bits},
    {"absent entries", absent_entries},
    {"no linear tables, no hypervisor slots", no_linear_tables},
    {"shared tables", shared_tables},
    {"foreign frames", foreign_frames},
    {"dom0 may", dom0_may},
    {"uncached before it is a table", uncached_before_it_is_a_table},
    {"giving back what is in use", giving_back_what_is_in_use},
    {"base pointers", base_pointers},
    {"flush between lives", flush_between_lives},
    {"update_va_mapping follows the tables", va_mapping_follows_the_tables},
    {"grant entries", grant_entries},
    {"descriptors", descriptors},
    {"lists", lists},
};

int main(void)
{
    fake_mm_start(RAM);
    return run_suite("page types", tests, ARRAY_SIZE(tests));
}
