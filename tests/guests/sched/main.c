/* SPDX-License-Identifier: MIT */
/*
 * sched: who gets the CPU, how much of it, and how soon.
 *
 * How a guest would break the hypervisor: by running more, or sooner, than it was given: past its
 * cap, on a CPU that it may not use, in the share of another, while it is paused. dom0 is this test
 * and sleeps; the children compute, and count what they did. Run with one and with two CPUs, where
 * time is counted in instructions, so that each figure comes out the same each time: `fig NAME
 * GOT WANTED UNIT` lines are what docs/figures/scheduler.svg is drawn from.
 */
#include <rt/child.h>
#include <rt/test.h>
#include <xen/sysctl.h>

#define MS 1000000ul

enum { CHILDREN = 8 };

/* A child's copy is its own; dom0 reads it through child_view(). */
static struct {
    volatile uint64_t work, worst, stamp, wakes;
    volatile uint32_t ready;
} box PAGE_ALIGNED;
static volatile evtchn_port_t parents_port;

static struct child kids[CHILDREN];
static unsigned int nr_kids;
/* CPU time and wall time of each between two looks, the last is dom0's. Each look has a time of its
 * own: emulated CPUs take turns of many ms, and one may come between two looks. */
static struct {
    uint64_t ran, took;
} used[CHILDREN + 1];

/* --- what children do ------------------------------------------------------------------------ */

static void burn(void)
{
    for (;;)
        box.work++;
}

static void burn_on_two(void)
{
    box.stamp = (uint64_t)vcpu_start(1, burn);
    burn();
}

static void yield_always(void)
{
    for (;;) {
        box.work++;
        sched_yield();
    }
}

static void wake_by_timer(void)
{
    box.ready = 1;
    for (;;) {
        uint64_t at = time_ns() + 5 * MS, late;

        sched_poll(NULL, 0, at);
        late = time_ns() - at;
        if (late > box.worst)
            box.worst = late;
        box.wakes++;
        for (unsigned int i = 0; i < 10000; i++)
            box.work++;
    }
}

static void wake_by_event(void)
{
    evtchn_port_t port;

    event_bind_interdomain(0, parents_port, &port);
    event_mask(port);
    event_clear(port);
    box.ready = 1;
    for (;;) {
        sched_poll(&port, 1, 0);
        if (!event_is_pending(port))
            continue;
        box.stamp = time_ns();
        event_clear(port);
        box.wakes++;
    }
}

/* --- what dom0 does -------------------------------------------------------------------------- */

static unsigned int cpus(void)
{
    static unsigned int known;
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    if (!known) {
        CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
        CHECK_RC(hv_sysctl(&op), 0);
        known = op.u.physinfo.nr_cpus;
    }
    return known;
}

static void sleep_ms(uint64_t ms)
{
    uint64_t end = time_ns() + ms * MS;

    while (time_ns() < end)
        sched_poll(NULL, 0, end);
}

static uint64_t look(unsigned int kid, const volatile uint64_t *what)
{
    uint64_t *view = child_view(&kids[kid], (void *)what), value = *(volatile uint64_t *)view;

    child_unview((void *)view);
    return value;
}

static uint64_t cpu_time(domid_t id)
{
    struct xen_domctl op = {0};

    CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, id), 0);
    return op.u.getdomaininfo.cpu_time;
}

static bool add(void (*fn)(void))
{
    struct child *c = &kids[nr_kids];

    if (!CHECK_RC(child_build_smp(c, fn, fn == burn_on_two ? 2 : 1), 0) ||
        !CHECK_RC(child_set_context(c), 0))
        return false;
    nr_kids++;
    return true;
}

static bool add_many(unsigned int n, void (*fn)(void))
{
    while (n--)
        if (!add(fn))
            return false;
    return true;
}

static void run_all(void)
{
    for (unsigned int i = 0; i < nr_kids; i++)
        CHECK_RC(child_run(&kids[i]), 0);
    sleep_ms(30);
}

static void look_at_all(bool again)
{
    for (unsigned int i = 0; i <= nr_kids; i++) {
        unsigned int slot = i < nr_kids ? i : CHILDREN;
        uint64_t now = time_ns(), ran = cpu_time(i < nr_kids ? kids[i].id : 0);

        used[slot].ran = again ? ran - used[slot].ran : ran;
        used[slot].took = again ? now - used[slot].took : now;
    }
}

static void measure(uint64_t ms)
{
    look_at_all(false);
    sleep_ms(ms);
    look_at_all(true);
}

static void end_all(void)
{
    while (nr_kids)
        CHECK_RC(child_destroy(&kids[--nr_kids]), 0);
}

/* CPU in thousandths of one; a figure, and a check that it is within `tenths` of a percent. */
static void figure(const char *name, uint64_t got, uint64_t wanted, const char *unit,
                   unsigned int tenths)
{
    uint64_t diff = got > wanted ? got - wanted : wanted - got;

    printf("fig %s %lu %lu %s\n", name, got, wanted, unit);
    if (tenths && !CHECK(diff * 1000 <= wanted * tenths))
        printf("  %s: %lu, wanted %lu\n", name, got, wanted);
}

static uint64_t milli(unsigned int slot)
{
    return (used[slot].ran * 1000 + used[slot].took / 2) / used[slot].took;
}

/* What the children had, all together: dom0 is charged little on one CPU, but of two that take
 * turns each is charged with the turns of the other. */
static uint64_t all_milli(void)
{
    return 1000 * cpus() - milli(CHILDREN);
}

static long credit2(unsigned int kid, uint16_t weight, uint16_t cap)
{
    struct xen_domctl op = {.u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2,
                                               .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
                                               .u.credit2 = {.weight = weight, .cap = cap}}};

    return domctl(&op, XEN_DOMCTL_scheduler_op, kids[kid].id);
}

static long reserve(unsigned int kid, uint32_t period_us, uint32_t budget_us)
{
    struct xen_domctl op = {
        .u.scheduler_op = {.sched_id = XEN_SCHEDULER_RTDS,
                           .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
                           .u.rtds = {.period = period_us, .budget = budget_us}}};

    return domctl(&op, XEN_DOMCTL_scheduler_op, kids[kid].id);
}

static long pin_domain(domid_t id, uint8_t cpumap)
{
    struct xen_domctl op = {.u.vcpuaffinity = {.flags = XEN_VCPUAFFINITY_HARD}};
    static uint8_t map;

    map = cpumap;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, &map);
    return domctl(&op, XEN_DOMCTL_setvcpuaffinity, id);
}

static long pin(unsigned int kid, uint8_t cpumap)
{
    return pin_domain(kids[kid].id, cpumap);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_weights(void)
{
    void (*fn)(void) = cpus() == 1 ? burn : burn_on_two;

    REQUIRE(add_many(2, fn));
    CHECK_RC(credit2(0, 512, 0), 0);
    run_all();
    measure(400);
    figure("weight-512", milli(0), 2 * all_milli() / 3, "milli-cpu", 30);
    figure("weight-256", milli(1), all_milli() / 3, "milli-cpu", 30);
    CHECK_EQ(look(0, &box.stamp), 0);               /* a second vCPU started, if it should */
    CHECK(look(0, &box.work) > look(1, &box.work)); /* and it did more, too */
    end_all();
}

static void test_caps(void)
{
    static const uint16_t caps[] = {10, 50, 150};

    for (unsigned int i = 0; i < cpus() + 1; i++) {
        REQUIRE(add(caps[i] > 100 ? burn_on_two : burn));
        CHECK_RC(credit2(0, 0, caps[i]), 0);
        run_all();
        measure(400);
        figure(i == 0   ? "cap-10"
               : i == 1 ? "cap-50"
                        : "cap-150",
               milli(0), caps[i] * 10, "milli-cpu", 20);
        end_all();
    }
    /* A cap beside one who takes all the rest. */
    REQUIRE(cpus() == 1 && add_many(2, burn));
    CHECK_RC(credit2(0, 0, 30), 0);
    run_all();
    measure(400);
    figure("cap-30-beside-a-hog", milli(0), 300, "milli-cpu", 20);
    figure("hog-beside-cap-30", milli(1), 700, "milli-cpu", 20);
    CHECK_RC(credit2(0, 0, 0), 0); /* lifted */
    measure(200);
    figure("cap-lifted", milli(0), 500, "milli-cpu", 30);
    end_all();
}

static void test_timer_latency(void)
{
    if (cpus() != 1)
        return test_skip("emulated CPUs take turns in milliseconds");
    REQUIRE(add(wake_by_timer) && add_many(4, burn));
    run_all();
    sleep_ms(400);
    CHECK(look(0, &box.wakes) > 50);
    figure("timer-wake-worst-of-all", look(0, &box.worst) / 1000, 2000, "us", 0);
    CHECK(look(0, &box.worst) <= 2 * MS);
    end_all();
}

static void test_event_latency(void)
{
    evtchn_port_t port;
    uint64_t worst = 0;
    void *view;

    if (cpus() != 1)
        return test_skip("emulated CPUs take turns in milliseconds");
    REQUIRE(add(wake_by_event));
    REQUIRE(CHECK_RC(event_alloc_unbound(DOMID_SELF, kids[0].id, &port), 0));
    view = child_view(&kids[0], (void *)&parents_port);
    *(evtchn_port_t *)view = port;
    child_unview(view);
    REQUIRE(add_many(4, burn));
    run_all();
    for (uint64_t i = 0; i < 60; i++) {
        uint64_t sent;

        sleep_ms(3 + i % 5);
        sent = time_ns();
        CHECK_RC(event_send(port), 0);
        sleep_ms(3);
        if (!CHECK_EQ(look(0, &box.wakes), i + 1))
            break;
        sent = look(0, &box.stamp) - sent;
        worst = sent > worst ? sent : worst;
    }
    figure("event-wake-worst-of-60", worst / 1000, 2000, "us", 0);
    CHECK(worst <= 2 * MS);
    CHECK_RC(event_close(port), 0);
    end_all();
}

static void test_reservation(void)
{
    struct xen_domctl op = {
        .u.scheduler_op = {.sched_id = XEN_SCHEDULER_RTDS, .cmd = XEN_DOMCTL_SCHEDOP_getinfo}};

    REQUIRE(add_many(6, burn));
    for (unsigned int i = 0; i < 6; i++) /* all on one CPU */
        CHECK_RC(pin(i, 1), 0);
    CHECK_RC(reserve(0, 10000, 5000), 0);
    CHECK_RC(domctl(&op, XEN_DOMCTL_scheduler_op, kids[0].id), 0);
    CHECK_EQ(op.u.scheduler_op.u.rtds.period, 10000);
    CHECK_EQ(op.u.scheduler_op.u.rtds.budget, 5000);
    CHECK_RC(reserve(1, 10000, 4100), -XEN_ENOSPC);
    CHECK_RC(reserve(1, 10000, 10001), -XEN_EINVAL);
    CHECK_RC(reserve(1, 10, 5), -XEN_EINVAL);
    CHECK_RC(reserve(1, 0xffffffff, 0xffffffff), -XEN_EINVAL);
    CHECK_RC(reserve(1, 10000, 3000), 0);
    run_all();
    measure(400);
    figure("reserved-50", milli(0), 500, "milli-cpu", 20);
    figure("reserved-30", milli(1), 300, "milli-cpu", 20);
    for (unsigned int i = 2; i < 6; i++)
        CHECK(milli(i) >= 40); /* nobody starves: 50 each are left */
    CHECK_RC(reserve(0, 0, 0), 0);
    CHECK_RC(reserve(1, 0, 0), 0);
    sleep_ms(100);
    measure(720); /* whole rounds of six slices */
    figure("no-longer-reserved", milli(0), 1000 / 6, "milli-cpu", 50);
    end_all();
}

static void test_many(void)
{
    REQUIRE(add_many(CHILDREN, burn));
    run_all();
    measure(800);
    for (unsigned int i = 0; i < CHILDREN; i++)
        figure("one-of-8", milli(i), all_milli() / CHILDREN, "milli-cpu", 50);
    end_all();
}

static void test_affinity(void)
{
    struct xen_domctl op = {0};

    if (cpus() != 2)
        return test_skip("needs two CPUs");
    REQUIRE(add_many(2, burn));
    /* Emulated CPUs take turns: dom0 would be charged with a turn of the other's. */
    CHECK_RC(pin_domain(0, 1), 0);
    CHECK_RC(pin(0, 0x10), -XEN_EINVAL); /* no such CPU */
    CHECK_RC(pin(0, 2), 0);
    CHECK_RC(pin(1, 2), 0);
    run_all();
    measure(200);
    figure("two-pinned-to-one", milli(0), 500, "milli-cpu", 30);
    for (unsigned int i = 0; i < 2; i++) {
        op.u.getvcpuinfo.vcpu = 0;
        CHECK_RC(domctl(&op, XEN_DOMCTL_getvcpuinfo, kids[i].id), 0);
        CHECK_EQ(op.u.getvcpuinfo.cpu, 1);
    }
    CHECK_RC(pin(1, 1), 0); /* moves while it runs */
    sleep_ms(30);
    measure(200);
    figure("one-moved-away", milli(0), 1000, "milli-cpu", 30);
    CHECK_RC(domctl(&op, XEN_DOMCTL_getvcpuinfo, kids[1].id), 0);
    CHECK_EQ(op.u.getvcpuinfo.cpu, 0);
    CHECK_RC(pin_domain(0, 3), 0);
    end_all();
}

static void test_yield(void)
{
    if (cpus() != 1)
        return test_skip("needs one CPU");
    REQUIRE(add(yield_always) && add(burn));
    run_all();
    measure(200);
    CHECK(milli(1) >= 900); /* it gives its time away, and cannot take it back */
    CHECK(look(0, &box.work) > 0);
    end_all();
}

static void test_pause(void)
{
    struct xen_domctl op = {0};
    uint64_t work;

    REQUIRE(add(burn));
    run_all();
    CHECK(look(0, &box.work) > 0);
    for (unsigned int i = 0; i < 3; i++)
        CHECK_RC(domctl(&op, XEN_DOMCTL_pausedomain, kids[0].id), 0);
    work = look(0, &box.work);
    for (unsigned int i = 0; i < 3; i++) {
        sleep_ms(10);
        CHECK_EQ(look(0, &box.work), work);
        CHECK_RC(domctl(&op, XEN_DOMCTL_unpausedomain, kids[0].id), 0);
    }
    sleep_ms(30);
    CHECK(look(0, &box.work) > work);
    CHECK_RC(domctl(&op, XEN_DOMCTL_unpausedomain, kids[0].id), -XEN_EINVAL);
    end_all();
}

static void test_machine(void)
{
    CHECK(cpus() == 1 || cpus() == 2);
    printf("fig cpus %u %u cpu\n", cpus(), cpus());
}

GUEST("sched", TEST(machine), TEST(weights), TEST(caps), TEST(timer_latency), TEST(event_latency),
      TEST(reservation), TEST(many), TEST(affinity), TEST(yield), TEST(pause));
