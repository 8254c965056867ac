/* SPDX-License-Identifier: MIT */
/* Which request is possible when, what follows when a guest stops, and the supervisor's backoff. */
#include "policy.h"

#include <xen/sched.h>

#include "tests.h"

static void requests_fit_phases(void)
{
    static const char possible[REQUESTS][PHASES + 1] = {
        /*                     stopped preparing running preserved stopping */
        [REQUEST_START] = "y----",  [REQUEST_SHUTDOWN] = "--y--", [REQUEST_REBOOT] = "--y--",
        [REQUEST_PAUSE] = "--y--",  [REQUEST_UNPAUSE] = "--y--",  [REQUEST_DESTROY] = "--yy-",
        [REQUEST_DELETE] = "y----",
    };

    for (enum request r = 0; r < REQUESTS; r++)
        for (enum phase p = 0; p < PHASES; p++)
            CU_ASSERT_EQUAL(request_refusal(r, p) == NULL, possible[r][p] == 'y');
}

static void a_stopped_guest_meets_its_policy(void)
{
    static const struct {
        unsigned code;
        enum outcome outcome;
        int which; /* 0 poweroff, 1 reboot, 2 crash */
    } rows[] = {
        {SHUTDOWN_poweroff, OUTCOME_POWEROFF, 0},  {SHUTDOWN_reboot, OUTCOME_POWEROFF, 1},
        {SHUTDOWN_crash, OUTCOME_CRASHED, 2},      {SHUTDOWN_watchdog, OUTCOME_CRASHED, 2},
        {SHUTDOWN_soft_reset, OUTCOME_CRASHED, 2}, {77, OUTCOME_CRASHED, 2},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (enum shutdown_action a = ACTION_DESTROY; a <= ACTION_PRESERVE; a++) {
            /* the other two are set to something else, so that a mixed-up row shows */
            enum shutdown_action other = a == ACTION_DESTROY ? ACTION_PRESERVE : ACTION_DESTROY;
            struct domain_config c = {.on_poweroff = other, .on_reboot = other, .on_crash = other};
            struct stop_decision d;

            *(rows[i].which == 0   ? &c.on_poweroff
              : rows[i].which == 1 ? &c.on_reboot
                                   : &c.on_crash) = a;
            d = decide_stop(&c, rows[i].code, 0);
            CU_ASSERT_EQUAL(d.action, a);
            CU_ASSERT_EQUAL(d.outcome, rows[i].outcome);
            CU_ASSERT_TRUE(d.reason[0] != 0);
        }
}

static void a_restart_loop_ends(void)
{
    struct domain_config c = {.on_reboot = ACTION_RESTART, .on_crash = ACTION_RESTART};
    unsigned restarts = 0;

    while (restarts < 100 && decide_stop(&c, SHUTDOWN_crash, restarts).action == ACTION_RESTART)
        restarts++;
    CU_ASSERT_EQUAL(restarts, RESTART_QUICK_LIMIT);
    CU_ASSERT_EQUAL(decide_stop(&c, SHUTDOWN_reboot, restarts).outcome, OUTCOME_CRASHED);
}

void add_policy_suite(void)
{
    CU_pSuite s = CU_add_suite("life of a domain", NULL, NULL);

    CU_add_test(s, "requests fit phases", requests_fit_phases);
    CU_add_test(s, "a stopped guest meets its policy", a_stopped_guest_meets_its_policy);
    CU_add_test(s, "a restart loop ends", a_restart_loop_ends);
}
