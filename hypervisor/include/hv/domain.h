/* SPDX-License-Identifier: MIT */
/*
 * A domain: its memory, its vCPUs, its ports and grants. Looked up by domid, reference counted, freed when it is dying
 * and nothing refers to it.
 *
 * Interface: domain_create/kill/get/put, pause/unpause, shutdown, crash. Life: created → running ⇄ shutdown → dying → dead.
 */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include <hv/types.h>
#include <hv/lock.h>
#include <hv/timer.h>
#include <asm/domain.h>

struct vcpu;
struct evtchn_domain; /* hv/evtchn.h */
struct grant_table;   /* hv/grant.h */

#define DOMAIN_MAX_VCPUS 128

struct sched_params {                   /* credit2 shape towards tools */
    unsigned weight;                    /* 1…65535, default 256 */
    unsigned cap;                       /* percent of one CPU, 0: none */
};

struct domain {
    domid_t id;
    bool is_dom0;         /* privilege is a table (hypercall.c); this is its one input so far */
    bool is_idle;
    unsigned long vm_assist; /* VMASST_TYPE_* bits (syscall.S looks at it) */
    _Atomic unsigned refs;
    uint8_t handle[16];   /* UUID */
    uint32_t ssidref;

    /* d->lock */
    spinlock_t lock;
    unsigned max_vcpus;
    struct vcpu **vcpu;   /* [max_vcpus]; NULL until XEN_DOMCTL_max_vcpus made them; immutable then */
    _Atomic bool dying;
    bool dead;            /* XEN_DOMINF_dying: nothing left but frames that others hold */
    unsigned kill_step;   /* of domain_kill() */
    bool is_shut_down;    /* atomic; implies a pause */
    bool crashing;        /* crash_reason is somebody's */
#define SHUTDOWN_CODE_NONE (-1)
    int shutdown_code;    /* SHUTDOWN_*; the guest may name it ahead of the shutdown */
    char crash_reason[96];
    _Atomic int pause_count;         /* all causes */
    int controller_pauses;           /* by XEN_DOMCTL_pausedomain */

    /* d->page_lock */
    spinlock_t page_lock;
    uint32_t pages, pages_seen;      /* its frames: lists (hv/frame_priv.h), the other of those that its end has looked at */
    uint64_t tot_pages, max_pages;
    bool reaped;                     /* it is dead and they are gone: the creation's reference, too */
    uint64_t claimed_pages;          /* set aside for it, not allocated yet; the frame allocator's lock */

    struct shared_info *shared_info; /* heap page shared with the guest */
    struct sched_domain {            /* common/sched/cap.c */
        struct sched_params set;
        _Atomic int64_t budget;      /* ns left in this period; may be negative: a debt */
        _Atomic bool refilling;      /* the timer is set */
        struct timer refill;
    } sched;
    struct watchdog {                /* common/sched/watchdog.c */
        struct timer timer;
        bool in_use;
    } watchdogs[2];
    uint32_t tsc_mode, tsc_incarnation; /* as a tool set them */
    struct xen_cpuid_leaf *cpuid_leaves; /* as a tool set them; arch/x86/pv/cpuid_leaves.c */
    unsigned nr_cpuid_leaves;
    struct evtchn_domain *evtchn;
    struct grant_table *grant;
    int64_t time_offset_seconds;
    struct arch_domain arch;         /* asm/domain.h */
};

extern struct domain *dom0, *dom_xen, *dom_io, *idle_domain;

struct domain_config { /* decoded from XEN_DOMCTL_createdomain, or made up for dom0 */
    uint8_t handle[16];
    uint32_t ssidref;
    unsigned max_vcpus;
    unsigned max_evtchn_port;        /* inclusive */
    unsigned max_grant_frames, max_maptrack_frames;
    bool is_dom0;
};

/* -EINVAL, -EEXIST, -ENOMEM. The new domain is paused, with one controller pause (dom0: none). */
int domain_create(domid_t id, const struct domain_config *cfg, struct domain **out);
int domain_make_vcpus(struct domain *d, unsigned max); /* all vCPUs at once; -EINVAL, -ENOMEM */
/* Step by step teardown, not of current's: -HC_RESTART when preempted, 0 when nothing is left. */
long domain_kill(struct domain *d);

/* With a reference. NULL: there is none; system domains (DOMID_XEN, DOMID_IO, idle) are not found by id. */
struct domain *domain_get(domid_t id);
struct domain *domain_named(domid_t id);      /* the same; DOMID_SELF is current's */
int domain_managed(domid_t id, struct domain **out); /* current's own or, for dom0, any: else -EPERM; -ESRCH */
static inline void domain_hold(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}
void domain_put(struct domain *d);
struct domain *domain_next(domid_t after);    /* with a reference: the live domain of the lowest id > after (0xffff: first) */

void domain_pause(struct domain *d);          /* returns when none of its vCPUs runs; not by itself */
void domain_unpause(struct domain *d);
/* Reasons are SHUTDOWN_*; suspends all vCPUs and tells dom0 (VIRQ_DOM_EXC). dom0: acts on the machine. */
void domain_shutdown(struct domain *d, int reason);
void domain_resume(struct domain *d);
/* The guest did what cannot be answered by errno or exception: stop it, keep the words for the administrator and log. */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);

void watchdogs_init(struct domain *d);       /* common/sched/watchdog.c */
void watchdogs_kill(struct domain *d);

/* Let go of dead domains whose last frame went, under whatever lock that was: with no lock held. */
void frames_reap(void);
extern unsigned long frames_to_reap; /* not 0: there may be work for it */
bool vm_assist_valid(unsigned long bits);
void domains_init(void);                      /* dom_xen, dom_io, idle domain with a vCPU for each CPU; after sched_cpu_init() */

#endif
