/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: registers while it does not run (arch), scheduling state, its event flags and timers.
 *
 * While it runs, its registers are on its CPU's stack (guest_regs()).
 */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include <hv/types.h>
#include <hv/domain.h>
#include <hv/timer.h>
#include <hv/hypercall.h>
#include <xen/vcpu.h>

struct sched_unit; /* common/sched */

struct vcpu {
    /* What entry.S reads on every way in and out; entry_offsets.c knows where it is. */
    struct hypercall hc;            /* the hypercall under way; state of a preempted one */
    union {
        uint32_t attention;         /* one of these three: its way back to the guest is not the straight one */
        struct {
            _Atomic bool nmi_pending;
            bool runstate_stale;    /* the guest's copy at runstate_guest wants an update */
            bool failsafe_waits;    /* its failsafe callback is due */
        };
    };
    /*
     * Selector words of newly pending ports, waiting for the vCPU to fold them into its vcpu_info on its way to the
     * guest: so nobody but the vCPU itself ever touches its vcpu_info, which may be in a frame of the guest's. With FIFO
     * events: two flags, and event_list. Not 0: there is something for vcpu_fold_events() to do.
     */
    _Atomic uint64_t event_selectors;
    struct vcpu_info *info_here;    /* its vcpu_info, mapped as long as it runs; else NULL */
    struct domain *domain;
    struct arch_vcpu arch;          /* asm/domain.h */

    unsigned id;
    _Atomic unsigned cpu;           /* the physical CPU it runs on, or last ran on */
    struct sched_unit *sched;       /* scheduler's own */

    /* flags that the scheduler and the event code share; each is one byte written atomically */
    _Atomic bool is_running;        /* on v->cpu now, its state not in this structure */
    _Atomic bool blocked;           /* SCHEDOP_block/poll: woken by an event */
    _Atomic bool polling;           /* SCHEDOP_poll; poll_port set, or poll_any */
    bool initialised;               /* setvcpucontext or VCPUOP_initialise was done (d->lock) */
    _Atomic bool down;              /* VCPUOP_down, or never up */
    _Atomic int pause_count;
    unsigned poll_port;             /* port polled; 0: several */

    /* own-vCPU data: written only by itself, or while it is paused */
    bool vcpu_info_registered;      /* in a frame of the guest's (info_mfn, info_offset), reference held */
    mfn_t info_mfn;
    unsigned info_offset;
    struct vcpu_info no_info;       /* stands in for vCPUs past the 32nd until they register one */
    uint64_t runstate_guest;        /* guest virtual address of a vcpu_runstate_info, 0: none */
    uint64_t time_info_guest;       /* of a vcpu_time_info (VCPUOP_register_vcpu_time_memory_area), 0: none */
    struct vcpu_runstate_info runstate; /* v->sched's lock */
    struct timer singleshot, periodic, poll_timer;
    uint64_t periodic_period, periodic_last; /* ns; last: when it had its last tick */
    _Atomic uint32_t event_list;    /* FIFO events: ports that wait for their queues (evtchn/fifo.c) */
    unsigned virq_port[24];         /* VIRQ_* → port, 0: unbound (evtchn/virq.c); global VIRQs on vCPU 0 */
};

/*
 * v's vcpu_info, wherever the guest put it; unmap when done. Any context that is not an interrupt. For the vCPU that runs
 * here it is at hand already (info_here): vcpu_info_show() when it begins to run or moves it, vcpu_info_hide() when it stops.
 */
struct vcpu_info *vcpu_info_map(struct vcpu *v);
void vcpu_info_unmap(struct vcpu *v, struct vcpu_info *info);
void vcpu_info_show(struct vcpu *v);
void vcpu_info_hide(struct vcpu *v);
/* The machine's part: this CPU's window onto the frame of its vCPU's vcpu_info; INVALID_MFN: onto none. Interrupts off. */
void *vcpu_info_window(mfn_t f);

/* Load initial state (domctl setvcpucontext, VCPUOP_initialise, dom0's builder). arch/x86/pv/context.c. d paused or vCPU down. */
int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
void arch_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c);
int arch_vcpu_create(struct vcpu *v);
void arch_vcpu_destroy(struct vcpu *v);   /* releases tables, GDT frames, FPU area; the vCPU does not run */
int arch_domain_create(struct domain *d);
long arch_domain_relinquish(struct domain *d); /* drops CR3s, GDTs, then frames; -HC_RESTART */
void arch_domain_destroy(struct domain *d);

/* Fold event_selectors into its vcpu_info (evtchn/two_level.c). Own vCPU. */
void vcpu_fold_events(struct vcpu *v, struct vcpu_info *info);
/* Write the guest's copy of the runstate if it is stale; own vCPU, in guest kernel mode (its page tables). */
void vcpu_runstate_publish(struct vcpu *v);
/* VCPUOP_register_vcpu_info: d->lock is taken inside. v is current or down. */
int vcpu_info_register(struct vcpu *v, mfn_t f, unsigned offset);
void vcpu_info_unregister(struct vcpu *v);   /* the vCPU does not run any more */
/* Timers of a vCPU (vcpu_timers.c). */
void vcpu_timers_init(struct vcpu *v);
void vcpu_timers_kill(struct vcpu *v);
void vcpu_singleshot_set(struct vcpu *v, uint64_t deadline_ns); /* own vCPU; 0: stop */
void vcpu_periodic_set(struct vcpu *v, uint64_t period_ns);     /* 0: stop */
void vcpu_periodic_work(struct vcpu *v); /* v has just got its CPU, this one: a tick if one is due */

/* d's vCPUs: those that were made. */
#define for_each_vcpu(d, v)                                                               \
    for (unsigned i_ = 0; (d)->vcpu && i_ < (d)->max_vcpus; i_++)                         \
        for (struct vcpu *v = (d)->vcpu[i_]; v; v = NULL)
static inline struct vcpu *domain_vcpu(const struct domain *d, unsigned id) /* NULL: there is none */
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

/* common/vcpu.c */
struct vcpu *vcpu_create(struct domain *d, unsigned id);
void vcpu_destroy(struct vcpu *v);

#endif
