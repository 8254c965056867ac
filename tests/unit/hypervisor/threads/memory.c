/* SPDX-License-Identifier: MIT */
/*
 * Page types (THREATS 3, 4, 9; XSA-401): two vCPUs, of one domain or of dom0 and another one, pin,
 * unpin, load and edit the same few tables, write into frames that are none, give them back and get
 * others, under ThreadSanitizer. When both are back every count is recounted from the tables
 * (fake_audit), and in the end all memory is there.
 *
 * Over hypervisor/arch/fake/mm, and so a program of its own. THREADS_STEPS, THREADS_SEED: as in
 * threads.h.
 */
#include "../mm/pt.h"
#include <hv/memory_op.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define RAM     1024
#define POOL    20 /* frames of each domain that take part */
#define THREADS 2

static struct domain *dom[2];
static uint64_t pool[2][POOL]; /* atomic */

static struct player {
    pthread_t thread;
    struct domain *d;
    unsigned number;
    uint64_t steps, seed;
} players[THREADS];

static unsigned pick(unsigned n)
{
    return (unsigned)(fake_random() >> 11) % n;
}

/* Mostly of the kind that may be of use at its place: tables of a level are a fifth of the pool. */
static mfn_t any_table(unsigned d, unsigned level)
{
    unsigned i = pick(6) ? level * POOL / 5 + pick(POOL / 5) : pick(POOL);

    return mfn(__atomic_load_n(&pool[d][i], __ATOMIC_RELAXED));
}

static pte_t any_entry(unsigned d, unsigned level)
{
    return pte_make(any_table(d, level - 1),
                    (pick(6) ? PTE_P : 0) | PTE_USER | (pick(3) ? 0 : PTE_RW));
}

static void write_entry(unsigned d)
{
    struct mmu_update u[3];
    unsigned n = 1 + pick(3), level = 1 + pick(4);

    for (unsigned i = 0; i < n; i++)
        u[i] = (struct mmu_update){mfn_to_maddr(any_table(d, level)) + pick(8) * 8,
                                   any_entry(d, level)};
    call(do_mmu_update, (uint64_t)u, n, 0, SELF);
    if (d == 0) { /* dom0 maps the other's */
        u[0] = (struct mmu_update){mfn_to_maddr(any_table(0, 1)) + pick(8) * 8, any_entry(1, 1)};
        call(do_mmu_update, (uint64_t)u, 1, 0, 1);
    }
}

/* The guest itself, through a mapping. */
static void scribble(unsigned d)
{
    unsigned level = 1 + pick(4);
    mfn_t m = any_table(d, level);

    if (frame_get_typed(m, current->domain, FT_WRITABLE))
        return;
    for (unsigned i = 0; i < 4; i++)
        __atomic_store_n(&raw(m)[pick(8)], any_entry(d, level), __ATOMIC_RELAXED);
    frame_put_typed(m);
}

static void give_back(unsigned d)
{
    unsigned i = pick(POOL);
    xen_pfn_t list[1] = {__atomic_load_n(&pool[d][i], __ATOMIC_RELAXED)};
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = SELF};

    r.extent_start.p = list;
    call(do_memory_op, XENMEM_decrease_reservation, (uint64_t)&r, 0, 0);
    list[0] = i;
    if (call(do_memory_op, XENMEM_populate_physmap, (uint64_t)&r, 0, 0) == 1)
        __atomic_store_n(&pool[d][i], list[0], __ATOMIC_RELAXED);
}

static void step(unsigned d)
{
    unsigned level = 1 + pick(4);

    switch (pick(12)) {
    case 0:
    case 1:
    case 2:
        pin(level, any_table(d, level));
        break;
    case 3:
        unpin(any_table(d, level));
        break;
    case 4:
        ext(pick(2) ? MMUEXT_NEW_BASEPTR : MMUEXT_NEW_USER_BASEPTR, any_table(d, 4).m, 0);
        break;
    case 5:
        give_back(d);
        break;
    case 6:
    case 7:
    case 8:
        scribble(d);
        break;
    default:
        write_entry(d);
    }
}

static void *play(void *arg)
{
    struct player *me = arg;

    fake_seed = me->seed;
    fake_mm_run(me->d, me->number);
    for (uint64_t i = 0; i < me->steps; i++)
        step(me->d->id);
    return NULL;
}

static uint64_t from_env(const char *name, uint64_t def)
{
    return getenv(name) ? strtoull(getenv(name), NULL, 0) : def;
}

/* Round 0: two domains; 1: two vCPUs of the same. */
static const char *run(unsigned round)
{
    uint64_t steps = from_env("THREADS_STEPS", 10000), seed = from_env("THREADS_SEED", 1), before;
    const char *bad;

    before = frames_free();
    fake_preempt_one_in = 4;
    for (unsigned d = 0; d < 2; d++) {
        dom[d] = fake_mm_domain(d, 100);
        dom[d]->arch.dirty_cpus = (cpumask_t){{3}};
        for (unsigned i = 0; i < POOL; i++)
            pool[d][i] = alloc_frames(dom[d], 0, 0).m;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        players[i] = (struct player){.number = i, .d = dom[round ? 1 : i], .steps = steps};
        players[i].seed = (seed * THREADS + i) * 2654435761u + 1;
        if (pthread_create(&players[i].thread, NULL, play, &players[i]))
            abort();
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(players[i].thread, NULL);
    fake_preempt_one_in = 0;
    bad = fake_audit(NULL, NULL);
    if (bad)
        return bad;
    fake_mm_kill(dom[1]);
    fake_mm_kill(dom[0]);
    if (fake_mm_exists(0) || fake_mm_exists(1))
        return "a domain is left";
    if (frames_free() != before)
        return "memory is not all there";
    return fake_map_users ? "a frame is left mapped" : NULL;
}

int main(void)
{
    fake_mm_start(RAM);
    for (unsigned round = 0; round < 2; round++) {
        const char *bad = run(round);

        printf("memory, round %u: %s\n", round, bad ? bad : "nothing is left over");
        if (bad)
            return 1;
    }
    return 0;
}
