/* SPDX-License-Identifier: MIT */
/*
 * The registry: every domain that this host is asked to have, whether it runs or not.
 *
 * Two files stand behind each entry. The definition (/var/lib) is the document, replaced
 * atomically. The record
 * (/run) says which domid is being built or runs, and how the last run ended; it is written
 * *before* a domain is made and after each change, so a new mulliond can tell a running guest from
 * a half-built one.
 *
 * Interface: find, make, define and forget; start.c, stop.c and reconcile.c move entries between
 * phases.
 */
#ifndef MULLION_DAEMON_DOMAIN_H
#define MULLION_DAEMON_DOMAIN_H

#include "api.h"
#include "domain_config.h"
#include "hyper.h"
#include "loop.h"
#include "policy.h"

struct kernel_job;

struct domain {
    struct domain *next;
    struct domain_config config;   /* the definition; when !defined, what is being tried */
    struct domain_config *pending; /* a new definition that takes effect if the start succeeds */
    bool defined;
    enum phase phase;
    uint32_t domid;       /* in RUNNING, PRESERVED, STOPPING */
    bool shutdown_asked;  /* the guest was asked to shut down or reboot */
    enum outcome outcome; /* of the last run */
    char reason[192];     /* in words */
    bool words_noted;     /* the reason holds the guest's last words already */
    uint64_t started_ms;  /* of this run */
    unsigned quick_restarts;
    bool restart_after_stop;
    struct kernel_job *kernel;
    struct timer stop_timer;
    uint64_t stop_since;
    unsigned stop_wait;
    bool stop_complained;
    uint64_t console_offset; /* of the console log when this run began; ~0: not known */
    struct ticket *waiters;  /* requests that are answered when the phase changes */
};

extern struct hyper hyper;
extern struct domain *domains;

struct domain *domain_find(const char *name);
struct domain *domain_find_uuid(const char *uuid);
struct domain *domain_find_domid(uint32_t domid); /* in a phase that has a domid */

/* A new, undefined, stopped entry. NULL: out of memory. */
struct domain *domain_new(const struct domain_config *config);

/* Make `config` the definition on disk and in memory. 0, or -1 and a failure. */
int domain_define(struct domain *d, const struct domain_config *config, struct failure *failure);

/* Remove the definition and the entry; it must be stopped. */
void domain_forget(struct domain *d);

/* Write what a successor must know. `unfinished`: a domain with our uuid may exist half made or
 * half destroyed. */
void domain_record(const struct domain *d, bool unfinished);

void domain_set_outcome(struct domain *d, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The word that list and get show: "running", "paused", "crashed" … `info` may be NULL. */
const char *domain_state_name(const struct domain *d, const domain_info *info);

/* Tell event streams that this domain changed. */
void domain_announce(const struct domain *d, const char *what);

/* Load definitions and records, meet what the hypervisor has, finish what a predecessor left half
 * done. */
int domains_recover(struct failure *failure);

/* start.c: checks, kernel, build, store, go. Returns 0 when under way or done; answers `ticket`
 * (may be NULL) later. On -1 the failure is set and the ticket is still the caller's. */
int domain_start(struct domain *d, struct ticket *ticket, struct failure *failure);

/* The checks alone: images, kernel, initrd, bridges and, when `memory`, free memory. */
int domain_check(const struct domain_config *config, const struct domain *self, bool memory,
                 struct failure *failure);

/* follow.c: make a running domain follow `to` where it can, and `to` its definition; the rest takes
 * effect at its next start (`*later`). On -1 all is as before. */
int domain_follow(struct domain *d, const struct domain_config *to, bool *later,
                  struct failure *failure);

/* stop.c: take a domain apart; the outcome has been set. Waiters are answered when nothing is left.
 */
void domain_stop(struct domain *d, bool restart);

/* A backend process of this domid ended: a stop may be complete. */
void domain_stop_progress(uint32_t domid);

/* Add to a crash's reason what the guest's console said last. */
void domain_note_last_words(struct domain *d);

/* reconcile.c: look at all running domains for guests that stopped by themselves. */
void domains_reconcile(void);

/* Answer all waiters: with the domain's state, or with the failure. */
void domain_answer(struct domain *d, const struct failure *failure);

#endif
