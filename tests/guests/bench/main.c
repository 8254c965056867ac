/* SPDX-License-Identifier: MIT */
/*
 * bench: what the hypervisor's basic operations cost, rows 1 to 12 of the performance table.
 *
 * Under QEMU's -icount shift=0 one RDTSC tick is one executed instruction, the guest's own few
 * included; without it the figures are ticks and mean little. The guest's side is kept to the
 * minimum that the ABI asks for: handlers in assembly that only make the frame of an iret. Each row
 * is printed as `row N name: figure`, the least of several rounds, so that a timer tick in one of
 * them does not count. It is a test, too: every operation measured must have worked.
 */
#include <rt/test.h>

enum { ROUNDS = 5, N = 256, BATCH = 32, PTES = 128 };

static uint64_t empty; /* what two readings of the counter cost by themselves */

static inline uint64_t ticks(void)
{
    uint64_t t;

    __asm__ volatile("lfence" ::: "memory");
    t = rdtsc();
    __asm__ volatile("" ::: "memory");
    return t;
}

/* The least cost of `body` in ROUNDS rounds, divided by `per`, printed under `name`. */
#define MEASURE(name, per, body)                                   \
    do {                                                           \
        uint64_t best_ = ~0ul;                                     \
        for (unsigned int round_ = 0; round_ < ROUNDS; round_++) { \
            uint64_t start_ = ticks();                             \
            body;                                                  \
            uint64_t took_ = ticks() - start_ - empty;             \
            best_ = took_ < best_ ? took_ : best_;                 \
        }                                                          \
        CHECK(best_ > 0);                                          \
        printf("row %s: %lu\n", name, best_ / (per));              \
    } while (0)

static void calibrate(void)
{
    empty = ~0ul;
    for (unsigned int i = 0; i < 16; i++) {
        uint64_t a = ticks(), b = ticks();

        empty = b - a < empty ? b - a : empty;
    }
}

static void test_hypercall(void)
{
    long bad = 0;

    calibrate();
    MEASURE(
        "1 null hypercall", N, for (unsigned int i = 0; i < N; i++) {
            bad += hv_xen_version(XENVER_version, NULL) != 0x40011;
        });
    CHECK_EQ(bad, 0);
}

static void test_multicall(void)
{
    static multicall_entry_t list[64];
    long bad = 0;

    for (unsigned int i = 0; i < 64; i++)
        list[i] = (multicall_entry_t){.op = __HYPERVISOR_xen_version};
    MEASURE("2 multicall, each of 64", 64, bad += hv_multicall(list, 64));
    for (unsigned int i = 0; i < 64; i++)
        bad += list[i].result != 0x40011;
    CHECK_EQ(bad, 0);
}

/* SYSCALL in user mode, straight back by the iret hypercall, %rdi times; then the counter in %rax.
 */
ASM_FUNCTION(user_loop, "lfence; rdtsc; shl $32, %rdx; lea (%rax,%rdx), %r14\n"
                        "1: syscall; dec %edi; jnz 1b\n"
                        "lfence; rdtsc; shl $32, %rdx; add %rdx, %rax; sub %r14, %rax\n"
                        "ud2");
ASM_FUNCTION(syscall_and_back, "pop %rcx; pop %r11; pushq $256; push %rcx; push %r11; push %rax\n"
                               "mov $23, %eax; syscall; ud2");

static void test_syscall(void)
{
    struct callback_register reg = {.type = CALLBACKTYPE_syscall,
                                    .flags = CALLBACKF_mask_events,
                                    .address = (unsigned long)syscall_and_back};
    uint64_t best = ~0ul;

    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        const struct trap *t = run_user(user_loop, N);

        REQUIRE(CHECK_TRAP(t, X86_EXC_UD, 0));
        best = t->regs.rax < best ? t->regs.rax : best;
    }
    reg.address = (unsigned long)entry_syscall;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    printf("row 3 syscall bounce: %lu\n", best / N);
}

/* Handlers that step over the instruction: ud2 is 2 bytes long, the load below 2 as well. */
ASM_FUNCTION(skip_ud, "pop %rcx; pop %r11; addq $2, (%rsp); pushq $0; push %rcx; push %r11\n"
                      "push %rax; mov $23, %eax; syscall; ud2");
ASM_FUNCTION(skip_pf, "pop %rcx; pop %r11; add $8, %rsp; addq $2, (%rsp); pushq $0; push %rcx\n"
                      "push %r11; push %rax; mov $23, %eax; syscall; ud2");

static void test_exceptions(void)
{
    trap_info_t t[3] = {trap_table[X86_EXC_UD], trap_table[X86_EXC_PF], {0}};
    uint64_t ran = 0;

    t[0].address = (unsigned long)skip_ud;
    t[1].address = (unsigned long)skip_pf;
    CHECK_RC(hv_set_trap_table(t), 0);
    MEASURE(
        "4 exception bounce, #UD", N, for (unsigned int i = 0; i < N; i++) {
            __asm__ volatile("ud2; inc %0" : "+r"(ran)::"memory");
        });
    MEASURE(
        "4 exception bounce, #PF", N, for (unsigned int i = 0; i < N; i++) {
            __asm__ volatile("movl (%%rdi), %%eax; inc %0"
                             : "+r"(ran)
                             : "D"(0x5000)
                             : "rax", "memory");
        });
    CHECK_EQ(ran, 2 * ROUNDS * N);
    CHECK_RC(hv_set_trap_table(trap_table), 0);
}

static void test_pte_batches(void)
{
    static mmu_update_t rw[PTES], ro[PTES], none[PTES];
    char *pages = page_alloc_many(PTES);
    long bad = 0;

    for (unsigned int i = 0; i < PTES; i++) {
        char *page = pages + i * PAGE_SIZE;
        maddr_t entry = pte_place_of(page, 1).maddr;

        rw[i] = (mmu_update_t){entry, pte_make(mfn_of(page), PTE_RW_FLAGS)};
        ro[i] = (mmu_update_t){entry, pte_make(mfn_of(page), PTE_RO_FLAGS)};
        none[i] = (mmu_update_t){entry, 0};
    }
    MEASURE("5 PTE update in a batch, flags", 2 * PTES, {
        bad += hv_mmu_update(ro, PTES, NULL, DOMID_SELF);
        bad += hv_mmu_update(rw, PTES, NULL, DOMID_SELF);
    });
    MEASURE("5 PTE update in a batch, clear and set", 2 * PTES, {
        bad += hv_mmu_update(none, PTES, NULL, DOMID_SELF);
        bad += hv_mmu_update(rw, PTES, NULL, DOMID_SELF);
    });
    CHECK_EQ(bad, 0);
}

static void test_one_pte(void)
{
    void *page = page_alloc();
    volatile pte_t *entry = pte_place_of(page, 1).entry;
    pte_t rw = pte_make(mfn_of(page), PTE_RW_FLAGS), ro = pte_make(mfn_of(page), PTE_RO_FLAGS);
    long bad = 0;

    MEASURE(
        "6 update_va_mapping", N, for (unsigned int i = 0; i < N; i++) {
            bad += hv_update_va_mapping(page, i & 1 ? rw : ro, UVMF_NONE);
        });
    MEASURE(
        "6 emulated PTE write", N,
        for (unsigned int i = 0; i < N; i++) { *entry = i & 1 ? rw : ro; });
    CHECK_EQ(bad, 0);
    CHECK_EQ(*entry & PTE_RW, PTE_RW);
    CHECK_RC(page_set_writable(page), 0);
    page_free(page);
}

static void test_pin(void)
{
    pte_t *table = page_alloc();
    void *page = page_alloc();
    long bad = 0;

    CHECK_RC(page_set_readonly(table), 0);
    MEASURE("7 pin and unpin an empty L1", 1, {
        bad += mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table));
        bad += mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table));
    });
    CHECK_RC(page_set_writable(table), 0);
    for (unsigned int i = 0; i < 512; i++)
        table[i] = pte_make(mfn_of(page), PTE_RW_FLAGS);
    CHECK_RC(page_set_readonly(table), 0);
    MEASURE("7 pin and unpin a full L1, each entry", 512, {
        bad += mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table));
        bad += mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table));
    });
    CHECK_EQ(bad, 0);
    CHECK_RC(page_set_writable(table), 0);
    page_free(table);
    page_free(page);
}

static void test_cr3(void)
{
    pte_t *l4 = page_alloc();
    mfn_t now = current_l4_mfn();
    const volatile pte_t *entries = pfn_to_va(mfn_to_pfn(now));
    mmuext_op_t there = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = mfn_of(l4)};
    mmuext_op_t back = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = now};
    long bad = 0;

    for (unsigned int i = 0; i < 512; i++)
        if (i < 256 || i >= 272)
            l4[i] = entries[i];
    CHECK_RC(page_set_readonly(l4), 0);
    REQUIRE(CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4)), 0));
    MEASURE(
        "8 new_baseptr", N, for (unsigned int i = 0; i < N / 2; i++) {
            bad += hv_mmuext_op(&there, 1, NULL, DOMID_SELF);
            bad += hv_mmuext_op(&back, 1, NULL, DOMID_SELF);
        });
    CHECK_EQ(bad, 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l4)), 0);
    CHECK_RC(page_set_writable(l4), 0);
    page_free(l4);
}

/* The least upcall there is: acknowledge, count, return. Offsets: vcpu_info[0] and the port's word.
 */
static volatile uint64_t taken;
ASM_FUNCTION(event_and_back, "movb $0, shared_info(%rip); movq $0, shared_info+8(%rip)\n"
                             "movq $0, shared_info+2048(%rip); incq taken(%rip)\n"
                             "pop %rcx; pop %r11; pushq $0; push %rcx; push %r11; push %rax\n"
                             "mov $23, %eax; syscall; ud2");

/* The same with FIFO events: the port's word is taken off its queue, and the queue is not ready. */
static event_word_t *volatile fifo_word;
static uint32_t *volatile fifo_ready;
ASM_FUNCTION(fifo_and_back, "movb $0, shared_info(%rip); mov fifo_ready(%rip), %rcx\n"
                            "movl $0, (%rcx); mov fifo_word(%rip), %rcx; movl $0, (%rcx)\n"
                            "incq taken(%rip)\n"
                            "pop %rcx; pop %r11; pushq $0; push %rcx; push %r11; push %rax\n"
                            "mov $23, %eax; syscall; ud2");

static void send_many(evtchn_port_t port, void (*handler)(void), const char *row)
{
    struct callback_register reg = {.type = CALLBACKTYPE_event, .address = (unsigned long)handler};
    struct evtchn_send send = {.port = port};
    long bad = 0;

    CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
    event_unmask(port);
    events_enable();
    taken = 0;
    MEASURE(
        row, N,
        for (unsigned int i = 0; i < N; i++) { bad += hv_evtchn_op(EVTCHNOP_send, &send); });
    events_disable();
    CHECK_EQ(taken, ROUNDS * N);
    CHECK_EQ(bad, 0);
    reg.address = (unsigned long)entry_event;
    CHECK_RC(hv_callback_op(CALLBACKOP_register, &reg), 0);
}

static void test_event(void)
{
    evtchn_port_t port;

    REQUIRE(CHECK_RC(event_bind_ipi(0, &port), 0) && CHECK(port < 64));
    send_many(port, event_and_back, "9 event to oneself");
    CHECK_RC(event_close(port), 0);
}

static void test_event_fifo(void)
{
    void *control = page_alloc();
    event_word_t *array = page_alloc();
    struct evtchn_init_control init = {.control_gfn = mfn_of(control)};
    struct evtchn_expand_array expand = {.array_gfn = mfn_of(array)};
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    evtchn_port_t port;

    REQUIRE(CHECK_RC(hv_evtchn_op(EVTCHNOP_init_control, &init), 0));
    CHECK_RC(hv_evtchn_op(EVTCHNOP_expand_array, &expand), 0);
    CHECK_RC(event_bind_ipi(0, &port), 0);
    fifo_word = &array[port];
    fifo_ready = control;
    send_many(port, fifo_and_back, "9 event to oneself, FIFO");
    CHECK_RC(hv_evtchn_op(EVTCHNOP_reset, &reset), 0);
}

static long map_unmap(struct gnttab_map_grant_ref *map, struct gnttab_unmap_grant_ref *unmap,
                      unsigned int n)
{
    long bad = hv_grant_op(GNTTABOP_map_grant_ref, map, n);

    for (unsigned int i = 0; i < n; i++)
        unmap[i].handle = map[i].handle;
    return bad | hv_grant_op(GNTTABOP_unmap_grant_ref, unmap, n);
}

static void test_grants(void)
{
    static struct gnttab_map_grant_ref map[BATCH];
    static struct gnttab_unmap_grant_ref unmap[BATCH];
    static struct gnttab_copy copy[BATCH];
    char *pages = page_alloc_many(BATCH), *spots = page_alloc_many(BATCH), *dst = page_alloc();
    long bad = 0;

    REQUIRE(CHECK_RC(gnttab_init(), 0));
    for (unsigned int i = 0; i < BATCH; i++) {
        char *spot = spots + i * PAGE_SIZE;

        bad += hv_update_va_mapping(spot, 0, UVMF_INVLPG);
        grant_set(8 + i, 0, mfn_of(pages + i * PAGE_SIZE), GTF_permit_access);
        map[i] = (struct gnttab_map_grant_ref){
            .host_addr = (uint64_t)spot, .flags = GNTMAP_host_map, .ref = 8 + i};
        unmap[i] = (struct gnttab_unmap_grant_ref){.host_addr = (uint64_t)spot};
        copy[i] = (struct gnttab_copy){
            .source = {.domid = 0, .u.ref = 8 + i},
            .dest = {.domid = DOMID_SELF, .offset = i * 64, .u.gmfn = mfn_of(dst)},
            .len = 64,
            .flags = GNTCOPY_source_gref};
    }
    MEASURE("11 grant map and unmap, one", 1, bad += map_unmap(map, unmap, 1));
    MEASURE("11 grant map and unmap, each of 32", BATCH, bad += map_unmap(map, unmap, BATCH));
    MEASURE("12 grant copy of 64 bytes, each of 32", BATCH,
            bad += hv_grant_op(GNTTABOP_copy, copy, BATCH));
    for (unsigned int i = 0; i < BATCH; i++) {
        bad += map[i].status | unmap[i].status | copy[i].status;
        bad += grant_table[8 + i].flags != GTF_permit_access;
        bad += page_set_writable(spots + i * PAGE_SIZE);
    }
    CHECK_EQ(bad, 0);
}

GUEST("bench", TEST(hypercall), TEST(multicall), TEST(syscall), TEST(exceptions), TEST(pte_batches),
      TEST(one_pte), TEST(pin), TEST(cr3), TEST(event), TEST(event_fifo), TEST(grants));
