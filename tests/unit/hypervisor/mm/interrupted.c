/* SPDX-License-Identifier: MIT */
/*
 * Page types in the middle of it: a table that is refused, interrupted, given up or raced for while
 * it is validated or taken down. Whatever happens at whichever step, no reference is lost or kept.
 */
#include "guest.h"
#include <pthread.h>
#include <sched.h>

/* 4 [XSA-299, 310, 264, 290]: an error at every entry of every level; preemption at every step. */
static void errors_and_preemption_everywhere(void)
{
    struct domain *d = begin();
    struct tree t = make_tree(d);
    mfn_t data = get(d), more[6];

    for (unsigned i = 0; i < 6; i++)
        more[i] = get(d);
    for (unsigned i = 0; i < 512; i++) {
        raw(t.l1)[i] = pte_make(data, i % 2 ? RW : RO);
        raw(t.l2)[i] = pte_make(i % 3 ? t.l1 : more[i % 2], RW);
        raw(t.l3)[i] = pte_make(i % 3 ? t.l2 : more[2 + i % 2], RW);
        raw(t.l4)[i] = pte_make(i % 3 ? t.l3 : more[4 + i % 2], RW);
    }
    for (unsigned one_in = 0; one_in < 4; one_in++) {
        fake_preempt_one_in = one_in;
        for (unsigned i = 0; i < 512; i += 1 + i / 16) {
            mfn_t at[4] = {t.l1, t.l2, t.l3, t.l4};

            for (unsigned level = 1; level <= 4; level++) {
                pte_t was = raw(at[level - 1])[i];

                raw(at[level - 1])[i] = pte_make(mfn(5), RW); /* no frame of ours */
                if (level == 4 && i >= L4_HV_FIRST && i <= L4_HV_LAST)
                    EQ(pin(4, t.l4), 0);
                else
                    CU_ASSERT(pin(4, t.l4) < 0);
                if (level == 4 && i >= L4_HV_FIRST && i <= L4_HV_LAST)
                    EQ(unpin(t.l4), 0);
                raw(at[level - 1])[i] = was & PTE_P ? was : pte_make(t.l3, RW);
                if (i % 8 == 0)
                    AUDIT();
                EQ(type_of(data), FT_NONE);
                EQ(type_of(t.l3), FT_NONE);
            }
        }
        EQ(pin(4, t.l4), 0);
        AUDIT();
        EQ(unpin(t.l4), 0);
        AUDIT();
        EQ(type_of(data), FT_NONE);
    }
    fake_preempt_one_in = 0;
    end(d);
}

/* [XSA-252, 264, 290] A tree as wide as it is deep is made and taken apart in as many pieces as
 * others want this CPU. */
static unsigned interruptions(unsigned cmd, mfn_t m)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = m.m};
    struct hypercall hc = {.arg = {(uint64_t)&op, 1, 0, SELF}};
    unsigned n = 0;
    long rc;

    fake_preempt_one_in = 1;
    while ((rc = do_mmuext_op(&hc)) == -HC_RESTART)
        n++;
    fake_preempt_one_in = 0;
    EQ(rc, 0);
    return n;
}

static void long_work_is_preemptible(void)
{
    struct domain *d = begin();
    mfn_t l4 = get(d), data = get(d);

    for (unsigned i = 0; i < 8; i++) {
        struct tree t = make_tree(d);

        raw(l4)[i] = raw(t.l4)[0];
        for (unsigned k = 1; k < 8; k++) {
            mfn_t l1 = get(d);

            raw(l1)[0] = pte_make(data, RW);
            raw(t.l2)[k] = pte_make(l1, RW);
        }
    }
    CU_ASSERT(interruptions(MMUEXT_PIN_L4_TABLE, l4) > 50);
    AUDIT();
    CU_ASSERT(interruptions(MMUEXT_UNPIN_TABLE, l4) > 50);
    CU_ASSERT(!table_debts_any()); /* it was done when it said so */
    AUDIT();
    EQ(type_of(data), FT_NONE);
    end(d);
}

/* A half-validated tree whose guest dies before it goes on. */
static void death_in_the_middle(void)
{
    for (unsigned steps = 1; steps < 12; steps++) {
        struct domain *d = begin();
        struct tree t = make_tree(d);
        struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = t.l4.m};
        struct hypercall hc = {.arg = {(uint64_t)&op, 1, 0, SELF}};

        for (unsigned i = 0; i < 64; i++) {
            mfn_t l1 = get(d);

            raw(l1)[0] = pte_make(t.l4, RO);
            raw(t.l2)[i] = pte_make(l1, RW);
        }
        raw(t.l3)[511] = pte_make(get(d), RW);
        raw(t.l4)[511] = pte_make(get(d), RW);
        fake_preempt_one_in = 1;
        for (unsigned i = 0; i < steps; i++)
            EQ(do_mmuext_op(&hc), -HC_RESTART);
        fake_preempt_one_in = 0;
        AUDIT();
        end(d);
    }
}

/* A half-validated table that nobody goes on with (the guest changed its list): it can be anything
 * again. */
static void abandoned_in_the_middle(void)
{
    for (unsigned level = 1; level <= 4; level++) {
        struct domain *d = begin();
        struct tree t = make_tree(d);
        struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = t.l4.m};
        struct hypercall hc = {.arg = {(uint64_t)&op, 1, 0, SELF}};
        mfn_t l1 = get(d);

        for (unsigned i = 1; i < 8; i++)
            raw(t.l4)[i] = pte_make(t.l3, RW);
        fake_preempt_one_in = 1;
        EQ(do_mmuext_op(&hc), -HC_RESTART);
        EQ(do_mmuext_op(&hc), -HC_RESTART);
        fake_preempt_one_in = level % 2;
        EQ(frame_of(t.l4)->type & TYPE_PARTIAL, TYPE_PARTIAL);
        AUDIT();
        raw(l1)[0] = pte_make(t.l4, RW);
        EQ(pin(1, l1), -EBUSY); /* not while it holds references */
        /* The tree below it has nothing against beginning at another level. */
        EQ(pin(level, t.l4), 0);
        EQ(type_of(t.l4), FT_L1 + level - 1);
        fake_preempt_one_in = 0;
        CU_ASSERT(!(frame_of(t.l4)->type & TYPE_PARTIAL));
        AUDIT();
        EQ(pin(1, l1), -EBUSY);
        EQ(unpin(t.l4), 0);
        EQ(pin(1, l1), 0);
        end(d);
    }
}

/* 3 [XSA-401, 408]: one CPU makes a frame a table while another maps it writable. Never both. */
#define ROUNDS 100000

static struct domain *race_domain;
static mfn_t race_frame;
static _Atomic unsigned writable_wins, table_wins, both;
static _Atomic bool stop;

/* Until the promoter has won often enough; a failure yields, since the winner may have been
 * descheduled. */
static void *writer(void *unused)
{
    fake_mm_become(race_domain);
    while (!stop) {
        if (frame_get_typed(race_frame, race_domain, FT_WRITABLE)) {
            sched_yield();
            continue;
        }
        writable_wins++;
        if (type_of(race_frame) != FT_WRITABLE)
            both++;
        frame_put_typed(race_frame);
    }
    return NULL;
}

static void *promoter(void *unused)
{
    fake_mm_become(race_domain);
    while (table_wins < ROUNDS || writable_wins < ROUNDS) {
        if (frame_get_typed(race_frame, race_domain, FT_L1)) {
            sched_yield();
            continue;
        }
        table_wins++;
        if (type_of(race_frame) != FT_L1)
            both++;
        frame_put_typed(race_frame);
    }
    stop = true;
    return NULL;
}

static void race(void)
{
    pthread_t a, b, c;

    race_domain = begin();
    race_frame = get(race_domain);
    race_domain->arch.dirty_cpus = (cpumask_t){{1}};
    pthread_create(&a, NULL, writer, NULL);
    pthread_create(&b, NULL, promoter, NULL);
    pthread_create(&c, NULL, writer, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    pthread_join(c, NULL);
    EQ(both, 0);
    race_domain->arch.dirty_cpus = (cpumask_t){{0}};
    end(race_domain);
}

static const struct test tests[] = {
    {"errors and preemption everywhere", errors_and_preemption_everywhere},
    {"long work is preemptible", long_work_is_preemptible},
    {"death in the middle", death_in_the_middle},
    {"abandoned in the middle", abandoned_in_the_middle},
    {"a race for one frame", race},
};

int main(void)
{
    fake_mm_start(RAM);
    return run_suite("page types, interrupted", tests, ARRAY_SIZE(tests));
}
