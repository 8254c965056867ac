/* SPDX-License-Identifier: MIT */
/*
 * hostile_sched: THREATS 33, storms of calls that concern the scheduler.
 *
 * How this guest would break the hypervisor: by yielding, waking, setting timers, bringing a vCPU
 * up and down without end, so that the hypervisor works for it in its neighbour's time, or gives it
 * the CPU again and again; and by vCPU records that are not aligned, cross a page (XSA-327) or are
 * not its own.
 *
 * The hostile child has two vCPUs. A second child, the victim, only counts. What it counts beside
 * two vCPUs that only count is its fair share; beside each storm it must count nine tenths of that.
 * Time is in instructions, so each run gives the same figures. The neighbour of rt/attack.h is
 * there as always.
 */
#include <rt/attack.h>
#include <rt/test.h>
#include <xen/sysctl.h>

#define NMI_VECTOR 2

#define MS     1000000ul
#define SETTLE (20 * MS)
#define WINDOW (120 * MS)

/* In each child its own copy; dom0 reads and writes them through child_view(). */
static struct {
    volatile uint64_t work;
    volatile uint32_t over; /* set by dom0 */
    volatile uint32_t ready;
} box PAGE_ALIGNED;

static struct child victim;
static uint64_t fair; /* what the victim counts in a millisecond of its fair share */
static const char *storm_name;

/* --- in the children ------------------------------------------------------------------------- */

static void count(void)
{
    while (!box.over)
        box.work++;
}

static void count_for_ever(void)
{
    for (;;)
        box.work++;
}

/* A vCPU of the hostile child does this while the other does that. */
static void both(void (*fn)(void))
{
    CHECK_RC(vcpu_start(1, fn), 0);
    fn();
}

static void burn(void)
{
    both(count);
}

static void yield(void)
{
    while (!box.over)
        sched_yield();
}

static void yields(void)
{
    both(yield);
}

static void poll_shortly(void)
{
    while (!box.over)
        sched_poll(NULL, 0, time_ns() + 1000);
}

static void polls(void)
{
    both(poll_shortly);
}

static evtchn_port_t timer_of(unsigned int vcpu)
{
    evtchn_port_t port = 0;

    CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, vcpu, NULL), 0);
    CHECK_RC(event_bind_virq(VIRQ_TIMER, vcpu, &port), 0);
    return port;
}

/* Set anew before it fires, and now and then it fires: far, near, past and nonsense. */
static void set_timer(void)
{
    static const int64_t from_now[] = {1000, 1000000000, -1000, 1l << 60, 50, -(1l << 62)};

    events_enable();
    for (unsigned int i = 0; !box.over; i++)
        CHECK_RC(hv_set_timer(time_ns() + (uint64_t)from_now[i % ARRAY_SIZE(from_now)]), 0);
    events_disable();
    hv_set_timer(0);
}

static void timers(void)
{
    event_unmask(timer_of(0));
    event_unmask(timer_of(1));
    both(set_timer);
}

/* Each interrupt sets the next, due already. */
static void past_deadline(evtchn_port_t port)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = 1};

    if (!box.over)
        CHECK_RC(hv_vcpu_op(VCPUOP_set_singleshot_timer, vcpu_id(), &t), 0);
}

static void interrupted(void)
{
    events_enable();
    past_deadline(0);
    count();
    events_disable();
}

static void singleshots(void)
{
    for (unsigned int v = 0; v < 2; v++) {
        evtchn_port_t port = timer_of(v);

        event_set_handler(port, past_deadline);
        event_unmask(port);
    }
    both(interrupted);
}

/* Asleep most of the time, woken by a timer that is due almost at once. */
static void block_shortly(void)
{
    while (!box.over) {
        events_disable(); /* it may be due before we sleep */
        hv_set_timer(time_ns() + 500);
        sched_block();
    }
    events_disable();
}

static void blocks(void)
{
    event_unmask(timer_of(0));
    event_unmask(timer_of(1));
    both(block_shortly);
}

/* The two wake each other, and sleep. */
static evtchn_port_t ipi[2];

static void ping(void)
{
    unsigned int me = vcpu_id();

    while (!box.over) {
        event_send(ipi[!me]);
        sched_poll(&ipi[me], 1, time_ns() + MS);
        event_clear(ipi[me]);
    }
    event_send(ipi[!me]);
}

static void pings(void)
{
    for (unsigned int v = 0; v < 2; v++)
        CHECK_RC(event_bind_ipi(v, &ipi[v]), 0);
    both(ping);
}

static void ups_and_downs(void)
{
    static vcpu_guest_context_t ctx;

    CHECK_RC(vcpu_start(1, count_for_ever), 0);
    vcpu_fill_context(&ctx, 1, count_for_ever);
    for (unsigned int i = 0; !box.over; i++) {
        CHECK_RC(hv_vcpu_op(VCPUOP_down, 1, NULL), 0);
        CHECK_EQ(hv_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
        if (i % 16 == 0)
            CHECK_RC(hv_vcpu_op(VCPUOP_initialise, 1, &ctx), -XEN_EEXIST);
        CHECK_RC(hv_vcpu_op(VCPUOP_up, 1, NULL), 0);
        CHECK_EQ(hv_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    }
}

/* Both vCPUs take themselves down, and each brings the other up: the last one may end the domain,
 * which is its own affair. */
static void take_turns(void)
{
    unsigned int me = vcpu_id();

    while (!box.over) {
        hv_vcpu_op(VCPUOP_up, !me, NULL);
        if (me)
            hv_vcpu_op(VCPUOP_down, me, NULL);
    }
}

static void turns(void)
{
    both(take_turns);
}

static void set_periodic(void)
{
    struct vcpu_set_periodic_timer t = {.period_ns = 1000000};

    while (!box.over) {
        CHECK_RC(hv_vcpu_op(VCPUOP_set_periodic_timer, !vcpu_id(), &t), 0);
        CHECK_RC(hv_vcpu_op(VCPUOP_set_periodic_timer, vcpu_id(), &t), 0);
        CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, !vcpu_id(), NULL), 0);
    }
}

static void periodics(void)
{
    both(set_periodic);
}

static void watchdog(void)
{
    while (!box.over) {
        struct sched_watchdog w = {.id = 0, .timeout = 1000};
        long id = hv_sched_op(SCHEDOP_watchdog, &w);

        w.id = (uint32_t)id;
        w.timeout = 0;
        if (CHECK(id == 1 || id == 2))
            CHECK_RC(hv_sched_op(SCHEDOP_watchdog, &w), 0);
    }
}

static void watchdogs(void)
{
    both(watchdog);
}

/* NMIs for a vCPU that runs, and for one that waits for its CPU. */
static bool take_nmi(struct cpu_user_regs *regs)
{
    return regs->entry_vector == NMI_VECTOR;
}

static void nmi(void)
{
    while (!box.over)
        CHECK_RC(hv_vcpu_op(VCPUOP_send_nmi, !vcpu_id(), NULL), 0);
}

static void nmis(void)
{
    trap_set_hook(take_nmi);
    both(nmi);
}

/* (XSA-327) Records at places that cannot be, for a vCPU that is down, up, running, oneself. */
static void register_badly(void)
{
    static const struct {
        uint32_t offset;
        long rc;
    } wrong[] = {
        {4, -XEN_ENXIO},    {1, -XEN_ENXIO},          {60, -XEN_ENXIO},
        {4040, -XEN_ENXIO}, {4088, -XEN_ENXIO},       {4096, -XEN_ENXIO},
        {8192, -XEN_ENXIO}, {0xffffffc0, -XEN_ENXIO}, {0xffffffff, -XEN_ENXIO},
    };
    unsigned int me = vcpu_id();

    while (!box.over)
        for (unsigned int i = 0; i < ARRAY_SIZE(wrong) && !box.over; i++) {
            struct vcpu_register_vcpu_info reg = {.mfn = mfn_of(child_page(me)),
                                                  .offset = wrong[i].offset};
            struct vcpu_register_runstate_memory_area area = {.addr.p = 0xffff830000000000};
            struct vcpu_register_time_memory_area time = {.addr.p = 0xffff830000000000 - 8};

            CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, i & 1 ? me : !me, &reg), wrong[i].rc);
            reg.offset = 64;
            reg.mfn = pte_place_of(&box, 1).maddr >> 12; /* a page table */
            CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, me, &reg), -XEN_EINVAL);
            reg.mfn = 0xfffffff;
            CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, me, &reg), -XEN_EINVAL);
            CHECK_RC(hv_vcpu_op(VCPUOP_register_runstate_memory_area, !me, &area), -XEN_EFAULT);
            CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_time_memory_area, me, &time), -XEN_EFAULT);
            CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 2, &reg), -XEN_ENOENT);
        }
}

static void registers(void)
{
    both(register_badly);
}

/* The record of a vCPU that goes up and down moves into a page, where it stays; then for ever
 * again.
 */
static void register_down(void)
{
    struct vcpu_register_vcpu_info reg = {.mfn = mfn_of(child_page(0)), .offset = 4096 - 64};

    CHECK_RC(vcpu_start(1, count_for_ever), 0);
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL); /* it is up */
    CHECK_RC(hv_vcpu_op(VCPUOP_down, 1, NULL), 0);
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), 0);
    while (!box.over) {
        CHECK_RC(hv_vcpu_op(VCPUOP_up, 1, NULL), 0);
        CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL);
        CHECK_RC(hv_vcpu_op(VCPUOP_down, 1, NULL), 0);
        CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL); /* once only */
    }
}

/* --- in dom0 --------------------------------------------------------------------------------- */

static void sleep_ns(uint64_t ns)
{
    uint64_t end = time_ns() + ns;

    while (time_ns() < end)
        sched_poll(NULL, 0, end);
}

/* What the victim counts in a millisecond, now. */
static uint64_t victims_rate(void)
{
    volatile uint64_t *work = child_view(&victim, (void *)&box.work);
    uint64_t start, before, rate;

    sleep_ns(SETTLE);
    start = time_ns();
    before = *work;
    sleep_ns(WINDOW);
    rate = (*work - before) * MS / (time_ns() - start);
    child_unview((void *)work);
    return rate;
}

/* It counts on, some time. */
static bool victim_goes_on(void)
{
    volatile uint64_t *work = child_view(&victim, (void *)&box.work);
    uint64_t end = time_ns() + 5000 * MS, before = *work;
    bool moved;

    while (*work == before && time_ns() < end)
        sleep_ns(MS);
    moved = *work != before;
    child_unview((void *)work);
    return moved;
}

static void end_storm(struct child *c)
{
    volatile uint32_t *over = child_view(c, (void *)&box.over);

    *over = 1;
    child_unview((void *)over);
}

static unsigned int cpus(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    CHECK_RC(hv_sysctl(&op), 0);
    return op.u.physinfo.nr_cpus;
}

static void beside(struct child *c)
{
    uint64_t rate = victims_rate();

    printf("beside %s: %lu %% of the fair share\n", storm_name, rate * 100 / fair);
    CHECK(cpus() > 1 ? victim_goes_on() : rate * 10 >= fair * 9);
    end_storm(c);
}

static uint64_t victims_ns(void)
{
    struct xen_domctl op = {0};

    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, victim.id), 0);
    return op.u.getdomaininfo.cpu_time;
}

/* The measure of all others, itself measured by the hypervisor's account. */
static void beside_burn(struct child *c)
{
    uint64_t ran = victims_ns(), start = time_ns();

    fair = victims_rate();
    ran = (victims_ns() - ran) * 100 / (time_ns() - start);
    printf("the fair share: %lu %% of a CPU\n", ran);
    fair += !fair; /* a whole window without it is possible on a busy host */
    CHECK(cpus() > 1 || (ran >= 27 && ran <= 35)); /* a third, but for the neighbour */
    end_storm(c);
}

static void test_storms(void)
{
    static const struct attack storms[] = {
        {"burn", burn, .meanwhile = beside_burn},
        {"yields", yields, .meanwhile = beside},
        {"polls", polls, .meanwhile = beside},
        {"timers", timers, .meanwhile = beside},
        {"past-deadlines", singleshots, .meanwhile = beside},
        {"blocks", blocks, .meanwhile = beside},
        {"pings", pings, .meanwhile = beside},
        {"ups-and-downs", ups_and_downs, .meanwhile = beside},
        {"turns", turns, .meanwhile = beside},
        {"periodic-timers", periodics, .meanwhile = beside},
        {"watchdogs", watchdogs, .meanwhile = beside},
        {"nmis", nmis, .meanwhile = beside},
        {"bad-records", registers, .meanwhile = beside},
        {"moved-record", register_down, .meanwhile = beside},
    };
    struct baseline before;

    CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    REQUIRE(CHECK_RC(child_create(&victim, count), 0) && CHECK_RC(child_run(&victim), 0));
    baseline_take(&before);
    for (unsigned int i = 0; i < ARRAY_SIZE(storms); i++) {
        storm_name = storms[i].name;
        attack_each(&storms[i], 1, 2);
    }
    baseline_check(&before);
    end_storm(&victim);
    CHECK_EQ(child_wait(&victim), SHUTDOWN_poweroff);
    CHECK_RC(child_destroy(&victim), 0);
}

GUEST("hostile_sched", TEST(storms));
