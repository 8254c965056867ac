/* SPDX-License-Identifier: MIT */
/* The tables behind policy.h. */
#include "policy.h"

#include <stddef.h>
#include <xen/sched.h>

static const char not_running[] = "the domain is not running";
static const char busy_starting[] = "the domain is being started";
static const char busy_stopping[] = "the domain is being stopped";
static const char has_stopped[] = "the guest has stopped and is kept as it was";
static const char is_running[] = "the domain is running already";

static const char *const refusals[REQUESTS][PHASES] = {
    [REQUEST_START] = {NULL, busy_starting, is_running, has_stopped, busy_stopping},
    [REQUEST_SHUTDOWN] = {not_running, busy_starting, NULL, has_stopped, busy_stopping},
    [REQUEST_REBOOT] = {not_running, busy_starting, NULL, has_stopped, busy_stopping},
    [REQUEST_PAUSE] = {not_running, busy_starting, NULL, has_stopped, busy_stopping},
    [REQUEST_UNPAUSE] = {not_running, busy_starting, NULL, has_stopped, busy_stopping},
    [REQUEST_DESTROY] = {not_running, busy_starting, NULL, NULL, busy_stopping},
    [REQUEST_DELETE] = {NULL, busy_starting, is_running, has_stopped, busy_stopping},
};

const char *request_refusal(enum request request, enum phase phase)
{
    return refusals[request][phase];
}

enum cause { CAUSE_POWEROFF, CAUSE_REBOOT, CAUSE_CRASH };

static const struct {
    enum cause cause;
    const char *reason;
} codes[] = {
    [SHUTDOWN_poweroff] = {CAUSE_POWEROFF, "powered off"},
    [SHUTDOWN_reboot] = {CAUSE_REBOOT, "rebooted"},
    [SHUTDOWN_suspend] = {CAUSE_POWEROFF, "suspended itself"},
    [SHUTDOWN_crash] = {CAUSE_CRASH, "crashed"},
    [SHUTDOWN_watchdog] = {CAUSE_CRASH, "stopped by its watchdog"},
    [SHUTDOWN_soft_reset] = {CAUSE_CRASH, "asked for a soft reset, which is not supported"},
};

struct stop_decision decide_stop(const struct domain_config *config, unsigned shutdown_code,
                                 unsigned quick_restarts)
{
    struct stop_decision d = {ACTION_DESTROY, OUTCOME_CRASHED, "stopped with an unknown code"};
    enum cause cause = CAUSE_CRASH;

    if (shutdown_code < sizeof(codes) / sizeof(codes[0])) {
        cause = codes[shutdown_code].cause;
        d.reason = codes[shutdown_code].reason;
    }
    d.outcome = cause == CAUSE_CRASH ? OUTCOME_CRASHED : OUTCOME_POWEROFF;
    d.action = cause == CAUSE_CRASH    ? config->on_crash
               : cause == CAUSE_REBOOT ? config->on_reboot
                                       : config->on_poweroff;
    if (d.action == ACTION_RESTART && quick_restarts >= RESTART_QUICK_LIMIT) {
        d.action = ACTION_DESTROY;
        d.outcome = OUTCOME_CRASHED;
        d.reason = "stopped again and again within seconds of its start; not restarted any more";
    }
    return d;
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_NONE] = "none",       [OUTCOME_POWEROFF] = "poweroff",
        [OUTCOME_CRASHED] = "crashed", [OUTCOME_DESTROYED] = "destroyed",
        [OUTCOME_FAILED] = "failed",
    };

    return names[outcome];
}
