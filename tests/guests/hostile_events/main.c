/* SPDX-License-Identifier: MIT */
/*
 * hostile_events: a guest that attacks the hypervisor's event channels (THREATS.md 23–25, 33).
 *
 * How it would break the hypervisor: it closes and resets ports on one vCPU while others bind them
 * and send on them, so that an end points at a peer that is gone (XSA-343, XSA-505); it polls,
 * unmasks and sends on port numbers far beyond any table (XSA-221, XSA-338); it takes all ports
 * there are from three vCPUs at once (XSA-317); it gives a bad control block and then expands an
 * array that was never made (XSA-188); and it writes the FIFO words that the hypervisor links
 * events with: loops, links out of range, itself as its own successor, BUSY and LINKED flickering
 * from another vCPU, while a neighbour must go on as if nothing happened.
 */
#include <rt/child.h>
#include <rt/test.h>

#define WORKERS  2
#define LINKED   (1u << EVTCHN_FIFO_LINKED)
#define PENDING  (1u << EVTCHN_FIFO_PENDING)
#define PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define ROUNDS   6000

/* --- two more vCPUs that do what they are told ------------------------------------------------ */

static void (*volatile job[WORKERS])(void);
static volatile bool stop;

static void worker(void)
{
    unsigned int me = vcpu_id() - 1;

    for (;;) {
        void (*fn)(void) = job[me];

        if (!fn) {
            sched_yield();
            continue;
        }
        fn();
        job[me] = NULL;
    }
}

static bool workers_start(void (*a)(void), void (*b)(void))
{
    static bool up;

    for (unsigned int i = 0; i < WORKERS && !up; i++)
        if (!CHECK_RC(vcpu_start(i + 1, worker), 0))
            return false;
    up = true;
    stop = false;
    job[0] = a;
    job[1] = b;
    return true;
}

static void workers_stop(void)
{
    stop = true;
    while (job[0] || job[1])
        sched_yield();
}

static uint32_t dice(void)
{
    static uint64_t state[WORKERS + 1];
    uint64_t *s = &state[vcpu_id()];

    *s = *s * 6364136223846793005ul + 1442695040888963407ul + vcpu_id();
    return (uint32_t)(*s >> 33);
}

static long reset(void)
{
    struct evtchn_reset op = {.dom = DOMID_SELF};

    return hv_evtchn_op(EVTCHNOP_reset, &op);
}

/* Everything still works: two ports, an event from one to the other. */
static void all_is_well(void)
{
    evtchn_port_t a, b;
    long rc = reset();

    while (rc == -XEN_EAGAIN || rc == -XEN_EBUSY)
        rc = reset();
    CHECK_RC(rc, 0);
    REQUIRE(event_loop(&a, &b));
    CHECK_EQ(a, 1);
    CHECK_EQ(b, 2);
    event_clear(a);
    event_clear(b);
    CHECK_RC(event_send(a), 0);
    CHECK_RC(event_send(b), 0);
    CHECK(event_is_pending(a) && event_is_pending(b));
    event_clear(a);
    event_clear(b);
    CHECK_RC(event_close(a), 0);
    CHECK_RC(event_close(b), 0);
}

/* --- 23: reset and close race bind and send --------------------------------------------------- */

static volatile long odd; /* an answer that no state of a port explains */

static void expect(long rc, long also)
{
    if (rc && rc != -XEN_EINVAL && rc != also)
        odd = rc;
}

static void bind_and_send(void)
{
    while (!stop) {
        evtchn_port_t a, b;

        expect(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &a), -XEN_ENOSPC);
        expect(event_bind_interdomain(DOMID_SELF, a % 24, &b), -XEN_ENOSPC);
        expect(event_bind_interdomain(DOMID_SELF, dice() % 24, &b), -XEN_ENOSPC);
        for (unsigned int i = 0; i < 8; i++)
            expect(event_send(dice() % 24), 0);
        expect(event_bind_vcpu(dice() % 24, dice() % 3), 0);
    }
}

static void close_them(void)
{
    while (!stop) {
        struct evtchn_unmask un = {.port = dice() % 24};
        struct evtchn_status st;

        for (unsigned int i = 0; i < 6; i++)
            expect(event_close(dice() % 24), 0);
        expect(hv_evtchn_op(EVTCHNOP_unmask, &un), 0);
        expect(event_status(DOMID_SELF, dice() % 24, &st), 0);
        un.port = dice() % 24;
        expect(sched_poll(&un.port, 1, 1), 0);
    }
}

static void test_close_races(void)
{
    odd = 0;
    REQUIRE(workers_start(bind_and_send, close_them));
    for (unsigned int i = 0; i < ROUNDS; i++)
        expect(event_send(dice() % 24), 0);
    workers_stop();
    CHECK_RC(odd, 0);
    all_is_well();
}

static void test_reset_races(void)
{
    odd = 0;
    REQUIRE(workers_start(bind_and_send, bind_and_send));
    for (unsigned int i = 0; i < 150; i++) {
        long rc = reset();

        if (rc && rc != -XEN_EAGAIN && rc != -XEN_EBUSY)
            odd = rc;
        for (unsigned int k = 0; k < 20; k++)
            expect(event_send(dice() % 24), 0);
    }
    workers_stop();
    CHECK_RC(odd, 0);
    all_is_well();
}

/* --- 24: numbers that are no ports ------------------------------------------------------------ */

static void one_wild_port(evtchn_port_t port)
{
    struct evtchn_unmask un = {.port = port};
    struct evtchn_set_priority pr = {.port = port, .priority = port & 15};
    struct evtchn_status st;
    evtchn_port_t got;

    CHECK_RC(event_send(port), -XEN_EINVAL);
    CHECK_RC(event_close(port), -XEN_EINVAL);
    CHECK_RC(event_bind_vcpu(port, 0), -XEN_EINVAL);
    CHECK_RC(event_bind_interdomain(DOMID_SELF, port, &got), -XEN_EINVAL);
    CHECK_RC(event_status(DOMID_SELF, port, &st), -XEN_EINVAL);
    CHECK_RC(hv_evtchn_op(EVTCHNOP_unmask, &un), -XEN_EINVAL);
    CHECK_RC(hv_evtchn_op(EVTCHNOP_set_priority, &pr), -XEN_EINVAL);
    CHECK_RC(sched_poll(&port, 1, 1), -XEN_EINVAL);
}

static void test_wild_ports(void)
{
    for (unsigned int bit = 13; bit < 32; bit++)
        for (int off = -1; off <= 1; off++)
            one_wild_port((1u << bit) + (uint32_t)off);
    for (unsigned int i = 0; i < 1000; i++)
        one_wild_port(dice() << 13 | 0x2000);
    one_wild_port(0xffffffff);
}

/* --- 25: all ports; a control block that is none -----------------------------------------------
 */

static volatile unsigned int got[3];

static void take_all(void)
{
    evtchn_port_t port;
    long rc;

    while ((rc = event_bind_ipi(0, &port)) == 0)
        got[vcpu_id()]++;
    if (rc != -XEN_ENOSPC)
        odd = rc;
}

static void test_exhaustion(void)
{
    evtchn_port_t port;

    odd = 0;
    got[0] = got[1] = got[2] = 0;
    REQUIRE(workers_start(take_all, take_all));
    take_all();
    workers_stop();
    CHECK_RC(odd, 0);
    CHECK_EQ(got[0] + got[1] + got[2], EVENT_PORTS - 1);
    CHECK_RC(event_alloc_unbound(DOMID_SELF, 5, &port), -XEN_ENOSPC);
    CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &port), -XEN_ENOSPC);
    all_is_well();
}

static long init_control(mfn_t frame)
{
    struct evtchn_init_control op = {.control_gfn = frame};

    return hv_evtchn_op(EVTCHNOP_init_control, &op);
}

static long expand(mfn_t frame)
{
    struct evtchn_expand_array op = {.array_gfn = frame};

    return hv_evtchn_op(EVTCHNOP_expand_array, &op);
}

static void test_bad_control_then_expand(void)
{
    void *page = page_alloc();

    for (unsigned int i = 0; i < 200; i++) {
        CHECK_RC(init_control(i & 1 ? current_l4_mfn() : ~0ul - i), -XEN_EINVAL);
        CHECK_RC(expand(mfn_of(page)), -XEN_EOPNOTSUPP);
        CHECK_RC(reset(), 0);
    }
    all_is_well();
    /* The same frame as both: foolish, and only for the guest. */
    CHECK_RC(init_control(mfn_of(page)), 0);
    CHECK_RC(expand(mfn_of(page)), 0);
    for (unsigned int i = 0; i < 100; i++) {
        evtchn_port_t port;

        CHECK_RC(event_bind_ipi(0, &port), 0);
        CHECK_RC(event_send(port), 0);
    }
    all_is_well();
    page_free(page);
}

/* Switching the ABI under senders. */
static void test_switch_races(void)
{
    void *control = page_alloc(), *array = page_alloc();
    unsigned int done = 0;

    odd = 0;
    REQUIRE(workers_start(bind_and_send, close_them));
    for (unsigned int i = 0; i < 60; i++) {
        long rc = init_control(mfn_of(control));

        if (rc && rc != -XEN_EINVAL)
            odd = rc;
        for (unsigned int k = 0; k < 20; k++)
            expect(event_send(dice() % 24), 0);
        rc = expand(mfn_of(array));
        if (rc && rc != -XEN_ENOSPC)
            odd = rc;
        for (unsigned int k = 0; k < 20; k++)
            expect(event_send(dice() % 24), 0);
        rc = reset();
        done += rc == 0;
        if (rc && rc != -XEN_EAGAIN) /* somebody bound meanwhile: FIFO stays */
            odd = rc;
    }
    workers_stop();
    CHECK_RC(odd, 0);
    CHECK(done > 0);
    all_is_well();
    memset(control, 0, PAGE_SIZE);
    memset(array, 0, PAGE_SIZE);
    page_free(control);
    page_free(array);
}

/* --- 33: a neighbour that sees nothing of all this ----------------------------------------------
 */

static volatile uint64_t beats;
static volatile uint64_t pattern[256];

/* Its events come, each once, and its memory is its own. */
static void neighbour(void)
{
    evtchn_port_t port;

    for (unsigned int i = 0; i < ARRAY_SIZE(pattern); i++)
        pattern[i] = i * 0x9e3779b97f4a7c15;
    event_bind_ipi(0, &port);
    event_unmask(port);
    events_enable();
    for (;;) {
        uint32_t before = event_count[port];

        event_send(port);
        if (event_count[port] != before + 1)
            child_exit(SHUTDOWN_crash);
        for (unsigned int i = 0; i < ARRAY_SIZE(pattern); i++)
            if (pattern[i] != i * 0x9e3779b97f4a7c15)
                child_exit(SHUTDOWN_crash);
        beats++;
    }
}

static uint64_t beats_of(struct child *c)
{
    volatile uint64_t *view = child_view(c, (void *)&beats);
    uint64_t n = *view;

    child_unview((void *)view);
    return n;
}

/* --- 23: the peer is destroyed while both ends send ------------------------------------------- */

static volatile evtchn_port_t meeting; /* ours; set in the child's copy, too */

static void send_for_ever(void)
{
    evtchn_port_t port;

    while (event_bind_interdomain(0, meeting, &port))
        ;
    beats = 1;
    for (;;)
        event_send(port);
}

static void send_to_it(void)
{
    while (!stop)
        expect(event_send(meeting), 0);
}

static void test_peer_dies(void)
{
    static struct child c;
    struct evtchn_status st;
    evtchn_port_t port;

    if (!is_dom0())
        return test_skip("only dom0 has a neighbour to make");
    odd = 0;
    for (unsigned int i = 0; i < 3; i++) {
        volatile evtchn_port_t *theirs;

        REQUIRE(CHECK_RC(child_create(&c, send_for_ever), 0));
        CHECK_RC(event_alloc_unbound(DOMID_SELF, c.id, &port), 0);
        meeting = port;
        theirs = child_view(&c, (void *)&meeting);
        *theirs = port;
        child_unview((void *)theirs);
        REQUIRE(workers_start(send_to_it, send_to_it));
        CHECK_RC(child_run(&c), 0);
        for (unsigned int k = 0; k < 3000 && !beats_of(&c); k++)
            sched_poll(NULL, 0, time_ns() + 1000000);
        CHECK(beats_of(&c) != 0);
        CHECK_RC(child_destroy(&c), 0);
        CHECK_RC(event_status(DOMID_SELF, port, &st), 0);
        CHECK_EQ(st.status, EVTCHNSTAT_unbound);
        CHECK_EQ(st.u.unbound.dom, c.id);
        workers_stop();
        CHECK_RC(event_close(port), 0);
    }
    CHECK_RC(odd, 0);
    all_is_well();
}

/* --- words of the array that the guest breaks ----------------------------------------------------
 */

static uint32_t *words;

static void flicker(void)
{
    while (!stop) {
        uint32_t *w = &words[1 + dice() % 15];

        switch (dice() % 6) {
        case 0:
            __atomic_fetch_xor(w, 1u << EVTCHN_FIFO_BUSY, __ATOMIC_SEQ_CST);
            break;
        case 1:
            __atomic_fetch_xor(w, LINKED, __ATOMIC_SEQ_CST);
            break;
        case 2:
            __atomic_store_n(w, 0xffffffff, __ATOMIC_SEQ_CST); /* links far beyond the array */
            break;
        case 3:
            __atomic_store_n(w, LINKED | (uint32_t)(w - words), __ATOMIC_SEQ_CST); /* to itself */
            break;
        case 4:
            __atomic_store_n(w, LINKED | (1 + dice() % 15), __ATOMIC_SEQ_CST); /* loops */
            break;
        default:
            __atomic_store_n(w, 0, __ATOMIC_SEQ_CST);
            break;
        }
    }
}

static void change_queues(void)
{
    while (!stop) {
        struct evtchn_set_priority pr = {.port = 1 + dice() % 15, .priority = dice() % 16};
        struct evtchn_unmask un = {.port = 1 + dice() % 15};

        expect(hv_evtchn_op(EVTCHNOP_set_priority, &pr), -XEN_EACCES);
        expect(hv_evtchn_op(EVTCHNOP_unmask, &un), 0);
        event_bind_vcpu(1 + dice() % 15, dice() % 3);
        event_send(1 + dice() % 15);
    }
}

static void test_broken_words(void)
{
    static struct child c;
    struct evtchn_fifo_control_block *control = page_alloc();
    uint64_t before, after, end;
    evtchn_port_t a, b;

    if (!is_dom0())
        return test_skip("only dom0 has a neighbour to make");
    words = page_alloc();
    REQUIRE(CHECK_RC(child_create(&c, neighbour), 0) && CHECK_RC(child_run(&c), 0));
    odd = 0;
    CHECK_RC(init_control(mfn_of(control)), 0);
    for (unsigned int v = 1; v < 3; v++) {
        struct evtchn_init_control op = {
            .control_gfn = mfn_of(control), .offset = v * 128, .vcpu = v};

        CHECK_RC(hv_evtchn_op(EVTCHNOP_init_control, &op), 0);
    }
    CHECK_RC(expand(mfn_of(words)), 0);
    for (unsigned int i = 0; i < 7; i++)
        REQUIRE(event_loop(&a, &b));
    before = beats_of(&c);
    REQUIRE(workers_start(flicker, change_queues));
    /* On a busy machine the emulator may give the neighbour's CPU no time for long: the storm goes on until it had some. */
    end = time_ns() + 20000000000;
    for (unsigned int i = 0; i < 2 * ROUNDS || (beats_of(&c) <= before + 20 && time_ns() < end); i++)
        expect(event_send(1 + dice() % 14), 0);
    after = beats_of(&c);
    workers_stop();
    CHECK_RC(odd, 0);
    CHECK(after > before + 20);
    for (unsigned int i = 0; i < 500 && beats_of(&c) == after; i++)
        sched_poll(NULL, 0, time_ns() + 1000000);
    CHECK(beats_of(&c) > after);
    all_is_well();
    CHECK_RC(child_destroy(&c), 0);
    memset(control, 0, PAGE_SIZE);
    memset(words, 0, PAGE_SIZE);
}

GUEST("hostile_events", TEST(close_races), TEST(reset_races), TEST(wild_ports), TEST(exhaustion),
      TEST(bad_control_then_expand), TEST(switch_races), TEST(peer_dies), TEST(broken_words));
