/* SPDX-License-Identifier: MIT */
/*
 * ptwr: stores to read-only page tables, which the hypervisor emulates.
 *
 * How a guest would break the hypervisor: the emulator decodes bytes that the guest writes. Stores
 * that are misaligned, cross the page, write half an entry or race with themselves, and values
 * that no entry may hold, must come back to the guest as the page fault they are, with nothing
 * changed. The instructions that Linux uses on live tables must work: mov, xchg, cmpxchg, and, or,
 * bts, btr.
 */
#include <rt/test.h>

static volatile pte_t *table;
static uint64_t *page, *other;

static bool ready(void)
{
    if (!table) {
        table = page_alloc();
        page = page_alloc();
        other = page_alloc();
        if (!CHECK_RC(page_set_readonly((void *)table), 0) ||
            !CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of((void *)table)), 0))
            return false;
    }
    for (unsigned int i = 0; i < 512; i++)
        if (table[i])
            CHECK_RC(mmu_write(maddr_of((void *)&table[i]), 0), 0);
    return true;
}

static pte_t ro(void *of)
{
    return pte_make(mfn_of(of), PTE_RO_FLAGS);
}

#define EMULATED(...) CHECK(CATCH(__asm__ volatile(__VA_ARGS__)) == NULL)
#define REFUSED(...) \
    CHECK_TRAP(CATCH(__asm__ volatile(__VA_ARGS__)), X86_EXC_PF, PF_WRITE | PF_PRESENT)

static void test_mov(void)
{
    REQUIRE(ready());
    EMULATED("movq %1, %0" : "=m"(table[3]) : "r"(ro(page)) : "memory");
    CHECK_EQ(pte_mfn(table[3]), mfn_of(page));
    CHECK_EQ(table[3] & (PTE_P | PTE_RW), PTE_P);
    EMULATED("movq %1, %0" : "=m"(table[511]) : "r"(pte_make(mfn_of(page), PTE_RW_FLAGS)));
    CHECK_EQ(table[511] & PTE_RW, PTE_RW);
    EMULATED("movq $0, %0" : "=m"(table[511]));
    CHECK_EQ(table[511], 0);
    EMULATED("movq %1, %0" : "=m"(table[0]) : "r"(0xabcdef00ul)); /* not present: as it is */
    CHECK_EQ(table[0], 0xabcdef00);
    /* Other addressing and registers. */
    uint64_t index = 9;

    EMULATED("mov %[v], %%r13; mov %[i], %%r12; movq %%r13, 8(%[t],%%r12,8)"
             :
             : [v] "r"(ro(other)), [i] "r"(index), [t] "r"(table)
             : "r12", "r13", "memory");
    CHECK_EQ(pte_mfn(table[10]), mfn_of(other));
}

static void test_xchg(void)
{
    pte_t v = ro(page);

    REQUIRE(ready());
    EMULATED("xchgq %0, %1" : "+r"(v), "+m"(table[4]) : : "memory");
    CHECK_EQ(v, 0);
    CHECK_EQ(pte_mfn(table[4]), mfn_of(page));
    v = 0;
    EMULATED("xchgq %0, %1" : "+r"(v), "+m"(table[4]) : : "memory");
    CHECK_EQ(pte_mfn(v), mfn_of(page));
    CHECK_EQ(table[4], 0);
}

static void test_cmpxchg(void)
{
    pte_t now, seen;
    uint8_t equal;

    REQUIRE(ready());
    EMULATED("movq %1, %0" : "=m"(table[4]) : "r"(ro(page)) : "memory");
    now = table[4];
    seen = now;
    EMULATED("lock cmpxchgq %3, %1; sete %2"
             : "+a"(seen), "+m"(table[4]), "=q"(equal)
             : "r"(ro(other))
             : "memory", "cc");
    CHECK_EQ(equal, 1);
    CHECK_EQ(pte_mfn(table[4]), mfn_of(other));
    seen = 0x1234;
    EMULATED("lock cmpxchgq %3, %1; sete %2"
             : "+a"(seen), "+m"(table[4]), "=q"(equal)
             : "r"(0ul)
             : "memory", "cc");
    CHECK_EQ(equal, 0);
    CHECK_EQ(seen, table[4]);
    CHECK_EQ(pte_mfn(table[4]), mfn_of(other));
}

static void test_bit_operations(void)
{
    uint8_t carry;

    REQUIRE(ready());
    EMULATED("movq %1, %0" : "=m"(table[5]) : "r"(pte_make(mfn_of(page), PTE_RW_FLAGS)));
    EMULATED("lock btrq $1, %0; setc %1" : "+m"(table[5]), "=q"(carry) : : "memory", "cc");
    CHECK_EQ(carry, 1);
    CHECK_EQ(table[5] & (PTE_RW | PTE_P), PTE_P);
    EMULATED("lock btsq $1, %0; setc %1" : "+m"(table[5]), "=q"(carry) : : "memory", "cc");
    CHECK_EQ(carry, 0);
    CHECK_EQ(table[5] & PTE_RW, PTE_RW);
    EMULATED("lock andq %1, %0" : "+m"(table[5]) : "r"(~(uint64_t)PTE_D) : "memory", "cc");
    CHECK_EQ(table[5] & PTE_D, 0);
    EMULATED("lock orq %1, %0" : "+m"(table[5]) : "r"((uint64_t)PTE_D) : "memory", "cc");
    CHECK_EQ(table[5] & PTE_D, PTE_D);
    EMULATED("lock andb $0xdf, %0" : "+m"(*(volatile uint8_t *)&table[5]) : : "memory", "cc");
    CHECK_EQ(table[5] & PTE_A, 0);
    EMULATED("lock btrl $6, %0; setc %1"
             : "+m"(*(volatile uint32_t *)&table[5]), "=q"(carry)
             :
             : "memory", "cc");
    CHECK_EQ(carry, 1);
    CHECK_EQ(table[5] & PTE_D, 0);
    CHECK_EQ(pte_mfn(table[5]), mfn_of(page));
}

/* A part of an entry: the whole new entry is what is judged. */
static void test_narrow(void)
{
    REQUIRE(ready());
    EMULATED("movq %1, %0" : "=m"(table[6]) : "r"(ro(page)) : "memory");
    EMULATED("movl $0, %0" : "=m"(*(volatile uint32_t *)&table[6]));
    CHECK_EQ((uint32_t)table[6], 0);
    EMULATED("movq $0, %0" : "=m"(table[6]));
    CHECK_EQ(table[6], 0);
}

static void test_values_refused(void)
{
    pte_t was;

    REQUIRE(ready());
    EMULATED("movq %1, %0" : "=m"(table[7]) : "r"(ro(page)) : "memory");
    was = table[7];
    /* The table itself, writable; a frame that is no one's; the local APIC. */
    REFUSED("movq %1, %0" : "=m"(table[7]) : "r"(pte_make(mfn_of((void *)table), PTE_RW_FLAGS)));
    REFUSED("movq %1, %0" : "=m"(table[7]) : "r"(pte_make(0xfee00, PTE_RW_FLAGS)));
    REFUSED("movq %1, %0" : "=m"(table[7]) : "r"(pte_make(1ul << 39, PTE_RO_FLAGS)));
    REFUSED("lock cmpxchgq %2, %0" : "+m"(table[7]) : "a"(was), "r"(pte_make(0xfee00, 0x67)));
    CHECK_EQ(table[7], was);
}

static void test_places_refused(void)
{
    char *bytes = (char *)table;
    uint64_t *data = page_alloc();

    REQUIRE(ready());
    REFUSED("movq %1, %0" : "=m"(*(uint64_t *)(bytes + 12)) : "r"(0ul)); /* across two entries */
    REFUSED("movq %1, %0" : "=m"(*(uint64_t *)(bytes + 1)) : "r"(0ul));
    REFUSED("movl %1, %0" : "=m"(*(uint32_t *)(bytes + 10)) : "r"(0));
    /* Read-only data is not a page table. */
    CHECK_RC(page_set_readonly(data), 0);
    REFUSED("movq %1, %0" : "=m"(*data) : "r"(0ul));
    /* Tables above the first level: only by hypercall. */
    volatile pte_t *l2 = pte_place_of((void *)table, 2).entry;

    REFUSED("movq %1, %0" : "=m"(*l2) : "r"(0ul));
    REFUSED("movq %1, %0" : "=m"(*pte_place_of((void *)table, 4).entry) : "r"(0ul));
    CHECK_RC(page_set_writable(data), 0);
    page_free(data);
}

/* User mode never edits page tables, though its mapping is the same. */
ASM_FUNCTION(user_store, "movq $0, (%rdi); syscall");
static void test_user(void)
{
    const struct trap *t;

    REQUIRE(ready());
    EMULATED("movq %1, %0" : "=m"(table[8]) : "r"(ro(page)) : "memory");
    t = run_user(user_store, (uint64_t)&table[8]);
    CHECK_TRAP(t, X86_EXC_PF, PF_WRITE | PF_PRESENT | PF_USER);
    CHECK_EQ(pte_mfn(table[8]), mfn_of(page));
}

/* A live entry changed under a mapping in use: the processor sees it after the usual flush. */
static void test_live(void)
{
    uint64_t *va = page_alloc();
    volatile pte_t *entry = pte_place_of(va, 1).entry;
    pte_t own = *entry;

    REQUIRE(ready());
    *page = 0x1111;
    *other = 0x2222;
    EMULATED("movq %1, %0" : "=m"(*entry) : "r"(pte_make(mfn_of(page), PTE_RW_FLAGS)) : "memory");
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va);
    CHECK_EQ(load64(va), 0x1111);
    EMULATED("movq %1, %0" : "=m"(*entry) : "r"(pte_make(mfn_of(other), PTE_RW_FLAGS)) : "memory");
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va);
    CHECK_EQ(load64(va), 0x2222);
    EMULATED("movq %1, %0" : "=m"(*entry) : "r"(own) : "memory");
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    CHECK_EQ(pte_mfn(*entry), mfn_of(va));
    page_free(va);
}

static void test_counts(void)
{
    REQUIRE(ready());
    for (unsigned int i = 0; i < 1000; i++) {
        table[i % 512] = pte_make(mfn_of(page), i & 1 ? PTE_RW_FLAGS : PTE_RO_FLAGS);
        if (i % 3 == 0)
            table[i % 512] = 0;
    }
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of((void *)table)), 0);
    CHECK_RC(page_set_writable((void *)table), 0);
    memset((void *)table, 0, PAGE_SIZE);
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), 0);
    CHECK_RC(page_set_writable(page), 0);
}

GUEST("ptwr", TEST(mov), TEST(xchg), TEST(cmpxchg), TEST(bit_operations), TEST(narrow),
      TEST(values_refused), TEST(places_refused), TEST(user), TEST(live), TEST(counts));
