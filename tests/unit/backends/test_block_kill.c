/* SPDX-License-Identifier: MIT */
/* The block backend killed: at each instant of a request, and at random ones under load. */
#include "block_rig.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* --- killed at chosen instants --- */

/*
 * One request, and what its predecessor had got to: whatever it was, the guest sees exactly one
 * answer, and the next request is served.
 */
struct instant {
    const char *name;
    uint32_t state, req_cons; /* of the journal */
    bool in_ring;   /* the request still stands in its slot; else an answer has overwritten it */
    uint32_t shown; /* answers that the guest was shown */
    bool contradiction; /* not a state that a kill can leave */
};

static struct queue_journal *open_journal(struct rig *r)
{
    char path[128];
    void *j;
    int fd;

    snprintf(path, sizeof(path), "%s/vbd-7-51712", r->dir);
    fd = open(path, O_RDWR);
    j = mmap(NULL, sizeof(struct queue_journal), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    CU_ASSERT_FATAL(j != MAP_FAILED);
    return j;
}

static void leave_as(struct rig *r, const struct instant *at)
{
    struct queue_journal *j = open_journal(r);
    blkif_response_t rsp = {.id = 1, .operation = BLKIF_OP_WRITE};
    blkif_request_t *rq = RING_GET_REQUEST(&r->front, 0);

    queue_rw(r, BLKIF_OP_WRITE, 1, 8, 0, 1);
    memcpy(j->entry[3].slot, rq, BLK_SLOT_BYTES);
    j->entry[3].state = at->state;
    j->req_cons = at->req_cons;
    if (!at->in_ring)
        memcpy(rq, &rsp, sizeof(rsp));
    r->front.sring->req_prod = r->front.req_prod_pvt;
    r->front.sring->rsp_prod = at->shown;
    munmap(j, sizeof(*j));
}

static void killed_at(const struct instant *at)
{
    struct rig r = rig_new("w", false);
    blkif_response_t rsp;

    rig_connect(&r);
    device_end(r.dev, false);
    free(r.dev);
    r.f->shared->mapped = 0; /* the dead have no mappings, and no ports */
    r.f->shared->bound[PORT] = false;
    leave_as(&r, at);
    CU_ASSERT_EQUAL_FATAL(backend_start(&r), 0);
    backend_run(&r, 0);
    if (at->contradiction) {
        CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "5");
        CU_ASSERT_PTR_NOT_NULL(strstr(fake_get(r.f, BACK "/error"), "contradict"));
        rig_free(&r);
        return;
    }
    CU_ASSERT_STRING_EQUAL(fake_get(r.f, BACK "/state"), "4");
    rsp = answer(&r);
    CU_ASSERT(rsp.id == 1 && rsp.status == 0);
    queue_rw(&r, BLKIF_OP_READ, 2, 8, 1, 1);
    push(&r);
    rsp = answer(&r);
    CU_ASSERT(rsp.id == 2 && rsp.status == 0 && rsp.operation == BLKIF_OP_READ);
    backend_run(&r, 20);
    CU_ASSERT_EQUAL(r.front.sring->rsp_prod, 2);
    rig_free(&r);
}

static void killed_at_each_instant(void)
{
    static const struct instant instants[] = {
        {"nothing taken", ENTRY_FREE, 0, true, 0, false},
        {"in the journal, index not moved", ENTRY_TAKEN, 0, true, 0, false},
        {"taken", ENTRY_TAKEN, 1, true, 0, false},
        {"answer written, not in the journal", ENTRY_TAKEN, 1, false, 0, false},
        {"answer written, not shown", ENTRY_ANSWERED, 1, false, 0, false},
        {"answer shown, entry not free", ENTRY_ANSWERED, 1, false, 1, false},
        {"all done", ENTRY_FREE, 1, false, 1, false},
        {"taken and nowhere", ENTRY_FREE, 1, true, 0, true},
        {"answered and yet to do", ENTRY_TAKEN, 1, false, 1, true},
    };

    for (unsigned i = 0; i < sizeof(instants) / sizeof(*instants); i++)
        killed_at(&instants[i]);
}

/* --- killed at random instants --- */

static pid_t spawn(struct rig *r)
{
    pid_t pid = fork();

    if (pid == 0) {
        int status = backend_start(r);

        _exit(status ? status : loop_run(&r->dev->loop));
    }
    return pid;
}

static void reap_and_check(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFSIGNALED(status)); /* it had not ended by itself */
}

/*
 * Each request writes a page with its own generation to one of 200 places, never two to one place
 * at once. Whatever is answered must be in the file, each request is answered exactly once and
 * without error.
 */
static void killed_under_load(void)
{
    struct rig r = rig_new("w", false);
    uint32_t generation[200] = {0}, issued = 0, answered = 0;
    bool busy[200] = {false};
    unsigned wrong = 0;
    pid_t pid = spawn(&r);
    uint32_t page[1024];
    int fd;

    for (unsigned i = 0; i < 100 && strcmp(fake_get(r.f, BACK "/state"), "2"); i++)
        usleep(10000); /* the child's own start; there is no event for a test to wait on */
    fake_set(r.f, FRONT "/state", "3");
    srand(42);
    while (answered < 6000 && !wrong) {
        while (issued < 6000 && !RING_FULL(&r.front)) {
            unsigned place = (unsigned)rand() % 200;

            if (busy[place])
                break;
            busy[place] = true;
            generation[place] = ++issued;
            for (unsigned k = 0; k < 1024; k++)
                data(&r, place)[k] = issued;
            queue_rw(&r, BLKIF_OP_WRITE, place, place * 8, place, 1);
        }
        push(&r);
        if (rand() % 40 == 0) {
            reap_and_check(pid);
            for (unsigned i = 0; i < FAKE_PORTS; i++)
                r.f->shared->bound[i] = false;
            pid = spawn(&r);
        }
        if (r.front.sring->rsp_prod == r.front.rsp_cons && !fake_wait(r.f, 5000))
            wrong += 1;
        while (r.front.rsp_cons != r.front.sring->rsp_prod) {
            blkif_response_t rsp = *RING_GET_RESPONSE(&r.front, r.front.rsp_cons++);

            if (rsp.id >= 200 || !busy[rsp.id] || rsp.status)
                wrong += 1;
            else
                busy[rsp.id] = false;
            answered++;
        }
        r.front.sring->rsp_event = r.front.rsp_cons + 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(answered, issued);
    reap_and_check(pid);
    fd = open(r.image, O_RDONLY);
    for (unsigned place = 0; place < 200; place++) {
        if (!generation[place])
            continue;
        CU_ASSERT_EQUAL(pread(fd, page, 4096, place * 4096), 4096);
        CU_ASSERT(page[0] == generation[place] && page[1023] == generation[place]);
    }
    close(fd);
    r.f->shared->mapped = 0; /* the dead could not count */
    CU_ASSERT_EQUAL_FATAL(backend_start(&r), 0);
    rig_free(&r);
}

static const struct test tests[] = {
    {"killed at each instant", killed_at_each_instant},
    {"killed under load", killed_under_load},
};

int main(void)
{
    return suite_run("block backend, killed", tests, sizeof(tests) / sizeof(*tests));
}
