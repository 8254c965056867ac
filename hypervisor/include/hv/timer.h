/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers on a CPU's queue (a heap by deadline). The function runs from SOFTIRQ_TIMER on that CPU, interrupts on, no lock held.
 * Lock: timer queue lock of t->cpu (irqsave).
 */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include <hv/types.h>

struct timer {
    uint64_t deadline;  /* ns of system time */
    void (*fn)(void *data);
    void *data;
    unsigned cpu;       /* whose queue */
    struct timer *left, *right, **at; /* a heap, so that queueing never needs memory; at: what points here */
    bool queued, dead;
};

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned cpu);
void timer_set(struct timer *t, uint64_t deadline_ns); /* re-arms; in the past: at once */
/* The same on this CPU's queue, unless its function runs: that keeps its queue, so that timer_kill finds it. */
void timer_set_here(struct timer *t, uint64_t deadline_ns);
void timer_stop(struct timer *t);
void timer_kill(struct timer *t);        /* stop for good; returns when fn does not run any more */
void timer_softirq(void);                /* SOFTIRQ_TIMER */
void timer_cpu_init(unsigned cpu);

#endif
