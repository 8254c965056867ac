/* SPDX-License-Identifier: MIT */
/*
 * descriptors: the guest's own GDT and LDT.
 *
 * How a guest would break the hypervisor: with a descriptor that reaches ring 0 (a gate, a TSS, a
 * code segment of DPL 0), by writing to a table after it was checked, by a table with more entries
 * than the guest's part (the hypervisor's own selectors follow), or by an LDT at an address that is
 * not the guest's. Frames of a table in use must not be writable, and be ordinary again after.
 */
#include <rt/event.h>
#include <rt/test.h>
#include <rt/vcpu.h>

#define DATA64 0x00cff3000000ffff /* flat data, DPL 3 */
#define CODE64 0x00affb000000ffff /* 64-bit code, DPL 3 */

static uint64_t *gdt;

static uint64_t *table_new(void)
{
    uint64_t *page = page_alloc();

    CHECK_RC(page_set_readonly(page), 0);
    return page;
}

static long load_gdt(uint64_t *page, unsigned int entries)
{
    uint64_t frames[16] = {mfn_of(page)};

    return hv_set_gdt(frames, entries);
}

static const struct trap *load_es(uint16_t selector)
{
    const struct trap *t = CATCH(__asm__ volatile("mov %0, %%es" : : "r"(selector)));

    __asm__ volatile("mov %0, %%es" : : "r"(0));
    return t;
}

static void test_set_gdt(void)
{
    uint64_t frames[16] = {0};

    gdt = page_alloc();
    gdt[1] = DATA64;
    gdt[2] = CODE64;
    CHECK_RC(load_gdt(gdt, 512), -XEN_EINVAL); /* writable: not taken */
    CHECK_RC(page_set_readonly(gdt), 0);
    CHECK_TRAP(load_es(0x0b), X86_EXC_GP, 0x08);
    CHECK_RC(load_gdt(gdt, 512), 0);
    CHECK(load_es(0x0b) == NULL);
    CHECK(load_es(0x13) == NULL);                /* readable code is data, too */
    CHECK_TRAP(load_es(0x1b), X86_EXC_GP, 0x18); /* an empty descriptor is of no loadable type */
    CHECK_RC(page_set_writable(gdt), -XEN_EBUSY);
    CHECK_TRAP(CATCH(store64(&gdt[3], DATA64)), X86_EXC_PF, PF_WRITE | PF_PRESENT);

    CHECK_RC(hv_set_gdt(frames, FIRST_RESERVED_GDT_ENTRY + 1), -XEN_EINVAL);
    CHECK_RC(hv_set_gdt(frames, 0xffffffff), -XEN_EINVAL);
    CHECK_RC(hv_set_gdt((void *)0xffff830000000000, 512), -XEN_EFAULT);
    frames[0] = 0xfffffff;
    CHECK_RC(hv_set_gdt(frames, 512), -XEN_EINVAL);
    frames[0] = mfn_of(gdt); /* the second is bad: nothing changes */
    frames[1] = start_info->pt_base;
    CHECK_RC(hv_set_gdt(frames, 1024), -XEN_EINVAL);
    CHECK(load_es(0x0b) == NULL);
    /* None at all. */
    CHECK_RC(hv_set_gdt(NULL, 0), 0);
    CHECK_TRAP(load_es(0x0b), X86_EXC_GP, 0x08);
    CHECK_RC(page_set_writable(gdt), 0);
}

/* Each descriptor: what it is, and whether a table with it is taken. */
static const struct {
    uint64_t desc;
    bool good;
    const char *what;
} descriptors[] = {
    {0, true, "null"},
    {DATA64, true, "data"},
    {CODE64, true, "64-bit code"},
    {0x00cffb000000ffff, true, "32-bit code"},
    {0x00cf93000000ffff, true, "data of DPL 0 (raised to 3)"},
    {0x00af9b000000ffff, true, "64-bit code of DPL 0 (raised to 3)"},
    {0x00af9f000000ffff, true, "conforming code (raised to 3)"},
    {0x0000890000000067, false, "TSS"},
    {0x0000820000000067, false, "LDT"},
    {0x00008e0000080000, false, "interrupt gate"},
    {0x00008f0000080000, false, "trap gate"},
    {0x0000ecffe0080000, false, "call gate with reserved bits"},
    {0x0000600000000000, true, "not present, of any kind"},
    {0x00000e0000080000, true, "an interrupt gate that is not present"},
};

static void test_validation(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(descriptors); i++) {
        uint64_t *page = page_alloc();
        long rc;

        page[5] = descriptors[i].desc;
        CHECK_RC(page_set_readonly(page), 0);
        rc = load_gdt(page, 512);
        if (!CHECK_RC(rc, descriptors[i].good ? 0 : -XEN_EINVAL))
            printf("  %s\n", descriptors[i].what);
        CHECK_RC(hv_set_gdt(NULL, 0), 0);
        CHECK_RC(page_set_writable(page), 0);
        page_free(page);
    }
}

static void test_update_descriptor(void)
{
    uint64_t *table = table_new();

    CHECK_RC(load_gdt(table, 512), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(descriptors); i++)
        if (!CHECK_RC(hv_update_descriptor(maddr_of(&table[4]), descriptors[i].desc),
                      descriptors[i].good ? 0 : -XEN_EINVAL))
            printf("  %s\n", descriptors[i].what);
    CHECK_RC(hv_update_descriptor(maddr_of(&table[4]), 0x00cf93000000ffff), 0);
    CHECK_EQ((table[4] >> 45) & 3, 3); /* DPL */
    CHECK(load_es(0x23) == NULL);
    CHECK_RC(hv_update_descriptor(maddr_of(&table[4]), 0), 0);
    CHECK_TRAP(load_es(0x23), X86_EXC_GP, 0x20);
    /* Places: misaligned, not ours, a page table. */
    CHECK_RC(hv_update_descriptor(maddr_of(&table[4]) + 4, DATA64), -XEN_EINVAL);
    CHECK_RC(hv_update_descriptor(0xfffffff000, DATA64), -XEN_EINVAL);
    CHECK_RC(hv_update_descriptor(0, DATA64), -XEN_EINVAL);
    CHECK_RC(hv_update_descriptor(pte_place_of(table, 1).maddr, 0), -XEN_EINVAL);
    CHECK_EQ(pte_mfn(pte_get(table)), mfn_of(table));
    /* An ordinary page may be prepared so. */
    uint64_t *plain = page_alloc();

    CHECK_RC(hv_update_descriptor(maddr_of(&plain[1]), DATA64), 0);
    CHECK_EQ(plain[1], DATA64);
    page_free(plain);
    CHECK_RC(hv_set_gdt(NULL, 0), 0);
    CHECK_RC(page_set_writable(table), 0);
    page_free(table);
}

/* Beyond the guest's pages are the hypervisor's flat segments, always there. */
static void test_flat_segments(void)
{
    CHECK(load_es(FLAT_RING3_DS32) == NULL);
    CHECK(load_es(FLAT_RING3_CS32) == NULL);
    CHECK(load_es(FLAT_RING3_CS64) == NULL);
    /* Its task-state and ring-0 segments are not loadable from ring 3. */
    for (unsigned int sel = 0xe003; sel < 0xe100; sel += 8) {
        const struct trap *t = load_es(sel);

        if (sel == FLAT_RING3_DS32 || sel == FLAT_RING3_CS32 || sel == FLAT_RING3_CS64 || !t)
            continue;
        CHECK(t->regs.entry_vector == X86_EXC_GP);
    }
}

static long set_ldt(const void *base, unsigned int entries)
{
    mmuext_op_t op = {
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (unsigned long)base, .arg2.nr_ents = entries};

    return hv_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void test_ldt(void)
{
    uint64_t *ldt = page_alloc();

    ldt[0] = DATA64;
    ldt[511] = DATA64;
    CHECK_RC(page_set_readonly(ldt), 0);
    CHECK_TRAP(load_es(0x07), X86_EXC_GP, 0x04);
    CHECK_RC(set_ldt(ldt, 512), 0);
    CHECK(load_es(0x07) == NULL); /* its page is taken on first use */
    CHECK(load_es(0xfff) == NULL);
    CHECK_TRAP(load_es(0x0f), X86_EXC_GP, 0x0c);
    CHECK_TRAP(load_es(0x1007), X86_EXC_GP, 0x1004); /* past its end */
    CHECK_RC(page_set_writable(ldt), -XEN_EBUSY);    /* in use */
    CHECK_RC(hv_update_descriptor(maddr_of(&ldt[1]), DATA64), 0);
    CHECK(load_es(0x0f) == NULL);
    CHECK_RC(set_ldt(NULL, 0), 0);
    CHECK_TRAP(load_es(0x07), X86_EXC_GP, 0x04);
    CHECK_RC(page_set_writable(ldt), 0);

    CHECK_RC(set_ldt((char *)ldt + 8, 512), -XEN_EINVAL);
    CHECK_RC(set_ldt(ldt, 8193), -XEN_EINVAL);
    CHECK_RC(set_ldt(ldt, 0xffffffff), -XEN_EINVAL);
    CHECK_RC(set_ldt((void *)0xffff830000000000, 512), -XEN_EINVAL);
    CHECK_RC(set_ldt((void *)0x800000000000, 512), -XEN_EINVAL);
    page_free(ldt);
}

/* A table whose page is missing, writable or wrong: the fault is the guest's when it is used. */
static void test_ldt_bad_pages(void)
{
    uint64_t *ldt = page_alloc();
    const struct trap *t;

    ldt[0] = DATA64;
    CHECK_RC(set_ldt(ldt, 512), 0);
    t = load_es(0x07); /* the page is writable: not taken */
    CHECK(t && (t->regs.entry_vector == X86_EXC_GP || t->regs.entry_vector == X86_EXC_PF));
    CHECK_RC(set_ldt((void *)0x10000, 512), 0);
    t = load_es(0x07);
    CHECK(t && (t->regs.entry_vector == X86_EXC_GP || t->regs.entry_vector == X86_EXC_PF));
    ldt[5] = 0x0000890000000067; /* a TSS in it */
    CHECK_RC(page_set_readonly(ldt), 0);
    CHECK_RC(set_ldt(ldt, 512), 0);
    t = load_es(0x07);
    CHECK(t && (t->regs.entry_vector == X86_EXC_GP || t->regs.entry_vector == X86_EXC_PF));
    CHECK_RC(set_ldt(NULL, 0), 0);
    CHECK_RC(page_set_writable(ldt), 0);
    page_free(ldt);
}

static void test_segment_base(void)
{
    uint64_t *page = page_alloc(), v;

    page[2] = 0xf5;
    CHECK_RC(hv_set_segment_base(SEGBASE_FS, (uint64_t)page), 0);
    __asm__ volatile("mov %%fs:16, %0" : "=r"(v));
    CHECK_EQ(v, 0xf5);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)page), 0);
    __asm__ volatile("mov %%gs:16, %0" : "=r"(v));
    CHECK_EQ(v, 0xf5);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_USER, (uint64_t)page), 0);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_USER_SEL, 0xfff8), 0); /* cannot be loaded: null */
    CHECK_RC(hv_set_segment_base(SEGBASE_FS, 0x800000000000), -XEN_EINVAL);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_USER, 0xffff7fffffffffff), -XEN_EINVAL);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_KERNEL, 0x800000000000), -XEN_EINVAL);
    CHECK_RC(hv_set_segment_base(4, 0), -XEN_EINVAL);
    CHECK_RC(hv_set_segment_base(SEGBASE_FS, 0), 0);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_KERNEL, 0), 0);
    page_free(page);
}

/* The kernel's and the user's %gs base are apart; entering and leaving swaps them. */
ASM_FUNCTION(user_gs, "mov %gs:16, %rax; syscall");
static void test_gs_swap(void)
{
    uint64_t *kernel = page_alloc(), *user = page_alloc(), v;
    const struct trap *t;

    kernel[2] = 0x4e;
    user[2] = 0x05e4;
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)kernel), 0);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_USER, (uint64_t)user), 0);
    for (unsigned int i = 0; i < 3; i++) {
        t = run_user(user_gs, 0);
        if (CHECK_TRAP(t, VEC_SYSCALL, 0))
            CHECK_EQ(t->regs.rax, 0x05e4);
        __asm__ volatile("mov %%gs:16, %0" : "=r"(v));
        CHECK_EQ(v, 0x4e);
    }
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_KERNEL, 0), 0);
    CHECK_RC(hv_set_segment_base(SEGBASE_GS_USER, 0), 0);
    page_free(kernel);
    page_free(user);
}

static bool stop;

/* Keeps the only CPU busy while vCPU 0 is away: what is loaded for that one afterwards is what was
 * saved of it. */
static void yield_on(void)
{
    while (!READ_ONCE(stop))
        hv_sched_op(SCHEDOP_yield, NULL);
    vcpu_park();
}

static void be_away(void)
{
    CHECK_RC(sched_poll(NULL, 0, time_ns() + 2000000), 0);
}

static uint16_t es_get(void)
{
    uint16_t es;

    __asm__ volatile("mov %%es, %0" : "=r"(es));
    return es;
}

/* A selector whose descriptor went meanwhile cannot be loaded again: it is null then, and the
 * failsafe callback tells which one it was. */
static void test_stale_selector(void)
{
    uint64_t *table = table_new();
    const struct trap *t;

    CHECK_RC(load_gdt(table, 512), 0);
    CHECK_RC(hv_update_descriptor(maddr_of(&table[1]), DATA64), 0);
    CHECK_RC(vcpu_start(1, yield_on), 0);
    __asm__ volatile("mov %0, %%es" : : "r"(0x0b));
    CHECK(CATCH(be_away()) == NULL);
    CHECK_EQ(es_get(), 0x0b);
    CHECK_RC(hv_update_descriptor(maddr_of(&table[1]), 0), 0);
    t = CATCH(be_away());
    WRITE_ONCE(stop, true);
    if (CHECK_TRAP(t, VEC_FAILSAFE, 0)) {
        CHECK_EQ(t->regs.es, 0x0b);
        CHECK_EQ(t->regs.ds, 0);
        CHECK_EQ(t->upcall_mask, 1);
    }
    CHECK_EQ(es_get(), 0);
    CHECK_RC(hv_set_gdt(NULL, 0), 0);
    CHECK_RC(page_set_writable(table), 0);
    page_free(table);
}

GUEST("descriptors", TEST(set_gdt), TEST(validation), TEST(update_descriptor), TEST(flat_segments),
      TEST(ldt), TEST(ldt_bad_pages), TEST(segment_base), TEST(gs_swap), TEST(stale_selector));
