/* SPDX-License-Identifier: MIT */
/* Timers: against a naive list, in random use; and the corners of stop, kill and migrate. */
#include <hv/timer.h>
#include <stdlib.h>
#include "fake.h"
#include "tests.h"

#define N 200

static struct timer timers[N];
static uint64_t want[N]; /* the naive model: when each is due, 0: not set */
static unsigned fired_late, fired_early, fired;

static void fires(void *data)
{
    struct timer *t = data;
    unsigned i = (unsigned)(t - timers);

    fired++;
    fired_early += !want[i] || fake_now < want[i];
    fired_late += want[i] && fake_now > want[i];
    want[i] = 0;
}

static void random_use(void)
{
    fake_machine(2);
    srand(1);
    fired = fired_late = fired_early = 0;
    for (unsigned i = 0; i < N; i++)
        timer_init(&timers[i], fires, &timers[i], i % 2);
    for (unsigned round = 0; round < 5000; round++) {
        unsigned i = (unsigned)rand() % N;

        switch (rand() % 4) {
        case 0:
        case 1:
            want[i] = fake_now + 1 + (unsigned)rand() % 100000;
            timer_set(&timers[i], want[i]);
            break;
        case 2:
            want[i] = 0;
            timer_stop(&timers[i]);
            break;
        case 3:
            fake_run_on((unsigned)rand() % 2);
            want[i] = fake_now + 1 + (unsigned)rand() % 100000;
            timer_set_here(&timers[i], want[i]);
            break;
        }
        fake_advance(fake_now + (unsigned)rand() % 2000);
        if (rand() % 8 == 0)
            fake_run_on((unsigned)rand() % 2);
    }
    fake_advance(fake_now + 200000);
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(want[i], 0);
    CU_ASSERT(fired > 1000);
    CU_ASSERT_EQUAL(fired_early, 0);
    CU_ASSERT_EQUAL(fired_late, 0);
    fake_machine_down();
}

static void killed_stays_dead(void)
{
    fake_machine(1);
    fired = 0;
    timer_init(&timers[0], fires, &timers[0], 0);
    timer_set(&timers[0], fake_now + 10);
    timer_kill(&timers[0]);
    timer_set(&timers[0], fake_now + 20);
    fake_advance(fake_now + 100);
    CU_ASSERT_EQUAL(fired, 0);
    CU_ASSERT_EQUAL(fake_deadline[0], UINT64_MAX);
    fake_machine_down();
}

static void past_fires_at_once(void)
{
    fake_machine(1);
    fired = 0;
    timer_init(&timers[0], fires, &timers[0], 0);
    want[0] = fake_now;
    timer_set(&timers[0], 1);
    CU_ASSERT(fake_deadline[0] <= fake_now);
    fake_advance(fake_now);
    fake_advance(fake_now + 1);
    CU_ASSERT_EQUAL(fired, 1);
    fake_machine_down();
}

CU_TestInfo timer_tests[] = {
    {"random use against a list", random_use},
    {"a killed timer stays dead", killed_stays_dead},
    {"a time in the past fires at once", past_fires_at_once},
    CU_TEST_INFO_NULL,
};
