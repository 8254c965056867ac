/* SPDX-License-Identifier: MIT */
/*
 * time: the PV clock, timers and wall time.
 *
 * How a guest would break the hypervisor: with deadlines in the past, near the end of 64 bits, or
 * re-armed in a storm, so that a timer heap overflows or an interrupt never ends; and by unaligned
 * or unowned pages for the time record (XSA-327). The good paths: the clock never goes backwards,
 * and a timer fires once, not before its time.
 */
#include <rt/test.h>

static evtchn_port_t timer;

static void timer_bind(void)
{
    /* A new vCPU has a periodic timer of 10 ms running until the guest stops it. */
    CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    if (!timer)
        CHECK_RC(event_bind_virq(VIRQ_TIMER, 0, &timer), 0);
    event_clear(timer);
}

/* Waits for the timer event; how late it came, in ns, or a huge number when not within 1 s. */
static uint64_t wait_from(uint64_t deadline)
{
    CHECK_RC(sched_poll(&timer, 1, deadline + 1000000000), 0);
    if (!event_is_pending(timer))
        return ~0ul;
    event_clear(timer);
    return time_ns() - deadline;
}

static void test_record(void)
{
    const volatile struct vcpu_time_info *t = &shared_info.vcpu_info[0].time;

    CHECK_EQ(t->version & 1, 0);
    CHECK(t->version > 0);
    CHECK(t->tsc_to_system_mul != 0);
    CHECK(t->tsc_timestamp > 0);
    CHECK(time_ns() > 0);
}

static void test_monotonic(void)
{
    uint64_t last = time_ns(), start = last;
    unsigned int back = 0;

    for (unsigned int i = 0; i < 20000; i++) {
        uint64_t now = time_ns();

        back += now < last;
        last = now;
    }
    CHECK_EQ(back, 0);
    CHECK(last > start);
}

/* Two clocks of the hypervisor agree: the TSC one, and the deadline of a poll. */
static void test_rate(void)
{
    uint64_t start = time_ns(), end;

    CHECK_RC(sched_poll(NULL, 0, start + 50000000), 0);
    end = time_ns();
    CHECK(end - start >= 50000000);
    CHECK(end - start < 1000000000);
}

static void test_wallclock(void)
{
    volatile shared_info_t *s = &shared_info;
    uint64_t sec = ((uint64_t)s->wc_sec_hi << 32) | s->wc_sec;

    CHECK_EQ(s->wc_version & 1, 0);
    CHECK(sec > 1600000000 && sec < 4102444800); /* after 2020, before 2100 */
    CHECK(s->wc_nsec < 1000000000);
}

static void test_set_timer(void)
{
    uint64_t late;

    timer_bind();
    uint64_t at = time_ns() + 10000000;

    CHECK_RC(hv_set_timer(at), 0);
    CHECK(!event_is_pending(timer));
    late = wait_from(at);
    CHECK(late < 500000000);
    /* It fired once. */
    CHECK_RC(sched_poll(&timer, 1, time_ns() + 20000000), 0);
    CHECK(!event_is_pending(timer));
    /* Past: at once. */
    CHECK_RC(hv_set_timer(time_ns() - 1000), 0);
    CHECK(wait_from(time_ns()) < 500000000);
    CHECK_RC(hv_set_timer(1), 0);
    CHECK(wait_from(time_ns()) < 500000000);
    /* A second deadline replaces the first. */
    CHECK_RC(hv_set_timer(time_ns() + 5000000), 0);
    CHECK_RC(hv_set_timer(time_ns() + 100000000000), 0);
    CHECK_RC(sched_poll(&timer, 1, time_ns() + 30000000), 0);
    CHECK(!event_is_pending(timer));
    /* Zero stops it. */
    CHECK_RC(hv_set_timer(time_ns() + 5000000), 0);
    CHECK_RC(hv_set_timer(0), 0);
    CHECK_RC(sched_poll(&timer, 1, time_ns() + 30000000), 0);
    CHECK(!event_is_pending(timer));
}

/* Linux 2.6 asked for times far ahead by mistake: Xen then fires soon rather than never. */
static void test_far_deadline(void)
{
    timer_bind();
    CHECK_RC(hv_set_timer(0x8000000000000000), 0);
    CHECK(wait_from(time_ns()) < 900000000);
    CHECK_RC(hv_set_timer(~0ul), 0);
    CHECK(wait_from(time_ns()) < 900000000);
    CHECK_RC(hv_set_timer(time_ns() + (1ul << 52)), 0);
    CHECK(wait_from(time_ns()) < 900000000);
    CHECK_RC(hv_set_timer(0), 0);
}

static void test_singleshot(void)
{
    struct vcpu_set_singleshot_timer t = {.flags = 0};

    timer_bind();
    t.timeout_abs_ns = time_ns() + 10000000;
    CHECK_RC(hv_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    CHECK(wait_from(t.timeout_abs_ns) < 500000000);
    t.timeout_abs_ns = time_ns() + 10000000;
    CHECK_RC(hv_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    CHECK_RC(hv_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    CHECK_RC(sched_poll(&timer, 1, time_ns() + 30000000), 0);
    CHECK(!event_is_pending(timer));
    /* A past deadline fires at once. VCPU_SSHOTTMR_future may be ignored (<xen/vcpu.h>), and is. */
    t.flags = VCPU_SSHOTTMR_future;
    t.timeout_abs_ns = time_ns() - 1000000;
    CHECK_RC(hv_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    CHECK(wait_from(time_ns()) < 500000000);
    event_clear(timer);
    t.timeout_abs_ns = time_ns() + 10000000;
    CHECK_RC(hv_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    CHECK(wait_from(t.timeout_abs_ns) < 500000000);
    CHECK_RC(hv_vcpu_op(VCPUOP_set_singleshot_timer, 99, &t), -XEN_ENOENT);
    CHECK_RC(hv_vcpu_op(VCPUOP_set_singleshot_timer, 0, (void *)0xffff830000000000), -XEN_EFAULT);
    CHECK_RC(hv_vcpu_op(VCPUOP_stop_singleshot_timer, 99, NULL), -XEN_ENOENT);
}

static void test_periodic(void)
{
    struct vcpu_set_periodic_timer t = {.period_ns = 10000000};
    unsigned int n = 0;
    uint64_t start;

    timer_bind();
    start = time_ns();
    CHECK_RC(hv_vcpu_op(VCPUOP_set_periodic_timer, 0, &t), 0);
    /* Ticks are for a vCPU that runs: keep running. */
    while (n < 5 && time_ns() < start + 2000000000)
        if (event_is_pending(timer)) {
            event_clear(timer);
            n++;
        }
    CHECK_EQ(n, 5);
    CHECK(time_ns() - start >= 40000000);
    CHECK_RC(hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    event_clear(timer);
    CHECK_RC(sched_poll(&timer, 1, time_ns() + 30000000), 0);
    CHECK(!event_is_pending(timer));
    t.period_ns = 999999; /* below a millisecond */
    CHECK_RC(hv_vcpu_op(VCPUOP_set_periodic_timer, 0, &t), -XEN_EINVAL);
    t.period_ns = ~0ul;
    CHECK_RC(hv_vcpu_op(VCPUOP_set_periodic_timer, 0, &t), -XEN_EINVAL);
}

/* Block with a timer running: wakes through an upcall, and the CPU slept. */
static void test_block(void)
{
    uint64_t at;
    uint32_t before;

    timer_bind();
    before = event_count[timer];
    event_unmask(timer);
    at = time_ns() + 20000000;
    CHECK_RC(hv_set_timer(at), 0);
    while (event_count[timer] == before)
        sched_block();
    CHECK(time_ns() >= at);
    CHECK_EQ(event_count[timer], before + 1);
    events_disable();
    event_mask(timer);
}

static void test_storm(void)
{
    timer_bind();
    for (unsigned int i = 0; i < 5000; i++)
        hv_set_timer(time_ns() + (i & 1 ? 1000000000 : 1));
    hv_set_timer(0);
    CHECK_RC(sched_poll(&timer, 1, time_ns() + 5000000), 0);
    event_clear(timer);
    CHECK(time_ns() > 0);
}

/* The time record at an address of the guest's choosing: written there as well as in vcpu_info. */
static void test_time_area(void)
{
    static struct vcpu_time_info area;
    struct vcpu_register_time_memory_area reg;

    memset(&reg, 0, sizeof(reg));
    reg.addr.v = &area;
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), 0);
    CHECK(area.version > 0 && !(area.version & 1));
    CHECK_EQ(area.tsc_to_system_mul, shared_info.vcpu_info[0].time.tsc_to_system_mul);
    reg.addr.v = (void *)0xffff830000000000;
    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), -XEN_EFAULT);
}

GUEST("time", TEST(record), TEST(monotonic), TEST(rate), TEST(wallclock), TEST(set_timer),
      TEST(far_deadline), TEST(singleshot), TEST(periodic), TEST(block), TEST(storm),
      TEST(time_area));
