/* SPDX-License-Identifier: MIT */
/*
 * Timers: each CPU has a heap of one-shot timers, earliest first, and programs its deadline
 * interrupt for the first.
 *
 * Interface: hv/timer.h. Invariant: a queued timer is on the heap of t->cpu, and on no other.
 * Lock: the queue lock of t->cpu (irqsave). The function of a timer runs with no lock held;
 * timer_kill waits for it.
 */
#include <hv/timer.h>
#include <hv/softirq.h>
#include <hv/time.h>
#include <hv/lock.h>
#include <hv/frame.h>
#include <hv/printk.h>

struct timer_queue {
    spinlock_t lock;
    struct timer *first;   /* root of the heap: the earliest deadline */
    struct timer *running; /* its function runs now */
    uint64_t programmed;   /* when the hardware fires; an early interrupt only costs time */
};

static void heap_link(struct timer **at, struct timer *t)
{
    *at = t;
    if (t)
        t->at = at;
}

/*
 * A skew heap: meld heap b into the one at `at`. On the way down the right side each node's
 * children change places, which keeps the ways short on average; no memory, no balance to keep.
 */
static void heap_meld(struct timer **at, struct timer *b)
{
    for (struct timer *a = *at; a && b; a = *at) {
        struct timer *right;

        if (b->deadline < a->deadline) {
            heap_link(at, b);
            b = a;
            a = *at;
        }
        right = a->right;
        heap_link(&a->right, a->left);
        heap_link(&a->left, right);
        at = &a->left;
    }
    if (b)
        heap_link(at, b);
}

static void unqueue(struct timer *t)
{
    if (!t->queued)
        return;
    heap_link(t->at, t->left);
    heap_meld(t->at, t->right);
    t->left = t->right = NULL;
    t->queued = false;
}

/* The queue of t's CPU, locked: t->cpu may change until we hold the lock of the queue it names. */
static struct timer_queue *queue_lock(struct timer *t, unsigned long *flags)
{
    for (;;) {
        unsigned cpu = READ_ONCE(t->cpu);
        struct timer_queue *q = cpu_data[cpu]->timers;

        *flags = spin_lock_irqsave(&q->lock);
        if (t->cpu == cpu)
            return q;
        spin_unlock_irqrestore(&q->lock, *flags);
    }
}

/* The hardware is touched only when it would fire too late: one that fires early finds nothing due
 * and is set anew then. So a slice that never ends costs no register write. */
static void program_hardware(struct timer_queue *q)
{
    uint64_t first = q->first ? q->first->deadline : UINT64_MAX;

    if (first >= q->programmed)
        return;
    q->programmed = first;
    timer_hw_set(first);
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned cpu)
{
    *t = (struct timer){.fn = fn, .data = data, .cpu = cpu};
}

void timer_set(struct timer *t, uint64_t deadline_ns)
{
    unsigned long flags;
    struct timer_queue *q = queue_lock(t, &flags);

    if (!t->dead) {
        unqueue(t);
        t->deadline = deadline_ns;
        t->queued = true;
        heap_meld(&q->first, t);
        if (q->first == t && t->cpu == this_cpu_id())
            program_hardware(q);
        else if (q->first == t)
            softirq_raise_on(t->cpu, SOFTIRQ_TIMER); /* that CPU programs its own hardware */
    }
    spin_unlock_irqrestore(&q->lock, flags);
}

void timer_stop(struct timer *t)
{
    unsigned long flags;
    struct timer_queue *q = queue_lock(t, &flags);

    /* The hardware may still fire for it: timer_softirq then finds nothing due and programs it
     * anew. */
    unqueue(t);
    spin_unlock_irqrestore(&q->lock, flags);
}

void timer_kill(struct timer *t)
{
    unsigned long flags;
    struct timer_queue *q;

    for (bool running = true; running; cpu_relax()) {
        q = queue_lock(t, &flags);
        t->dead = true;
        unqueue(t);
        /* A timer's own function may kill it: then there is nobody to wait for. */
        running = q->running == t && t->cpu != this_cpu_id();
        spin_unlock_irqrestore(&q->lock, flags);
    }
}

void timer_set_here(struct timer *t, uint64_t deadline_ns)
{
    unsigned long flags;
    struct timer_queue *q = queue_lock(t, &flags);

    if (t->cpu != this_cpu_id() && q->running != t) {
        unqueue(t);
        t->cpu = this_cpu_id();
    }
    spin_unlock_irqrestore(&q->lock, flags);
    timer_set(t, deadline_ns);
}

void timer_softirq(void)
{
    struct timer_queue *q = this_cpu()->timers;
    unsigned long flags = spin_lock_irqsave(&q->lock);

    while (q->first && q->first->deadline <= now()) {
        struct timer *t = q->first;
        void (*fn)(void *) = t->fn;
        void *data = t->data;

        unqueue(t);
        q->running = t;
        spin_unlock_irqrestore(&q->lock, flags);
        fn(data);
        flags = spin_lock_irqsave(&q->lock);
        q->running = NULL;
    }
    q->programmed = UINT64_MAX; /* it fired */
    program_hardware(q);
    spin_unlock_irqrestore(&q->lock, flags);
}

void timer_cpu_init(unsigned cpu)
{
    struct timer_queue *q = hv_alloc(sizeof(*q));

    /* At boot or CPU bring-up: without this little memory there is no machine to run. */
    if (!q)
        panic("no memory for the timer queue of CPU %u\n", cpu);
    spin_lock_init(&q->lock);
    q->programmed = UINT64_MAX;
    cpu_data[cpu]->timers = q;
}
