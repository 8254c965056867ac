/* SPDX-License-Identifier: MIT */
/*
 * smp: several vCPUs of one domain.
 *
 * How a guest would break the hypervisor: by doing at once, on two vCPUs, what is only safe in
 * turn: making a page a page table while the other maps it writable (XSA-401, XSA-408), mapping,
 * unmapping and copying one grant (XSA-218, XSA-228), binding, sending and closing one port
 * (XSA-343), bringing a vCPU up and down in a storm; and by contexts that no vCPU can start with.
 */
#include <rt/test.h>

static volatile uint32_t stage, ran, id_seen;
static vcpu_guest_context_t ctx;

static bool wait_for(volatile uint32_t *what, uint32_t value)
{
    uint64_t end = time_ns() + 5000000000;

    while (*what != value)
        if (time_ns() > end)
            return CHECK_EQ(*what, value);
        else
            cpu_relax();
    return true;
}

static bool wait_down(unsigned int id)
{
    uint64_t end = time_ns() + 5000000000;

    while (hv_vcpu_op(VCPUOP_is_up, id, NULL) == 1)
        if (time_ns() > end)
            return CHECK(!"the vCPU did not go down");
    return true;
}

/* Runs `fn` on vCPU 1: starts it the first time, afterwards it comes out of its park. */
static void (*volatile job)(void);
static volatile uint32_t jobs_done;

static void worker(void)
{
    for (;;) {
        job();
        __atomic_add_fetch(&jobs_done, 1, __ATOMIC_SEQ_CST);
        vcpu_park();
    }
}

static bool start_job(void (*fn)(void))
{
    static bool started;

    job = fn;
    if (!started) {
        started = true;
        return CHECK_RC(vcpu_start(1, worker), 0);
    }
    return wait_down(1) && CHECK_RC(hv_vcpu_op(VCPUOP_up, 1, NULL), 0);
}

static bool finish_job(uint32_t before)
{
    return wait_for(&jobs_done, before + 1) && wait_down(1);
}

static void test_contexts_refused(void)
{
    CHECK_EQ(hv_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    CHECK_EQ(hv_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    CHECK_RC(hv_vcpu_op(VCPUOP_is_up, 2, NULL), -XEN_ENOENT);
    CHECK_RC(hv_vcpu_op(VCPUOP_is_up, 0xffffffff, NULL), -XEN_ENOENT);
    CHECK_RC(hv_vcpu_op(99, 0, NULL), -XEN_ENOSYS);
    CHECK_RC(hv_vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL); /* not initialised */
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, (void *)0xffff830000000000), -XEN_EFAULT);
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 9, &ctx), -XEN_ENOENT);
    vcpu_fill_context(&ctx, 1, worker);
    ctx.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(&ctx)); /* no page table */
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    vcpu_fill_context(&ctx, 1, worker);
    ctx.ctrlreg[3] = xen_pfn_to_cr3(0xfffffff);
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    vcpu_fill_context(&ctx, 1, worker);
    ctx.gdt_ents = 512; /* of a frame that is no descriptor table */
    ctx.gdt_frames[0] = 0xfffffff;
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    vcpu_fill_context(&ctx, 1, worker);
    ctx.gdt_ents = 8192;
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    vcpu_fill_context(&ctx, 1, worker);
    ctx.ldt_ents = 8193;
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    vcpu_fill_context(&ctx, 1, worker);
    ctx.trap_ctxt[3].address = 0x800000000000;
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    CHECK_EQ(hv_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    CHECK_RC(hv_vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL);
}

static void say_hello(void)
{
    id_seen = vcpu_id();
    ran = 1;
}

static void test_start(void)
{
    uint32_t before = jobs_done;

    REQUIRE(start_job(say_hello) && wait_for(&ran, 1) && finish_job(before));
    CHECK_EQ(id_seen, 1);
    vcpu_fill_context(&ctx, 1, worker);
    CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EEXIST);
    ran = 0;
    before = jobs_done;
    REQUIRE(start_job(say_hello) && wait_for(&ran, 1) && finish_job(before));
    /* Down while down, up while up. */
    CHECK_RC(hv_vcpu_op(VCPUOP_down, 1, NULL), 0);
}

static void spin_until_stage_9(void)
{
    while (stage != 9)
        cpu_relax();
}

static void test_up_and_down(void)
{
    uint32_t before = jobs_done;

    stage = 0;
    REQUIRE(start_job(spin_until_stage_9));
    CHECK_EQ(hv_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    CHECK_RC(hv_vcpu_op(VCPUOP_up, 1, NULL), 0);
    /* Taken down from outside in the middle, it goes on where it was. */
    for (unsigned int i = 0; i < 50; i++) {
        CHECK_RC(hv_vcpu_op(VCPUOP_down, 1, NULL), 0);
        CHECK_RC(hv_vcpu_op(VCPUOP_up, 1, NULL), 0);
    }
    stage = 9;
    REQUIRE(finish_job(before));
}

/* Each of two vCPUs sends the other an event, many times in turn. */
static evtchn_port_t to_zero, to_one;
enum { ROUNDS = 30 };

static void ping(void)
{
    event_unmask(to_one);
    events_enable();
    for (unsigned int i = 0; i < ROUNDS; i++) {
        while (event_count[to_one] <= i)
            cpu_relax();
        event_send(to_zero);
    }
    events_disable();
}

static void test_ipi(void)
{
    uint32_t before = jobs_done;

    REQUIRE(CHECK_RC(event_bind_ipi(0, &to_zero), 0) && CHECK_RC(event_bind_ipi(1, &to_one), 0));
    event_count[to_zero] = event_count[to_one] = 0;
    event_unmask(to_zero);
    REQUIRE(start_job(ping));
    events_enable();
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t end = time_ns() + 5000000000;

        CHECK_RC(event_send(to_one), 0);
        while (event_count[to_zero] <= i && time_ns() < end)
            cpu_relax();
        if (!CHECK_EQ(event_count[to_zero], i + 1))
            break;
    }
    events_disable();
    REQUIRE(finish_job(before));
    CHECK_EQ(event_count[to_one], ROUNDS);
    CHECK_EQ(event_last_vcpu[to_one], 2); /* vCPU 1, plus one */
    CHECK_EQ(event_last_vcpu[to_zero], 1);
    event_mask(to_zero);
    CHECK_RC(event_close(to_zero), 0);
    CHECK_RC(event_close(to_one), 0);
}

/* An interdomain port moved to vCPU 1 is delivered there. */
static evtchn_port_t moved;

static void take_moved(void)
{
    event_unmask(moved);
    events_enable();
    ran = 2;
    while (!event_count[moved])
        cpu_relax();
    events_disable();
}

static void test_bind_vcpu(void)
{
    uint32_t before = jobs_done;
    evtchn_port_t a;

    REQUIRE(event_loop(&a, &moved));
    event_clear(moved);
    event_count[moved] = 0;
    CHECK_RC(event_bind_vcpu(moved, 1), 0);
    REQUIRE(start_job(take_moved) && wait_for(&ran, 2));
    CHECK_RC(event_send(a), 0);
    REQUIRE(finish_job(before));
    CHECK_EQ(event_last_vcpu[moved], 2);
    CHECK_RC(event_close(a), 0);
    CHECK_RC(event_close(moved), 0);
}

/* A blocked vCPU is woken by an event; a polling one by its port. */
static void block_for_event(void)
{
    event_unmask(to_one);
    while (event_count[to_one] == 0)
        sched_block();
    events_disable();
}

static void poll_for_event(void)
{
    event_mask(to_one);
    CHECK_RC(sched_poll(&to_one, 1, 0), 0);
    CHECK(event_is_pending(to_one));
}

static void test_wake(void)
{
    void (*jobs[])(void) = {block_for_event, poll_for_event};

    for (unsigned int i = 0; i < 2; i++) {
        uint32_t before = jobs_done;
        struct vcpu_runstate_info state = {0};
        uint64_t end = time_ns() + 5000000000;

        REQUIRE(CHECK_RC(event_bind_ipi(1, &to_one), 0));
        event_count[to_one] = 0;
        REQUIRE(start_job(jobs[i]));
        while (state.state != RUNSTATE_blocked && time_ns() < end)
            hv_vcpu_op(VCPUOP_get_runstate_info, 1, &state);
        CHECK_EQ(state.state, RUNSTATE_blocked);
        CHECK_RC(event_send(to_one), 0);
        REQUIRE(finish_job(before));
        CHECK_RC(event_close(to_one), 0);
    }
}

static void test_runstate(void)
{
    static struct vcpu_runstate_info area;
    struct vcpu_register_runstate_memory_area reg;
    struct vcpu_runstate_info info;
    uint64_t sum = 0, before = time_ns();

    CHECK_RC(hv_vcpu_op(VCPUOP_get_runstate_info, 0, &info), 0);
    CHECK_EQ(info.state, RUNSTATE_running);
    for (unsigned int i = 0; i < 4; i++)
        sum += info.time[i];
    CHECK(sum > 0 && sum <= time_ns());
    CHECK(info.state_entry_time <= time_ns());
    CHECK_RC(hv_vcpu_op(VCPUOP_get_runstate_info, 1, &info), 0);
    CHECK_EQ(info.state, RUNSTATE_offline);
    memset(&reg, 0, sizeof(reg));
    reg.addr.v = &area;
    CHECK_RC(hv_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    CHECK_EQ(area.state, RUNSTATE_running);
    CHECK_RC(sched_poll(NULL, 0, time_ns() + 20000000), 0);
    CHECK(area.time[RUNSTATE_blocked] >= 10000000);
    CHECK(area.state_entry_time > before);
    CHECK_RC(hv_vcpu_op(VCPUOP_get_runstate_info, 0, (void *)0xffff830000000000), -XEN_EFAULT);
}

/* A mapping changed on vCPU 0 with UVMF_ALL is gone on vCPU 1 when the call is back. */
static uint64_t *shot;
static volatile uint64_t value_seen;

static void read_shot(void)
{
    while (stage != 9)
        value_seen = *(volatile uint64_t *)shot;
}

static void test_shootdown(void)
{
    uint64_t *pages[2] = {page_alloc(), page_alloc()};
    uint32_t before = jobs_done;
    mfn_t own;

    shot = page_alloc();
    own = mfn_of(shot);
    *pages[0] = 0x100;
    *pages[1] = 0x200;
    stage = 0;
    REQUIRE(start_job(read_shot));
    for (unsigned int i = 0; i < 40; i++) {
        uint64_t want = i & 1 ? 0x200 : 0x100, end = time_ns() + 3000000000;

        CHECK_RC(hv_update_va_mapping(shot, pte_make(mfn_of(pages[i & 1]), PTE_RO_FLAGS),
                                      UVMF_INVLPG | UVMF_ALL),
                 0);
        value_seen = 0; /* a read that began before may still write the old value once */
        while (value_seen != want && time_ns() < end)
            cpu_relax();
        if (!CHECK_EQ(value_seen, want))
            break;
    }
    stage = 9;
    REQUIRE(finish_job(before));
    CHECK_RC(hv_update_va_mapping(shot, pte_make(own, PTE_RW_FLAGS), UVMF_INVLPG | UVMF_ALL), 0);
    page_free(shot);
    page_free(pages[0]);
    page_free(pages[1]);
}

/*
 * vCPU 1 maps a page writable and unmaps it, in a loop; vCPU 0 pins and unpins it as a page table.
 * While it is pinned there may be no writable mapping: the entry says so.
 */
static void *racer, *racer_window;
static volatile uint32_t mapped_rounds;

static void map_in_a_loop(void)
{
    while (stage != 9) {
        if (hv_update_va_mapping(racer_window, pte_make(mfn_of(racer), PTE_RW_FLAGS),
                                 UVMF_INVLPG) == 0)
            mapped_rounds++;
        hv_update_va_mapping(racer_window, 0, UVMF_INVLPG);
    }
}

static void test_promotion_race(void)
{
    uint32_t before = jobs_done, pins = 0, both = 0;
    uint64_t end =
        time_ns() + 20000000000; /* the emulator may give one of the CPUs no time for long */
    mfn_t own;
    volatile pte_t *entry;

    racer = page_alloc();
    racer_window = page_alloc();
    own = mfn_of(racer_window);
    CHECK_RC(hv_update_va_mapping(racer_window, 0, UVMF_INVLPG | UVMF_ALL), 0);
    CHECK_RC(page_set_readonly(racer), 0);
    entry = pte_place_of(racer_window, 1).entry;
    stage = 0;
    mapped_rounds = 0;
    REQUIRE(start_job(map_in_a_loop));
    for (unsigned int i = 0; i < 2000 || ((!pins || !mapped_rounds) && time_ns() < end); i++) {
        if (mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(racer)) == 0) {
            pins++;
            both += (*entry & (PTE_P | PTE_RW)) == (PTE_P | PTE_RW);
            mmuext(MMUEXT_UNPIN_TABLE, mfn_of(racer));
        }
    }
    stage = 9;
    REQUIRE(finish_job(before));
    CHECK_EQ(both, 0);
    CHECK(pins > 0);
    CHECK(mapped_rounds > 0);
    CHECK_RC(hv_update_va_mapping(racer_window, pte_make(own, PTE_RW_FLAGS), UVMF_ALL), 0);
    CHECK_RC(page_set_writable(racer), 0);
    page_free(racer);
    page_free(racer_window);
}

/* Both vCPUs map, unmap and copy one grant: the pins add up to nothing. */
enum { REF = 40 };

static unsigned int grant_rounds(char *spot, char *dst, unsigned int n)
{
    unsigned int bad = 0;

    for (unsigned int i = 0; i < n; i++) {
        struct gnttab_map_grant_ref map = {.host_addr = (uint64_t)spot,
                                           .flags = GNTMAP_host_map | (i & 1 ? GNTMAP_readonly : 0),
                                           .ref = REF,
                                           .dom = 0};
        struct gnttab_unmap_grant_ref unmap = {.host_addr = (uint64_t)spot};
        struct gnttab_copy copy = {.source = {.domid = 0, .u.ref = REF},
                                   .dest = {.domid = DOMID_SELF, .u.gmfn = mfn_of(dst)},
                                   .len = 64,
                                   .flags = GNTCOPY_source_gref};

        hv_grant_op(GNTTABOP_map_grant_ref, &map, 1);
        hv_grant_op(GNTTABOP_copy, &copy, 1);
        bad += map.status != GNTST_okay || copy.status != GNTST_okay;
        unmap.handle = map.handle;
        hv_grant_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
        bad += unmap.status != GNTST_okay;
    }
    return bad;
}

static char *spot1, *dst1;
static volatile uint32_t bad1;

static void grant_on_one(void)
{
    bad1 = grant_rounds(spot1, dst1, 300);
}

static void test_grant_race(void)
{
    uint32_t before = jobs_done;
    char *spot0 = page_alloc(), *dst0 = page_alloc(), *page = page_alloc();
    mfn_t own0 = mfn_of(spot0), own1;

    spot1 = page_alloc();
    dst1 = page_alloc();
    own1 = mfn_of(spot1);
    REQUIRE(CHECK_RC(gnttab_init(), 0));
    CHECK_RC(hv_update_va_mapping(spot0, 0, UVMF_INVLPG | UVMF_ALL), 0);
    CHECK_RC(hv_update_va_mapping(spot1, 0, UVMF_INVLPG | UVMF_ALL), 0);
    grant_set(REF, 0, mfn_of(page), GTF_permit_access);
    REQUIRE(start_job(grant_on_one));
    CHECK_EQ(grant_rounds(spot0, dst0, 300), 0);
    REQUIRE(finish_job(before));
    CHECK_EQ(bad1, 0);
    CHECK_EQ(grant_table[REF].flags, GTF_permit_access);
    grant_clear(REF);
    CHECK_RC(page_set_readonly(page), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), 0);
    CHECK_RC(hv_update_va_mapping(spot0, pte_make(own0, PTE_RW_FLAGS), UVMF_ALL), 0);
    CHECK_RC(hv_update_va_mapping(spot1, pte_make(own1, PTE_RW_FLAGS), UVMF_ALL), 0);
}

/* Send and bind on ports that the other vCPU closes and opens. */
static volatile evtchn_port_t victim;

static void send_in_a_loop(void)
{
    evtchn_port_t other;

    while (stage != 9) {
        event_send(victim);
        if (event_bind_interdomain(DOMID_SELF, victim, &other) == 0)
            event_close(other);
        event_bind_vcpu(victim, 1);
    }
}

static void test_event_race(void)
{
    uint32_t before = jobs_done;
    evtchn_port_t a, b;
    struct evtchn_status st;

    stage = 0;
    victim = 0;
    REQUIRE(start_job(send_in_a_loop));
    for (unsigned int i = 0; i < 1500; i++) {
        if (event_alloc_unbound(DOMID_SELF, DOMID_SELF, &a))
            break;
        victim = a;
        if (event_bind_interdomain(DOMID_SELF, a, &b) == 0)
            event_close(b);
        event_close(a);
    }
    stage = 9;
    REQUIRE(finish_job(before));
    for (evtchn_port_t p = 1; p < 16; p++)
        if (event_status(DOMID_SELF, p, &st) == 0 && st.status != EVTCHNSTAT_closed)
            CHECK_EQ(p, 0); /* something was left open */
}

/* vCPU 1's info record moves to a page of our choosing, and its events are raised there. */
static struct vcpu_info moved_info[32] __attribute__((aligned(PAGE_SIZE)));

static void look_at_moved(void)
{
    hv_xen_version(XENVER_version, NULL); /* what is pending is there at the latest now */
    id_seen = moved_info[2].evtchn_upcall_pending;
    value_seen = moved_info[2].evtchn_pending_sel;
}

static void test_vcpu_info(void)
{
    struct vcpu_register_vcpu_info reg = {.mfn = mfn_of(moved_info), .offset = 128};
    evtchn_port_t port;
    uint32_t before;

    reg.offset = PAGE_SIZE - 32; /* across the page's end */
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_ENXIO);
    reg.offset = 0xffffffff;
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_ENXIO);
    reg.offset = 132; /* (XSA-327) not aligned */
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_ENXIO);
    reg.offset = 128;
    reg.mfn = 0xfffffff;
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL);
    reg.mfn = pte_place_of(moved_info, 1).maddr >> 12; /* a page table */
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL);
    reg.mfn = mfn_of(moved_info);
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 7, &reg), -XEN_ENOENT);
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), 0);
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL); /* once only */
    moved_info[2].evtchn_upcall_mask = 1;
    moved_info[2].evtchn_upcall_pending = 0;
    moved_info[2].evtchn_pending_sel = 0;
    REQUIRE(CHECK_RC(event_bind_ipi(1, &port), 0));
    event_unmask(port);
    CHECK_RC(event_send(port), 0);
    before = jobs_done;
    REQUIRE(start_job(look_at_moved) && finish_job(before));
    CHECK_EQ(id_seen, 1);
    CHECK_EQ(value_seen & 1, 1); /* all words may be marked, so that nothing is lost */
    CHECK_RC(event_close(port), 0);
}

GUEST("smp", TEST(contexts_refused), TEST(start), TEST(up_and_down), TEST(ipi), TEST(bind_vcpu),
      TEST(wake), TEST(runstate), TEST(shootdown), TEST(promotion_race), TEST(grant_race),
      TEST(event_race), TEST(vcpu_info));
