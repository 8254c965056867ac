/* SPDX-License-Identifier: MIT */
/* Multicalls: results, errors, preemption inside and between entries, a list in a list. */
#include <hv/dispatch.h>
#include <hv/softirq.h>
#include <hv/vcpu.h>
#include "fake.h"
#include "tests.h"

static unsigned long sum;
static unsigned restarts;

static long add(struct hypercall *hc)
{
    sum += hc->arg[0];
    return (long)sum;
}

static long three_rounds(struct hypercall *hc)
{
    if (hc->progress[0]++ < 2) {
        restarts++;
        return -HC_RESTART;
    }
    return (long)hc->progress[0];
}

/* Stands for the real table. */
const struct hypercall_entry hypercall_table[64] = {
    [1] = {add, 1, HC_ANY, "add"},
    [2] = {three_rounds, 0, HC_ANY, "three_rounds"},
    [13] = {do_multicall, 2, HC_ANY, "multicall"},
};

static long run(struct multicall_entry *list, unsigned n)
{
    struct hypercall *hc = &current->hc;
    long rc;

    *hc = (struct hypercall){.nr = 13, .arg = {PTR(list), n}};
    rc = hypercall_dispatch(hc);
    while (rc == -HC_RESTART)
        rc = hc->multi_active ? multicall_continue(hc) : hypercall_dispatch(hc);
    CU_ASSERT_FALSE(hc->multi_active);
    return rc;
}

static void results(void)
{
    struct multicall_entry list[4] = {
        {.op = 1, .args = {5}}, {.op = 99}, {.op = 2}, {.op = 1, .args = {7}}};

    for (unsigned preempted = 0; preempted < 2; preempted++) {
        struct domain *d;

        fake_machine(1);
        d = fake_domain(1, 1, false);
        fake_become(d->vcpu[0]);
        sum = restarts = 0;
        if (preempted)
            this_cpu()->softirq_pending = 1u << SOFTIRQ_SCHEDULE;
        CU_ASSERT_EQUAL(run(list, 4), 0);
        CU_ASSERT_EQUAL(list[0].result, 5);
        CU_ASSERT_EQUAL((long)list[1].result, -ENOSYS);
        CU_ASSERT_EQUAL(list[2].result, 3);
        CU_ASSERT_EQUAL(list[3].result, 12); /* each ran once, whether preempted or not */
        CU_ASSERT_EQUAL(restarts, 2);
        CU_ASSERT_EQUAL(run(list, 0), 0);
        this_cpu()->softirq_pending = 0;
        fake_become(this_cpu()->idle);
        fake_kill(d);
        fake_machine_down();
    }
}

static void list_in_a_list(void)
{
    struct multicall_entry inner[1] = {{.op = 1, .args = {1}}};
    struct multicall_entry list[2] = {{.op = 13, .args = {PTR(inner), 1}}, {.op = 1, .args = {2}}};
    struct domain *d;

    fake_machine(1);
    d = fake_domain(1, 1, false);
    fake_become(d->vcpu[0]);
    sum = 0;
    CU_ASSERT_EQUAL(run(list, 2), 0);
    CU_ASSERT_EQUAL((long)list[0].result, -EINVAL);
    CU_ASSERT_EQUAL(list[1].result, 2);
    fake_become(this_cpu()->idle);
    fake_kill(d);
    fake_machine_down();
}

static void bad_memory(void)
{
    static char pages[3 * 4096] __attribute__((aligned(4096)));
    struct multicall_entry *list = (struct multicall_entry *)(pages + 4096 - 2 * sizeof(*list));
    struct domain *d;

    fake_machine(1);
    d = fake_domain(1, 1, false);
    fake_become(d->vcpu[0]);
    sum = 0;
    for (unsigned i = 0; i < 4; i++)
        list[i] = (struct multicall_entry){.op = 1, .args = {1}};
    fake_forbidden = PTR(pages + 4096);
    CU_ASSERT_EQUAL(run(list, 4), -EFAULT);
    CU_ASSERT_EQUAL(sum, 2);
    CU_ASSERT_EQUAL(run((struct multicall_entry *)16, 1), -EFAULT);
    CU_ASSERT_EQUAL(run((struct multicall_entry *)0xffff800000000000UL, 1), -EFAULT);
    fake_forbidden = 0;
    fake_become(this_cpu()->idle);
    fake_kill(d);
    fake_machine_down();
}

CU_TestInfo multicall_tests[] = {
    {"results, errors, preemption", results},
    {"a list in a list", list_in_a_list},
    {"bad memory", bad_memory},
    CU_TEST_INFO_NULL,
};
