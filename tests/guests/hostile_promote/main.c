/* SPDX-License-Identifier: MIT */
/*
 * hostile_promote: THREATS 3, a page that becomes a table while another vCPU makes it writable.
 *
 * How this guest would break the hypervisor: one vCPU asks for the page as a page table of each
 * level, or as descriptors, the other for a writable mapping of it, by each call that gives one. If
 * both ever have it, or if the hypervisor looks at the table's entries before all CPUs have
 * forgotten the old writable translation (XSA-401, XSA-408), the guest writes its own page tables.
 * The writer never flushes anything and goes on storing through what its TLB remembers; the other
 * looks whether the table's contents stand still while it is one.
 *
 * `rounds=N` on the command line: how often it becomes a table, in all (otherwise 40000, or as
 * often as it can in ten seconds; the million of THREATS by hand: ./lab guest
 * hostile_promote-million). Then once more with three writers.
 */
#include <rt/attack.h>
#include <rt/test.h>

#define WORDS       8           /* of the page, that the writer writes */
#define RACE_NS     10000000000 /* where the emulator gives both vCPUs one CPU, a round takes long */
#define RACE_NS_MAX 60000000000 /* more than that, where it gives them no time together */
#define ROUNDS_MIN  200
#define RACES_MIN   20

static struct {
    domid_t me;
    uint64_t rounds, ns; /* whichever is over first */
} order;                 /* dom0's */

static volatile uint32_t over, writers; /* how many still write */
static uint64_t *page;

static struct writer {
    volatile bool maps;        /* has it writable, for certain */
    volatile uint32_t written; /* stores that went through */
    uint64_t *alias;
    unsigned int n; /* of the next store */
    struct gnttab_unmap_grant_ref unmap;
} writer_of[MAX_VCPUS];

static struct writer *me(void)
{
    return &writer_of[vcpu_id()];
}

/* --- the writer --- */

static pte_t rw_entry(void)
{
    return pte_make(mfn_of(page), PTE_RW_FLAGS);
}

/* An entry that is not present, and a descriptor that is not: good in a table of any kind. */
static void scribble(void)
{
    struct writer *w = me();

    store64(&w->alias[w->n % WORDS], (w->n << 1) & 0xffe);
    w->n++;
    w->written++;
}

/* With a mapping at alias: writes, says so; drops it without a flush; writes as long as that goes.
 */
static void use_mapping(long (*drop)(void))
{
    struct writer *w = me();

    w->maps = true;
    for (unsigned int i = 0; i < 4; i++)
        scribble();
    barrier();
    w->maps = false;
    CHECK_RC(drop(), 0);
    CATCH(for (unsigned int i = 0; i < 64; i++) scribble());
}

static long drop_by_va_mapping(void)
{
    return hv_update_va_mapping(me()->alias, 0, 0);
}

static long drop_by_mmu_update(void)
{
    return mmu_write(pte_place_of(me()->alias, 1).maddr, 0);
}

static long drop_by_store(void)
{
    *pte_place_of(me()->alias, 1).entry = 0;
    return 0;
}

static long drop_grant(void)
{
    struct gnttab_unmap_grant_ref *unmap = &me()->unmap;
    long rc = hv_grant_op(GNTTABOP_unmap_grant_ref, unmap, 1);

    return rc ? rc : unmap->status;
}

static void write_by_va_mapping(void)
{
    if (hv_update_va_mapping(me()->alias, rw_entry(), 0) == 0)
        use_mapping(drop_by_va_mapping);
}

/* From read-only to writable: the short way for one that keeps its frame. */
static void write_by_rights(void)
{
    if (hv_update_va_mapping(me()->alias, rw_entry() & ~(pte_t)PTE_RW, 0) == 0) {
        if (mmu_write(pte_place_of(me()->alias, 1).maddr | MMU_PT_UPDATE_PRESERVE_AD, rw_entry()) ==
            0)
            use_mapping(drop_by_mmu_update);
        else
            CHECK_RC(drop_by_va_mapping(), 0);
    }
}

static void write_by_store(void)
{
    if (!CATCH(*pte_place_of(me()->alias, 1).entry = rw_entry()))
        use_mapping(drop_by_store);
}

static void write_by_grant(void)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = (uint64_t)me()->alias, .flags = GNTMAP_host_map, .ref = 8, .dom = order.me};

    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    if (map.status != GNTST_okay)
        return;
    me()->unmap = (struct gnttab_unmap_grant_ref){.host_addr = map.host_addr, .handle = map.handle};
    use_mapping(drop_grant);
}

/* A table of its own that maps it writable: the reference comes by a pin. */
static void write_by_pin(void)
{
    uint64_t *table = child_page(2);

    if (mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)) == 0) {
        me()->maps = true;
        for (unsigned int i = 0; i < 64; i++)
            cpu_relax();
        me()->maps = false;
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table)), 0);
    }
}

/* The hypervisor's hands. */
static void write_by_copy(void)
{
    struct gnttab_copy copy = {.source = {.domid = DOMID_SELF, .u.gmfn = mfn_of(child_page(3))},
                               .dest = {.domid = DOMID_SELF, .u.gmfn = mfn_of(page)},
                               .len = 8 * WORDS};

    CHECK_RC(hv_grant_op(GNTTABOP_copy, &copy, 1), 0);
    mmuext(MMUEXT_CLEAR_PAGE, mfn_of(page));
}

static void writer(void)
{
    static void (*const ways[])(void) = {write_by_va_mapping, write_by_rights, write_by_store,
                                         write_by_grant,      write_by_pin,    write_by_copy};

    for (unsigned int i = 2 * vcpu_id(); !over; i++)
        ways[i % ARRAY_SIZE(ways)]();
    __atomic_fetch_sub(&writers, 1, __ATOMIC_SEQ_CST);
}

/* --- the other --- */

static uint64_t contents(void)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < WORDS; i++)
        sum = sum * 0x100000001b3 + load64(&page[i]);
    return sum;
}

static bool anybody_maps(void)
{
    bool any = false;

    for (unsigned int i = 1; i < MAX_VCPUS; i++)
        any |= writer_of[i].maps;
    return any;
}

static bool anybody_wrote(void)
{
    uint32_t sum = 0;

    for (unsigned int i = 1; i < MAX_VCPUS; i++) {
        sum += writer_of[i].written;
        writer_of[i].written = 0;
    }
    return sum;
}

/* It is a table now: nobody has it writable, and nothing changes. */
static bool stands_still(void)
{
    uint64_t was = contents();
    bool ok = CHECK(!anybody_maps());

    for (unsigned int i = 0; i < 8; i++) {
        cpu_relax();
        ok &= CHECK_EQ(contents(), was);
    }
    return ok & CHECK(!anybody_maps());
}

static long promote(unsigned int kind)
{
    mfn_t m = mfn_of(page);

    return kind < 4 ? mmuext(MMUEXT_PIN_L1_TABLE + kind, m) : hv_set_gdt(&m, 512);
}

static long demote(unsigned int kind)
{
    return kind < 4 ? mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)) : hv_set_gdt(NULL, 0);
}

/* It was a race: each kind of table came about between others' writes, which came between tables.
 */
static bool raced(const uint32_t promoted[5], uint32_t wrote)
{
    bool all = wrote >= RACES_MIN;

    for (unsigned int kind = 0; kind < 5; kind++)
        all &= promoted[kind] >= RACES_MIN;
    return all;
}

static void race(unsigned int vcpus)
{
    uint32_t promoted[5] = {0}, wrote = 0;
    uint64_t *table = child_page(2), done = 0, end, last;

    page = child_page(0);
    CHECK_RC(gnttab_init(), 0);
    grant_set(8, order.me, mfn_of(page), GTF_permit_access);
    table[100] = rw_entry();
    CHECK_RC(page_set_readonly(table), 0);
    CHECK_RC(page_set_readonly(page), 0);
    for (unsigned int v = 1; v < vcpus; v++) {
        writer_of[v].alias = child_page(3 + v);
        CHECK_RC(hv_update_va_mapping(child_page(3 + v), 0, UVMF_INVLPG), 0);
        writers++;
        CHECK_RC(vcpu_start(v, writer), 0);
    }
    end = time_ns() + order.ns;
    last = order.ns < RACE_NS_MAX ? end + RACE_NS_MAX : end;
    for (uint64_t i = 0; done < order.rounds; i++) {
        unsigned int kind = i / 4 % 5;
        uint64_t now = time_ns();

        if (now > last || (now > end && done >= ROUNDS_MIN && raced(promoted, wrote)))
            break;

        if (promote(kind))
            continue;
        promoted[kind]++;
        done++;
        if (!stands_still())
            break;
        wrote += anybody_wrote();
        CHECK_RC(demote(kind), 0);
    }
    over = 1;
    while (writers)
        cpu_relax();
    CHECK(done >= ROUNDS_MIN || done >= order.rounds);
    CHECK(raced(promoted, wrote));
    CHECK_RC(page_set_writable(page), 0);
    CHECK_RC(page_set_writable(table), 0);
}

static void race_of_two(void)
{
    race(2);
}

static void race_of_four(void)
{
    race(4);
}

static void give_order(struct child *c)
{
    typeof(order) *view = child_view(c, &order);

    view->me = c->id;
    view->rounds = cmdline_number("rounds", 0);
    view->ns = view->rounds ? ~0ull >> 1 : RACE_NS;
    view->rounds = view->rounds ? view->rounds : 40000;
    child_unview(view);
}

static void wait(struct child *c)
{
    child_wait_ns(c, 10000000000000);
}

static void test_race(void)
{
    static const struct attack attacks[] = {
        {"promote and write", race_of_two, .prepare = give_order, .meanwhile = wait}};

    attack_all(attacks, ARRAY_SIZE(attacks), 2);
}

static void test_race_of_four(void)
{
    static const struct attack attacks[] = {
        {"promote and three write", race_of_four, .prepare = give_order, .meanwhile = wait}};

    attack_all(attacks, ARRAY_SIZE(attacks), 4);
}

GUEST("hostile_promote", TEST(race), TEST(race_of_four));
