/* SPDX-License-Identifier: MIT */
/*
 * hostile_l1tf: THREATS 7, absent page-table entries that name RAM, on a processor with L1TF.
 *
 * How this guest would break the hypervisor: an affected processor that meets an entry which is not
 * present goes on for a moment with the address in it, and loads from its first-level cache what is
 * there of that frame: the neighbour's secrets, or the hypervisor's. Which domain the frame belongs
 * to is not looked at for such an entry. So no way to write one may leave an address of RAM behind;
 * the guest gets an error, or its page fault. (Xen 4.17 crashes a domain that tries.)
 *
 * table.json makes QEMU's processor Intel's, which is affected unless it says RDCL_NO.
 */
#include <rt/attack.h>
#include <rt/test.h>

static struct {
    mfn_t neighbours, dom0s, last; /* last: the highest frame of RAM */
} aim;

static void take_aim(struct child *c)
{
    typeof(aim) *view = child_view(c, &aim);

    view->neighbours = neighbour_frame(0);
    view->dom0s = mfn_of(&aim);
    view->last = hv_memory_op(XENMEM_maximum_ram_page, NULL) - 1;
    child_unview(view);
}

static unsigned int unsafe_entries(pte_t *e)
{
    const mfn_t frames[] = {aim.neighbours, aim.dom0s, aim.last, mfn_of(child_page(0)), 1, 0x400};
    const uint64_t with[] = {0,
                             PTE_RW,
                             PTE_US | PTE_A,
                             PTE_PSE,
                             PTE_G,
                             PTE_NX,
                             PTE_AVAIL,
                             1ull << 45, /* the cache does not look at the highest bits */
                             1ull << 51 | 1ull << 62};
    unsigned int n = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(frames); i++)
        for (unsigned int k = 0; k < ARRAY_SIZE(with); k++)
            e[n++] = frames[i] << 12 | with[k];
    e[n++] = PTE_PSE; /* the machine's first megabytes */
    e[n++] = PTE_PSE | PTE_RW | PTE_US;
    return n;
}

/* What kernels do write: nothing, only flags, and the address inverted (Linux's answer to L1TF). */
static unsigned int safe_entries(pte_t *e)
{
    unsigned int n = 0;

    e[n++] = PTE_RW;
    e[n++] = PTE_G | PTE_A | PTE_US | PTE_NX;
    e[n++] = PTE_AVAIL | 0x7ull << 59;
    e[n++] = (~(aim.neighbours << 12) & PTE_MFN_MASK) | PTE_G;
    e[n++] = ~(aim.last << 12) & ~(pte_t)PTE_P;
    e[n++] = 0x00000fff00000000;
    e[n++] = 0;
    return n;
}

static void write_l1(void)
{
    static pte_t unsafe[64], safe[16];
    unsigned int nr_unsafe = unsafe_entries(unsafe), nr_safe = safe_entries(safe);
    void *va = child_page(0);
    struct pte_place at = pte_place_of(va, 1);
    volatile uint32_t *half = (volatile uint32_t *)at.entry;
    pte_t own = *at.entry;

    for (unsigned int i = 0; i < nr_unsafe; i++) {
        pte_t e = unsafe[i], seen = *at.entry;

        CHECK_RC(mmu_write(at.maddr, e), -XEN_EINVAL);
        CHECK_RC(mmu_write(at.maddr | MMU_PT_UPDATE_PRESERVE_AD, e), -XEN_EINVAL);
        CHECK_RC(mmu_write(at.maddr | MMU_PT_UPDATE_NO_TRANSLATE, e), -XEN_EINVAL);
        CHECK_RC(hv_update_va_mapping(va, e, UVMF_INVLPG), -XEN_EINVAL);
        CHECK_TRAP(CATCH(*at.entry = e), X86_EXC_PF, PF_WRITE | PF_PRESENT);
        CHECK_TRAP(CATCH(__asm__ volatile("lock cmpxchgq %2, %0"
                                          : "+m"(*at.entry), "+a"(seen)
                                          : "r"(e)
                                          : "memory", "cc")),
                   X86_EXC_PF, PF_WRITE | PF_PRESENT);
        CHECK_EQ(*at.entry, own);
    }
    /* Only the present bit is taken off: the oldest way to unmap for a moment. */
    CHECK_TRAP(CATCH(__asm__ volatile("lock btrq $0, %0"
                                      : "+m"(*at.entry)
                                      :
                                      : "memory", "cc")),
               X86_EXC_PF, PF_WRITE | PF_PRESENT);
    CHECK_TRAP(CATCH(__asm__ volatile("lock andb $0xfe, %0"
                                      : "+m"(*(volatile uint8_t *)at.entry)
                                      :
                                      : "memory", "cc")),
               X86_EXC_PF, PF_WRITE | PF_PRESENT);
    for (unsigned int i = 0; i < nr_safe; i++) {
        CHECK_RC(mmu_write(at.maddr, safe[i]), 0);
        CHECK_EQ(*at.entry, safe[i]);
        CHECK_RC(hv_update_va_mapping(va, safe[i], UVMF_INVLPG), 0);
    }
    /* By halves: the low one of what the high half made safe. */
    CHECK_RC(mmu_write(at.maddr, 0xf00ull << 32), 0);
    CHECK(CATCH(half[0] = aim.neighbours << 12) == NULL);
    CHECK_TRAP(CATCH(half[1] = 0), X86_EXC_PF, PF_WRITE | PF_PRESENT);
    CHECK_EQ(*at.entry, 0xf00ull << 32 | (uint32_t)(aim.neighbours << 12));
    CHECK_RC(mmu_write(at.maddr, own), 0);
}

/* In tables of each level: written into a live one, and pinned with it in at any place. */
static void write_tables(void)
{
    static const unsigned int slots[] = {0, 1, 15, 16, 200, 255, 272, 511};
    static pte_t unsafe[64], safe[16];
    unsigned int nr_unsafe = unsafe_entries(unsafe), nr_safe = safe_entries(safe);
    pte_t *table = child_page(1), *data = child_page(2);

    for (unsigned int level = 1; level <= 4; level++) {
        CHECK_RC(table_make(table, level), 0);
        for (unsigned int i = 0; i < nr_unsafe; i++)
            CHECK_RC(table_set(table, slots[i % ARRAY_SIZE(slots)], unsafe[i]), -XEN_EINVAL);
        for (unsigned int i = 0; i < nr_safe; i++)
            CHECK_RC(table_set(table, slots[i % ARRAY_SIZE(slots)], safe[i]), 0);
        CHECK_RC(table_release(table), 0);
        for (unsigned int i = 0; i < nr_unsafe; i++) {
            memset(table, 0, PAGE_SIZE);
            table[slots[i % ARRAY_SIZE(slots)]] = unsafe[i];
            if (level == 1) /* and with good ones, whose references go again */
                table[17] = table[199] = pte_make(mfn_of(data), PTE_RW_FLAGS);
            CHECK_RC(table_make(table, level), -XEN_EINVAL);
            CHECK_RC(page_set_writable(table), 0);
        }
        memset(table, 0, PAGE_SIZE);
        for (unsigned int i = 0; i < nr_safe; i++)
            table[slots[i]] = safe[i];
        CHECK_RC(table_make(table, level), 0);
        CHECK_RC(table_release(table), 0);
        memset(table, 0, PAGE_SIZE);
    }
    CHECK_RC(table_make(data, 1), 0); /* no reference to it is left */
    CHECK_RC(table_release(data), 0);
}

/* In the hypervisor's slots of an L4 nothing of the guest's is left. */
static void in_the_hypervisors_slots(void)
{
    pte_t *l4 = child_page(1);

    for (unsigned int slot = 256; slot < 272; slot++)
        l4[slot] = aim.neighbours << 12;
    CHECK_RC(table_make(l4, 4), 0);
    for (unsigned int slot = 256; slot < 272; slot++)
        CHECK(l4[slot] != aim.neighbours << 12);
    CHECK_RC(table_release(l4), 0);
}

static void test_absent_entries(void)
{
    static const struct attack attacks[] = {
        {"absent entries in an L1", write_l1, .prepare = take_aim},
        {"absent entries in tables of all levels", write_tables, .prepare = take_aim},
        {"absent entries in the hypervisor's slots", in_the_hypervisors_slots, .prepare = take_aim},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

GUEST("hostile_l1tf", TEST(absent_entries));
