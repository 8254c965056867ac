/* SPDX-License-Identifier: MIT */
/*
 * fifo: event channels of the FIFO ABI.
 *
 * How a guest would break the hypervisor: it owns the memory that the queues are in. It gives
 * frames that are tables, or nobody's, or across a page's end (XSA-188); expands an array that does
 * not exist or beyond its end; moves events between queues while they are linked, so that a stale
 * tail would tie two queues together; closes ports that are still linked and waits for their number
 * to be given out again. The words it corrupts on purpose are in hostile_events.
 *
 * Upcalls stay off but in one test; the tests read the queues themselves. Each test begins with
 * two-level events and leaves them.
 */
#include <rt/child.h>
#include <rt/test.h>

#define PENDING   (1u << EVTCHN_FIFO_PENDING)
#define MASKED    (1u << EVTCHN_FIFO_MASKED)
#define LINKED    (1u << EVTCHN_FIFO_LINKED)
#define BUSY      (1u << EVTCHN_FIFO_BUSY)
#define PER_PAGE  (PAGE_SIZE / sizeof(event_word_t))
#define MAX_PAGES (EVTCHN_FIFO_NR_CHANNELS / PER_PAGE)

static struct evtchn_fifo_control_block *control;
static event_word_t *array; /* MAX_PAGES pages, of which expand() has given some */
static unsigned int given;

static uint32_t word(evtchn_port_t port)
{
    return __atomic_load_n(&array[port], __ATOMIC_SEQ_CST);
}
static void word_set(evtchn_port_t port, uint32_t bits)
{
    __atomic_fetch_or(&array[port], bits, __ATOMIC_SEQ_CST);
}
static void word_clear(evtchn_port_t port, uint32_t bits)
{
    __atomic_fetch_and(&array[port], ~bits, __ATOMIC_SEQ_CST);
}

static long init_control(mfn_t frame, uint32_t offset, uint32_t vcpu)
{
    struct evtchn_init_control op = {.control_gfn = frame, .offset = offset, .vcpu = vcpu};
    long rc = hv_evtchn_op(EVTCHNOP_init_control, &op);

    if (!rc)
        CHECK_EQ(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static long expand_by(mfn_t frame)
{
    struct evtchn_expand_array op = {.array_gfn = frame};

    return hv_evtchn_op(EVTCHNOP_expand_array, &op);
}

static long expand(void)
{
    long rc = expand_by(mfn_of((char *)array + given * PAGE_SIZE));

    given += rc == 0;
    return rc;
}

static long set_priority(evtchn_port_t port, uint32_t priority)
{
    struct evtchn_set_priority op = {.port = port, .priority = priority};

    return hv_evtchn_op(EVTCHNOP_set_priority, &op);
}

static long unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {.port = port};

    return hv_evtchn_op(EVTCHNOP_unmask, &op);
}

static long reset(void)
{
    struct evtchn_reset op = {.dom = DOMID_SELF};

    return hv_evtchn_op(EVTCHNOP_reset, &op);
}

static void blank(void)
{
    if (!array) {
        array = page_alloc_many(MAX_PAGES);
        control = page_alloc();
    }
    memset(array, 0, MAX_PAGES * PAGE_SIZE);
    memset(control, 0, PAGE_SIZE);
    given = 0;
}

static bool start(void)
{
    blank();
    return CHECK_RC(init_control(mfn_of(control), 0, 0), 0) && CHECK_RC(expand(), 0);
}

static void finish(void)
{
    CHECK_RC(reset(), 0);
    my_vcpu_info()->evtchn_upcall_pending = 0;
}

/*
 * The guest's half: the first event of a queue, as Linux takes it. *head is the reader's own
 * place in the queue; 0: begin at the control block's. 0: the queue is empty.
 */
static evtchn_port_t take(unsigned int priority, uint32_t *head)
{
    evtchn_port_t port =
        *head ? *head : __atomic_load_n(&control->head[priority], __ATOMIC_SEQ_CST);
    uint32_t w;

    __atomic_fetch_and(&control->ready, ~(1u << priority), __ATOMIC_SEQ_CST);
    if (!port || !(word(port) & LINKED))
        return 0;
    w = word(port);
    while (!__atomic_compare_exchange_n(&array[port], &w,
                                        w & ~(LINKED | (uint32_t)EVTCHN_FIFO_LINK_MASK), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    *head = w & EVTCHN_FIFO_LINK_MASK;
    word_clear(port, PENDING);
    return port;
}

static evtchn_port_t new_ipi(void)
{
    evtchn_port_t port = 0;

    CHECK_RC(event_bind_ipi(0, &port), 0);
    return port;
}

/* --- the calls ------------------------------------------------------------------------------- */

static void test_bad_control(void)
{
    static const uint32_t offsets[] = {1,    4,    7,     4028,       4032,      4088,
                                       4095, 4096, 65536, 0x7ffffff8, 0xfffffff8};
    evtchn_port_t a, b;

    blank();
    CHECK_RC(expand(), -XEN_EOPNOTSUPP);
    CHECK_RC(set_priority(new_ipi(), 3), -XEN_ENOSYS);
    CHECK_RC(set_priority(4000, 3), -XEN_EINVAL);
    CHECK_RC(init_control(mfn_of(control), 0, 64), -XEN_ENOENT);
    CHECK_RC(init_control(mfn_of(control), 0, 0xffffffff), -XEN_ENOENT);
    CHECK_RC(init_control(~0ul, 1, 77), -XEN_ENOENT); /* looked at first */
    for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++)
        CHECK_RC(init_control(mfn_of(control), offsets[i], 0), -XEN_EINVAL);
    CHECK_RC(init_control(~0ul, 0, 0), -XEN_EINVAL);
    CHECK_RC(init_control(0xffffffff, 0, 0), -XEN_EINVAL);
    CHECK_RC(init_control(current_l4_mfn(), 0, 0), -XEN_EINVAL); /* not to be written by anybody */
    /* None of these changed the ABI. */
    CHECK_RC(expand(), -XEN_EOPNOTSUPP);
    REQUIRE(event_loop(&a, &b));
    event_clear(b);
    CHECK_RC(event_send(a), 0);
    CHECK(event_is_pending(b));
    event_clear(b);
    /* The last place in a page is a good one. */
    CHECK_RC(init_control(mfn_of(control), 4024, 0), 0);
    CHECK_RC(init_control(mfn_of(control), 0, 0), -XEN_EINVAL); /* it has one */
    finish();
    CHECK_RC(expand(), -XEN_EOPNOTSUPP);
}

static void test_bad_array(void)
{
    blank();
    REQUIRE(CHECK_RC(init_control(mfn_of(control), 0, 0), 0));
    CHECK_RC(expand_by(~0ul), -XEN_EINVAL);
    CHECK_RC(expand_by(0xffffffff), -XEN_EINVAL);
    CHECK_RC(expand_by(current_l4_mfn()), -XEN_EINVAL);
    for (unsigned int i = 0; i < MAX_PAGES; i++)
        if (!CHECK_RC(expand(), 0))
            break;
    CHECK_RC(expand(), -XEN_ENOSPC);
    CHECK_RC(expand_by(~0ul), -XEN_ENOSPC);
    /* A frame that is in use as an array is no table, until reset gives it back. */
    CHECK_RC(page_set_readonly(array), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(array)), -XEN_EINVAL);
    finish();
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(array)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(array)), 0);
    CHECK_RC(page_set_writable(array), 0);
}

static void test_bad_priority(void)
{
    evtchn_port_t port;

    REQUIRE(start());
    port = new_ipi();
    CHECK_RC(set_priority(port, 0), 0);
    CHECK_RC(set_priority(port, 15), 0);
    CHECK_RC(set_priority(port, 16), -XEN_EINVAL);
    CHECK_RC(set_priority(port, 0xffffffff), -XEN_EINVAL);
    CHECK_RC(event_close(port), 0);
    CHECK_RC(set_priority(port, 3), -XEN_EACCES);
    CHECK_RC(set_priority(0, 3), -XEN_EACCES);
    CHECK_RC(set_priority(4000, 3), -XEN_EINVAL);
    CHECK_RC(set_priority(0x20000, 3), -XEN_EINVAL);
    CHECK_RC(set_priority(0xffffffff, 3), -XEN_EINVAL);
    finish();
}

/* --- two domains ----------------------------------------------------------------------------- */

#define PINGS 200
static volatile evtchn_port_t parent_port; /* the child's copy */

/* The child, with two-level events: sends, and waits for the answer. */
static void ping(void)
{
    evtchn_port_t port;

    if (event_bind_interdomain(0, parent_port, &port))
        child_exit(SHUTDOWN_crash);
    event_unmask(port);
    events_enable();
    for (unsigned int i = 0; i < PINGS; i++) {
        uint32_t before = event_count[port];

        event_send(port);
        while (event_count[port] == before)
            sched_poll(NULL, 0, time_ns() + 1000000);
    }
    child_exit(SHUTDOWN_poweroff);
}

/* What another domain sends waits for us outside of our frames, and is in the queue when we look.
 */
static void test_two_domains(void)
{
    static struct child c;
    volatile evtchn_port_t *theirs;
    evtchn_port_t port;
    uint32_t head = 0;

    if (!is_dom0())
        return test_skip("only dom0 makes domains");
    REQUIRE(start());
    REQUIRE(CHECK_RC(child_create(&c, ping), 0));
    CHECK_RC(event_alloc_unbound(DOMID_SELF, c.id, &port), 0);
    theirs = child_view(&c, (void *)&parent_port);
    *theirs = port;
    child_unview((void *)theirs);
    CHECK_RC(child_run(&c), 0);
    for (unsigned int i = 0; i < PINGS; i++) {
        CHECK_RC(sched_poll(&port, 1, time_ns() + 2000000000), 0);
        my_vcpu_info()->evtchn_upcall_pending = 0;
        if (!CHECK_EQ(take(7, &head), port))
            break;
        CHECK_EQ(take(7, &head), 0); /* each comes once */
        CHECK_RC(event_send(port), 0);
    }
    CHECK_EQ(child_wait(&c), SHUTDOWN_poweroff);
    CHECK_RC(event_send(port), 0); /* its end is unbound or waits to be destroyed */
    CHECK_RC(child_destroy(&c), 0);
    finish();
}

/* --- what was bound before goes on ----------------------------------------------------------- */

/* Last of all: Xen remembers for ever which ports were pending at a switch. */
static void test_switch(void)
{
    evtchn_port_t a, b, c;
    uint32_t head = 0;

    blank();
    REQUIRE(event_loop(&a, &b)); /* b is pending */
    c = new_ipi();
    CHECK(event_is_pending(b));
    REQUIRE(CHECK_RC(init_control(mfn_of(control), 0, 0), 0));
    CHECK_RC(event_send(c), 0); /* no array yet: kept */
    CHECK_RC(unmask(c), 0);
    CHECK_EQ(control->ready, 0);
    CHECK_EQ(word(c), 0);
    REQUIRE(CHECK_RC(expand(), 0));
    CHECK_EQ(word(b) & (PENDING | LINKED), PENDING | LINKED);
    CHECK_EQ(word(c) & (PENDING | LINKED), PENDING | LINKED);
    CHECK_EQ(control->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    CHECK_EQ(take(EVTCHN_FIFO_PRIORITY_DEFAULT, &head), b);
    CHECK_EQ(take(EVTCHN_FIFO_PRIORITY_DEFAULT, &head), c);
    CHECK_EQ(take(EVTCHN_FIFO_PRIORITY_DEFAULT, &head), 0);
    CHECK_RC(event_send(a), 0);
    CHECK_EQ(word(b), PENDING | LINKED);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_pending, 1);
    finish();
    /* Two levels again. */
    REQUIRE(event_loop(&a, &b));
    event_clear(b);
    memset(array, 0, PAGE_SIZE);
    CHECK_RC(event_send(a), 0);
    CHECK(event_is_pending(b));
    CHECK_EQ(word(b), 0);
    CHECK_RC(event_close(a), 0);
    CHECK_RC(event_close(b), 0);
}

/* --- queues ---------------------------------------------------------------------------------- */

static void test_order(void)
{
    evtchn_port_t p[5];
    uint32_t head = 0, urgent = 0;

    REQUIRE(start());
    for (unsigned int i = 0; i < 5; i++)
        p[i] = new_ipi();
    CHECK_RC(set_priority(p[4], 0), 0);
    CHECK_RC(event_send(p[2]), 0);
    CHECK_EQ(control->head[7], p[2]);
    CHECK_EQ(control->ready, 1u << 7);
    CHECK_EQ(word(p[2]), PENDING | LINKED);
    CHECK_RC(event_send(p[0]), 0);
    CHECK_RC(event_send(p[2]), 0); /* pending already: no second place in the queue */
    CHECK_RC(event_send(p[4]), 0);
    CHECK_RC(event_send(p[1]), 0);
    CHECK_EQ(control->ready, 1u << 7 | 1);
    CHECK_EQ(word(p[2]), PENDING | LINKED | p[0]);
    CHECK_EQ(word(p[0]), PENDING | LINKED | p[1]);
    CHECK_EQ(word(p[1]), PENDING | LINKED);
    CHECK_EQ(take(0, &urgent), p[4]);
    CHECK_EQ(take(0, &urgent), 0);
    CHECK_EQ(take(7, &head), p[2]);
    /* What comes while the guest reads goes to the end. */
    CHECK_RC(event_send(p[2]), 0);
    CHECK_RC(event_send(p[3]), 0);
    CHECK_EQ(take(7, &head), p[0]);
    CHECK_EQ(take(7, &head), p[1]);
    CHECK_EQ(take(7, &head), p[2]);
    CHECK_EQ(take(7, &head), p[3]);
    CHECK_EQ(take(7, &head), 0);
    /* An empty queue begins anew with its head. */
    CHECK_RC(event_send(p[3]), 0);
    CHECK_EQ(control->head[7], p[3]);
    CHECK_EQ(control->ready, 1u << 7);
    finish();
}

static void test_masks(void)
{
    evtchn_port_t p;
    uint32_t head = 0;

    REQUIRE(start());
    p = new_ipi();
    word_set(p, MASKED);
    CHECK_RC(event_send(p), 0);
    CHECK_EQ(word(p), PENDING | MASKED);
    CHECK_EQ(control->ready, 0);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_pending, 0);
    CHECK_RC(unmask(p), 0);
    CHECK_EQ(word(p), PENDING | LINKED);
    CHECK_EQ(control->ready, 1u << 7);
    CHECK_EQ(my_vcpu_info()->evtchn_upcall_pending, 1);
    CHECK_EQ(take(7, &head), p);
    word_set(p, MASKED);
    CHECK_RC(unmask(p), 0); /* nothing waits */
    CHECK_EQ(word(p), 0);
    CHECK_EQ(control->ready, 0);
    CHECK_RC(unmask(0), 0);
    CHECK_RC(unmask(4000), -XEN_EINVAL);
    CHECK_RC(unmask(0x20000), -XEN_EINVAL);
    CHECK_RC(unmask(0xffffffff), -XEN_EINVAL);
    finish();
}

/* An event moves to another queue while it is the tail of its old one: nothing follows it there. */
static void test_moving(void)
{
    evtchn_port_t a, b, c;
    uint32_t low = 0, high = 0;

    REQUIRE(start());
    a = new_ipi();
    b = new_ipi();
    c = new_ipi();
    CHECK_RC(event_send(a), 0);
    CHECK_RC(set_priority(a, 2), 0);
    CHECK_RC(event_send(a), 0); /* linked: stays where it is */
    CHECK_EQ(control->ready, 1u << 7);
    CHECK_EQ(take(7, &low), a);
    CHECK_RC(event_send(a), 0);
    CHECK_EQ(control->head[2], a);
    CHECK_RC(set_priority(c, 2), 0);
    CHECK_RC(event_send(b), 0); /* queue 7, whose last one was a */
    CHECK_RC(event_send(c), 0);
    CHECK_EQ(control->head[7], b);
    CHECK_EQ(word(a), PENDING | LINKED | c);
    CHECK_EQ(word(b), PENDING | LINKED);
    low = 0;
    CHECK_EQ(take(2, &high), a);
    CHECK_EQ(take(2, &high), c);
    CHECK_EQ(take(2, &high), 0);
    CHECK_EQ(take(7, &low), b);
    CHECK_EQ(take(7, &low), 0);
    finish();
}

/* A closed port that is still linked is not given out; a new owner starts with the default. */
static void test_close(void)
{
    evtchn_port_t a, b, c;
    uint32_t head = 0;

    REQUIRE(start());
    a = new_ipi();
    CHECK_RC(set_priority(a, 1), 0);
    CHECK_RC(event_send(a), 0);
    CHECK_EQ(word(a), PENDING | LINKED);
    CHECK_RC(event_close(a), 0);
    CHECK_EQ(word(a), LINKED); /* no longer pending, still in the queue */
    b = new_ipi();
    CHECK(b != a);
    CHECK_EQ(take(1, &head), a);
    c = new_ipi();
    CHECK_EQ(c, a);
    CHECK_RC(event_send(c), 0);
    CHECK_EQ(control->ready, 1u << 7);
    CHECK_EQ(control->head[7], c);
    finish();
}

static void test_bound_to_nobody(void)
{
    evtchn_port_t a, b;

    REQUIRE(start());
    CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &a), 0);
    CHECK_RC(event_send(a), 0);
    CHECK_EQ(word(a), 0);
    CHECK_RC(event_bind_interdomain(DOMID_SELF, a, &b), 0);
    CHECK_EQ(word(b), PENDING | LINKED); /* binding looks once */
    CHECK_RC(event_send(b), 0);
    CHECK_EQ(word(a), PENDING | LINKED);
    CHECK_EQ(word(b), PENDING | LINKED | a);
    finish();
}

/* More ports than two levels have, and an event on one of them. */
static void test_many_ports(void)
{
    evtchn_port_t port, b;
    unsigned int n = 0;
    uint32_t head = 0;

    REQUIRE(start());
    for (unsigned int i = 1; i < 5; i++)
        CHECK_RC(expand(), 0);
    for (port = 0; port < 4500; n++)
        REQUIRE(CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &port), 0) &&
                CHECK_EQ(port, n + 1));
    CHECK_RC(event_bind_interdomain(DOMID_SELF, port, &b), 0);
    CHECK_EQ(b, 4501);
    CHECK_EQ(word(b), PENDING | LINKED);
    CHECK_EQ(control->head[7], b);
    CHECK_RC(event_send(b), 0);
    CHECK_EQ(take(7, &head), b);
    CHECK_EQ(take(7, &head), port);
    CHECK_EQ(take(7, &head), 0);
    CHECK_RC(sched_poll(&port, 1, 1), 0);
    finish();
    CHECK_RC(event_send(4500), -XEN_EINVAL);
    /* Two levels end where they did. */
    for (n = 0; event_alloc_unbound(DOMID_SELF, DOMID_SELF, &port) == 0; n++)
        ;
    CHECK_EQ(n, EVENT_PORTS - 1);
    finish();
}

/* --- delivery -------------------------------------------------------------------------------- */

static unsigned int upcalls;
static evtchn_port_t taken;

static bool count_upcall(struct cpu_user_regs *regs)
{
    uint32_t head = 0;

    if (regs->entry_vector != VEC_EVENT)
        return false;
    upcalls++;
    my_vcpu_info()->evtchn_upcall_pending = 0;
    taken = take(7, &head);
    return true;
}

static void test_delivery(void)
{
    evtchn_port_t p;

    REQUIRE(start());
    p = new_ipi();
    upcalls = 0;
    trap_set_hook(count_upcall);
    events_enable();
    for (unsigned int i = 1; i <= 100; i++) {
        taken = 0;
        CHECK_RC(event_send(p), 0);
        CHECK_EQ(upcalls, i);
        CHECK_EQ(taken, p);
    }
    word_set(p, MASKED);
    CHECK_RC(event_send(p), 0);
    CHECK_EQ(upcalls, 100);
    CHECK_RC(unmask(p), 0);
    CHECK_EQ(upcalls, 101);
    events_disable();
    trap_set_hook(NULL);
    finish();
}

/* A timer's event, sent by the hypervisor itself, wakes a poll and a block. */
static void test_wakes(void)
{
    evtchn_port_t timer;
    uint64_t from;
    uint32_t head = 0;

    REQUIRE(start());
    CHECK_RC(event_bind_virq(VIRQ_TIMER, 0, &timer), 0);
    from = time_ns();
    word_set(timer, MASKED);
    CHECK_RC(hv_set_timer(from + 4000000), 0);
    CHECK_RC(sched_poll(&timer, 1, from + 2000000000), 0);
    CHECK(time_ns() >= from + 4000000 && time_ns() < from + 1500000000);
    CHECK_EQ(word(timer), PENDING | MASKED);
    CHECK_RC(sched_poll(&timer, 1, 0), 0); /* pending: at once */
    CHECK_RC(unmask(timer), 0);
    CHECK_EQ(take(7, &head), timer);
    my_vcpu_info()->evtchn_upcall_pending = 0;
    upcalls = 0;
    trap_set_hook(count_upcall);
    CHECK_RC(hv_set_timer(time_ns() + 4000000), 0);
    while (!upcalls)
        hv_sched_op(SCHEDOP_block, NULL);
    events_disable();
    trap_set_hook(NULL);
    CHECK_EQ(taken, timer);
    finish();
}

GUEST("fifo", TEST(bad_control), TEST(bad_array), TEST(bad_priority), TEST(order), TEST(masks),
      TEST(moving), TEST(close), TEST(bound_to_nobody), TEST(many_ports), TEST(delivery),
      TEST(wakes), TEST(two_domains), TEST(switch));
