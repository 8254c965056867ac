/* SPDX-License-Identifier: MIT */
/*
 * schedop: how a domain gives its CPU up, and how it ends or is ended.
 *
 * How a guest would break the hypervisor: by ending another domain, or one that there is not; by
 * reasons that do not fit, and a second end after the first; by watchdogs that there are not, more
 * of them than there are, or with a time that overflows; by pinning itself to a CPU that there is
 * not. Run as dom0 with a child, for dom0 would take the machine along.
 */
#include <rt/child.h>
#include <rt/test.h>

#define BAD_POINTER ((void *)0xffff830000000000)
#define FOR_EVER    0xffffffff

/* Filled by the child in its copy. */
static struct {
    volatile uint32_t ready;
    volatile long rc[32];
} box PAGE_ALIGNED;

/* --- what the child does ------------------------------------------------------------------------
 */

static void idle(void)
{
    box.ready = 1;
    for (;;)
        sched_poll(NULL, 0, 0);
}

static long watchdog(uint32_t id, uint32_t seconds)
{
    struct sched_watchdog w = {.id = id, .timeout = seconds};

    return hv_sched_op(SCHEDOP_watchdog, &w);
}

static void try_watchdogs(void)
{
    unsigned int n = 0;

    box.rc[n++] = watchdog(1, 10); /* not in use */
    box.rc[n++] = watchdog(2, 10);
    box.rc[n++] = watchdog(3, 10); /* there are two */
    box.rc[n++] = watchdog(~0u, 0);
    box.rc[n++] = watchdog(0, FOR_EVER);
    box.rc[n++] = watchdog(0, 1000);
    box.rc[n++] = (int)watchdog(0, 1000); /* the third: Xen answers in 32 bits */
    box.rc[n++] = watchdog(1, 1000);      /* fed */
    box.rc[n++] = watchdog(1, FOR_EVER);
    box.rc[n++] = watchdog(1, 0); /* stopped */
    box.rc[n++] = watchdog(1, 0);
    box.rc[n++] = watchdog(0, 1000); /* the first is free again */
    box.rc[n++] = hv_sched_op(SCHEDOP_watchdog, BAD_POINTER);
    box.rc[n++] = watchdog(2, 1);
    box.ready = 1;
    for (;;)
        sched_poll(NULL, 0, 0); /* until the second one ends us */
}

static void watchdog_now(void)
{
    watchdog(0, 0);
    for (;;)
        sched_poll(NULL, 0, 0);
}

static void try_the_rest(void)
{
    struct sched_remote_shutdown other = {.domain_id = 0, .reason = SHUTDOWN_poweroff};
    struct sched_pin_override pin = {.pcpu = 0};
    struct sched_shutdown code = {.reason = 7};
    unsigned int n = 0;

    box.rc[n++] = hv_sched_op(SCHEDOP_remote_shutdown, &other);
    other.domain_id = 4321;
    box.rc[n++] = hv_sched_op(SCHEDOP_remote_shutdown, &other);
    other.domain_id = DOMID_SELF;
    box.rc[n++] = hv_sched_op(SCHEDOP_remote_shutdown, &other);
    other.domain_id = DOMID_XEN;
    box.rc[n++] = hv_sched_op(SCHEDOP_remote_shutdown, &other);
    box.rc[n++] = hv_sched_op(SCHEDOP_remote_shutdown, BAD_POINTER);
    box.rc[n++] = hv_sched_op(SCHEDOP_pin_override, &pin);
    box.rc[n++] = hv_sched_op(SCHEDOP_shutdown, BAD_POINTER);
    box.rc[n++] = hv_sched_op(SCHEDOP_shutdown_code, BAD_POINTER);
    box.rc[n++] = hv_sched_op(SCHEDOP_yield, BAD_POINTER); /* it has no argument */
    box.rc[n++] = hv_sched_op(SCHEDOP_pin_override + 1, &code);
    box.rc[n++] = hypercall2(__HYPERVISOR_sched_op_compat, 3, 0); /* poll came later */
    box.rc[n++] = hypercall2(__HYPERVISOR_sched_op_compat, 0, 0); /* yield */
    /* The reason that is noted now is that of the end, whatever is said at the end. */
    box.rc[n++] = hv_sched_op(SCHEDOP_shutdown_code, &code);
    code.reason = 9;
    box.rc[n++] = hv_sched_op(SCHEDOP_shutdown_code, &code);
}

static void end_by_compat(void)
{
    hypercall2(__HYPERVISOR_sched_op_compat, SCHEDOP_shutdown, 0x105);
}

static void end_by_big_reason(void)
{
    struct sched_shutdown end = {.reason = 0x1105};

    hv_sched_op(SCHEDOP_shutdown, &end);
}

/* --- what dom0 does -----------------------------------------------------------------------------
 */

struct want {
    const char *what;
    long rc;
};

static void compare(const struct want *want, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        if (!CHECK_RC(box.rc[i], want[i].rc))
            printf("  %s\n", want[i].what);
}

/* Runs a child to its end: its reason is `reason`, its box is ours. */
static void run_child(void (*fn)(void), unsigned int reason)
{
    static struct child c;
    void *view;

    memset(&box, 0, sizeof(box));
    REQUIRE(CHECK_RC(child_create(&c, fn), 0) && CHECK_RC(child_run(&c), 0));
    CHECK_EQ(child_wait_ns(&c, 20000000000), reason);
    view = child_view(&c, &box);
    memcpy(&box, view, sizeof(box));
    child_unview(view);
    CHECK_RC(child_destroy(&c), 0);
}

static long end_other(domid_t id, unsigned int reason)
{
    struct sched_remote_shutdown op = {.domain_id = id, .reason = reason};

    return hv_sched_op(SCHEDOP_remote_shutdown, &op);
}

static void test_remote_shutdown(void)
{
    static const domid_t none[] = {4321, DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff};
    static struct child c;
    volatile uint32_t *ready;
    uint64_t end = time_ns() + 5000000000;

    CHECK_RC(hv_sched_op(SCHEDOP_remote_shutdown, BAD_POINTER), -XEN_EFAULT);
    for (unsigned int i = 0; i < ARRAY_SIZE(none); i++)
        CHECK_RC(end_other(none[i], 0), -XEN_ESRCH);
    REQUIRE(CHECK_RC(child_create(&c, idle), 0) && CHECK_RC(child_run(&c), 0));
    ready = child_view(&c, (void *)&box.ready);
    while (!*ready && time_ns() < end)
        sched_poll(NULL, 0, time_ns() + 1000000);
    CHECK_EQ(*ready, 1);
    child_unview((void *)ready);
    CHECK_RC(end_other(c.id, 0x103), 0); /* the low 8 bits */
    CHECK_EQ(child_wait(&c), SHUTDOWN_crash);
    CHECK_RC(end_other(c.id, SHUTDOWN_poweroff), 0); /* the first reason stays */
    CHECK_EQ(child_wait(&c), SHUTDOWN_crash);
    CHECK_RC(child_destroy(&c), 0);
    CHECK_RC(end_other(c.id, 0), -XEN_ESRCH);
    /* One that never ran. */
    REQUIRE(CHECK_RC(child_create(&c, idle), 0));
    CHECK_RC(end_other(c.id, SHUTDOWN_suspend), 0);
    CHECK_EQ(child_wait(&c), SHUTDOWN_suspend);
    CHECK_RC(child_destroy(&c), 0);
}

static void test_refused(void)
{
    static const struct want want[] = {
        {"remote_shutdown of dom0", -XEN_EPERM},
        {"remote_shutdown of none", -XEN_ESRCH},
        {"remote_shutdown of DOMID_SELF", -XEN_ESRCH},
        {"remote_shutdown of DOMID_XEN", -XEN_ESRCH},
        {"remote_shutdown, no argument", -XEN_EFAULT},
        {"pin_override", -XEN_EPERM},
        {"shutdown, no argument", -XEN_EFAULT},
        {"shutdown_code, no argument", -XEN_EFAULT},
        {"yield", 0},
        {"an unknown one", -XEN_ENOSYS},
        {"poll by the first call", -XEN_ENOSYS},
        {"yield by the first call", 0},
        {"shutdown_code", 0},
        {"shutdown_code again", 0},
    };

    run_child(try_the_rest, 7);
    compare(want, ARRAY_SIZE(want));
}

static void test_reasons(void)
{
    run_child(end_by_compat, 5);
    run_child(end_by_big_reason, 5);
}

static void test_watchdog(void)
{
    static const struct want want[] = {
        {"1, not in use", -XEN_EINVAL},
        {"2, not in use", -XEN_EINVAL},
        {"3", -XEN_EINVAL},
        {"the largest", -XEN_EINVAL},
        {"the first, for 136 years", 1},
        {"the second", 2},
        {"the third", -XEN_ENOSPC},
        {"1 fed", 0},
        {"1 fed for 136 years", 0},
        {"1 stopped", 0},
        {"1 stopped again", -XEN_EINVAL},
        {"the first again", 1},
        {"no argument", -XEN_EFAULT},
        {"2 fed for a second", 0},
    };

    run_child(try_watchdogs, SHUTDOWN_watchdog);
    compare(want, ARRAY_SIZE(want));
    CHECK_EQ(box.ready, 1);
    run_child(watchdog_now, SHUTDOWN_watchdog); /* no time at all is possible */
}

static void test_pin_override(void)
{
    struct sched_pin_override pin = {.pcpu = -1};
    static const int32_t wrong[] = {1, 255, 256, 4096, 0x7fffffff};

    CHECK_RC(hv_sched_op(SCHEDOP_pin_override, BAD_POINTER), -XEN_EFAULT);
    CHECK_RC(hv_sched_op(SCHEDOP_pin_override, &pin), -XEN_EINVAL); /* not pinned */
    for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
        pin.pcpu = wrong[i];
        CHECK_RC(hv_sched_op(SCHEDOP_pin_override, &pin), -XEN_EINVAL);
    }
    pin.pcpu = 0;
    CHECK_RC(hv_sched_op(SCHEDOP_pin_override, &pin), 0);
    CHECK_RC(hv_sched_op(SCHEDOP_pin_override, &pin), -XEN_EBUSY);
    pin.pcpu = -2147483647;
    CHECK_RC(hv_sched_op(SCHEDOP_pin_override, &pin), 0);
    pin.pcpu = -1;
    CHECK_RC(hv_sched_op(SCHEDOP_pin_override, &pin), -XEN_EINVAL);
}

GUEST("schedop", TEST(remote_shutdown), TEST(refused), TEST(reasons), TEST(watchdog),
      TEST(pin_override));
