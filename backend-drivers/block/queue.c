/* SPDX-License-Identifier: MIT */
/* One connected ring: see queue.h. */
#include "queue.h"

#include <errno.h>
#include <string.h>

static void finish(struct queue_request *r, int status);

/*
 * What each operation does, in order: F flush, D data, X discard. A flush or barrier with data
 * makes what came before durable, then its own.
 */
static const char *steps_of(const struct blk_request *rq)
{
    switch (rq->op) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
        return "D";
    case BLKIF_OP_DISCARD:
        return "X";
    default: /* flush, barrier */
        return blkif_has_data(rq) ? "FDF" : "F";
    }
}

static enum image_op op_of(const struct queue_request *r)
{
    switch (*r->step) {
    case 'F':
        return IMAGE_FLUSH;
    case 'X':
        return IMAGE_DISCARD;
    default:
        return blkif_to_disk(&r->rq) ? IMAGE_WRITE : IMAGE_READ;
    }
}

static void submit_step(struct queue_request *r)
{
    r->io.op = op_of(r);
    r->queue->active++;
    r->queue->image->ops->submit(r->queue->image, &r->io);
}

static void step_done(struct image_io *io, int err)
{
    struct queue_request *r = (struct queue_request *)io; /* `io` is the first member */
    struct queue *q = r->queue;

    q->active--;
    if (!err && *++r->step) {
        submit_step(r);
        return;
    }
    if (!err && r->rq.op == BLKIF_OP_READ)
        err = data_deliver(q->data, &r->rq, &r->data);
    finish(r, err ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
}

/* Hands a request to the image. Its data, if any, is attached. */
static void start(struct queue_request *r)
{
    r->step = steps_of(&r->rq);
    r->io = (struct image_io){
        .offset = r->rq.sector * BLK_SECTOR,
        .length = r->rq.sectors * BLK_SECTOR,
        .iov = r->data.iov,
        .niov = r->data.niov,
        .fixed = r->data.kind == DATA_COPY,
        .done = step_done,
    };
    if (r->rq.op == BLKIF_OP_WRITE_BARRIER)
        r->queue->barrier = r;
    submit_step(r);
}

/* Starts a request or says why not now: -EAGAIN, it has to wait for others. Answers it itself when
 * its grants are bad. */
static int try_start(struct queue_request *r)
{
    struct queue *q = r->queue;
    int err;

    if (r->rq.op == BLKIF_OP_WRITE_BARRIER && q->active)
        return -EAGAIN;
    if (blkif_has_data(&r->rq)) {
        err = data_attach(q->data, &r->rq, &r->data);
        if (err == -EAGAIN)
            return err;
        if (err) {
            finish(r, BLKIF_RSP_ERROR);
            return 0;
        }
    }
    start(r);
    return 0;
}

/* Brings the descriptors of an indirect request into private memory, once. */
static int fetch_segments(struct queue_request *r)
{
    uint8_t descriptors[BLK_MAX_SEGS * sizeof(struct blkif_request_segment)];
    xengnttab_grant_copy_segment_t seg = {
        .source.foreign = {.ref = r->rq.indirect_ref, .domid = (uint16_t)r->queue->domid},
        .dest.virt = descriptors,
        .len = (uint16_t)blkif_indirect_bytes(&r->rq),
        .flags = GNTCOPY_source_gref,
    };

    if (r->queue->xen->ops->copy(r->queue->xen, &seg, 1) || seg.status != GNTST_okay)
        return BLKIF_RSP_ERROR;
    blkif_decode_segments(&r->rq, descriptors);
    return BLKIF_RSP_OKAY;
}

/* From a journalled slot on: decode, check, start; or wait in line. */
static void admit(struct queue_request *r)
{
    struct queue *q = r->queue;
    int status = blkif_decode(q->abi, r->entry->slot, &r->rq);

    r->data.kind = DATA_NONE;
    r->data.niov = 0;
    if (status == BLKIF_RSP_OKAY && r->rq.indirect)
        status = fetch_segments(r);
    if (status == BLKIF_RSP_OKAY)
        status = blkif_check(&q->disk, &r->rq);
    if (status != BLKIF_RSP_OKAY) {
        finish(r, status);
    } else if (q->waiting || q->barrier || try_start(r) == -EAGAIN) {
        r->next = NULL;
        *q->waiting_end = r;
        q->waiting_end = &r->next;
    }
}

static void start_waiting(struct queue *q)
{
    while (q->waiting && !q->barrier) {
        struct queue_request *r = q->waiting;

        if (try_start(r) == -EAGAIN)
            return;
        q->waiting = r->next;
        if (!q->waiting)
            q->waiting_end = &q->waiting;
    }
}

static struct queue_request *take_free(struct queue *q)
{
    struct queue_request *r = q->free;

    q->free = r->next;
    return r;
}

/* Writes the answer into the ring; push() shows it. */
static void finish(struct queue_request *r, int status)
{
    struct queue *q = r->queue;
    struct queue_entry *e = r->entry;
    blkif_response_t rsp = {0};

    data_release(q->data, &r->data);
    if (q->barrier == r)
        q->barrier = NULL;
    e->status = (int16_t)status;
    e->rsp_idx = q->ring.rsp_prod;
    __atomic_store_n(&e->state, ENTRY_ANSWERED, __ATOMIC_RELEASE);
    rsp.id = r->rq.id;
    rsp.operation = r->rq.op;
    rsp.status = (int16_t)status;
    /* Id, operation and status lie alike in both ABIs; the native structure's tail padding is not
     * sent. */
    ring_answer(&q->ring, &rsp, offsetof(blkif_response_t, status) + sizeof(rsp.status));
    q->answered++;
}

static void push(struct queue *q)
{
    if (!q->answered)
        return;
    if (ring_push(&q->ring))
        q->xen->ops->notify(q->xen, q->port);
    for (unsigned i = 0; i < QUEUE_DEPTH && q->answered; i++) {
        struct queue_entry *e = &q->journal->entry[i];

        if (e->state != ENTRY_ANSWERED)
            continue;
        __atomic_store_n(&e->state, ENTRY_FREE, __ATOMIC_RELEASE);
        q->request[i].next = q->free;
        q->free = &q->request[i];
        q->answered--;
    }
}

/* Takes one request: it is in the journal before the ring index moves. */
static void take(struct queue *q)
{
    struct queue_request *r = take_free(q);
    struct queue_entry *e = r->entry;

    ring_peek(&q->ring, 0, e->slot, q->abi->slot_bytes);
    e->req_idx = q->ring.req_cons;
    __atomic_store_n(&e->state, ENTRY_TAKEN, __ATOMIC_RELEASE);
    q->ring.req_cons++;
    __atomic_store_n(&q->journal->req_cons, q->ring.req_cons, __ATOMIC_RELEASE);
    admit(r);
}

/* True when the ring was found empty and an event will say when it no longer is. */
static bool take_all(struct queue *q)
{
    for (;;) {
        int n = ring_pending(&q->ring);

        if (n < 0) {
            q->broken = true;
            return true;
        }
        if (n == 0 && !ring_sleep(&q->ring, 1))
            return true;
        for (; n > 0; n--) {
            if (!q->free || q->waiting || q->barrier)
                return false; /* a finished request brings us back */
            take(q);
        }
    }
}

bool queue_run(struct queue *q)
{
    bool asleep, answered;

    if (q->broken)
        return false;
    q->image->ops->reap(q->image);
    start_waiting(q);
    asleep = take_all(q);
    q->image->ops->kick(q->image);
    answered = q->answered != 0;
    push(q);
    /* Answers made room for what take_all() had to leave. Without any, the image's next completion
     * comes back here. */
    return !q->broken && !asleep && answered;
}

void queue_drain(struct queue *q)
{
    while (q->active || q->waiting) {
        start_waiting(q);
        if (q->active)
            q->image->ops->wait(q->image);
        if (!q->broken)
            push(q);
    }
    if (!q->broken)
        push(q);
}

static void init(struct queue *q, void *shared, size_t bytes)
{
    ring_init(&q->ring, shared, bytes, q->abi->slot_bytes);
    q->broken = false;
    q->barrier = NULL;
    q->active = q->answered = 0;
    q->free = q->waiting = NULL;
    q->waiting_end = &q->waiting;
    for (unsigned i = QUEUE_DEPTH; i-- > 0;) {
        struct queue_request *r = &q->request[i];

        r->queue = q;
        r->entry = &q->journal->entry[i];
        r->data.kind = DATA_NONE;
        if (r->entry->state == ENTRY_FREE) {
            r->next = q->free;
            q->free = r;
        }
    }
}

void queue_start(struct queue *q, void *shared, size_t bytes)
{
    init(q, shared, bytes);
}

/*
 * Answers that were on their way when the predecessor died: those the guest has been shown are done
 * with, the others are written again. Returns how many requests remain unanswered.
 */
static unsigned settle_answers(struct queue *q, uint32_t shown)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < QUEUE_DEPTH; i++) {
        struct queue_entry *e = &q->journal->entry[i];

        if (e->state == ENTRY_ANSWERED)
            /* Not shown: simply carried out again; it has not been answered as far as the guest
             * knows. */
            e->state = (int32_t)(e->rsp_idx - shown) < 0 ? ENTRY_FREE : ENTRY_TAKEN;
        if (e->state == ENTRY_TAKEN)
            taken++;
    }
    return taken;
}

/* Admits what was taken, in the order in which it was: a barrier stays behind what came before it.
 */
static void admit_again(struct queue *q, unsigned taken)
{
    bool done[QUEUE_DEPTH] = {false};

    while (taken--) {
        unsigned oldest = QUEUE_DEPTH;

        for (unsigned i = 0; i < QUEUE_DEPTH; i++) {
            const struct queue_entry *e = &q->journal->entry[i];

            if (e->state == ENTRY_TAKEN && !done[i] &&
                (oldest == QUEUE_DEPTH ||
                 (int32_t)(e->req_idx - q->journal->entry[oldest].req_idx) < 0))
                oldest = i;
        }
        done[oldest] = true;
        admit(&q->request[oldest]);
    }
}

int queue_take_over(struct queue *q, void *shared, size_t bytes)
{
    struct queue_journal *j = q->journal;
    uint32_t req_cons = j->req_cons, shown;
    unsigned taken;

    ring_init(&q->ring, shared, bytes, q->abi->slot_bytes);
    shown = ring_shared_rsp_prod(&q->ring);
    for (unsigned i = 0; i < QUEUE_DEPTH; i++)
        if (j->entry[i].state == ENTRY_TAKEN && j->entry[i].req_idx == req_cons)
            j->req_cons = ++req_cons; /* killed between the entry and the index */
    taken = settle_answers(q, shown);
    if (req_cons - shown != taken)
        return -EPROTO;
    init(q, shared, bytes);
    ring_resume(&q->ring, req_cons, shown);
    admit_again(q, taken);
    return 0;
}
