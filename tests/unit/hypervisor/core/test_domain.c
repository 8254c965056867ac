/* SPDX-License-Identifier: MIT */
/* Domains: made, found, paused, shut down, resumed, crashed, killed; and nothing left when memory
 * runs out half-way. */
#include <hv/cmdline.h>
#include <hv/domain.h>
#include <hv/evtchn.h>
#include <hv/sched.h>
#include <hv/string.h>
#include <xen/sched.h>
#include "fake.h"
#include "tests.h"

static void life(void)
{
    struct domain *d, *e;

    fake_machine(1);
    d = fake_domain(5, 2, false);
    e = fake_domain(3, 1, false);
    CU_ASSERT_EQUAL(d->refs, 1);
    CU_ASSERT_PTR_EQUAL(domain_get(5), d);
    CU_ASSERT_PTR_EQUAL(domain_next(0xffff), e);
    CU_ASSERT_PTR_EQUAL(domain_next(3), d);
    CU_ASSERT_PTR_NULL(domain_next(5));
    domain_put(e);
    domain_put(d);
    CU_ASSERT_PTR_NULL(domain_get(4));
    fake_kill(d);
    CU_ASSERT(d->dead);
    CU_ASSERT_PTR_EQUAL(domain_get(5), d); /* our reference from above keeps it */
    domain_put(d);
    domain_put(d);
    CU_ASSERT_PTR_NULL(domain_get(5));
    fake_kill(e);
    fake_machine_down();
}

static void refused(void)
{
    struct domain_config cfg = {.max_vcpus = 1, .max_evtchn_port = 7, .max_grant_frames = 1};
    struct domain *d, *e;

    fake_machine(1);
    d = fake_domain(5, 2, false);
    CU_ASSERT_EQUAL(domain_create(5, &cfg, &e), -EEXIST);
    CU_ASSERT_EQUAL(domain_create(DOMID_SELF, &cfg, &e), -EINVAL);
    cfg.max_vcpus = 0;
    CU_ASSERT_EQUAL(domain_create(6, &cfg, &e), -EINVAL);
    cfg.max_vcpus = 100000;
    CU_ASSERT_EQUAL(domain_create(6, &cfg, &e), -EINVAL);
    CU_ASSERT_EQUAL(domain_make_vcpus(d, 2), -EINVAL); /* they are there */
    fake_kill(d);
    fake_machine_down();
}

/* Each allocation of a creation fails once; AddressSanitizer finds what is left behind. */
static void memory_runs_out(void)
{
    struct domain_config cfg = {
        .max_vcpus = 3, .max_evtchn_port = 1023, .max_grant_frames = 4, .max_maptrack_frames = 4};
    struct domain *d;
    unsigned failures = 0;
    int rc = -ENOMEM;

    fake_machine(1);
    for (long n = 0; rc; n++) {
        fake_alloc_budget = n;
        rc = domain_create(1, &cfg, &d);
        CU_ASSERT(rc == 0 || rc == -ENOMEM);
        if (!rc) {
            rc = domain_make_vcpus(d, 3);
            if (rc) {
                CU_ASSERT_PTR_NULL(d->vcpu[0]);
                fake_kill(d);
            }
        }
        failures += rc != 0;
    }
    fake_alloc_budget = -1;
    CU_ASSERT(failures > 10);
    fake_kill(d);
    fake_machine_down();
}

static void shutdown_and_resume(void)
{
    struct domain *d;
    struct sched_shutdown s = {.reason = SHUTDOWN_suspend};

    fake_machine(1);
    d = fake_domain(1, 2, true);
    fake_advance(fake_now + 1000000);
    CU_ASSERT_PTR_EQUAL(current->domain, d);
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_shutdown, PTR(&s), 0), 0);
    fake_softirqs();
    CU_ASSERT_PTR_EQUAL(current, this_cpu()->idle);
    CU_ASSERT(d->is_shut_down);
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_suspend);
    domain_shutdown(d, SHUTDOWN_poweroff); /* it stays what it was first */
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_suspend);
    domain_resume(d);
    fake_advance(fake_now + 1000000);
    CU_ASSERT_PTR_EQUAL(current->domain, d);
    CU_ASSERT_FALSE(d->is_shut_down);
    /* the reason named ahead is the one that counts */
    s.reason = SHUTDOWN_crash;
    call(do_sched_op, SCHEDOP_shutdown_code, PTR(&s), 0);
    s.reason = SHUTDOWN_poweroff;
    call(do_sched_op, SCHEDOP_shutdown, PTR(&s), 0);
    fake_softirqs();
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_crash);
    fake_kill(d);
    fake_machine_down();
}

static void crash(void)
{
    struct domain *d;

    fake_machine(1);
    d = fake_domain(1, 1, true);
    fake_advance(fake_now + 1000000);
    domain_crash(d, "vCPU %u did %s", 0, "that");
    CU_ASSERT_STRING_EQUAL(d->crash_reason, "vCPU 0 did that");
    CU_ASSERT_STRING_EQUAL(fake_log, "d1 crashed: vCPU 0 did that\n");
    domain_crash(d, "something else");
    CU_ASSERT_STRING_EQUAL(d->crash_reason, "vCPU 0 did that");
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_crash);
    fake_softirqs();
    CU_ASSERT_PTR_EQUAL(current, this_cpu()->idle);
    fake_kill(d);
    fake_machine_down();
}

static const char *end_of_dom0(int reason)
{
    static jmp_buf end;

    fake_machine_word = NULL;
    fake_machine_end = &end;
    if (!setjmp(end))
        domain_shutdown(dom0, reason);
    fake_machine_end = NULL;
    dom0->is_shut_down = false;
    dom0->shutdown_code = SHUTDOWN_CODE_NONE;
    return fake_machine_word;
}

static void dom0_ends(void)
{
    struct domain *d;

    fake_machine(1);
    d = fake_domain(0, 1, false);
    CU_ASSERT_STRING_EQUAL(end_of_dom0(SHUTDOWN_poweroff), "off");
    CU_ASSERT_STRING_EQUAL(end_of_dom0(SHUTDOWN_reboot), "restart");
    CU_ASSERT_STRING_EQUAL(end_of_dom0(SHUTDOWN_crash), "restart");
    opt.noreboot = true;
    CU_ASSERT_STRING_EQUAL(end_of_dom0(SHUTDOWN_crash), "halt");
    CU_ASSERT_STRING_EQUAL(end_of_dom0(SHUTDOWN_reboot), "restart");
    opt.noreboot = false;
    fake_kill(d);
    fake_machine_down();
}

static void watchdog(void)
{
    struct domain *d;
    struct sched_watchdog w = {.id = 0, .timeout = 2};

    fake_machine(1);
    d = fake_domain(1, 1, true);
    fake_advance(fake_now + 1000000);
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_watchdog, PTR(&w), 0), 1);
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_watchdog, PTR(&w), 0), 2);
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_watchdog, PTR(&w), 0), -ENOSPC);
    w = (struct sched_watchdog){.id = 1, .timeout = 0};
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_watchdog, PTR(&w), 0), 0);
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_watchdog, PTR(&w), 0), -EINVAL);
    w = (struct sched_watchdog){.id = 3, .timeout = 1};
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_watchdog, PTR(&w), 0), -EINVAL);
    fake_advance(fake_now + 1500000000UL);
    CU_ASSERT_FALSE(d->is_shut_down);
    w = (struct sched_watchdog){.id = 2, .timeout = 2};
    CU_ASSERT_EQUAL(call(do_sched_op, SCHEDOP_watchdog, PTR(&w), 0), 0); /* fed */
    fake_advance(fake_now + 1500000000UL);
    CU_ASSERT_FALSE(d->is_shut_down);
    fake_advance(fake_now + 1000000000UL);
    CU_ASSERT(d->is_shut_down);
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_watchdog);
    fake_kill(d);
    fake_machine_down();
}

static void vcpu_info_moves(void)
{
    struct domain *d;
    struct vcpu *v;
    mfn_t f;
    struct vcpu_info *i;

    fake_machine(1);
    d = fake_domain(1, 2, false);
    v = d->vcpu[0];
    f = fake_frame_of(d);
    fake_become(v);
    d->shared_info->vcpu_info[0].evtchn_upcall_pending = 1;
    CU_ASSERT_EQUAL(vcpu_info_register(v, f, 4096 - 63), -ENXIO);
    CU_ASSERT_EQUAL(vcpu_info_register(v, f, 4), -ENXIO);
    CU_ASSERT_EQUAL(vcpu_info_register(d->vcpu[1], f, 0), -EINVAL); /* it is up and another */
    CU_ASSERT_EQUAL(vcpu_info_register(v, mfn(200), 0), -EINVAL);
    CU_ASSERT_EQUAL(vcpu_info_register(v, f, 64), 0);
    CU_ASSERT_EQUAL(vcpu_info_register(v, f, 128), -EINVAL);
    i = vcpu_info_map(v);
    CU_ASSERT_PTR_EQUAL(i, fake_frames[f.m].page + 64);
    CU_ASSERT_EQUAL(i->evtchn_upcall_pending, 1);
    CU_ASSERT_EQUAL(v->event_selectors, ~0UL);
    CU_ASSERT_EQUAL(fake_frames[f.m].typed, 1);
    fake_become(this_cpu()->idle);
    fake_kill(d);
    CU_ASSERT_EQUAL(fake_frames[f.m].refs, 1);
    fake_machine_down();
}

CU_TestInfo domain_tests[] = {
    {"life", life},
    {"what is refused", refused},
    {"memory runs out at each step", memory_runs_out},
    {"shutdown and resume", shutdown_and_resume},
    {"crash", crash},
    {"dom0 ends", dom0_ends},
    {"watchdogs", watchdog},
    {"vcpu_info moves", vcpu_info_moves},
    CU_TEST_INFO_NULL,
};
