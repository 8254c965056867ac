/* SPDX-License-Identifier: MIT */
/*
 * The life of a domain as decisions without effects: which request is possible in which phase, and
 * what follows when a guest stops by itself. Pure functions over small enums; start.c, stop.c and
 * reconcile.c act on them.
 *
 *   STOPPED ──start──▶ PREPARING ──kernel ready──▶ RUNNING ──destroy, or the guest stopped──▶
 * STOPPING ──▶ STOPPED ▲                   │ failed                    │ stopped and on_… =
 * preserve               │ restart └───────────────────┘                           └─────────▶
 * PRESERVED ──destroy──▶ STOPPING  └──▶ PREPARING
 */
#ifndef MULLION_DAEMON_POLICY_H
#define MULLION_DAEMON_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "domain_config.h"

enum phase {
    PHASE_STOPPED,
    PHASE_PREPARING,
    PHASE_RUNNING,
    PHASE_PRESERVED,
    PHASE_STOPPING,
    PHASES
};

enum request {
    REQUEST_START,
    REQUEST_SHUTDOWN,
    REQUEST_REBOOT,
    REQUEST_PAUSE,
    REQUEST_UNPAUSE,
    REQUEST_DESTROY,
    REQUEST_DELETE,
    REQUESTS
};

/* Why a stopped domain is stopped, as `mullion list` shows it. */
enum outcome { OUTCOME_NONE, OUTCOME_POWEROFF, OUTCOME_CRASHED, OUTCOME_DESTROYED, OUTCOME_FAILED };

/* NULL when the request is possible in this phase, else what to tell the person. */
const char *request_refusal(enum request request, enum phase phase);

struct stop_decision {
    enum shutdown_action action;
    enum outcome outcome;
    const char *reason; /* in words */
};

/* A guest stopped by itself with a SHUTDOWN_* code. `quick_restarts`: how many times in a row it
 * was restarted within RESTART_QUICK_MS of its start; too many, and a restart becomes a stop. */
#define RESTART_QUICK_MS    5000
#define RESTART_QUICK_LIMIT 5
struct stop_decision decide_stop(const struct domain_config *config, unsigned shutdown_code,
                                 unsigned quick_restarts);

const char *outcome_name(enum outcome outcome);

#endif
