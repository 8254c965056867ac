/* SPDX-License-Identifier: MIT */
/* The scheduler, by simulation: shares, caps, placement, latency, and that nobody is lost between
 * blocking and waking. */
#include <hv/evtchn.h>
#include <hv/sched.h>
#include <hv/softirq.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include "fake.h"
#include "tests.h"

#define MS 1000000UL
#define S  1000000000UL

static uint64_t ran(struct domain *d)
{
    uint64_t ns = 0;

    for_each_vcpu(d, v) {
        struct vcpu_runstate_info r;

        vcpu_runstate_get(v, &r);
        ns += r.time[RUNSTATE_running];
    }
    return ns;
}

/* |a - b| ≤ percent of b. */
static bool near(uint64_t a, uint64_t b, unsigned percent)
{
    uint64_t diff = a > b ? a - b : b - a;

    return diff * 100 <= b * percent;
}

static void weights(void)
{
    struct domain *d[3];
    unsigned w[3] = {256, 512, 1280};

    fake_machine(1);
    for (unsigned i = 0; i < 3; i++) {
        d[i] = fake_domain((domid_t)(i + 1), 1, true);
        sched_set_params(d[i], &(struct sched_params){.weight = w[i]});
    }
    fake_advance(fake_now + 10 * S);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(near(ran(d[i]), 10 * S * w[i] / 2048, 2));
    for (unsigned i = 0; i < 3; i++)
        fake_kill(d[i]);
    fake_machine_down();
}

static void weight_changes_while_running(void)
{
    struct domain *a, *b;
    uint64_t a0, b0;

    fake_machine(1);
    a = fake_domain(1, 1, true);
    b = fake_domain(2, 1, true);
    fake_advance(fake_now + S);
    sched_set_params(a, &(struct sched_params){.weight = 768});
    a0 = ran(a);
    b0 = ran(b);
    fake_advance(fake_now + 4 * S);
    CU_ASSERT(near(ran(a) - a0, 3 * S, 2));
    CU_ASSERT(near(ran(b) - b0, 1 * S, 3));
    fake_kill(a);
    fake_kill(b);
    fake_machine_down();
}

static void caps(void)
{
    struct domain *a, *b;

    fake_machine(2);
    a = fake_domain(1, 2, true);
    b = fake_domain(2, 1, true);
    CU_ASSERT_EQUAL(sched_set_params(a, &(struct sched_params){.weight = 256, .cap = 30}), 0);
    fake_advance(fake_now + 10 * S);
    /* alone or not, two vCPUs or not: 30 % of one CPU */
    CU_ASSERT(near(ran(a), 3 * S, 1));
    CU_ASSERT(near(ran(b), 10 * S, 1));
    sched_set_params(a, &(struct sched_params){.weight = 256, .cap = 0});
    fake_advance(fake_now + 2 * S);
    CU_ASSERT(ran(a) > 5 * S); /* lifted: nobody stays parked */
    CU_ASSERT_EQUAL(sched_set_params(a, &(struct sched_params){.weight = 0}), -EINVAL);
    fake_kill(a);
    fake_kill(b);
    fake_machine_down();
}

/* 150 % of two vCPUs beside two hogs; and a cap that comes while it runs without a tick. */
static void cap_over_100(void)
{
    struct domain *a, *b;
    uint64_t before;

    fake_machine(2);
    a = fake_domain(1, 2, true);
    sched_set_params(a, &(struct sched_params){.weight = 256, .cap = 150});
    fake_advance(fake_now + 10 * S);
    CU_ASSERT(near(ran(a), 15 * S, 1));
    b = fake_domain(2, 2, true);
    sched_set_params(a, &(struct sched_params){.weight = 256, .cap = 60});
    before = ran(a);
    fake_advance(fake_now + 10 * S);
    CU_ASSERT(near(ran(a) - before, 6 * S, 1));
    CU_ASSERT(near(ran(b), 14 * S, 1));
    fake_kill(a);
    fake_kill(b);
    fake_machine_down();

    fake_machine(1);
    a = fake_domain(1, 1, true);
    fake_advance(fake_now + 3600 * S); /* alone: nothing looks at it */
    before = ran(a);
    sched_set_params(a, &(struct sched_params){.weight = 256, .cap = 10});
    fake_advance(fake_now + 10 * S);
    CU_ASSERT(near(ran(a) - before, S, 1));
    fake_kill(a);
    fake_machine_down();
}

static void reservations(void)
{
    struct domain *a, *b, *hog[4];
    cpumask_t one = {{1}}, two = {{2}};
    uint64_t period, budget, before;

    fake_machine(1);
    a = fake_domain(1, 1, true);
    b = fake_domain(2, 1, true);
    for (unsigned i = 0; i < 4; i++)
        hog[i] = fake_domain((domid_t)(i + 3), 1, true);
    CU_ASSERT_EQUAL(sched_set_reservation(a, 10 * MS, 6 * MS), 0);
    sched_get_reservation(a, &period, &budget);
    CU_ASSERT(period == 10 * MS && budget == 6 * MS);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10 * MS, 4 * MS), -ENOSPC);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10 * MS, 11 * MS), -EINVAL);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10000, 5000), -EINVAL);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 20 * MS, 4 * MS), 0); /* 20 % */
    fake_advance(fake_now + 10 * S);
    CU_ASSERT(near(ran(a), 6 * S, 1));
    CU_ASSERT(near(ran(b), 2 * S, 2)); /* its weight would give it 1 of 6 */
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT(near(ran(hog[i]), S / 2, 10));
    /* Less than its fair share: no difference. */
    CU_ASSERT_EQUAL(sched_set_reservation(a, 0, 0), 0);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10 * MS, MS), 0);
    fake_advance(fake_now + S);
    before = ran(b);
    fake_advance(fake_now + 12 * S);
    CU_ASSERT(near(ran(b) - before, 2 * S, 2));
    fake_kill(a);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10 * MS, 9 * MS), 0); /* the dead promise nothing */
    fake_kill(b);
    for (unsigned i = 0; i < 4; i++)
        fake_kill(hog[i]);
    fake_machine_down();

    fake_machine(2);
    a = fake_domain(1, 1, true);
    b = fake_domain(2, 2, true);
    for (unsigned i = 0; i < 4; i++)
        hog[i] = fake_domain((domid_t)(i + 3), 2, true);
    CU_ASSERT_EQUAL(sched_set_reservation(a, 10 * MS, 7 * MS), 0);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10 * MS, 5 * MS), -ENOSPC); /* one fits, not both */
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10 * MS, 2 * MS), 0);
    fake_advance(fake_now + 10 * S);
    CU_ASSERT(ran(a) >= 69 * S / 10);
    CU_ASSERT(ran(b) >= 39 * S / 10);
    /* A reservation goes along with the affinity, or forbids it. */
    CU_ASSERT_EQUAL(sched_set_affinity(a->vcpu[0], &one), 0);
    CU_ASSERT_EQUAL(sched_set_affinity(a->vcpu[0], &two), -ENOSPC); /* both of b's are there */
    CU_ASSERT_EQUAL(sched_set_reservation(b, 0, 0), 0);
    CU_ASSERT_EQUAL(sched_set_affinity(a->vcpu[0], &two), 0);
    CU_ASSERT_EQUAL(sched_set_reservation(b, 10 * MS, 2 * MS), 0);
    CU_ASSERT_EQUAL(sched_set_affinity(b->vcpu[0], &two), 0); /* 90 % */
    CU_ASSERT_EQUAL(sched_set_affinity(b->vcpu[1], &two), -ENOSPC);
    before = ran(a);
    fake_advance(fake_now + 10 * S);
    CU_ASSERT(ran(a) - before >= 69 * S / 10);
    CU_ASSERT_EQUAL(a->vcpu[0]->cpu, 1);
    fake_kill(a);
    fake_kill(b);
    for (unsigned i = 0; i < 4; i++)
        fake_kill(hog[i]);
    fake_machine_down();
}

/* One that wakes and sleeps as fast as it can gets no more than its share. */
static void storm_of_wakes(void)
{
    struct domain *calm, *storm;
    uint64_t begun;

    fake_machine(1);
    calm = fake_domain(1, 1, true);
    storm = fake_domain(2, 1, true);
    begun = fake_now;
    while (fake_now < begun + 5 * S) {
        fake_advance(fake_now + 70000);
        if (current == storm->vcpu[0]) {
            call(do_sched_op, SCHEDOP_block, 0, 0);
            fake_softirqs();
            fake_advance(fake_now + 10000);
            vcpu_unblock(storm->vcpu[0]);
            fake_softirqs();
        }
    }
    CU_ASSERT(ran(calm) >= 24 * S / 10);
    CU_ASSERT(ran(storm) >= 4 * S / 10); /* what is left between the steps of this test */
    fake_kill(calm);
    fake_kill(storm);
    fake_machine_down();
}

/* A vCPU that another one of its domain brings up and takes down, so fast that it never runs: the
 * CPU where it would run is disturbed as often as it might be preempted, not each time. */
static unsigned disturbed_by_ups_and_downs(uint64_t budget)
{
    struct domain *d[2];
    cpumask_t second = {{2}};
    struct vcpu *v;
    unsigned before;

    fake_machine(2);
    for (unsigned i = 0; i < 2; i++) {
        d[i] = fake_domain((domid_t)(i + 1), 1, i == 0);
        CU_ASSERT_EQUAL(sched_set_affinity(d[i]->vcpu[0], &second), 0);
    }
    CU_ASSERT_EQUAL(sched_set_reservation(d[1], 10 * MS, budget), 0);
    v = d[1]->vcpu[0];
    v->down = true;
    domain_unpause(d[1]);
    fake_advance(fake_now + 50 * MS);
    before = fake_ipis[1];
    for (unsigned i = 0; i < 10000; i++) { /* 10 ms */
        v->down = false;
        vcpu_wake(v);
        v->down = true;
        vcpu_sleep_nosync(v);
        fake_advance(fake_now + 1000);
    }
    before = fake_ipis[1] - before;
    fake_kill(d[0]);
    fake_kill(d[1]);
    fake_machine_down();
    return before;
}

static void storm_of_ups_and_downs(void)
{
    CU_ASSERT(disturbed_by_ups_and_downs(0) <= 150);
    CU_ASSERT(disturbed_by_ups_and_downs(MS) <= 600);
}

static void soft_affinity(void)
{
    struct domain *a, *b;
    cpumask_t two = {{2}};

    fake_machine(2);
    a = fake_domain(1, 1, false);
    b = fake_domain(2, 1, false);
    sched_set_soft_affinity(a->vcpu[0], &two);
    sched_set_soft_affinity(b->vcpu[0], &two);
    domain_unpause(a);
    fake_advance(fake_now + 100 * MS);
    CU_ASSERT_EQUAL(a->vcpu[0]->cpu, 1);
    domain_unpause(b); /* an idle CPU is better than the preferred one, shared */
    fake_advance(fake_now + 900 * MS);
    CU_ASSERT(near(ran(b), 900 * MS, 2));
    fake_kill(a);
    fake_kill(b);
    fake_machine_down();
}

/* An idle machine sets no timer, and one hog alone on one CPU none either. */
static void no_ticks(void)
{
    struct domain *d;

    fake_machine(1);
    d = fake_domain(1, 1, true);
    sched_set_params(d, &(struct sched_params){.weight = 256, .cap = 50});
    fake_advance(fake_now + S);
    domain_pause(d);
    fake_advance(fake_now + S); /* the cap's timer finds nothing used, and stops */
    CU_ASSERT_EQUAL(fake_deadline[0], UINT64_MAX);
    sched_set_params(d, &(struct sched_params){.weight = 256, .cap = 0});
    domain_unpause(d);
    fake_advance(fake_now + S);
    CU_ASSERT_EQUAL(fake_deadline[0], UINT64_MAX);
    fake_kill(d);
    fake_machine_down();
}

static void smp_balance(void)
{
    struct domain *d[5];

    fake_machine(2);
    for (unsigned i = 0; i < 5; i++)
        d[i] = fake_domain((domid_t)(i + 1), 1, true);
    fake_advance(fake_now + 20 * S);
    /* 40 s of CPU for five that always run: none far from its 8 s, none of it idle */
    uint64_t all = 0;
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT(near(ran(d[i]), 8 * S, 5));
        all += ran(d[i]);
    }
    CU_ASSERT(near(all, 40 * S, 1));
    for (unsigned i = 0; i < 5; i++)
        fake_kill(d[i]);
    fake_machine_down();
}

static void idle_cpu_takes_work(void)
{
    struct domain *a, *b;

    fake_machine(2);
    a = fake_domain(1, 1, true);
    b = fake_domain(2, 1, true);
    fake_advance(fake_now + S);
    CU_ASSERT(near(ran(a), S, 2));
    CU_ASSERT(near(ran(b), S, 2));
    CU_ASSERT_NOT_EQUAL(a->vcpu[0]->cpu, b->vcpu[0]->cpu);
    fake_kill(a);
    fake_kill(b);
    fake_machine_down();
}

static void affinity(void)
{
    struct domain *a, *b;
    cpumask_t one = {{2}}, none = {{0x10}}, got;

    fake_machine(2);
    a = fake_domain(1, 1, true);
    b = fake_domain(2, 1, true);
    CU_ASSERT_EQUAL(sched_set_affinity(a->vcpu[0], &none), -EINVAL);
    CU_ASSERT_EQUAL(sched_set_affinity(a->vcpu[0], &one), 0);
    CU_ASSERT_EQUAL(sched_set_affinity(b->vcpu[0], &one), 0);
    sched_get_affinity(a->vcpu[0], &got, NULL);
    CU_ASSERT_EQUAL(got.w[0], 2);
    fake_advance(fake_now + 2 * S);
    CU_ASSERT_EQUAL(a->vcpu[0]->cpu, 1);
    CU_ASSERT_EQUAL(b->vcpu[0]->cpu, 1);
    CU_ASSERT(near(ran(a), S, 3));
    CU_ASSERT(near(ran(b), S, 3));
    CU_ASSERT(near(cpu_idle_time(0), 2 * S, 3));
    fake_kill(a);
    fake_kill(b);
    fake_machine_down();
}

/* One that sleeps most of the time runs soon after it is woken, however many hogs there are. */
static void wake_latency(void)
{
    struct domain *hog[3], *light;
    uint64_t worst = 0;

    fake_machine(1);
    for (unsigned i = 0; i < 3; i++)
        hog[i] = fake_domain((domid_t)(i + 1), 1, true);
    light = fake_domain(9, 1, true);
    struct vcpu *v = light->vcpu[0];

    for (unsigned i = 0; i < 200; i++) {
        uint64_t woken;

        while (current != v)
            fake_advance(fake_now + 50000);
        fake_advance(fake_now + 100000); /* 0.1 ms of work, then it blocks */
        if (current == v)
            call(do_sched_op, SCHEDOP_block, 0, 0);
        fake_advance(fake_now + 10 * MS);
        woken = fake_now;
        vcpu_unblock(v);
        fake_softirqs();
        while (current != v)
            fake_advance(fake_now + 50000);
        worst = fake_now - woken > worst ? fake_now - woken : worst;
    }
    CU_ASSERT(worst <= MS);
    for (unsigned i = 0; i < 3; i++)
        fake_kill(hog[i]);
    fake_kill(light);
    fake_machine_down();
}

static void block_sees_an_event_that_came_first(void)
{
    struct domain *d;
    struct vcpu *v;

    fake_machine(1);
    d = fake_domain(1, 1, true);
    v = d->vcpu[0];
    fake_advance(fake_now + MS);
    CU_ASSERT_PTR_EQUAL(current, v);
    d->shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    v->event_selectors = 1;
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_block, 0, 0), 0);
    CU_ASSERT_FALSE(v->blocked);
    d->shared_info->vcpu_info[0].evtchn_upcall_pending = 0; /* the guest has taken it */
    call(do_sched_op, SCHEDOP_block, 0, 0);
    fake_advance(fake_now + MS);
    CU_ASSERT(v->blocked);
    CU_ASSERT_PTR_EQUAL(current, this_cpu()->idle);
    CU_ASSERT_EQUAL(v->runstate.state, RUNSTATE_blocked);
    vcpu_kick(v);
    fake_advance(fake_now + MS);
    CU_ASSERT_PTR_EQUAL(current, v);
    fake_kill(d);
    fake_machine_down();
}

/* A wake that comes while the registers of the one it wakes are being saved is done afterwards,
 * once. */
static void wake_in_the_gap(void)
{
    struct domain *d;
    struct vcpu *v;

    fake_machine(1);
    d = fake_domain(1, 1, true);
    v = d->vcpu[0];
    fake_advance(fake_now + MS);
    call(do_sched_op, SCHEDOP_block, 0, 0);
    fake_softirqs();
    CU_ASSERT_FALSE(v->is_running);
    v->is_running = true; /* as if its CPU were still in context_switch */
    vcpu_unblock(v);
    CU_ASSERT_PTR_NOT_EQUAL(current, v);
    CU_ASSERT_EQUAL(v->runstate.state, RUNSTATE_blocked);
    v->is_running = false;
    vcpu_wake(v);
    fake_softirqs();
    CU_ASSERT_PTR_EQUAL(current, v);
    fake_kill(d);
    fake_machine_down();
}

static void pause_stops_and_accounts(void)
{
    struct domain *d;
    struct vcpu_runstate_info r;
    uint64_t sum = 0;

    fake_machine(1);
    d = fake_domain(1, 1, true);
    uint64_t t0 = d->vcpu[0]->runstate.state_entry_time;
    fake_advance(fake_now + S);
    fake_become(this_cpu()->idle); /* another domain's hypercall pauses it */
    d->pause_count++;
    vcpu_sleep_nosync(d->vcpu[0]);
    fake_become(d->vcpu[0]);
    fake_softirqs();
    uint64_t then = ran(d);
    fake_advance(fake_now + S);
    CU_ASSERT_EQUAL(ran(d), then);
    vcpu_runstate_get(d->vcpu[0], &r);
    CU_ASSERT_EQUAL(r.state, RUNSTATE_offline);
    CU_ASSERT(near(r.time[RUNSTATE_offline], S, 1));
    for (unsigned i = 0; i < 4; i++)
        sum += r.time[i];
    CU_ASSERT_EQUAL(sum, fake_now - t0);
    domain_unpause(d);
    fake_advance(fake_now + S);
    CU_ASSERT(near(ran(d) - then, S, 1));
    fake_kill(d);
    fake_machine_down();
}

static void yield_lets_others_run(void)
{
    struct domain *a, *b;

    fake_machine(1);
    a = fake_domain(1, 1, true);
    b = fake_domain(2, 1, true);
    fake_advance(fake_now + 100 * MS);
    struct vcpu *first = current;
    call(do_sched_op, SCHEDOP_yield, 0, 0);
    fake_softirqs();
    CU_ASSERT_PTR_NOT_EQUAL(current, first);
    fake_kill(a);
    fake_kill(b);
    fake_machine_down();
}

static void poll(void)
{
    struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF};
    struct domain *d;
    struct vcpu *v;
    evtchn_port_t port, bad = 4000000000U;
    struct sched_poll p = {.nr_ports = 1};

    fake_machine(1);
    d = fake_domain(1, 1, true);
    v = d->vcpu[0];
    fake_advance(fake_now + MS);
    p.ports.p = &bad;
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_poll, PTR(&p), 0), -EINVAL);
    CU_ASSERT_FALSE(v->blocked);
    p.nr_ports = 129;
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_poll, PTR(&p), 0), -EINVAL);
    p.nr_ports = 1;
    p.ports.p = &port;
    port = 1;
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_poll, PTR(&p), 0), -EINVAL); /* not in use yet */
    CU_ASSERT_EQUAL(call(do_event_channel_op, EVTCHNOP_alloc_unbound, PTR(&unbound), 0), 0);
    CU_ASSERT_EQUAL(unbound.port, 1);
    d->shared_info->evtchn_pending[0] = 1 << 1;
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_poll, PTR(&p), 0), 0);
    CU_ASSERT_FALSE(v->blocked);
    d->shared_info->evtchn_pending[0] = 0;
    p.timeout = fake_now + 50 * MS;
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_poll, PTR(&p), 0), 0);
    fake_advance(fake_now + 49 * MS);
    CU_ASSERT(v->blocked);
    fake_advance(fake_now + 2 * MS);
    CU_ASSERT_PTR_EQUAL(current, v);
    CU_ASSERT_FALSE(v->polling);
    fake_kill(d);
    fake_machine_down();
}

CU_TestInfo sched_tests[] = {
    {"shares follow weights", weights},
    {"a weight changes while it runs", weight_changes_while_running},
    {"caps hold and can be lifted", caps},
    {"caps above 100, and late", cap_over_100},
    {"reservations", reservations},
    {"a storm of wakes", storm_of_wakes},
    {"a storm of ups and downs", storm_of_ups_and_downs},
    {"soft affinity", soft_affinity},
    {"no ticks", no_ticks},
    {"five hogs on two CPUs", smp_balance},
    {"an idle CPU takes work", idle_cpu_takes_work},
    {"affinity", affinity},
    {"wake latency among hogs", wake_latency},
    {"block sees an event that came first", block_sees_an_event_that_came_first},
    {"a wake in the gap", wake_in_the_gap},
    {"pause stops and accounts", pause_stops_and_accounts},
    {"yield lets others run", yield_lets_others_run},
    {"poll", poll},
    CU_TEST_INFO_NULL,
};
