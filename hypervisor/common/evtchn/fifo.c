/* SPDX-License-Identifier: MIT */
/*
 * The FIFO event ABI: a word for each port in an array of the guest's frames (PENDING, MASKED,
 * LINKED, BUSY and a link to the next port), and for each vCPU a control block with the heads of 16
 * queues, one for each priority, and a bit for each that is ready. Source: <xen/event_channel.h>
 * and the public design "FIFO-based event channel ABI".
 *
 * Array and control blocks are frames of the guest's, and nothing of one domain is mapped while
 * another runs. So a sender does not touch them: it sets p->raised, puts the port on its vCPU's
 * list (v->event_list), and wakes the vCPU, which puts the ports into its queues on its way to the
 * guest (fifo_fold). What a domain does itself (IPIs, unmask) it puts into the queue at once.
 *
 * Interface: fifo_* of port.h. Lock: ed->lock guards which frames there are; fifo->lock, inside it,
 * the queues and their words. `raised`, `waiting` and the list are atomic: whoever sets `waiting`
 * pushes the port; the one who took the list clears `waiting` before it reads `raised`.
 * Invariant: tail[] and the lists hold ports that are in the table. Nothing that the guest writes
 * into its words is ever an index here: a guest that breaks its links loses its own events.
 */
#include <hv/frame.h>
#include <hv/softirq.h>
#include <asm/map_slots.h>
#include "port.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define ARRAY_PAGES    (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)
#define QUEUES         EVTCHN_FIFO_MAX_QUEUES
#define LINK_TRIES     4
#define FOLD_AT_ONCE   64 /* ports; then this CPU may have something more urgent to do */

#define PENDING (1U << EVTCHN_FIFO_PENDING)
#define MASKED  (1U << EVTCHN_FIFO_MASKED)
#define LINKED  (1U << EVTCHN_FIFO_LINKED)
#define BUSY    (1U << EVTCHN_FIFO_BUSY)
#define LINK    ((uint32_t)EVTCHN_FIFO_LINK_MASK)

struct fifo_vcpu {
    mfn_t control; /* INVALID_MFN: not yet told; reference held */
    unsigned offset;
    uint32_t todo;         /* taken from v->event_list, oldest first, not yet in a queue */
    uint32_t tail[QUEUES]; /* the port last put into each queue, 0: none that can be */
};

struct fifo { /* d->evtchn->fifo */
    spinlock_t lock;
    unsigned nr_words;        /* the array has words below it */
    mfn_t array[ARRAY_PAGES]; /* references held */
    struct fifo_vcpu vcpu[];  /* [d->max_vcpus] */
};

/* Valid until the next frame_peek() or map_frame(): one word at a time. */
static event_word_t *peek_word(const struct fifo *f, unsigned port)
{
    return (event_word_t *)frame_peek(f->array[port / WORDS_PER_PAGE]) + port % WORDS_PER_PAGE;
}

static bool has_word(const struct fifo *f, unsigned port)
{
    return port < __atomic_load_n(&f->nr_words, __ATOMIC_ACQUIRE);
}

/* --- queues, with fifo->lock ----------------------------------------------------------------- */

/*
 * Let the tail point to `port`, if it is still linked. The guest may change the word meanwhile: it
 * clears LINKED when it takes the event, and sets and clears MASKED. While BUSY is set it does not
 * unmask, so that four tries are enough for all that it may do. One that does something else loses
 * the event.
 */
static bool set_link(event_word_t *tail, unsigned port)
{
    event_word_t w = __atomic_load_n(tail, __ATOMIC_SEQ_CST);

    for (unsigned try = 0; w & LINKED; try++) {
        if (__atomic_compare_exchange_n(tail, &w, (w & ~(BUSY | LINK)) | port, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return true;
        if (try == LINK_TRIES) {
            __atomic_fetch_and(tail, ~BUSY, __ATOMIC_SEQ_CST);
            return true;
        }
        w = __atomic_or_fetch(tail, BUSY, __ATOMIC_SEQ_CST);
    }
    if (w & BUSY)
        __atomic_fetch_and(tail, ~BUSY, __ATOMIC_SEQ_CST);
    return false;
}

/* The port's word just became LINKED: append it to the queue of its vCPU and priority. */
static void append(struct domain *d, struct fifo *f, unsigned port, struct port *p, unsigned vcpu)
{
    struct fifo_vcpu *fv = &f->vcpu[vcpu];
    unsigned priority = READ_ONCE(p->priority);
    uint32_t *old = &f->vcpu[p->last_vcpu].tail[p->last_priority];
    bool linked = false;

    /* It was the last of a queue, which is empty then: nothing may be linked to it there. */
    if (*old == port)
        *old = 0;
    p->last_vcpu = (uint16_t)vcpu;
    p->last_priority = (uint8_t)priority;
    if (fv->tail[priority])
        linked = set_link(peek_word(f, fv->tail[priority]), port);
    fv->tail[priority] = port;
    if (!linked) {
        struct evtchn_fifo_control_block *cb =
            (void *)((char *)frame_peek(fv->control) + fv->offset);
        uint32_t ready = 1U << priority;

        WRITE_ONCE(cb->head[priority], port);
        if (!(__atomic_fetch_or(&cb->ready, ready, __ATOMIC_SEQ_CST) & ready))
            port_notify(d->vcpu[vcpu], FIFO_UPCALL);
    }
}

/* Write into the port's word what was raised, and queue it if it is to be delivered. */
static void settle(struct domain *d, struct fifo *f, unsigned port, struct port *p, bool raised)
{
    unsigned vcpu = READ_ONCE(p->vcpu);
    event_word_t *word;

    if (p->raised)
        raised |= __atomic_exchange_n(&p->raised, false, __ATOMIC_SEQ_CST);
    if (!has_word(f, port)) {
        if (raised)
            p->raised = true; /* until fifo_expand_array brings its word */
        return;
    }
    if (mfn_eq(f->vcpu[vcpu].control, INVALID_MFN))
        return; /* lost, as the ABI says: nobody unmasks before there is a control block */
    word = peek_word(f, port);
    if (raised)
        __atomic_fetch_or(word, PENDING, __ATOMIC_SEQ_CST);
    if ((__atomic_load_n(word, __ATOMIC_SEQ_CST) & (PENDING | MASKED)) == PENDING &&
        !(__atomic_fetch_or(word, LINKED, __ATOMIC_SEQ_CST) & LINKED))
        append(d, f, port, p, vcpu);
}

/* --- lists of what was raised ---------------------------------------------------------------- */

static void push(struct vcpu *v, unsigned port, struct port *p)
{
    uint32_t head = v->event_list;

    do
        p->next = head;
    while (!__atomic_compare_exchange_n(&v->event_list, &head, port, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
}

void fifo_notify(struct fifo *f, struct domain *d, unsigned port, struct port *p, bool raise,
                 bool here)
{
    if (here) {
        spin_lock(&f->lock);
        settle(d, f, port, p, raise);
        spin_unlock(&f->lock);
    } else {
        struct vcpu *v = d->vcpu[READ_ONCE(p->vcpu)];

        p->raised = true;
        if (!v)
            return; /* fifo_expand_array finds it */
        if (!__atomic_exchange_n(&p->waiting, true, __ATOMIC_SEQ_CST))
            push(v, port, p);
        port_notify(v, FIFO_WAITING);
    }
    if (d->evtchn->pollers)
        wake_pollers(d, port);
}

/* Take v's list, oldest first. */
static uint32_t take_list(struct vcpu *v)
{
    uint32_t port = __atomic_exchange_n(&v->event_list, 0, __ATOMIC_SEQ_CST), list = 0;

    while (port) {
        struct port *p = port_find(v->domain, port);
        uint32_t next = p->next;

        p->next = list;
        list = port;
        port = next;
    }
    return list;
}

void fifo_fold(struct vcpu *v)
{
    struct cpu *c = events_enter();
    struct domain *d = v->domain;
    struct fifo *f = __atomic_load_n(&d->evtchn->fifo, __ATOMIC_ACQUIRE);
    unsigned left = FOLD_AT_ONCE;
    struct fifo_vcpu *fv;

    if (!f) {
        events_leave(c);
        return;
    }
    fv = &f->vcpu[v->id];
    spin_lock(&f->lock);
    if (!fv->todo)
        fv->todo = take_list(v);
    while (fv->todo && left--) {
        unsigned port = fv->todo;
        struct port *p = port_find(d, port);

        fv->todo = p->next;
        __atomic_store_n(&p->waiting, false, __ATOMIC_SEQ_CST);
        settle(d, f, port, p, false);
    }
    if (fv->todo || v->event_list) { /* the next turn of the exit loop goes on */
        port_notify(v, FIFO_WAITING);
        if (v == current)
            softirq_raise(SOFTIRQ_SCHEDULE);
    }
    spin_unlock(&f->lock);
    events_leave(c);
}

static bool word_has(struct fifo *f, unsigned port, event_word_t bits)
{
    return has_word(f, port) && (__atomic_load_n(peek_word(f, port), __ATOMIC_SEQ_CST) & bits);
}

bool fifo_pending(struct fifo *f, struct domain *d, unsigned port, struct port *p)
{
    struct vcpu *v = d->vcpu[READ_ONCE(p->vcpu)];
    bool pending;

    if (p->waiting && v)
        fifo_fold(v);
    spin_lock(&f->lock); /* so that no fold has taken `raised` and not yet written PENDING */
    pending = has_word(f, port) && (p->raised || word_has(f, port, PENDING));
    spin_unlock(&f->lock);
    return pending;
}

void fifo_unmask(struct fifo *f, struct domain *d, unsigned port, struct port *p)
{
    if (has_word(f, port) &&
        __atomic_fetch_and(peek_word(f, port), ~MASKED, __ATOMIC_SEQ_CST) & PENDING)
        fifo_notify(f, d, port, p, false, true);
}

void fifo_clear_pending(struct domain *d, unsigned port, struct port *p)
{
    struct fifo *f = d->evtchn->fifo;

    p->raised = false;
    if (d->dying || !has_word(f, port))
        return;
    spin_lock(&f->lock); /* a fold that took `raised` before has written PENDING now */
    __atomic_fetch_and(peek_word(f, port), ~PENDING, __ATOMIC_SEQ_CST);
    spin_unlock(&f->lock);
}

bool fifo_busy(struct domain *d, unsigned port)
{
    return word_has(d->evtchn->fifo, port, LINKED);
}

/* --- the frames ------------------------------------------------------------------------------ */

static int add_control(struct domain *d, struct fifo *f, const struct evtchn_init_control *op)
{
    struct fifo_vcpu *fv = &f->vcpu[op->vcpu];
    mfn_t frame = mfn(op->control_gfn);

    if (!mfn_eq(fv->control, INVALID_MFN) || frame_get_typed(frame, d, FT_WRITABLE))
        return -EINVAL;
    fv->offset = op->offset;
    spin_lock(&f->lock);
    fv->control = frame;
    spin_unlock(&f->lock);
    return 0;
}

/*
 * From here on senders raise. What they set in the 2-level bitmap before (no sender is left that
 * does) is raised, too, and gets its word when the array reaches it.
 */
static void switch_abi(struct domain *d, struct fifo *f)
{
    struct evtchn_domain *ed = d->evtchn;

    __atomic_store_n(&ed->fifo, f, __ATOMIC_RELEASE);
    events_quiesce();
    for (unsigned i = 1; i < ed->nr_ports; i++) {
        struct port *p = port_find(d, i);

        p->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        if ((READ_ONCE(d->shared_info->evtchn_pending[i / 64]) >> (i % 64)) & 1 &&
            p->state != EVTCHNSTAT_closed)
            p->raised = true;
    }
}

long fifo_init_control(void *arg)
{
    struct evtchn_init_control *op = arg;
    struct domain *d = current->domain;
    struct fifo *f, *made = NULL;
    long rc;

    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    if (!domain_vcpu(d, op->vcpu))
        return -ENOENT;
    if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8)
        return -EINVAL;
    evtchn_lock(d);
    f = d->evtchn->fifo;
    if (!f) {
        f = made = hv_alloc(sizeof(*made) + d->max_vcpus * sizeof(made->vcpu[0]));
        for (unsigned i = 0; made && i < d->max_vcpus; i++)
            made->vcpu[i].control = INVALID_MFN;
    }
    rc = f ? add_control(d, f, op) : -ENOMEM;
    if (rc)
        hv_free(made);
    else if (made)
        switch_abi(d, made);
    evtchn_unlock(d);
    return rc;
}

long fifo_expand_array(void *arg)
{
    const struct evtchn_expand_array *op = arg;
    struct domain *d = current->domain;
    struct evtchn_domain *ed = d->evtchn;
    struct fifo *f;
    long rc = 0;

    evtchn_lock(d);
    f = ed->fifo;
    if (!f)
        rc = -EOPNOTSUPP;
    else if (f->nr_words == EVTCHN_FIFO_NR_CHANNELS)
        rc = -ENOSPC;
    else if (frame_get_typed(mfn(op->array_gfn), d, FT_WRITABLE))
        rc = -EINVAL;
    if (!rc) {
        unsigned first = f->nr_words;

        f->array[first / WORDS_PER_PAGE] = mfn(op->array_gfn);
        __atomic_store_n(&f->nr_words, first + (unsigned)WORDS_PER_PAGE, __ATOMIC_RELEASE);
        /* A fence between nr_words here and raised there: settle() sees the word or we see this. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        for (unsigned i = first; i < f->nr_words && i < ed->nr_ports; i++)
            if (port_find(d, i)->raised)
                fifo_notify(f, d, i, port_find(d, i), false, true);
    }
    evtchn_unlock(d);
    return rc;
}

void fifo_destroy(struct domain *d)
{
    struct fifo *f = d->evtchn->fifo;

    if (!f)
        return;
    __atomic_store_n(&d->evtchn->fifo, NULL, __ATOMIC_RELEASE);
    events_quiesce(); /* no fifo_fold is left that uses it, no sender that pushes */
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];
        uint32_t lists[2] = {f->vcpu[i].todo, v ? take_list(v) : 0};

        for (unsigned k = 0; k < ARRAY_SIZE(lists); k++)
            for (uint32_t port = lists[k]; port; port = port_find(d, port)->next)
                port_find(d, port)->waiting = false;
        if (!mfn_eq(f->vcpu[i].control, INVALID_MFN))
            frame_put_typed(f->vcpu[i].control);
    }
    for (unsigned i = 0; i < f->nr_words / WORDS_PER_PAGE; i++)
        frame_put_typed(f->array[i]);
    hv_free(f);
}
