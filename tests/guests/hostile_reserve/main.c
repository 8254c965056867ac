/* SPDX-License-Identifier: MIT */
/*
 * hostile_reserve: THREATS 9, pages given back while something still refers to them.
 *
 * How this guest would break the hypervisor: decrease_reservation says that a page is nobody's. If
 * it is given to another domain while it is still a page table of this one (pinned, or the very one
 * that runs), mapped, granted and mapped by another, a GDT or LDT, or where the hypervisor writes
 * for the vCPU, the guest reads and writes the next owner's memory (XSA-252). It may be refused, or
 * done when the last reference goes; until then nobody gets the page: not the domain itself, which
 * asks for new ones at once, and not another, which dom0 makes meanwhile.
 */
#include <rt/attack.h>
#include <rt/test.h>

#define RACE_NS 8000000000 /* of two vCPUs, at most */
#define FRESH   48         /* pages taken after each: the given one must not be among them */
#define PATTERN 0x5a5a5a5a5a5a5a00

static domid_t me;

static void say_who(struct child *c)
{
    domid_t *view = child_view(c, &me);

    *view = c->id;
    child_unview(view);
}

static long give_back(mfn_t m)
{
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    xen_pfn_t frame = m;

    set_xen_guest_handle(r.extent_start, &frame);
    return hv_memory_op(XENMEM_decrease_reservation, &r);
}

/* New pages for the domain: none is m. They go back again. */
static void nobody_gets(mfn_t m)
{
    struct xen_memory_reservation r = {.nr_extents = FRESH, .domid = DOMID_SELF};
    static xen_pfn_t frames[FRESH];

    set_xen_guest_handle(r.extent_start, frames);
    if (!CHECK_RC(hv_memory_op(XENMEM_increase_reservation, &r), FRESH))
        return;
    for (unsigned int i = 0; i < FRESH; i++)
        CHECK(frames[i] != m);
    CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), FRESH);
}

/* Given back once, and again: the second time there is nothing that would be the domain's to give.
 */
static void give_back_twice(mfn_t m)
{
    for (unsigned int i = 0; i < 3; i++) {
        give_back(m);
        nobody_gets(m);
    }
}

static void exchange_refused(mfn_t m)
{
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    xen_pfn_t in = m, out = 0x180;

    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    CHECK_RC(hv_memory_op(XENMEM_exchange, &x), -XEN_EINVAL);
    CHECK_EQ(x.nr_exchanged, 0);
}

static bool holds(const uint64_t *page, uint64_t value)
{
    for (unsigned int i = 0; i < 512; i++)
        if (page[i] != value)
            return false;
    return true;
}

static uint64_t *filled_page(unsigned int which)
{
    uint64_t *page = child_page(which);

    for (unsigned int i = 0; i < 512; i++)
        page[i] = PATTERN + 2 * which;
    return page;
}

/* --- what may refer to a page --- */

static void mapped(void)
{
    for (unsigned int ro = 0; ro < 2; ro++) {
        uint64_t *page = filled_page(ro), *second = child_page(4);
        mfn_t m = mfn_of(page);

        CHECK_RC(hv_update_va_mapping(second, pte_make(m, ro ? PTE_RO_FLAGS : PTE_RW_FLAGS),
                                      UVMF_INVLPG),
                 0);
        exchange_refused(m);
        give_back_twice(m);
        CHECK(holds(page, PATTERN + 2 * ro));
        /* One mapping goes, the other still holds it. */
        CHECK_RC(hv_update_va_mapping(page, 0, UVMF_INVLPG), 0);
        nobody_gets(m);
        CHECK(holds(second, PATTERN + 2 * ro));
        CHECK_RC(hv_update_va_mapping(second, 0, UVMF_INVLPG), 0);
        /* Now it is free: it cannot be had again by its number. */
        CHECK_RC(hv_update_va_mapping(page, pte_make(m, PTE_RO_FLAGS), 0), -XEN_EBUSY);
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, m), -XEN_EINVAL);
        CHECK(give_back(m) < 1);
    }
}

/* A pinned table, of each level: it stays one, and is never writable. */
static void pinned(void)
{
    for (unsigned int level = 1; level <= 4; level++) {
        uint64_t *table = filled_page(level), *data = filled_page(level + 4);
        mfn_t m = mfn_of(table);

        CHECK_RC(table_make(table, level), 0);
        if (level == 1) /* and what it maps is held by it */
            CHECK_RC(table_set(table, 7, pte_make(mfn_of(data), PTE_RW_FLAGS)), 0);
        exchange_refused(m);
        give_back_twice(m);
        give_back_twice(mfn_of(data));
        CHECK_RC(page_set_writable(table), -XEN_EBUSY);
        CHECK_EQ(table[8], PATTERN + 2 * level);
        CHECK(holds(data, PATTERN + 2 * (level + 4)));
        CHECK_RC(hv_update_va_mapping(data, 0, UVMF_INVLPG), 0);
        if (level == 1) {
            nobody_gets(mfn_of(data));
            CHECK_RC(table_set(table, 7, 0), 0);
        }
        /* A second pin or another use of it is still judged as before. */
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE + level % 4, m), -XEN_EINVAL);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, m), 0);
        nobody_gets(m);
        CHECK_RC(hv_update_va_mapping(table, 0, UVMF_INVLPG), 0);
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, m), -XEN_EINVAL);
    }
}

/* The tables that the vCPU runs on. */
static void running(void)
{
    uint64_t *page = child_page(0);

    for (unsigned int level = 1; level <= 4; level++) {
        mfn_t m = pte_place_of(page, level).maddr >> 12;

        exchange_refused(m);
        give_back_twice(m);
        CHECK_RC(hv_update_va_mapping(page, pte_make(m, PTE_RW_FLAGS), 0), -XEN_EBUSY);
    }
    /* They work: an entry is written, a walk sees it, and the L4 can be loaded again. */
    CHECK_RC(hv_update_va_mapping(page, 0, UVMF_INVLPG), 0);
    CHECK_TRAP(CATCH(load64(page)), X86_EXC_PF, 0);
    CHECK_RC(hv_update_va_mapping(page, pte_make(mfn_of(page), PTE_RW_FLAGS), UVMF_INVLPG), 0);
    CHECK(CATCH(load64(page)) == NULL);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, current_l4_mfn()), 0);
}

/* Granted, and mapped by the grantee (itself): the handle holds it, however the PTE is. */
static void granted(void)
{
    CHECK_RC(gnttab_init(), 0);
    for (unsigned int i = 0; i < 4; i++) {
        uint64_t *page = filled_page(i), *there = child_page(8 + i);
        mfn_t m = mfn_of(page);
        bool device = i & 1, readonly = i & 2;
        struct gnttab_map_grant_ref map = {.host_addr = (uint64_t)there,
                                           .flags = GNTMAP_host_map |
                                                    (device ? GNTMAP_device_map : 0) |
                                                    (readonly ? GNTMAP_readonly : 0),
                                           .ref = 8 + i,
                                           .dom = me};
        struct gnttab_unmap_grant_ref unmap = {.host_addr = map.host_addr};

        grant_set(8 + i, me, m, GTF_permit_access);
        CHECK_RC(hv_update_va_mapping(there, 0, UVMF_INVLPG), 0);
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        REQUIRE(CHECK_EQ(map.status, GNTST_okay));
        exchange_refused(m);
        give_back_twice(m);
        CHECK_RC(hv_update_va_mapping(page, 0, UVMF_INVLPG), 0);
        nobody_gets(m);
        CHECK(holds(there, PATTERN + 2 * i));
        CHECK_EQ(grant_table[8 + i].flags & GTF_reading, GTF_reading);
        unmap.handle = map.handle;
        unmap.dev_bus_addr = device ? map.dev_bus_addr : 0;
        CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        CHECK_EQ(unmap.status, GNTST_okay);
        CHECK_EQ(grant_table[8 + i].flags & (GTF_reading | GTF_writing), 0);
        /* The grant is still published, and leads to nothing now. */
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
        CHECK(map.status < 0);
    }
}

/* Descriptor pages, which the processor reads. */
static void descriptors(void)
{
    uint64_t *gdt = child_page(0);
    mfn_t m = mfn_of(gdt);

    CHECK_RC(page_set_readonly(gdt), 0);
    CHECK_RC(hv_set_gdt(&m, 512), 0);
    exchange_refused(m);
    give_back_twice(m);
    CHECK_RC(hv_update_va_mapping(gdt, 0, UVMF_INVLPG), 0);
    nobody_gets(m);
    CHECK_RC(hv_update_va_mapping(gdt, pte_make(m, PTE_RW_FLAGS), 0), -XEN_EBUSY);
    CHECK_RC(hv_update_va_mapping(gdt, pte_make(m, PTE_RO_FLAGS), UVMF_INVLPG), 0);
    CHECK_EQ(gdt[0], 0);
    CHECK_RC(hv_update_va_mapping(gdt, 0, UVMF_INVLPG), 0);
    CHECK_RC(hv_set_gdt(NULL, 0), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, m), -XEN_EINVAL);
}

static bool loads(uint16_t selector)
{
    bool ok = CATCH(__asm__ volatile("mov %0, %%es" : : "r"((uint32_t)selector))) == NULL;

    __asm__ volatile("mov %0, %%es" : : "r"(0));
    return ok;
}

/* An LDT's page is taken when a selector first leads to it, not when the table is named. */
static void local_descriptors(void)
{
    const uint64_t data = 0x00cff3000000ffff;
    uint64_t *ldt = child_page(0);
    mmuext_op_t set = {
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (uint64_t)ldt, .arg2.nr_ents = 512};
    mfn_t m = mfn_of(ldt);

    ldt[0] = ldt[511] = data;
    CHECK_RC(page_set_readonly(ldt), 0);
    CHECK_RC(hv_mmuext_op(&set, 1, NULL, DOMID_SELF), 0);
    CHECK(loads(0x07));
    exchange_refused(m);
    give_back_twice(m);
    CHECK_RC(hv_update_va_mapping(ldt, 0, UVMF_INVLPG), 0);
    nobody_gets(m);
    CHECK(loads(0x07) && loads(0xfff)); /* the processor still reads it */
    CHECK_RC(hv_update_va_mapping(ldt, pte_make(m, PTE_RW_FLAGS), 0), -XEN_EBUSY);
    CHECK_RC(hv_update_va_mapping(ldt, pte_make(m, PTE_RO_FLAGS), UVMF_INVLPG), 0);
    CHECK_EQ(ldt[511], data);
    CHECK_RC(hv_update_va_mapping(ldt, 0, UVMF_INVLPG), 0);
    set.arg2.nr_ents = 0;
    CHECK_RC(hv_mmuext_op(&set, 1, NULL, DOMID_SELF), 0);
    CHECK(!loads(0x07));
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, m), -XEN_EINVAL);
    /* One that nobody ever used is an ordinary page, and after it is given back there is none. */
    ldt = child_page(1);
    m = mfn_of(ldt);
    ldt[0] = data;
    CHECK_RC(page_set_readonly(ldt), 0);
    set = (mmuext_op_t){
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (uint64_t)ldt, .arg2.nr_ents = 512};
    CHECK_RC(hv_mmuext_op(&set, 1, NULL, DOMID_SELF), 0);
    give_back_twice(m);
    CHECK_RC(hv_update_va_mapping(ldt, 0, UVMF_INVLPG), 0);
    CHECK(!loads(0x07));
}

/* Where the hypervisor writes: its own mapping holds the page. */
static void vcpu_info(void)
{
    volatile struct vcpu_info *info = child_page(0);
    struct vcpu_register_vcpu_info reg = {.mfn = mfn_of((void *)info)};
    evtchn_port_t port;

    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 0, &reg), 0);
    exchange_refused(reg.mfn);
    give_back_twice(reg.mfn);
    CHECK_RC(event_bind_ipi(0, &port), 0);
    event_unmask(port);
    CHECK_RC(event_send(port), 0);
    CHECK_EQ(info->evtchn_upcall_pending, 1);
    CHECK_RC(hv_update_va_mapping((void *)info, 0, UVMF_INVLPG), 0);
    nobody_gets(reg.mfn); /* and the hypervisor's writes go on to it until the end */
    CHECK_RC(event_send(port), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, reg.mfn), -XEN_EINVAL);
}

/* The hypervisor's own shared pages are not the domain's to give. */
static void shared(void)
{
    CHECK_RC(gnttab_init(), 0);
    give_back_twice(start_info->shared_info >> 12);
    give_back_twice(pte_mfn(pte_get(grant_table)));
    grant_set(9, me, mfn_of(child_page(0)), GTF_permit_access);
    CHECK_EQ(grant_table[9].domid, me);
    shared_info.arch.max_pfn = 0x1234;
    CHECK_EQ(shared_info.arch.max_pfn, 0x1234);
}

/* Frames of others, and none: nothing is done. */
static mfn_t others;

static void take_aim(struct child *c)
{
    mfn_t *view = child_view(c, &others);

    *view = neighbour_frame(0);
    child_unview(view);
}

static void not_its_own(void)
{
    const mfn_t wrong[] = {others, 0, 0xb8, 0xfee00, 0x400, 1ul << 39, ~0ul};

    for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
        CHECK_RC(give_back(wrong[i]), 0);
        exchange_refused(wrong[i]);
    }
}

/* --- two vCPUs: given back while the other maps, pins, and grants it --- */

static volatile uint32_t over, stop;

static void use_pages(void)
{
    for (unsigned int i = 0; !stop; i++) {
        void *page = child_page(i % 8), *at = child_page(8 + i % 4);
        mfn_t m = mfn_of(page);

        if (i & 8) {
            if (hv_update_va_mapping(at, pte_make(m, PTE_RW_FLAGS), UVMF_INVLPG) == 0) {
                store64(at, PATTERN + i % 64 * 2);
                CHECK_RC(hv_update_va_mapping(at, 0, UVMF_INVLPG), 0);
            }
        } else if (mmuext(MMUEXT_PIN_L1_TABLE, m) == 0) {
            CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, m), 0);
        }
    }
    over = 1;
}

static void raced(void)
{
    uint64_t *p2m = (uint64_t *)start_info->mfn_list, end = time_ns() + RACE_NS;

    for (unsigned int i = 0; i < 12; i++)
        CHECK_RC(hv_update_va_mapping(child_page(i), 0, UVMF_INVLPG), 0);
    CHECK_RC(vcpu_start(1, use_pages), 0);
    for (unsigned int i = 0; i < 4000 && time_ns() < end; i++) {
        pfn_t pfn = pfn_of(child_page(i % 8));
        struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
        xen_pfn_t frame = pfn;

        /* Another takes its place, whenever the old one goes. */
        CHECK_RC(give_back(p2m[pfn]), 1);
        set_xen_guest_handle(r.extent_start, &frame);
        REQUIRE(CHECK_RC(hv_memory_op(XENMEM_populate_physmap, &r), 1));
        WRITE_ONCE(p2m[pfn], frame);
    }
    stop = 1;
    while (!over)
        cpu_relax();
    for (unsigned int i = 0; i < 8; i++) {
        CHECK_RC(page_set_writable(child_page(i)), 0);
        CHECK_RC(page_set_readonly(child_page(i)), 0);
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(child_page(i))), 0);
    }
}

static void test_referenced(void)
{
    static const struct attack attacks[] = {
        {"mapped", mapped},
        {"pinned tables", pinned},
        {"running tables", running},
        {"granted and mapped", granted, .prepare = say_who},
        {"descriptors", descriptors},
        {"local descriptors", local_descriptors},
        {"vcpu_info", vcpu_info},
        {"the hypervisor's pages", shared, .prepare = say_who},
        {"not its own", not_its_own, .prepare = take_aim},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

static void test_raced(void)
{
    static const struct attack attacks[] = {{"given back and used at once", raced}};

    attack_all(attacks, ARRAY_SIZE(attacks), 2);
}

/* --- dom0 holds a child's pages: granted to it, mapped as foreign, while the child gives them back
 * and then is destroyed; another child is made meanwhile --- */

static volatile uint32_t go; /* dom0's word to the child, the child's to dom0 */

static void give_what_dom0_has(void)
{
    CHECK_RC(gnttab_init(), 0);
    filled_page(0);
    filled_page(1);
    grant_set(8, 0, mfn_of(child_page(0)), GTF_permit_access);
    for (go = 1; go != 2;)
        sched_yield();
    for (unsigned int i = 0; i < 2; i++) {
        give_back_twice(mfn_of(child_page(i)));
        CHECK_RC(hv_update_va_mapping(child_page(i), 0, UVMF_INVLPG), 0);
        nobody_gets(mfn_of(child_page(i)));
    }
}

static void other_child(void)
{
    for (unsigned int i = 0; i < CHILD_FREE_PAGES; i++)
        memset(child_page(i), 0xee, PAGE_SIZE);
}

static bool among(const struct child *c, mfn_t m)
{
    for (unsigned int i = 0; i < c->nr_pages; i++)
        if (c->frames[i] == m)
            return true;
    return false;
}

static void hold_and_release(void)
{
    uint64_t *granted = page_alloc(), *foreign, end;
    struct gnttab_map_grant_ref map = {
        .host_addr = (uint64_t)granted, .flags = GNTMAP_host_map | GNTMAP_readonly, .ref = 8};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (uint64_t)granted};
    static struct child c, next;
    volatile uint32_t *word;
    mfn_t held[2];

    REQUIRE(CHECK_RC(child_create(&c, give_what_dom0_has), 0));
    CHECK_RC(child_run(&c), 0);
    word = child_view(&c, (void *)&go);
    for (end = time_ns() + 5000000000; *word != 1 && time_ns() < end;)
        sched_poll(NULL, 0, time_ns() + 1000000);
    for (unsigned int i = 0; i < 2; i++)
        held[i] = c.frames[c.nr_pages - CHILD_FREE_PAGES + i];
    map.dom = c.id;
    CHECK_RC(hv_update_va_mapping(granted, 0, UVMF_INVLPG), 0);
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    REQUIRE(CHECK_EQ(map.status, GNTST_okay));
    foreign = child_view(&c, pfn_to_va(CHILD_FIRST_PFN + c.nr_pages - CHILD_FREE_PAGES + 1));
    *word = 2;
    child_unview((void *)word);
    CHECK_EQ(child_wait(&c), SHUTDOWN_poweroff);
    child_absorb_console(&c);
    CHECK(holds(granted, PATTERN));
    CHECK(holds(foreign, PATTERN + 2));
    /* Destroyed it cannot be while dom0 has two of its pages; others come and go without them. */
    CHECK_RC(child_kill(&c), 0);
    for (unsigned int i = 0; i < 3; i++) {
        REQUIRE(CHECK_RC(child_create(&next, other_child), 0));
        CHECK(!among(&next, held[0]) && !among(&next, held[1]));
        CHECK_RC(child_run(&next), 0);
        CHECK_EQ(child_wait(&next), SHUTDOWN_poweroff);
        CHECK_RC(child_destroy(&next), 0);
    }
    CHECK(holds(granted, PATTERN));
    CHECK(holds(foreign, PATTERN + 2));
    child_unview(foreign);
    unmap.handle = map.handle;
    CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    CHECK_EQ(unmap.status, GNTST_okay);
    CHECK_RC(page_set_writable(granted), 0);
    page_free(granted);
}

static void test_held_by_dom0(void)
{
    struct baseline before;

    hold_and_release(); /* dom0's first handle takes a page for ever */
    baseline_take(&before);
    hold_and_release();
    neighbour_check();
    baseline_check(&before);
}

GUEST("hostile_reserve", TEST(referenced), TEST(raced), TEST(held_by_dom0));
