/* SPDX-License-Identifier: MIT */
/*
 * THREATS 8: entries for frames that are not the child's, mapped, as tables, under the names of
 * those who have them, and given by a tool, as in a restore.
 */
#include "tables.h"

struct aim aim;

static mfn_t free_frame(void)
{
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    xen_pfn_t frame;

    set_xen_guest_handle(r.extent_start, &frame);
    CHECK_RC(hv_memory_op(XENMEM_increase_reservation, &r), 1);
    CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), 1);
    return frame;
}

static mfn_t m2p_frame(void)
{
    struct xen_machphys_mfn_list list = {.max_extents = 1};
    static xen_pfn_t frame;

    set_xen_guest_handle(list.extent_start, &frame);
    CHECK_RC(hv_memory_op(XENMEM_machphys_mfn_list, &list), 0);
    return frame;
}

static void find_aims(struct aim *a, const struct child *c)
{
    struct xen_domctl op = {0};

    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, neighbour_id()), 0);
    a->me = c->id;
    a->neighbour = neighbour_id();
    a->neighbours = neighbour_frame(0);
    a->neighbours_shared_info = op.u.getdomaininfo.shared_info_frame;
    a->dom0s = mfn_of(&aim);
    a->dom0s_l4 = current_l4_mfn();
    a->m2p = m2p_frame();
    a->free = free_frame();
}

void take_aim(struct child *c)
{
    struct aim *view = child_view(c, &aim);

    find_aims(view, c);
    child_unview(view);
}

/* With the errno for it, which the kind of the frame decides: somebody's RAM, or none. */
struct foreign {
    const char *name;
    mfn_t mfn;
    long rc;
};

static unsigned int foreign_frames(struct foreign *f)
{
    struct foreign list[] = {
        {"the neighbour's", aim.neighbours, -XEN_EBUSY},
        {"the neighbour's shared_info", aim.neighbours_shared_info, -XEN_EBUSY},
        {"dom0's", aim.dom0s, -XEN_EBUSY},
        {"dom0's L4", aim.dom0s_l4, -XEN_EBUSY},
        {"the M2P", aim.m2p, -XEN_EBUSY},
        {"a free one", aim.free, -XEN_EBUSY},
        {"the hypervisor's image", 0x400, 0}, /* 4 MiB: here is ours, elsewhere Xen's */
        {"the first", 0, -XEN_EPERM},
        {"low memory", 0x8, -XEN_EPERM}, /* where other CPUs start */
        {"the VGA's", 0xb8, -XEN_EPERM},
        {"the BIOS's", 0xf0, -XEN_EPERM},
        {"an IO-APIC", 0xfec00, -XEN_EPERM},
        {"the HPET", 0xfed00, -XEN_EPERM},
        {"the local APIC", 0xfee00, -XEN_EPERM},
        {"the flash's", 0xfffff, -XEN_EPERM},
        {"beyond RAM", 0x1000000, -XEN_EPERM},
        {"beyond the bus", 1ul << 39, 0},
        {"none", 0xffffffffff, 0},
    };

    memcpy(f, list, sizeof(list));
    return ARRAY_SIZE(list);
}

static void map_foreign(void)
{
    static struct foreign f[32];
    void *va = child_page(8);
    unsigned int n = foreign_frames(f);

    for (unsigned int i = 0; i < n; i++) {
        refused(va, pte_make(f[i].mfn, PTE_RW_FLAGS), f[i].rc, f[i].name);
        refused(va, pte_make(f[i].mfn, PTE_RO_FLAGS), f[i].rc, f[i].name);
    }
    unreferenced(va);
}

/* Under another name: as a frame of the domain that has it, of I/O, of the hypervisor. */
static void map_foreign_as_theirs(void)
{
    static struct foreign f[32];
    domid_t names[] = {aim.neighbour, 0, DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, 0x7fef};
    void *va = child_page(8);
    unsigned int n = foreign_frames(f);
    pte_t was = pte_get(va);

    for (unsigned int i = 0; i < n; i++)
        for (unsigned int k = 0; k < ARRAY_SIZE(names); k++) {
            mmu_update_t req = {entry_of(va), pte_make(f[i].mfn, PTE_RO_FLAGS)};
            long rc = hv_mmu_update(&req, 1, NULL, names[k]);

            CHECK(rc == -XEN_EPERM || rc == -XEN_ESRCH || rc == -XEN_EBUSY || rc == -XEN_EINVAL);
            rc = hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, req.val, UVMF_INVLPG,
                            names[k]);
            CHECK(rc == -XEN_EPERM || rc == -XEN_ESRCH || rc == -XEN_EBUSY || rc == -XEN_EINVAL);
            CHECK_EQ(pte_get(va), was);
            /* And entries in tables of theirs, with the child's own frame. */
            req = (mmu_update_t){pte_make(f[i].mfn, 0), pte_make(mfn_of(va), PTE_RW_FLAGS)};
            CHECK(hv_mmu_update(&req, 1, NULL, DOMID_SELF | (uint32_t)(names[k] + 1) << 16) < 0);
        }
}

/* As tables: hung into upper levels, pinned, loaded; as data: written, cleared, copied from. */
static void use_foreign(void)
{
    static struct foreign f[32];
    unsigned int n = foreign_frames(f);
    pte_t *table = child_page(0);

    for (unsigned int i = 0; i < n; i++) {
        mmuext_op_t copy = {
            .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = mfn_of(child_page(1)), .arg2.src_mfn = f[i].mfn};
        uint64_t gdt = f[i].mfn;

        for (unsigned int level = 2; level <= 4; level++) {
            CHECK_RC(table_make(table, level), 0);
            CHECK_RC(table_set(table, 3, pte_make(f[i].mfn, PTE_TABLE_FLAGS)), -XEN_EINVAL);
            CHECK_RC(table_set(table, 3, pte_make(f[i].mfn, PTE_P)), -XEN_EINVAL);
            CHECK_RC(table_release(table), 0);
            table[3] = pte_make(f[i].mfn, PTE_TABLE_FLAGS);
            CHECK_RC(table_make(table, level), -XEN_EINVAL);
            CHECK_RC(page_set_writable(table), 0);
            memset(table, 0, PAGE_SIZE); /* Xen 4.17 leaves its own entries in an L4 */
        }
        for (unsigned int level = 1; level <= 4; level++)
            CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, f[i].mfn), -XEN_EINVAL);
        if (f[i].mfn)
            CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, f[i].mfn), -XEN_EINVAL);
        CHECK_RC(hv_mmuext_op(&copy, 1, NULL, DOMID_SELF), -XEN_EINVAL);
        CHECK_RC(mmu_write(f[i].mfn << 12, 0), -XEN_EINVAL);
        CHECK_RC(mmu_write(f[i].mfn << 12 | MMU_MACHPHYS_UPDATE, 0x123), -XEN_EINVAL);
        CHECK_RC(hv_set_gdt(&gdt, 512), -XEN_EINVAL);
        CHECK_RC(hv_update_descriptor(f[i].mfn << 12, 0), -XEN_EINVAL);
    }
    unreferenced(table);
}

/* The page with the table of this level that a child begins with (rt/src/child.c). */
static void *first_table(const struct child *c, unsigned int level)
{
    return pfn_to_va(CHILD_FIRST_PFN + c->nr_pages - CHILD_FREE_PAGES - 5 + level);
}

static pte_t exchange_last(struct child *c, unsigned int level, pte_t e)
{
    pte_t *view = child_view(c, first_table(c, level)), was = view[511];

    view[511] = e;
    child_unview(view);
    return was;
}

/* By a tool, for the child: what a restore does with the tables that an image gives it. dom0 is
 * trusted with everybody's frames, but not when it says that they are the child's. */
void test_restore(void)
{
    struct xen_domctl op = {0};
    struct baseline before;
    struct child c;
    struct aim a;

    baseline_take(&before);
    REQUIRE(CHECK_RC(child_build(&c, map_itself), 0));
    find_aims(&a, &c);

    const mfn_t wrong[] = {
        a.neighbours, a.neighbours_shared_info, a.dom0s_l4, a.m2p, a.free, 0xfee00, 0xb8, 1ul << 39,
        c.shared_info};

    for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
        mmuext_op_t pin = {.cmd = MMUEXT_PIN_L1_TABLE + i % 4, .arg1.mfn = wrong[i]};

        c.context->ctrlreg[3] = xen_pfn_to_cr3(wrong[i]);
        CHECK_RC(child_set_context(&c), -XEN_EINVAL);
        CHECK_RC(hv_mmuext_op(&pin, 1, NULL, c.id), -XEN_EINVAL);
    }
    c.context->ctrlreg[3] = xen_pfn_to_cr3(c.l4);
    /* One wrong leaf in a tree that is right otherwise; the last one is the tree's own L3. */
    for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
        bool own = i == ARRAY_SIZE(wrong) - 1;
        mfn_t m = own ? child_mfn(&c, first_table(&c, 3)) : wrong[i];
        mmuext_op_t pin = {.cmd = own ? MMUEXT_PIN_L4_TABLE : MMUEXT_PIN_L1_TABLE,
                           .arg1.mfn = own ? c.l4 : child_mfn(&c, first_table(&c, 1))};
        pte_t was = exchange_last(&c, 1, pte_make(m, PTE_RW_FLAGS));

        CHECK(child_set_context(&c) < 0);
        CHECK(hv_mmuext_op(&pin, 1, NULL, c.id) < 0);
        exchange_last(&c, 1, was);
    }
    CHECK_RC(child_set_context(&c), 0);
    CHECK_RC(child_run(&c), 0);
    CHECK_EQ(child_wait(&c), SHUTDOWN_poweroff);
    child_absorb_console(&c);
    CHECK_RC(child_destroy(&c), 0);
    CHECK(domctl(&op, XEN_DOMCTL_getdomaininfo, c.id) || op.domain != c.id);
    neighbour_check();
    baseline_check(&before);
}

void test_foreign_frames(void)
{
    static const struct attack attacks[] = {
        {"foreign frames mapped", map_foreign, .prepare = take_aim},
        {"foreign frames under their owners' names", map_foreign_as_theirs, .prepare = take_aim},
        {"foreign frames as tables", use_foreign, .prepare = take_aim},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}
